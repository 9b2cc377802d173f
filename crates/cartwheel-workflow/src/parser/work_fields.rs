//! Reads the fields that Task, Parallel and Map share, above all `Retry` and `Catch`.

use serde_json::Value;

use super::fields::{Fields, MAX_SECONDS, Parser};
use crate::definition::{Catcher, Retrier, WorkFields};
use crate::failure::ALL;
use crate::problem::join;

/// Largest `MaxDelaySeconds`: 366 days.
const MAX_DELAY_SECONDS: u64 = 31_622_400;

impl Parser {
    /// `parameters` is the name of the field with the state's payload template.
    pub(super) fn work(&mut self, fields: &Fields, parameters: &str, place: &str) -> WorkFields {
        WorkFields {
            parameters: self.template(fields, parameters, place),
            result_selector: self.template(fields, "ResultSelector", place),
            result_path: self.result_path(fields, place),
            retry: self.handlers(fields, "Retry", place, Self::retrier),
            catch: self.handlers(fields, "Catch", place, Self::catcher),
        }
    }

    /// A list of retriers or catchers, of which only the last may match every error.
    fn handlers<T>(
        &mut self,
        fields: &Fields,
        name: &str,
        place: &str,
        read: fn(&mut Self, &Fields, &str) -> Option<T>,
    ) -> Vec<T> {
        let place = join(place, name);
        let items = match fields.get(name) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.report(&place, "must be an array");
                return Vec::new();
            }
        };
        let mut handlers = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let place = format!("{place}[{index}]");
            if let Some(fields) = self.object(item, &place) {
                let matches_all = fields
                    .get("ErrorEquals")
                    .and_then(Value::as_array)
                    .is_some_and(|names| names.iter().any(|name| name == ALL));
                if matches_all && index + 1 < items.len() {
                    self.report(&place, "States.ALL must come last");
                }
                handlers.extend(read(self, fields, &place));
            }
        }
        handlers
    }

    fn error_names(&mut self, fields: &Fields, place: &str) -> Vec<String> {
        let place = join(place, "ErrorEquals");
        let names = self.non_empty_array(fields.get("ErrorEquals"), &place, "error names");
        let Some(names) = names else { return Vec::new() };
        let errors: Vec<String> =
            names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        if errors.len() < names.len() {
            self.report(&place, "must be an array of error names");
        }
        if errors.len() > 1 && errors.iter().any(|name| name == ALL) {
            self.report(&place, "States.ALL must be the only name");
        }
        errors
    }

    fn retrier(&mut self, fields: &Fields, place: &str) -> Option<Retrier> {
        let allowed = [
            "ErrorEquals",
            "IntervalSeconds",
            "MaxAttempts",
            "BackoffRate",
            "MaxDelaySeconds",
            "JitterStrategy",
            "Comment",
        ];
        self.check_fields(fields, &allowed, place);
        let errors = self.error_names(fields, place);
        let interval_seconds = self.integer(fields, "IntervalSeconds", place, 1..=MAX_SECONDS);
        let interval_seconds = interval_seconds.unwrap_or(1);
        let max_delay_seconds =
            self.integer(fields, "MaxDelaySeconds", place, 1..=MAX_DELAY_SECONDS);
        if max_delay_seconds.is_some_and(|max| max <= interval_seconds) {
            self.report(&join(place, "MaxDelaySeconds"), "must be greater than IntervalSeconds");
        }
        let backoff_rate = match fields.get("BackoffRate") {
            None => 2.0,
            Some(value) => value.as_f64().filter(|rate| *rate >= 1.0).unwrap_or_else(|| {
                self.report(&join(place, "BackoffRate"), "must be a number of at least 1");
                2.0
            }),
        };
        let jitter = match self.string(fields, "JitterStrategy", place) {
            None | Some("NONE") => false,
            Some("FULL") => true,
            Some(_) => {
                self.report(&join(place, "JitterStrategy"), "must be NONE or FULL");
                false
            }
        };
        let max_attempts = self.integer(fields, "MaxAttempts", place, 0..=MAX_SECONDS).unwrap_or(3);
        Some(Retrier {
            errors,
            interval_seconds,
            max_attempts,
            backoff_rate,
            max_delay_seconds,
            jitter,
        })
    }

    fn catcher(&mut self, fields: &Fields, place: &str) -> Option<Catcher> {
        self.check_fields(fields, &["ErrorEquals", "ResultPath", "Next", "Comment"], place);
        let errors = self.error_names(fields, place);
        let result_path = self.result_path(fields, place);
        let next = self.required(fields, "Next", place)?.to_owned();
        Some(Catcher { errors, result_path, next })
    }
}
