//! Which of AWS's default quotas, and of infra's own settings, a growing load reaches first.
//!
//! A load that is `k` times the given load takes `base + slope × k` of a quota. It reaches the
//! quota at `k = (quota − base) / slope`. The amounts are not rounded, so that small changes of the
//! load change the result little.

use serde::Serialize;

use crate::batch::fold_core_seconds;
use crate::figures::{
    API_MEMORY, ENDPOINT_REQUESTS, ENDPOINT_TARGET, GLUE_CORES, GLUE_SECONDS, IMPRESSION_BYTES, KB,
    MB, ON_DEMAND_SHARDS, PART_USERS, PRODUCT_FILE, PRODUCT_MEMORY, RUNTIME_MEMORY,
};
use crate::load::{Account, EndpointMode, Load, Rates};
use crate::realtime::{Table, api_seconds, consumers, shards};

/// Set in infra: `requests_per_second` of prod.
const REQUESTS_SET: f64 = 500.0;
/// Set in infra: default of `glue_max_workers`.
const WORKERS_SET: f64 = 10.0;
/// Seconds in which a feature set should be in the table.
const LOAD_SECONDS: f64 = 3_600.0;
/// Events that a part adds to an execution's history: its iteration, state and task, each begun
/// and ended, and the task scheduled.
const PART_HISTORY: f64 = 7.0;
/// Assumed: bytes of a part's name in the state's input.
const PART_NAME: f64 = 110.0;
/// Assumed: bytes of a model and its files on disk.
const MODEL_FILES: f64 = 10.0 * MB;

/// A quota, and what the load takes of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Limit {
    /// Service and quota.
    pub name: &'static str,
    /// The part of the load that the amount grows with.
    pub grows_with: &'static str,
    /// Amount that the load takes now.
    pub now: f64,
    /// The quota.
    pub quota: f64,
    /// Unit of both amounts.
    pub unit: &'static str,
    /// At how many times the load the quota is reached; `None` if it never is.
    pub reached_at_times: Option<f64>,
    /// What to do about it.
    pub remedy: &'static str,
}

/// Quotas that are reached at up to `times` times the load, and not at the group before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FirstHit {
    /// Multiple of the load.
    pub times: u32,
    /// Names of the quotas.
    pub limits: Vec<&'static str>,
}

/// AWS's default quotas as documented for us-east-1, and two settings of infra, the first to be
/// reached first. An account's own quotas are in Service Quotas and may be lower at first.
pub(crate) fn limits(load: &Load, rates: &Rates, table: &Table) -> Vec<Limit> {
    let mut limits = serving(load, rates, table);
    limits.extend(pipeline(load, rates, table));
    let at = |limit: &Limit| limit.reached_at_times.unwrap_or(f64::INFINITY);
    limits.sort_by(|a, b| at(a).total_cmp(&at(b)));
    limits
}

/// Lambda's concurrency, and SageMaker's instances for an endpoint.
fn quotas(account: Account) -> (f64, f64) {
    match account {
        Account::Standard => (1_000.0, 20.0),
        Account::Fresh => (10.0, 0.0),
    }
}

