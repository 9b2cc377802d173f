//! The lake, the feature job on Glue, and training on SageMaker.

use serde::Serialize;

use crate::figures::{
    DAY, DELIVERY_BYTES, DELIVERY_SECONDS, GB, GLUE_CORES, GLUE_EVENTS, GLUE_LINES, GLUE_SECONDS,
    GLUE_START, HOURS, IMPRESSION_BYTES, ORDER_LINES, PARQUET, PART_USERS, PRODUCT_FILE,
    RELEASE_SECONDS, SECONDS, TRAINING_HOURS,
};
use crate::load::{Load, Rates, count};
use crate::realtime::{Functions, Table};

/// S3.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lake {
    /// GB stored after `keep_days`.
    pub stored_gb: f64,
    /// PUT requests a month.
    pub puts_per_month: f64,
    /// GET requests a month.
    pub gets_per_month: f64,
}

/// Glue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Features {
    /// G.1X workers, including the driver.
    pub workers: u64,
    /// Minutes of one run.
    pub minutes_per_run: f64,
    /// DPU-hours of all runs of a month.
    pub dpu_hours_per_month: f64,
    /// Files of user records. One call loads one file.
    pub parts: u64,
}

/// SageMaker training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Training {
    /// Instance-hours of all runs of a month.
    pub instance_hours_per_month: f64,
}

/// Parquet of events and impressions after `keep_days`, in bytes.
pub(crate) fn stored_events(load: &Load, rates: &Rates) -> f64 {
    let json =
        rates.events * f64::from(load.event_bytes) + rates.recommendations * IMPRESSION_BYTES;
    json * PARQUET * DAY * f64::from(load.keep_days)
}

/// Events, impressions and feature sets of `keep_days`. A set holds six catalogues: one over all
/// users, and one for the training rows of each group of users.
pub(crate) fn lake(load: &Load, rates: &Rates, table: &Table, functions: &Functions) -> Lake {
    let sets = (load.retrain_per_day * f64::from(load.keep_days)).max(1.0);
    let features =
        sets * (load.users as f64 * table.record_bytes + load.products as f64 * 6.0 * PRODUCT_FILE);
    let files = |bytes: f64| (bytes / DELIVERY_BYTES).max(1.0 / DELIVERY_SECONDS) * SECONDS;
    let events = files(rates.events * f64::from(load.event_bytes));
    let impressions = files(rates.recommendations * IMPRESSION_BYTES);
    let parts = (load.users as f64 / PART_USERS).ceil();
    let release_checks = functions.api_concurrency_at_peak as f64 * SECONDS / RELEASE_SECONDS;
    Lake {
        stored_gb: (stored_events(load, rates) + features) / GB,
        puts_per_month: events + impressions + load.runs() * (parts + 20.0),
        // A run reads every kept file of events, and every part.
        gets_per_month: release_checks
            + load.runs() * (events * f64::from(load.keep_days) * 24.0 / HOURS + parts),
    }
}

/// Core-seconds of one run's features on Glue.
pub(crate) fn fold_core_seconds(load: &Load, rates: &Rates) -> f64 {
    let lines = load.users as f64 * f64::from(load.orders_per_user) * ORDER_LINES;
    lines / GLUE_LINES + rates.events * DAY * f64::from(load.keep_days) / GLUE_EVENTS
}

/// Enough workers to finish in half an hour, and a driver that waits for them. All of them have
/// to start.
pub(crate) fn features(load: &Load, rates: &Rates) -> Features {
    let work = fold_core_seconds(load, rates) / GLUE_CORES;
    let workers = (work / GLUE_SECONDS).ceil().max(1.0) + 1.0;
    let seconds = work.min(GLUE_SECONDS);
    let dpu_seconds = work + seconds + workers * GLUE_START;
    Features {
        workers: count(workers),
        minutes_per_run: (seconds + GLUE_START) / 60.0,
        dpu_hours_per_month: load.runs() * dpu_seconds / 3600.0,
        parts: count(load.users as f64 / PART_USERS),
    }
}

/// The same number of hours each run, whatever the load.
pub(crate) fn training(load: &Load) -> Training {
    Training { instance_hours_per_month: load.runs() * TRAINING_HOURS }
}
