//! What events and answers need on AWS: stream, table, functions, delivery, endpoint, traffic.

use serde::Serialize;

use crate::figures::{
    ANSWER_BYTES, API_MEMORY, API_SECONDS, BATCH_RECORD_SECONDS, BATCH_RECORDS, BATCH_SECONDS,
    BATCHES_A_SHARD, CONSUME_MEMORY, DAY, DELIVERY_STEP, ENDPOINT_BYTES, ENDPOINT_REQUESTS,
    ENDPOINT_SECONDS, ENDPOINT_TARGET, GB, HEAD_BYTES, HOURS, IMPRESSION_BYTES, ITEM_OVERHEAD, KB,
    LOAD_ITEMS, LOG_BYTES, MB, ON_DEMAND_SHARDS, PART_USERS, PIECE, PRODUCT_MEMORY, READERS,
    RECORD_BYTES, RECORD_DAYS, RECORD_PRODUCT_BYTES, RUNTIME_MEMORY, SECONDS, SESSION_BYTES,
    SESSION_DAYS, SHARD_BYTES, SHARD_READ_BYTES, SHARD_RECORDS,
};
use crate::load::{EndpointMode, Load, Rates, count};
use crate::prices::Prices;

/// Kinesis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stream {
    /// Provisioned shards for the peak.
    pub shards: u64,
    /// US dollars a month for an on-demand stream.
    pub on_demand_usd_per_month: f64,
    /// US dollars a month for provisioned shards.
    pub provisioned_usd_per_month: f64,
    /// `on-demand` or `provisioned`.
    pub cheaper: &'static str,
}

/// DynamoDB.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// Bytes of a user's record.
    pub record_bytes: f64,
    /// Read units a second.
    pub reads_per_second_at_peak: f64,
    /// Write units a second.
    pub writes_per_second_at_peak: f64,
    /// Write units to load one feature set.
    pub writes_per_run: f64,
    /// GB stored.
    pub stored_gb: f64,
}

/// Lambda.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Functions {
    /// Memory of `api` in MB.
    pub api_memory_mb: u64,
    /// Calls of `api` that run at the same time.
    pub api_concurrency_at_peak: u64,
    /// Batches of `consume` that run at the same time.
    pub consume_concurrency_at_peak: u64,
    /// Batches of one shard that run at the same time.
    pub consume_parallelization: u64,
    /// Invocations of all functions a month.
    pub invocations_per_month: f64,
    /// GB-seconds of all functions a month.
    pub gb_seconds_per_month: f64,
}

/// Firehose.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delivery {
    /// GB a month as billed: each record in steps of 5 kB.
    pub gb_per_month: f64,
}

/// SageMaker endpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Endpoint {
    /// Instances on average.
    pub instances: u64,
    /// Instances at the peak.
    pub instances_at_peak: u64,
    /// GB in and out a month.
    pub gb_per_month: f64,
}

/// API Gateway, and the data that leaves AWS.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Api {
    /// Requests a month.
    pub requests_per_month: f64,
    /// Requests a second.
    pub requests_per_second_at_peak: f64,
    /// GB a month to the internet.
    pub gb_out_per_month: f64,
}

/// CloudWatch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Logs {
    /// GB of logs a month.
    pub gb_per_month: f64,
}

/// Units of `unit` bytes that an item of `bytes` takes, split as the table's code splits it.
fn units(bytes: f64, unit: f64) -> f64 {
    let whole = (bytes / PIECE).floor();
    whole * (PIECE / unit).ceil() + ((bytes - whole * PIECE) / unit).ceil()
}

/// Shards that `events` a second fill, not rounded: the largest of bytes in, records in, and
/// bytes out to both readers.
pub(crate) fn shards(load: &Load, events: f64) -> f64 {
    let bytes = events * f64::from(load.event_bytes);
    (bytes / SHARD_BYTES).max(events / SHARD_RECORDS).max(READERS * bytes / SHARD_READ_BYTES)
}

/// On-demand bills the stream's hours, each record in whole kB in, and each reader's bytes out.
/// Provisioned bills shards for the peak, and put units of 25 kB.
pub(crate) fn stream(load: &Load, rates: &Rates, prices: &Prices) -> Stream {
    let bytes = f64::from(load.event_bytes);
    let records = rates.events * SECONDS;
    let shards = shards(load, rates.events * rates.peak).ceil().max(1.0);
    let kinesis = &prices.kinesis;
    let on_demand = kinesis.stream_hour.of(HOURS)
        + kinesis.gb_in.of(records * (bytes / KB).ceil() * KB / GB)
        + kinesis.gb_out.of(READERS * records * bytes / GB);
    let provisioned = kinesis.shard_hour.of(shards * HOURS)
        + kinesis.million_put_units.of(records * (bytes / (25.0 * KB)).ceil() / 1e6);
    Stream {
        shards: count(shards),
        on_demand_usd_per_month: on_demand,
        provisioned_usd_per_month: provisioned,
        cheaper: if on_demand <= provisioned { "on-demand" } else { "provisioned" },
    }
}

/// Bytes of a user's record.
pub(crate) fn record_bytes(load: &Load) -> f64 {
    RECORD_BYTES + RECORD_PRODUCT_BYTES * f64::from(load.products_per_user)
}

