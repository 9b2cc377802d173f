//! What a load needs on one machine and on AWS, and what it costs a month.
//!
//! A pure function of the load and the price table. Figures are of three kinds, and each
//! constant says which it is: *measured* here (docs/performance.md, or with this code's
//! own types), *documented* by AWS, or *assumed*, where neither is to be had without an
//! account. Amounts are means over a month of 730 hours; what has to bear the peak says
//! so. What is rounded is rounded up. docs/scale.md has the formulas in words.

mod limits;
pub mod prices;
#[cfg(test)]
mod tests;

use clap::{Args, ValueEnum};
use serde::Serialize;

pub use limits::Limit;
use prices::{Price, Prices};

const KB: f64 = 1024.0;
const MB: f64 = 1024.0 * KB;
const GB: f64 = 1024.0 * MB;
/// A month as AWS's calculator counts it.
const HOURS: f64 = 730.0;
const SECONDS: f64 = HOURS * 3600.0;
const DAY: f64 = 86_400.0;

/// Measured: cores of the machine of docs/performance.md.
const MEASURED_CORES: f64 = 2.0;
/// Measured: events a second over HTTP, 50 clients, load generator on the same cores.
const MEASURED_EVENTS: f64 = 17_700.0;
/// Measured: recommendations a second, 8 clients, on the same cores.
const MEASURED_RECOMMENDATIONS: f64 = 2_920.0;
/// Measured: records a second that the log's one writer syncs for 50 clients.
const MEASURED_LOG: f64 = 157_700.0;
/// Measured: order lines a second and core, all phases (8.8 million in 9.5 s on 2).
const FOLD_LINES: f64 = 8.8e6 / 9.5 / 2.0;
/// Measured: peak memory of that job.
const FOLD_MEMORY: f64 = 1.2e9;
/// Computed from its type: bytes of a checkout of 9 products; the job holds them all.
const CHECKOUT_BYTES: f64 = 500.0;
/// Memory of a machine, a core: m7g has 4 GB.
const CORE_MEMORY: f64 = 4.0 * GB;
/// Cores of the largest machine considered, m7g.16xlarge.
const MOST_CORES: f64 = 64.0;
/// Documented: the largest gp3 volume.
const MOST_DISK: f64 = 64.0 * 1024.0 * GB;

/// Measured: lines of an order in the Instacart sample and the synthetic shop.
const ORDER_LINES: f64 = 9.0;
/// Assumed: bytes of a line in the lake's Parquet.
const LINE_FILE: f64 = 10.0;
/// Measured: an impression of 10 products as JSON (1,073), rounded.
const IMPRESSION_BYTES: f64 = 1_100.0;
/// Measured: a product in memory with 50 neighbours, its texts and its place in the index.
const PRODUCT_MEMORY: f64 = 760.0;
/// Measured: the same in `catalogue.bin`.
const PRODUCT_FILE: f64 = 420.0;
/// From the codec: a user's record is this much and 44 bytes a product; with the names
/// and keys of its item.
const RECORD_BYTES: f64 = 105.0 + ITEM_BYTES;
const RECORD_PRODUCT_BYTES: f64 = 44.0;
const ITEM_BYTES: f64 = 110.0;
/// From the table's code: bytes of a record in one item; a longer one is cut.
const PIECE: f64 = 380_000.0;
/// Measured: a session with a full ring of 64 events, compressed (3,730 to 4,176 bytes by
/// carts and views), with its keys. A visitor's is smaller: this errs upwards.
const SESSION_BYTES: f64 = 3_900.0 + ITEM_BYTES;
/// Documented: bytes that DynamoDB adds to each stored item.
const ITEM_OVERHEAD: f64 = 100.0;
/// From the table's code: days until a record of an older feature set goes.
const RECORD_DAYS: f64 = 90.0;
/// Documented: days of a session.
const SESSION_DAYS: f64 = 7.0;

/// Documented: a shard takes 1 MB or 1,000 records a second and gives 2 MB.
const SHARD_BYTES: f64 = MB;
const SHARD_RECORDS: f64 = 1_000.0;
const SHARD_READ_BYTES: f64 = 2.0 * MB;
/// The function `consume` and Firehose read each record.
const READERS: f64 = 2.0;
/// Documented: shards of a new on-demand stream.
const ON_DEMAND_SHARDS: f64 = 4.0;

