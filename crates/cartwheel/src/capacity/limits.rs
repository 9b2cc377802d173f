//! Which of AWS's default quotas and of our own settings a growing load meets first.
//!
//! What a load takes of a quota is `base + slope × k`, where `k` is how many times the
//! given load it is and the load as given is `k = 1`; so the quota is reached at
//! `(quota − base) / slope`. Not rounded, so that the answer does not jump.

use serde::Serialize;

use super::{
    API_MEMORY, BATCH_RECORD_SECONDS, BATCH_RECORDS, BATCH_SECONDS, ENDPOINT_REQUESTS,
    ENDPOINT_TARGET, EndpointMode, GLUE_CORES, GLUE_SECONDS, IMPRESSION_BYTES, KB, Load, MB,
    ON_DEMAND_SHARDS, PART_USERS, PRODUCT_FILE, PRODUCT_MEMORY, RUNTIME_MEMORY, Rates, Table,
    api_seconds, fold_core_seconds, shards,
};

/// From infra: what it sets itself, by default.
const REQUESTS_SET: f64 = 500.0;
const WORKERS_SET: f64 = 10.0;
/// Seconds in which a feature set should be in the table.
const LOAD_SECONDS: f64 = 3_600.0;
/// Events of an execution's history that a part leaves: its iteration, state and task,
/// each begun and ended, and the task scheduled.
const PART_HISTORY: f64 = 7.0;
/// Assumed: bytes of a part's name in the state's input.
const PART_NAME: f64 = 110.0;
/// Assumed: a model and what belongs to it, on disk.
const MODEL_FILES: f64 = 10.0 * MB;

/// A quota beside what the load takes of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Limit {
    pub name: &'static str,
    /// What it grows with.
    pub grows_with: &'static str,
    pub now: f64,
    pub quota: f64,
    pub unit: &'static str,
    /// At how many times the load it is reached; none where it never is.
    pub reached_at_times: Option<f64>,
    /// What to do then.
    pub remedy: &'static str,
}

/// Limits that are reached up to so many times the load, and not before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FirstHit {
    pub times: u32,
    pub limits: Vec<&'static str>,
}