/// Quotas that events, answers and the catalogue reach.
fn serving(load: &Load, rates: &Rates, table: &Table) -> Vec<Limit> {
    let peak = rates.events * rates.peak;
    let answers = rates.recommendations * rates.peak;
    let calls = rates.calls * rates.peak;
    let shards = shards(load, peak);
    let products = load.products as f64;
    let (concurrency, instances) = quotas(load.account);
    let mut limits = vec![
        limit(
            "infra: requests_per_second",
            "events",
            Growth { base: 0.0, slope: calls },
            REQUESTS_SET,
            "a second",
            "Raise requests_per_second and burst. Requests beyond the limit get a 429.",
        ),
        limit(
            "API Gateway: requests",
            "events",
            Growth { base: 0.0, slope: calls },
            10_000.0,
            "a second",
            "Ask AWS for a higher quota, send events in batches to /v1/events, or use the direct \
             route to Kinesis.",
        ),
        limit(
            "Lambda: concurrency",
            "events",
            Growth { base: 0.0, slope: calls * api_seconds(load) + consumers(peak, shards) },
            concurrency,
            "at once",
            "Ask AWS for a higher quota. Reserve concurrency for consume, so that the API cannot \
             starve it.",
        ),
        limit(
            "Kinesis: a new on-demand stream",
            "events",
            Growth { base: 0.0, slope: shards },
            ON_DEMAND_SHARDS,
            "shards of 1 MB or 1,000 records a second",
            "It scales to twice the peak of the last 30 days: warm it up, or begin with \
             provisioned shards.",
        ),
        limit(
            "Kinesis: an on-demand stream",
            "events",
            Growth { base: 0.0, slope: shards },
            200.0,
            "shards of 1 MB or 1,000 records a second",
            "Ask AWS for a higher quota (the default is 10 GB/s in us-east-1, us-west-2 and \
             eu-west-1).",
        ),
        limit(
            "Kinesis: provisioned shards",
            "events",
            Growth { base: 0.0, slope: shards },
            500.0,
            "shards",
            "Ask AWS for a higher quota. Some accounts have 20,000 already.",
        ),
        limit(
            "DynamoDB: a new table's writes",
            "events",
            Growth { base: 0.0, slope: table.writes_per_second_at_peak },
            4_000.0,
            "units a second",
            "It doubles within 30 minutes of a peak. Set its warm throughput before the first day.",
        ),
        limit(
            "DynamoDB: writes of sessions",
            "events",
            Growth { base: 0.0, slope: table.writes_per_second_at_peak },
            40_000.0,
            "units a second",
            "Ask AWS for a higher quota. With longer batches, consume writes each session less \
             often.",
        ),
        limit(
            "DynamoDB: reads",
            "events",
            Growth { base: 0.0, slope: table.reads_per_second_at_peak },
            40_000.0,
            "units a second",
            "Ask AWS for a higher quota.",
        ),
        limit(
            "Firehose: impressions, requests",
            "events",
            Growth { base: 0.0, slope: answers },
            2_000.0,
            "a second",
            "Ask AWS for a higher quota: requests, records and bytes rise together.",
        ),
        limit(
            "Firehose: impressions, bytes",
            "events",
            Growth { base: 0.0, slope: answers * IMPRESSION_BYTES / MB },
            5.0,
            "MB a second",
            "Ask AWS for a higher quota: requests, records and bytes rise together.",
        ),
        limit(
            "Lambda: memory for the catalogue",
            "products",
            Growth { base: RUNTIME_MEMORY / MB, slope: 2.0 * products * PRODUCT_MEMORY / MB },
            10.0 * API_MEMORY / MB,
            "MB",
            "Run `cartwheel serve --backend aws` on machines with more memory.",
        ),
        limit(
            "Lambda: /tmp for a release",
            "products",
            Growth { base: MODEL_FILES / MB, slope: products * PRODUCT_FILE / MB },
            512.0,
            "MB",
            "Raise the function's ephemeral storage, up to 10,240 MB.",
        ),
    ];
    if load.endpoint_mode == EndpointMode::Sagemaker {
        limits.push(limit(
            "SageMaker: instances of an endpoint",
            "events",
            Growth { base: 0.0, slope: answers / ENDPOINT_REQUESTS / ENDPOINT_TARGET },
            instances,
            "ml.c7i.large",
            "Ask AWS for a higher quota (a new account's may be lower), use larger instances, or \
             score embedded.",
        ));
    }
    if load.account == Account::Fresh {
        limits.push(limit(
            "SageMaker: instances for training",
            "nothing",
            Growth { base: 1.0, slope: 0.0 },
            0.0,
            "ml.m5.xlarge",
            "Ask AWS for a quota of 2 or more before the first run of the pipeline.",
        ));
    }
    limits
}

/// Quotas that a run of the pipeline reaches.
fn pipeline(load: &Load, rates: &Rates, table: &Table) -> [Limit; 5] {
    let parts = load.users as f64 / PART_USERS;
    let workers = fold_core_seconds(load, rates) / GLUE_CORES / GLUE_SECONDS;
    [
        limit(
            "infra: glue_max_workers",
            "events and users",
            Growth { base: 1.0, slope: workers },
            WORKERS_SET,
            "G.1X workers",
            "Raise glue_max_workers. With fewer workers a run takes longer.",
        ),
        limit(
            "DynamoDB: a feature set within an hour",
            "users",
            Growth { base: 0.0, slope: table.writes_per_run / LOAD_SECONDS },
            40_000.0,
            "units a second",
            "Ask AWS for a higher quota, give the load more time, or run the pipeline less often.",
        ),
        limit(
            "Glue: workers of a job",
            "events and users",
            Growth { base: 1.0, slope: workers },
            299.0,
            "G.1X workers",
            "Use G.2X, let the job run longer, keep events for fewer days, or import old \
             checkouts as orders.",
        ),
        limit(
            "Step Functions: names of parts in a state's input",
            "users",
            Growth { base: 0.0, slope: parts * PART_NAME / KB },
            256.0,
            "kB",
            "Write fewer, larger parts, then let a distributed map read their list from S3.",
        ),
        limit(
            "Step Functions: history of an execution",
            "users",
            Growth { base: 0.0, slope: parts * PART_HISTORY },
            25_000.0,
            "events",
            "Write fewer, larger parts, then use a distributed map.",
        ),
    ]
}

/// What a load takes of a quota: `base`, and `slope` for each multiple of the load.
struct Growth {
    base: f64,
    slope: f64,
}

fn limit(
    name: &'static str,
    grows_with: &'static str,
    Growth { base, slope }: Growth,
    quota: f64,
    unit: &'static str,
    remedy: &'static str,
) -> Limit {
    let reached_at_times = match base > quota {
        true => Some(0.0),
        false => (slope > 0.0).then(|| (quota - base) / slope),
    };
    Limit { name, grows_with, now: base + slope, quota, unit, reached_at_times, remedy }
}

/// Groups quotas by the growth that reaches them: this load, up to ten times the load, and so on.
pub(crate) fn first_hit(limits: &[Limit]) -> Vec<FirstHit> {
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