/// Assumed: duration of a call of `api`: table, stream and Firehose one after another.
/// Scoring itself takes 0.6 ms (measured).
const API_SECONDS: f64 = 0.040;
/// Assumed: what a call to the endpoint adds.
const ENDPOINT_SECONDS: f64 = 0.010;
/// From infra: memory of `api` at least, and of `consume`.
const API_MEMORY: f64 = GB;
const CONSUME_MEMORY: f64 = 256.0 * MB;
/// Assumed: memory of `api` besides the catalogue.
const RUNTIME_MEMORY: f64 = 256.0 * MB;
/// Assumed: duration of a batch of `consume`, and of each record in it (16 writes at once).
const BATCH_SECONDS: f64 = 0.020;
const BATCH_RECORD_SECONDS: f64 = 0.001;
/// From infra: records of a full batch; documented: batches a second of a shard until then.
const BATCH_RECORDS: f64 = 500.0;
const BATCHES_A_SHARD: f64 = 1.0;
/// Assumed: items a second that one `load` writes.
const LOAD_ITEMS: f64 = 5_000.0;
/// Assumed: users of one part of a feature set; a part is loaded by one call.
const PART_USERS: f64 = 50_000.0;

/// Assumed: bytes of Parquet a byte of JSON.
const PARQUET: f64 = 0.4;
/// From infra (prod): seconds after which Firehose writes a file, and bytes of a full one.
const DELIVERY_SECONDS: f64 = 300.0;
const DELIVERY_BYTES: f64 = 128.0 * MB;
/// Documented: Firehose bills a record in steps of 5 kB.
const DELIVERY_STEP: f64 = 5.0 * KB;
/// From the function's code: seconds after which a running `api` asks for the release again.
const RELEASE_SECONDS: f64 = 15.0;

/// Assumed: order lines a second and core on Glue, a quarter of what one process does
/// here: Parquet from S3, a shuffle over the network, Arrow into the worker and back.
const GLUE_LINES: f64 = FOLD_LINES / 4.0;
/// Assumed: events a second and core that are read for their checkouts.
const GLUE_EVENTS: f64 = 1e6;
/// Documented: cores of a G.1X worker, which is one DPU.
const GLUE_CORES: f64 = 4.0;
/// Workers are as many as end the job in this time, in seconds.
const GLUE_SECONDS: f64 = 1_800.0;
/// Assumed: seconds in which a worker starts.
const GLUE_START: f64 = 60.0;
/// Assumed: billed hours of one training. It does not grow: examples are a sample of
/// `features.max_examples`.
const TRAINING_HOURS: f64 = 0.25;
/// Assumed: requests of 200 rows a second that one ml.c7i.large answers.
const ENDPOINT_REQUESTS: f64 = 100.0;
/// Target of the endpoint's autoscaling.
const ENDPOINT_TARGET: f64 = 0.7;
/// Computed: 200 rows of 50 columns as CSV, and their scores.
const ENDPOINT_BYTES: f64 = 95_000.0;

/// Computed: an answer of ten products, and the head of any answer.
const ANSWER_BYTES: f64 = 2_300.0;
const HEAD_BYTES: f64 = 500.0;
/// Assumed: logs of one invocation: its own line, the platform's, API Gateway's, metrics.
const LOG_BYTES: f64 = 1_000.0;
/// From infra: metrics of the functions' own, alarms, dashboards.
const METRICS: f64 = 10.0;
const ALARMS: f64 = 25.0;
const DASHBOARDS: f64 = 1.0;
/// Assumed: visitors of the web app, which is the console and a demo shop.
const WEB_REQUESTS: f64 = 1e6;
const WEB_GB: f64 = 10.0;
/// From the state machine: transitions of a run besides those of its parts.
const TRANSITIONS: f64 = 25.0;

/// Where requests are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointMode {
    /// In the process of the API.
    Embedded,
    /// On a SageMaker endpoint.
    Sagemaker,
}

