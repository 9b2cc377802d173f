//! The load to plan for, and the rates that follow from it.

use serde::Serialize;

use crate::figures::HOURS;

/// Where requests are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointMode {
    /// In the process of the API.
    Embedded,
    /// On a SageMaker endpoint.
    Sagemaker,
}

/// The quotas that an AWS account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Account {
    /// The documented defaults.
    Standard,
    /// Those that a new account often has until AWS raises them.
    Fresh,
}

/// The load to plan for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Load {
    /// Events a second, averaged over a month.
    pub events_per_second: f64,
    /// Users with a record.
    pub users: u64,
    /// Products in the catalogue.
    pub products: u64,
    /// The busiest second as a multiple of the average.
    pub peak: f64,
    /// Bytes of an event's record as JSON.
    pub event_bytes: u32,
    /// Distinct products that a user has bought.
    pub products_per_user: u32,
    /// Orders in a user's history.
    pub orders_per_user: u32,
    /// Answers with recommendations for each event. `/submit` gives one.
    pub recommendations_per_event: f64,
    /// Runs of the pipeline a day.
    pub retrain_per_day: f64,
    /// Days that the lake keeps its data.
    pub keep_days: u32,
    /// Where requests are scored.
    pub endpoint_mode: EndpointMode,
    /// Quotas of the account.
    pub account: Account,
}

impl Load {
    /// Runs of the pipeline a month.
    pub(crate) fn runs(&self) -> f64 {
        self.retrain_per_day * HOURS / 24.0
    }
}

/// Rates that many parts share, averages a second.
pub(crate) struct Rates {
    pub(crate) events: f64,
    pub(crate) recommendations: f64,
    /// HTTP requests: an event is one request, which also brings its first answer.
    pub(crate) calls: f64,
    /// The busiest second as a multiple of the average.
    pub(crate) peak: f64,
}

impl Rates {
    pub(crate) fn of(load: &Load) -> Self {
        let events = load.events_per_second;
        Self {
            events,
            recommendations: events * load.recommendations_per_event,
            calls: events * load.recommendations_per_event.max(1.0),
            peak: load.peak,
        }
    }
}

/// Rounds up to a whole number.
pub(crate) fn count(number: f64) -> u64 {
    // Saturates. Every number here is bounded far below the limit.
    number.ceil() as u64
}
