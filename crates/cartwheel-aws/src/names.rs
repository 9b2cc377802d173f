//! The names of an account's resources, from the environment of the functions.

use std::fmt;

/// How an account is operated, for operators who ask a host that shows it.
pub const OPERATED_BY: &str = "On AWS, scripts/run-pipeline starts a run, the console of Step Functions stops \
    and redrives it and leads to its logs, and the function publish changes the release: docs/deploy.md has \
    the commands. docs/aws.md lists what a server on one machine has besides.";

/// Names and addresses of the account's resources, from `CARTWHEEL_*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The lake: `s3://bucket`, or `s3://bucket/prefix` if it shares the bucket.
    pub lake: String,
    /// The DynamoDB table of users.
    pub table: String,
    /// The Kinesis stream of events.
    pub stream: String,
    /// The Firehose stream of impressions; empty to put them to the stream of events.
    pub impressions: String,
    /// Address of the SQS queue of records that cannot be processed.
    pub dead_letters: String,
    /// ARN of the SNS topic of notices.
    pub topic: String,
    /// The SageMaker endpoint; empty to score in the process.
    pub endpoint: String,
    /// ARN of the pipeline's state machine; empty to show no runs.
    pub state_machine: String,
    /// The shop's IANA time zone.
    pub timezone: String,
}

/// A required name is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Missing(&'static str);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the environment variable {} is not set: docs/deploy.md lists them", self.0)
    }
}

impl Names {
    /// Reads the environment.
    ///
    /// # Errors
    /// When one of `needed` (`CARTWHEEL_LAKE`, …) is missing or empty.
    pub fn from_env(needed: &[&'static str]) -> Result<Self, Missing> {
        Self::read(&|name| std::env::var(name).unwrap_or_default(), needed)
    }

    fn read(variable: &dyn Fn(&str) -> String, needed: &[&'static str]) -> Result<Self, Missing> {
        if let Some(missing) = needed.iter().find(|name| variable(name).is_empty()) {
            return Err(Missing(missing));
        }
        let timezone = variable("CARTWHEEL_TIMEZONE");
        Ok(Self {
            lake: variable("CARTWHEEL_LAKE"),
            table: variable("CARTWHEEL_TABLE"),
            stream: variable("CARTWHEEL_STREAM"),
            impressions: variable("CARTWHEEL_IMPRESSIONS"),
            dead_letters: variable("CARTWHEEL_DEAD_LETTERS"),
            topic: variable("CARTWHEEL_TOPIC"),
            endpoint: variable("CARTWHEEL_ENDPOINT"),
            state_machine: variable("CARTWHEEL_STATE_MACHINE"),
            timezone: if timezone.is_empty() { "UTC".to_owned() } else { timezone },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_the_missing_variable() {
        let none = |_: &str| String::new();
        let error = Names::read(&none, &["CARTWHEEL_TABLE"]).unwrap_err().to_string();
        assert!(error.contains("CARTWHEEL_TABLE is not set"), "{error}");
        assert_eq!(Names::read(&none, &[]).unwrap().timezone, "UTC");
    }
}