/// The load to plan for.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
pub struct Load {
    /// Events a second, mean of a month.
    #[arg(long, allow_negative_numbers = true, value_parser = number::<0, 1_000_000>)]
    pub events_per_second: f64,
    /// Users with a record.
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=10_000_000_000))]
    pub users: u64,
    /// Products of the catalogue.
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=1_000_000_000))]
    pub products: u64,
    /// The busiest second, as a multiple of the mean.
    #[arg(long, default_value_t = 3.0, allow_negative_numbers = true, value_parser = number::<1, 1_000>)]
    pub peak: f64,
    /// Bytes of an event's record as JSON.
    #[arg(long, default_value_t = 350, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub event_bytes: u32,
    /// Distinct products that a user has bought.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub products_per_user: u32,
    /// Orders of a user's history.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(..=100_000))]
    pub orders_per_user: u32,
    /// Answers with recommendations an event; `/submit` gives one.
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true, value_parser = number::<0, 100>)]
    pub recommendations_per_event: f64,
    /// Runs of the pipeline a day.
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true, value_parser = number::<0, 96>)]
    pub retrain_per_day: f64,
    /// Days that the lake keeps what it has.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub keep_days: u32,
    /// Where requests are scored.
    #[arg(long, value_enum, default_value = "embedded")]
    pub endpoint_mode: EndpointMode,
}

/// Reads a number within bounds.
fn number<const LEAST: u32, const MOST: u32>(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    let within = number.filter(|n| (f64::from(LEAST)..=f64::from(MOST)).contains(n));
    // Minus zero is zero.
    within.map(f64::abs).ok_or_else(|| format!("expected a number from {LEAST} to {MOST}"))
}

/// What a load needs and costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    pub load: Load,
    pub one_machine: Machine,
    pub stream: Stream,
    pub table: Table,
    pub functions: Functions,
    pub delivery: Delivery,
    pub lake: Lake,
    pub features: Features,
    pub training: Training,
    /// None where requests are scored in the process of the API.
    pub endpoint: Option<Endpoint>,
    pub api: Api,
    pub logs: Logs,
    pub prices: PricesAsOf,
    pub costs: Vec<Cost>,
    pub usd_per_month: f64,
    /// None without events.
    pub usd_per_million_events: Option<f64>,
    /// Soonest first.
    pub limits: Vec<Limit>,
    pub limits_first_hit: Vec<limits::FirstHit>,
}

/// How far one machine is enough.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Machine {
    pub fits: Fits,
    /// Share of the measured machine's two cores that the peak keeps busy.
    pub busy_at_peak: f64,
    /// How many times this load the measured machine bears at its peak; none without load.
    pub measured_bears_times: Option<f64>,
    /// Of the smallest machine that is enough, by linear scaling; none where none is.
    pub cores: Option<u64>,
    pub memory_gb: f64,
    pub disk_gb: f64,
    /// One run's features, on half of the cores.
    pub features_minutes: Option<f64>,
    pub usd_per_month: Option<f64>,
    pub price_page: String,
}

/// Which machine is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fits {
    /// The one that was measured.
    Measured,
    /// A larger one, if it scales as its cores do, which is not measured.
    Larger,
    /// None with up to 64 cores and 64 TB of disk.
    None,
}

/// Kinesis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stream {
    /// Provisioned, for the peak.
    pub shards: u64,
    pub on_demand_usd_per_month: f64,
    pub provisioned_usd_per_month: f64,
    pub cheaper: &'static str,
}

/// DynamoDB.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    pub record_bytes: f64,
    pub reads_per_second_at_peak: f64,
    pub writes_per_second_at_peak: f64,
    /// Write units to load one feature set.
    pub writes_per_run: f64,
    pub stored_gb: f64,
}

/// Lambda.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Functions {
    pub api_memory_mb: u64,
    pub api_concurrency_at_peak: u64,
    pub consume_concurrency_at_peak: u64,
    /// Batches of a shard at once.
    pub consume_parallelization: u64,
    pub invocations_per_month: f64,
    pub gb_seconds_per_month: f64,
}

/// Firehose.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delivery {
    /// As billed: records in steps of 5 kB.
    pub gb_per_month: f64,
}

