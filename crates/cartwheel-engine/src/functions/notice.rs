//! The payload of `notify`: how a run ended.

use serde::Deserialize;
use serde_json::Value;

use crate::verdict::Verdict;

/// How a run ended: what the last task of a run sends, or the detail of EventBridge's event about an
/// execution that failed, timed out or was aborted.
#[derive(Debug, Deserialize)]
pub struct Notify {
    /// The run.
    #[serde(alias = "name")]
    pub run: String,
    /// `released`, `provisional`, `rejected`, `untrained`; or `FAILED`, `TIMED_OUT`, `ABORTED`.
    #[serde(alias = "status")]
    pub outcome: String,
    /// The error of a failed run.
    #[serde(default)]
    pub error: Option<String>,
    /// Its cause.
    #[serde(default)]
    pub cause: Option<String>,
    /// The value that `evaluate` returned.
    #[serde(default)]
    pub evaluation: Option<Value>,
    /// The value that `publish` returned.
    #[serde(default)]
    pub released: Option<Value>,
}

impl Notify {
    /// The subject of a notice, one line.
    pub fn subject(&self) -> String {
        format!("cartwheel: run {} {}", self.run, self.ended())
    }

    /// The text of a notice.
    pub fn message(&self) -> String {
        let mut message = format!("Run {} ended: {}.\n", self.run, self.ended());
        if let Some(error) = &self.error {
            let cause = self.cause.as_deref().unwrap_or_default();
            message.push_str(&format!("Error: {error}\nCause: {cause}\n"));
        }
        if let Some(evaluation) = &self.evaluation {
            message.push_str(&format!(
                "Model {}: Recall@10 {:+.4} against {} (standard error {:.4}, {} users).\n",
                evaluation["model"].as_str().unwrap_or_default(),
                evaluation["difference"].as_f64().unwrap_or_default(),
                evaluation["reference"].as_str().unwrap_or_default(),
                evaluation["standard_error"].as_f64().unwrap_or_default(),
                evaluation["users"],
            ));
        }
        let judged = self.evaluation.iter().chain(&self.released);
        let verdict = judged.filter_map(|from| Verdict::deserialize(&from["verdict"]).ok()).next();
        if let Some(Verdict { reason, advice, .. }) = verdict {
            message.push_str(&format!("{reason}\n"));
            message.extend(advice.map(|advice| format!("{advice}\n")));
        }
        if let Some(released) = self.released.as_ref().filter(|r| !r["release"].is_null()) {
            message.push_str(&format!("Released: {}\n", released["release"]));
        }
        message
    }

    fn ended(&self) -> String {
        self.outcome.to_lowercase().replace('_', " ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_events_of_executions_become_notices() {
        // The detail of "Step Functions Execution Status Change".
        let failed = json!({
            "executionArn": "arn:aws:states:eu-west-1:1:execution:shop-dev-pipeline:shop-dev-1",
            "stateMachineArn": "arn:aws:states:eu-west-1:1:stateMachine:shop-dev-pipeline",
            "name": "shop-dev-1", "status": "FAILED", "startDate": 1, "stopDate": 2,
            "input": "{}", "output": null, "error": "States.TaskFailed", "cause": "no capacity",
        });
        let notice = Notify::deserialize(&failed).unwrap();
        assert_eq!(notice.subject(), "cartwheel: run shop-dev-1 failed");
        let expected =
            "Run shop-dev-1 ended: failed.\nError: States.TaskFailed\nCause: no capacity\n";
        assert_eq!(notice.message(), expected);
        let late = json!({"name": "n", "status": "TIMED_OUT", "error": null, "cause": null});
        let late = Notify::deserialize(&late).unwrap();
        assert_eq!(late.message(), "Run n ended: timed out.\n");
    }
}