/// Default quotas of AWS (as documented for us-east-1; an account's own may be lower at
/// first and are in Service Quotas) and two settings of infra, soonest reached first.
pub(super) fn limits(load: &Load, rates: &Rates, table: &Table) -> Vec<Limit> {
    let peak = rates.events * rates.peak;
    let answers = rates.recommendations * rates.peak;
    let calls = rates.calls * rates.peak;
    let shards = shards(load, peak);
    let parts = load.users as f64 / PART_USERS;
    let products = load.products as f64;
    let workers = fold_core_seconds(load, rates) / GLUE_CORES / GLUE_SECONDS;
    let mut limits = vec![
        limit(
            "infra: requests_per_second",
            "events",
            (0.0, calls),
            REQUESTS_SET,
            "a second",
            "Set requests_per_second and burst; more are answered 429.",
        ),
        limit(
            "infra: glue_max_workers",
            "events and users",
            (1.0, workers),
            WORKERS_SET,
            "G.1X",
            "Set glue_max_workers; with fewer a run takes longer.",
        ),
        limit(
            "API Gateway: requests",
            "events",
            (0.0, calls),
            10_000.0,
            "a second",
            "Raise the quota of the account; send events in batches to /v1/events, or by the direct route to Kinesis.",
        ),
        limit(
            "Lambda: concurrency",
            "events",
            (0.0, calls * api_seconds(load) + consumers(peak, shards)),
            1_000.0,
            "at once",
            "Raise the quota of the account; reserve concurrency for consume, so that the API cannot starve it.",
        ),
        limit(
            "Kinesis: a new on-demand stream",
            "events",
            (0.0, shards),
            ON_DEMAND_SHARDS,
            "shards of 1 MB or 1,000 records a second",
            "It grows to twice the peak of the last 30 days: warm it up, or begin with provisioned shards.",
        ),
        limit(
            "Kinesis: an on-demand stream",
            "events",
            (0.0, shards),
            200.0,
            "shards of 1 MB or 1,000 records a second",
            "Ask for more (10 GB/s; the default in us-east-1, us-west-2 and eu-west-1).",
        ),
        limit(
            "Kinesis: provisioned shards",
            "events",
            (0.0, shards),
            500.0,
            "shards",
            "Raise the quota of the account; it may be 20,000 already.",
        ),
        limit(
            "DynamoDB: a new table's writes",
            "events",
            (0.0, table.writes_per_second_at_peak),
            4_000.0,
            "units a second",
            "It doubles within 30 minutes of a peak: set its warm throughput before the first day.",
        ),
        limit(
            "DynamoDB: writes of sessions",
            "events",
            (0.0, table.writes_per_second_at_peak),
            40_000.0,
            "units a second",
            "Raise the quota of the table; longer batches of consume write a session less often.",
        ),
        limit(
            "DynamoDB: reads",
            "events",
            (0.0, table.reads_per_second_at_peak),
            40_000.0,
            "units a second",
            "Raise the quota of the table.",
        ),
        limit(
            "DynamoDB: a feature set within an hour",
            "users",
            (0.0, table.writes_per_run / LOAD_SECONDS),
            40_000.0,
            "units a second",
            "Raise the quota of the table, give the load longer, or run the pipeline less often.",
        ),
        limit(
            "Firehose: impressions, requests",
            "events",
            (0.0, answers),
            2_000.0,
            "a second",
            "Raise the quota of the stream: requests, records and bytes rise together.",
        ),
        limit(
            "Firehose: impressions, bytes",
            "events",
            (0.0, answers * IMPRESSION_BYTES / MB),
            5.0,
            "MB a second",
            "Raise the quota of the stream: requests, records and bytes rise together.",
        ),
        limit(
            "Glue: workers of a job",
            "events and users",
            (1.0, workers),
            299.0,
            "G.1X",
            "Take G.2X, let the job run longer, keep events for fewer days, or import old checkouts as orders.",
        ),
        limit(
            "Lambda: memory for the catalogue",
            "products",
            (RUNTIME_MEMORY / MB, 2.0 * products * PRODUCT_MEMORY / MB),
            10.0 * API_MEMORY / MB,
            "MB",
            "Serve by `cartwheel serve --backend aws` on machines with more memory.",
        ),
        limit(
            "Lambda: /tmp for a release",
            "products",
            (MODEL_FILES / MB, products * PRODUCT_FILE / MB),
            512.0,
            "MB",
            "Set the function's ephemeral storage, up to 10,240 MB.",
        ),
        limit(
            "Step Functions: names of parts in a state's input",
            "users",
            (0.0, parts * PART_NAME / KB),
            256.0,
            "kB",
            "Write fewer, larger parts; then let a distributed map read their list from S3.",
        ),
        limit(
            "Step Functions: history of an execution",
            "users",
            (0.0, parts * PART_HISTORY),
            25_000.0,
            "events",
            "Write fewer, larger parts; then use a distributed map.",
        ),
    ];
    if load.endpoint_mode == EndpointMode::Sagemaker {
        let instances = answers / ENDPOINT_REQUESTS / ENDPOINT_TARGET;
        limits.push(limit("SageMaker: instances of an endpoint", "events", (0.0, instances), 20.0, "ml.c7i.large", "Raise the quota (a new account's may be lower), take larger instances, or score embedded."));
    }
    let at = |limit: &Limit| limit.reached_at_times.unwrap_or(f64::INFINITY);
    limits.sort_by(|a, b| at(a).total_cmp(&at(b)));
    limits
}

/// Batches of `consume` at once: one a shard, or more where their work needs it.
pub(super) fn consumers(peak: f64, shards: f64) -> f64 {
    shards.max(peak * (BATCH_RECORD_SECONDS + BATCH_SECONDS / BATCH_RECORDS))
}

fn limit(
    name: &'static str,
    grows_with: &'static str,
    (base, slope): (f64, f64),
    quota: f64,
    unit: &'static str,
    remedy: &'static str,
) -> Limit {
    let reached_at_times = (slope > 0.0).then(|| (quota - base) / slope);
    Limit { name, grows_with, now: base + slope, quota, unit, reached_at_times, remedy }
}

/// Groups limits by the growth that reaches them: this load, ten times it, and so on.
pub(super) fn first_hit(limits: &[Limit]) -> Vec<FirstHit> {
    let mut after = f64::NEG_INFINITY;
    let group = |times: u32| {
        let until = f64::from(times);
        let within =
            |limit: &&Limit| limit.reached_at_times.is_some_and(|at| at > after && at <= until);
        let limits = limits.iter().filter(within).map(|limit| limit.name).collect();
        after = until;
        FirstHit { times, limits }
    };
    [1, 10, 100, 1_000].map(group).into()
}