/// S3.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lake {
    /// When `keep_days` have passed.
    pub stored_gb: f64,
    pub puts_per_month: f64,
    pub gets_per_month: f64,
}

/// Glue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Features {
    /// G.1X, the driver among them.
    pub workers: u64,
    pub minutes_per_run: f64,
    pub dpu_hours_per_month: f64,
    /// Files of user records, each loaded by one call.
    pub parts: u64,
}

/// SageMaker training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Training {
    pub instance_hours_per_month: f64,
}

/// SageMaker endpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Endpoint {
    pub instances: u64,
    pub instances_at_peak: u64,
    pub gb_per_month: f64,
}

/// API Gateway and what leaves AWS.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Api {
    pub requests_per_month: f64,
    pub requests_per_second_at_peak: f64,
    pub gb_out_per_month: f64,
}

/// CloudWatch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Logs {
    pub gb_per_month: f64,
}

/// Of which prices the costs are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PricesAsOf {
    pub region: String,
    pub as_of: String,
    pub note: String,
}

/// One service's part of the bill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    pub service: &'static str,
    pub usd_per_month: f64,
    /// Where its prices are from.
    pub price_page: String,
}

/// Rates that many parts share, a second, in the mean.
struct Rates {
    events: f64,
    recommendations: f64,
    /// Requests: an event is one, and brings its first answer with it.
    calls: f64,
    peak: f64,
}

/// Units of `unit` bytes that an item of `bytes` takes, cut as the table's code cuts it.
fn units(bytes: f64, unit: f64) -> f64 {
    let whole = (bytes / PIECE).floor();
    whole * (PIECE / unit).ceil() + ((bytes - whole * PIECE) / unit).ceil()
}

fn count(number: f64) -> u64 {
    // Saturates, and every number here is bounded far below.
    number.ceil() as u64
}

/// Plans for a load.
pub fn plan(load: &Load, prices: &Prices) -> Plan {
    let events = load.events_per_second;
    let rates = Rates {
        events,
        recommendations: events * load.recommendations_per_event,
        calls: events * load.recommendations_per_event.max(1.0),
        peak: load.peak,
    };
    let stream = stream(load, &rates, prices);
    let table = table(load, &rates);
    let features = features(load, &rates);
    let endpoint = matches!(load.endpoint_mode, EndpointMode::Sagemaker).then(|| endpoint(&rates));
    let functions = functions(load, &rates, &table);
    let delivery = delivery(load, &rates);
    let lake = lake(load, &rates, &table, &functions);
    let training = Training { instance_hours_per_month: runs(load) * TRAINING_HOURS };
    let api = Api {
        requests_per_month: rates.calls * SECONDS,
        requests_per_second_at_peak: rates.calls * rates.peak,
        gb_out_per_month: (rates.recommendations * ANSWER_BYTES + rates.calls * HEAD_BYTES)
            * SECONDS
            / GB,
    };
    let logs = Logs { gb_per_month: functions.invocations_per_month * LOG_BYTES / GB };
    let limits = limits::limits(load, &rates, &table);
    let mut plan = Plan {
        load: load.clone(),
        one_machine: one_machine(load, &rates, prices),
        stream,
        table,
        functions,
        delivery,
        lake,
        features,
        training,
        endpoint,
        api,
        logs,
        prices: PricesAsOf {
            region: prices.region.clone(),
            as_of: prices.as_of.clone(),
            note: prices.note.clone(),
        },
        costs: Vec::new(),
        usd_per_month: 0.0,
        usd_per_million_events: None,
        limits_first_hit: limits::first_hit(&limits),
        limits,
    };
    plan.costs = costs(&plan, &rates, prices);
    plan.usd_per_month = plan.costs.iter().map(|cost| cost.usd_per_month).sum();
    let millions = rates.events * SECONDS / 1e6;
    plan.usd_per_million_events = (millions > 0.0).then(|| plan.usd_per_month / millions);
    plan
}

/// Runs of the pipeline a month.
fn runs(load: &Load) -> f64 {
    load.retrain_per_day * HOURS / 24.0
}