/// Read units a second, on average. A request reads the session, and for an answer the record,
/// in one `BatchGetItem`: half a unit for each 4 kB of each item, eventually consistent.
/// `consume` reads the session again, strongly consistent: one unit for each 4 kB.
pub(crate) fn reads(load: &Load, rates: &Rates) -> f64 {
    let session = units(SESSION_BYTES, 4.0 * KB);
    let record = units(record_bytes(load), 4.0 * KB);
    rates.calls * session / 2.0 + rates.recommendations * record / 2.0 + rates.events * session
}

/// Write units a second, on average: one unit for each kB of the session, for each event. Events
/// of one user in one batch are one write, so this errs upwards.
pub(crate) fn writes(rates: &Rates) -> f64 {
    rates.events * units(SESSION_BYTES, KB)
}

/// Each run loads every user's record under the name of its feature set. Records of older sets
/// expire after 90 days.
pub(crate) fn table(load: &Load, rates: &Rates) -> Table {
    let users = load.users as f64;
    let record = record_bytes(load);
    let sets = (load.retrain_per_day * RECORD_DAYS).max(1.0);
    let sessions = users.min(rates.events * SESSION_DAYS * DAY);
    let stored =
        users * sets * (record + ITEM_OVERHEAD) + sessions * (SESSION_BYTES + ITEM_OVERHEAD);
    Table {
        record_bytes: record,
        reads_per_second_at_peak: reads(load, rates) * rates.peak,
        writes_per_second_at_peak: writes(rates) * rates.peak,
        writes_per_run: users * units(record, KB),
        stored_gb: stored / GB,
    }
}

/// Seconds of a call of `api`.
pub(crate) fn api_seconds(load: &Load) -> f64 {
    match load.endpoint_mode {
        EndpointMode::Embedded => API_SECONDS,
        EndpointMode::Sagemaker => API_SECONDS + ENDPOINT_SECONDS,
    }
}

/// Memory of `api` in bytes, with two catalogues while one release replaces another.
fn api_memory(load: &Load) -> f64 {
    API_MEMORY.max(RUNTIME_MEMORY + 2.0 * load.products as f64 * PRODUCT_MEMORY)
}

/// Batches of `consume` that run at the same time: one for each shard, or more if the records
/// take longer than that.
pub(crate) fn consumers(peak: f64, shards: f64) -> f64 {
    shards.max(peak * (BATCH_RECORD_SECONDS + BATCH_SECONDS / BATCH_RECORDS))
}

/// Concurrency is rate × duration at the peak, for `consume` at least one batch a shard. If it
/// needs more, several batches of a shard run at the same time. GB-seconds are rate × duration ×
/// memory on average.
pub(crate) fn functions(load: &Load, rates: &Rates, table: &Table) -> Functions {
    let memory = api_memory(load);
    let peak = rates.events * rates.peak;
    let shards = shards(load, peak).ceil().max(ON_DEMAND_SHARDS);
    let consumers = consumers(peak, shards);
    // Lambda polls a shard with records once a second, and as often as a batch is full.
    let batches = rates.events.min(shards * BATCHES_A_SHARD).max(rates.events / BATCH_RECORDS);
    let consume = batches * BATCH_SECONDS + rates.events * BATCH_RECORD_SECONDS;
    let loads = load.runs() * (load.users as f64 / PART_USERS).ceil();
    let load_seconds = load.runs() * table.writes_per_run / LOAD_ITEMS;
    let gb_seconds =
        (rates.calls * api_seconds(load) * memory + consume * CONSUME_MEMORY) * SECONDS / GB
            + load_seconds * API_MEMORY / GB;
    Functions {
        api_memory_mb: count(memory / MB),
        api_concurrency_at_peak: count(rates.calls * rates.peak * api_seconds(load)),
        consume_concurrency_at_peak: count(consumers),
        consume_parallelization: count(consumers / shards),
        invocations_per_month: (rates.calls + batches) * SECONDS + loads,
        gb_seconds_per_month: gb_seconds,
    }
}

/// Events from the stream and impressions from `api`, each record in whole steps.
pub(crate) fn delivery(load: &Load, rates: &Rates) -> Delivery {
    let step = |bytes: f64| (bytes / DELIVERY_STEP).ceil() * DELIVERY_STEP;
    let bytes = rates.events * step(f64::from(load.event_bytes))
        + rates.recommendations * step(IMPRESSION_BYTES);
    Delivery { gb_per_month: bytes * SECONDS / GB }
}

/// Instances of ml.c7i.large. Autoscaling follows the average and has to allow the peak. The variant that
/// does not serve keeps one.
pub(crate) fn endpoint(rates: &Rates) -> Endpoint {
    let instances =
        |requests: f64| (requests / ENDPOINT_REQUESTS / ENDPOINT_TARGET).ceil().max(1.0) + 1.0;
    Endpoint {
        instances: count(instances(rates.recommendations)),
        instances_at_peak: count(instances(rates.recommendations * rates.peak)),
        gb_per_month: rates.recommendations * ENDPOINT_BYTES * SECONDS / GB,
    }
}

/// Requests, and the bytes of their answers.
pub(crate) fn api(rates: &Rates) -> Api {
    let bytes = rates.recommendations * ANSWER_BYTES + rates.calls * HEAD_BYTES;
    Api {
        requests_per_month: rates.calls * SECONDS,
        requests_per_second_at_peak: rates.calls * rates.peak,
        gb_out_per_month: bytes * SECONDS / GB,
    }
}

/// A fixed number of log bytes for each invocation.
pub(crate) fn logs(functions: &Functions) -> Logs {
    Logs { gb_per_month: functions.invocations_per_month * LOG_BYTES / GB }
}