/// Cores that a peak keeps busy: an event costs 2 cores / 17,700 a second, an answer
/// 2 / 2,920, as measured.
fn busy_cores(rates: &Rates) -> f64 {
    let events = rates.events / MEASURED_EVENTS;
    let recommendations = rates.recommendations / MEASURED_RECOMMENDATIONS;
    (events + recommendations) * MEASURED_CORES * rates.peak
}

/// The smallest machine of 2, 4, … 64 cores that is at most half busy at the peak, holds
/// what the jobs and the lake hold, and ends a run's features before the next begins.
fn one_machine(load: &Load, rates: &Rates, prices: &Prices) -> Machine {
    let busy = busy_cores(rates);
    let orders = load.users as f64 * f64::from(load.orders_per_user);
    // Two releases at once while one takes over from the other.
    let memory =
        FOLD_MEMORY + orders * CHECKOUT_BYTES + 2.0 * load.products as f64 * PRODUCT_MEMORY;
    let disk = stored_events(load, rates)
        + 2.0 * load.users as f64 * record_bytes(load)
        + orders * ORDER_LINES * LINE_FILE;
    let fold_core_seconds = orders * ORDER_LINES / FOLD_LINES;
    let half = |cores: f64| fold_core_seconds / (cores / 2.0);
    let enough = |cores: f64| {
        busy * 2.0 <= cores
            && memory <= cores * CORE_MEMORY
            && disk <= MOST_DISK
            && half(cores) * load.retrain_per_day <= DAY
            && rates.events * rates.peak <= MEASURED_LOG
    };
    let sizes = std::iter::successors(Some(MEASURED_CORES), |cores| Some(cores * 2.0));
    let cores = sizes.take_while(|&cores| cores <= MOST_CORES).find(|&cores| enough(cores));
    let disk_gb = disk / GB;
    Machine {
        fits: match cores {
            Some(MEASURED_CORES) => Fits::Measured,
            Some(_) => Fits::Larger,
            None => Fits::None,
        },
        busy_at_peak: busy / MEASURED_CORES,
        measured_bears_times: (busy > 0.0).then(|| MEASURED_CORES / busy),
        cores: cores.map(count),
        memory_gb: memory / GB,
        disk_gb,
        features_minutes: cores.map(|cores| half(cores) / 60.0),
        usd_per_month: cores.map(|cores| {
            prices.machine.vcpu_hour.of(cores * HOURS) + prices.machine.disk_gb_month.of(disk_gb)
        }),
        price_page: prices.machine.source.clone(),
    }
}

/// Parquet of events and impressions when `keep_days` have passed, in bytes.
fn stored_events(load: &Load, rates: &Rates) -> f64 {
    let json =
        rates.events * f64::from(load.event_bytes) + rates.recommendations * IMPRESSION_BYTES;
    json * PARQUET * DAY * f64::from(load.keep_days)
}

/// Shards that a number of events a second fills, not rounded: the worst of bytes in,
/// records in, and bytes out to both readers.
fn shards(load: &Load, events: f64) -> f64 {
    let bytes = events * f64::from(load.event_bytes);
    (bytes / SHARD_BYTES).max(events / SHARD_RECORDS).max(READERS * bytes / SHARD_READ_BYTES)
}

/// On-demand: a stream's hours, each record in whole kB in, each reader's bytes out.
/// Provisioned: shards for the peak, and put units of 25 kB.
fn stream(load: &Load, rates: &Rates, prices: &Prices) -> Stream {
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

fn record_bytes(load: &Load) -> f64 {
    RECORD_BYTES + RECORD_PRODUCT_BYTES * f64::from(load.products_per_user)
}

/// Read units a second, in the mean. A request reads the session, and with an answer the
/// record, in one `BatchGetItem`: half a unit each 4 kB of each item, eventually
/// consistent. `consume` reads the session again, consistently: one unit each 4 kB.
fn reads(load: &Load, rates: &Rates) -> f64 {
    let session = units(SESSION_BYTES, 4.0 * KB);
    let record = units(record_bytes(load), 4.0 * KB);
    rates.calls * session / 2.0 + rates.recommendations * record / 2.0 + rates.events * session
}

/// Write units a second, in the mean: a unit each kB of the session, each event. Events
/// of one user in one batch are one write; this errs upwards.
fn writes(rates: &Rates) -> f64 {
    rates.events * units(SESSION_BYTES, KB)
}

/// Each run loads every user's record under its feature set's name; records of older
/// sets go by themselves after 90 days.
fn table(load: &Load, rates: &Rates) -> Table {
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

fn api_seconds(load: &Load) -> f64 {
    match load.endpoint_mode {
        EndpointMode::Embedded => API_SECONDS,
        EndpointMode::Sagemaker => API_SECONDS + ENDPOINT_SECONDS,
    }
}

/// Two catalogues at once, while a release takes over from another.
fn api_memory(load: &Load) -> f64 {
    API_MEMORY.max(RUNTIME_MEMORY + 2.0 * load.products as f64 * PRODUCT_MEMORY)
}

/// Concurrency is rate by duration at the peak: for `consume` at least one a shard, and
/// where that is more, batches of a shard run at once. GB-seconds are rate by duration by
/// memory in the mean.
fn functions(load: &Load, rates: &Rates, table: &Table) -> Functions {
    let memory = api_memory(load);
    let peak = rates.events * rates.peak;
    let shards = shards(load, peak).ceil().max(ON_DEMAND_SHARDS);
    let consumers = limits::consumers(peak, shards);
    // A shard that has records is asked once a second, and as often as a batch is full.
    let batches = rates.events.min(shards * BATCHES_A_SHARD).max(rates.events / BATCH_RECORDS);
    let consume = batches * BATCH_SECONDS + rates.events * BATCH_RECORD_SECONDS;
    let loads = runs(load) * (load.users as f64 / PART_USERS).ceil();
    let load_seconds = runs(load) * table.writes_per_run / LOAD_ITEMS;
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
fn delivery(load: &Load, rates: &Rates) -> Delivery {
    let step = |bytes: f64| (bytes / DELIVERY_STEP).ceil() * DELIVERY_STEP;
    let bytes = rates.events * step(f64::from(load.event_bytes))
        + rates.recommendations * step(IMPRESSION_BYTES);
    Delivery { gb_per_month: bytes * SECONDS / GB }
}

/// Events, impressions and feature sets of `keep_days`.
fn lake(load: &Load, rates: &Rates, table: &Table, functions: &Functions) -> Lake {
    let sets = (load.retrain_per_day * f64::from(load.keep_days)).max(1.0);
    let features =
        sets * (load.users as f64 * table.record_bytes + load.products as f64 * 2.0 * PRODUCT_FILE);
    let files = |bytes: f64| (bytes / DELIVERY_BYTES).max(1.0 / DELIVERY_SECONDS) * SECONDS;
    let events = files(rates.events * f64::from(load.event_bytes));
    let impressions = files(rates.recommendations * IMPRESSION_BYTES);
    let parts = (load.users as f64 / PART_USERS).ceil();
    let asked = functions.api_concurrency_at_peak as f64 * SECONDS / RELEASE_SECONDS;
    Lake {
        stored_gb: (stored_events(load, rates) + features) / GB,
        puts_per_month: events + impressions + runs(load) * (parts + 20.0),
        // A run reads every file of events that is kept, and every part.
        gets_per_month: asked
            + runs(load) * (events * f64::from(load.keep_days) * 24.0 / HOURS + parts),
    }
}

/// Core-seconds of one run's features on Glue.
fn fold_core_seconds(load: &Load, rates: &Rates) -> f64 {
    let lines = load.users as f64 * f64::from(load.orders_per_user) * ORDER_LINES;
    lines / GLUE_LINES + rates.events * DAY * f64::from(load.keep_days) / GLUE_EVENTS
}

/// Workers end the work in half an hour, and a driver waits for them; all of them start.
fn features(load: &Load, rates: &Rates) -> Features {
    let work = fold_core_seconds(load, rates) / GLUE_CORES;
    let workers = (work / GLUE_SECONDS).ceil().max(1.0) + 1.0;
    let seconds = work.min(GLUE_SECONDS);
    let dpu_seconds = work + seconds + workers * GLUE_START;
    Features {
        workers: count(workers),
        minutes_per_run: (seconds + GLUE_START) / 60.0,
        dpu_hours_per_month: runs(load) * dpu_seconds / 3600.0,
        parts: count(load.users as f64 / PART_USERS),
    }
}

/// Instances of ml.c7i.large: autoscaling follows the mean, the peak has to be allowed.
fn endpoint(rates: &Rates) -> Endpoint {
    let instances =
        |requests: f64| (requests / ENDPOINT_REQUESTS / ENDPOINT_TARGET).ceil().max(1.0);
    Endpoint {
        instances: count(instances(rates.recommendations)),
        instances_at_peak: count(instances(rates.recommendations * rates.peak)),
        gb_per_month: rates.recommendations * ENDPOINT_BYTES * SECONDS / GB,
    }
}

/// What each service costs a month, as prod is deployed: the stream on-demand, the table
/// with point-in-time recovery.
fn costs(plan: &Plan, rates: &Rates, prices: &Prices) -> Vec<Cost> {
    let cost = |service, usd_per_month, page: &str| Cost {
        service,
        usd_per_month,
        price_page: page.to_owned(),
    };
    let Plan { stream, table, functions, delivery, lake, features, api, logs, .. } = plan;
    let runs = runs(&plan.load);
    let million = |price: &Price, number: f64| price.of(number / 1e6);
    let thousand = |price: &Price, number: f64| price.of(number / 1e3);
    let p = prices;
    let writes = writes(rates) * SECONDS + runs * table.writes_per_run;
    let endpoint = plan.endpoint.as_ref().map_or(0.0, |endpoint| {
        p.sagemaker.endpoint_hour.of(endpoint.instances as f64 * HOURS)
            + p.sagemaker.endpoint_gb.of(endpoint.gb_per_month)
    });
    vec![
        cost(
            "API Gateway",
            million(&p.api_gateway.million_requests, api.requests_per_month),
            &p.api_gateway.source,
        ),
        cost(
            "Lambda",
            million(&p.lambda.million_requests, functions.invocations_per_month)
                + p.lambda.gb_second.of(functions.gb_seconds_per_month),
            &p.lambda.source,
        ),
        cost("Kinesis", stream.on_demand_usd_per_month, &p.kinesis.source),
        cost(
            "Firehose",
            p.firehose.gb.of(delivery.gb_per_month)
                + p.firehose.gb_parquet.of(delivery.gb_per_month),
            &p.firehose.source,
        ),
        cost(
            "DynamoDB",
            million(&p.dynamodb.million_reads, reads(&plan.load, rates) * SECONDS)
                + million(&p.dynamodb.million_writes, writes)
                + p.dynamodb.gb_month.of(table.stored_gb)
                + p.dynamodb.recovery_gb_month.of(table.stored_gb),
            &p.dynamodb.source,
        ),
        cost(
            "S3",
            p.s3.gb_month.of(lake.stored_gb)
                + thousand(&p.s3.thousand_puts, lake.puts_per_month)
                + thousand(&p.s3.thousand_gets, lake.gets_per_month),
            &p.s3.source,
        ),
        cost("Glue", p.glue.dpu_hour.of(features.dpu_hours_per_month), &p.glue.source),
        cost(
            "SageMaker",
            p.sagemaker.training_hour.of(plan.training.instance_hours_per_month) + endpoint,
            &p.sagemaker.source,
        ),
        cost(
            "Step Functions",
            thousand(
                &p.step_functions.thousand_transitions,
                runs * (TRANSITIONS + features.parts as f64),
            ),
            &p.step_functions.source,
        ),
        cost(
            "CloudWatch",
            p.cloudwatch.log_gb.of(logs.gb_per_month)
                + p.cloudwatch.log_gb_month.of(logs.gb_per_month)
                + p.cloudwatch.metric_month.of(METRICS)
                + p.cloudwatch.alarm_month.of(ALARMS)
                + p.cloudwatch.dashboard_month.of(DASHBOARDS),
            &p.cloudwatch.source,
        ),
        cost(
            "CloudFront",
            p.cloudfront.gb_out.of(WEB_GB) + million(&p.cloudfront.million_requests, WEB_REQUESTS),
            &p.cloudfront.source,
        ),
        cost("Data transfer", p.transfer.gb_out.of(api.gb_out_per_month), &p.transfer.source),
    ]
}
