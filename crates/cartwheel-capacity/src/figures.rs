//! The constants of the formulas, each with its source.
//!
//! *Measured* figures come from docs/performance.md or from the code's own types,
//! *documented* figures from AWS's documentation. *Assumed* figures cannot be had without an AWS
//! account. *Set* figures are settings of infra or of the code.

/// Bytes of a kilobyte.
pub(crate) const KB: f64 = 1024.0;
/// Bytes of a megabyte.
pub(crate) const MB: f64 = 1024.0 * KB;
/// Bytes of a gigabyte.
pub(crate) const GB: f64 = 1024.0 * MB;
/// Hours of a month, as AWS's calculator counts them.
pub(crate) const HOURS: f64 = 730.0;
/// Seconds of a month.
pub(crate) const SECONDS: f64 = HOURS * 3600.0;
/// Seconds of a day.
pub(crate) const DAY: f64 = 86_400.0;

/// Cores of the measured machine of docs/performance.md.
pub(crate) const MEASURED_CORES: f64 = 2.0;
/// Measured, events a second: docs/performance.md, "Durable events", the row "over HTTP,
/// `/v1/events`, 50 clients". The load generator runs on the same cores.
pub(crate) const MEASURED_EVENTS: f64 = 25_360.0;
/// Measured, recommendations a second: docs/performance.md, "Recommendations", 8 clients. The
/// load generator runs on the same cores.
pub(crate) const MEASURED_RECOMMENDATIONS: f64 = 2_920.0;
/// Measured, records a second that the log's one writer syncs: docs/performance.md, "Durable
/// events", the row "the log, 50 clients".
pub(crate) const MEASURED_LOG: f64 = 246_600.0;
/// Measured, order lines a second and core, all phases: docs/performance.md, "Features"
/// (8.8 million lines in 9.5 s on 2 cores).
pub(crate) const FOLD_LINES: f64 = 8.8e6 / 9.5 / 2.0;
/// Measured: peak memory of that job in bytes.
pub(crate) const FOLD_MEMORY: f64 = 1.2e9;
/// Computed from its type: bytes of a checkout of 9 products. The job holds all checkouts.
pub(crate) const CHECKOUT_BYTES: f64 = 500.0;
/// Bytes of memory a core: m7g has 4 GB.
pub(crate) const CORE_MEMORY: f64 = 4.0 * GB;
/// Cores of the largest machine considered, m7g.16xlarge.
pub(crate) const MOST_CORES: f64 = 64.0;
/// Documented: bytes of the largest gp3 volume.
pub(crate) const MOST_DISK: f64 = 64.0 * 1024.0 * GB;

/// Measured: lines of an order, in the Instacart sample and in the synthetic shop.
pub(crate) const ORDER_LINES: f64 = 9.0;
/// Assumed: bytes of an order line in the lake's Parquet.
pub(crate) const LINE_FILE: f64 = 10.0;
/// Measured: bytes of an impression of 10 products as JSON (1,073), rounded.
pub(crate) const IMPRESSION_BYTES: f64 = 1_100.0;
/// Computed, at most: bytes of a product in memory. 760 with 50 neighbours, texts and its index
/// entry; 100 transitions of 8, 20 shares of its hazard of 4, a cadence of 16, a trail of 104 weeks
/// of 12, and the heads of two lists of 24.
pub(crate) const PRODUCT_MEMORY: f64 = 760.0 + 800.0 + 80.0 + 16.0 + 1_248.0 + 48.0;
/// Computed, at most: bytes of the same product in `catalogue.bin`. 420, then transitions of 7, if
/// there are up to two million products, the hazard, the cadence, weeks of 10, and the lengths of two
/// lists.
pub(crate) const PRODUCT_FILE: f64 = 420.0 + 700.0 + 80.0 + 16.0 + 1_040.0 + 2.0;
/// From the codec: bytes of a user's record without products, with the keys of its item.
pub(crate) const RECORD_BYTES: f64 = 121.0 + ITEM_BYTES;
/// From the codec: bytes of each product in a user's record.
pub(crate) const RECORD_PRODUCT_BYTES: f64 = 44.0;
/// Bytes of the names and keys of a table item.
const ITEM_BYTES: f64 = 110.0;
/// Set in the table's code: bytes of a record in one item. Longer records are split.
pub(crate) const PIECE: f64 = 380_000.0;
/// Measured: bytes of a session with a full ring of 64 events, compressed (3,730 to 4,176 bytes,
/// by carts and views), with its keys. A visitor's session is smaller, so this errs upwards.
pub(crate) const SESSION_BYTES: f64 = 3_900.0 + ITEM_BYTES;
/// Documented: bytes that DynamoDB adds to each stored item.
pub(crate) const ITEM_OVERHEAD: f64 = 100.0;
/// Set in the table's code: days until the records of an older feature set expire.
pub(crate) const RECORD_DAYS: f64 = 90.0;
/// Set in the code: days until a session expires.
pub(crate) const SESSION_DAYS: f64 = 7.0;

/// Documented: bytes a second that a Kinesis shard takes.
pub(crate) const SHARD_BYTES: f64 = MB;
/// Documented: records a second that a shard takes.
pub(crate) const SHARD_RECORDS: f64 = 1_000.0;
/// Documented: bytes a second that a shard gives to all its readers.
pub(crate) const SHARD_READ_BYTES: f64 = 2.0 * MB;
/// Readers of each record: the function `consume` and Firehose.
pub(crate) const READERS: f64 = 2.0;
/// Documented: shards of a new on-demand stream.
pub(crate) const ON_DEMAND_SHARDS: f64 = 4.0;

/// Assumed: seconds of a call of `api`, which uses table, stream and Firehose one after another.
/// Scoring itself takes 0.6 ms (measured).
pub(crate) const API_SECONDS: f64 = 0.040;
/// Assumed: seconds that a call to the endpoint adds.
pub(crate) const ENDPOINT_SECONDS: f64 = 0.010;
/// Set in infra: smallest memory of `api` in bytes.
pub(crate) const API_MEMORY: f64 = GB;
/// Set in infra: memory of `consume` in bytes.
pub(crate) const CONSUME_MEMORY: f64 = 256.0 * MB;
/// Assumed: memory of `api` in bytes, without the catalogue.
pub(crate) const RUNTIME_MEMORY: f64 = 256.0 * MB;
/// Assumed: seconds of a batch of `consume`.
pub(crate) const BATCH_SECONDS: f64 = 0.020;
/// Assumed: seconds of each record in a batch, with 16 writes at once.
pub(crate) const BATCH_RECORD_SECONDS: f64 = 0.001;
/// Set in infra: records of a full batch.
pub(crate) const BATCH_RECORDS: f64 = 500.0;
/// Documented: batches a second of a shard whose batches are not full.
pub(crate) const BATCHES_A_SHARD: f64 = 1.0;
/// Assumed: items a second that one call of `load` writes.
pub(crate) const LOAD_ITEMS: f64 = 5_000.0;
/// Assumed: users of one part of a feature set. One call loads one part.
pub(crate) const PART_USERS: f64 = 50_000.0;

/// Assumed: bytes of Parquet for a byte of JSON.
pub(crate) const PARQUET: f64 = 0.4;
/// Set in infra (prod): seconds after which Firehose writes a file.
pub(crate) const DELIVERY_SECONDS: f64 = 300.0;
/// Set in infra (prod): bytes at which Firehose writes a file.
pub(crate) const DELIVERY_BYTES: f64 = 128.0 * MB;
/// Documented: Firehose bills each record in steps of this many bytes.
pub(crate) const DELIVERY_STEP: f64 = 5.0 * KB;
/// Set in the function's code: seconds between two checks of the release by a running `api`.
pub(crate) const RELEASE_SECONDS: f64 = 15.0;

/// Assumed: order lines a second and core on Glue, a quarter of the local rate: Parquet from
/// S3, a shuffle over the network, Arrow into the worker and back.
pub(crate) const GLUE_LINES: f64 = FOLD_LINES / 4.0;
/// Assumed: events a second and core that Glue reads to find checkouts.
pub(crate) const GLUE_EVENTS: f64 = 1e6;
/// Documented: cores of a G.1X worker, which is one DPU.
pub(crate) const GLUE_CORES: f64 = 4.0;
/// Seconds in which the workers are to finish the job.
pub(crate) const GLUE_SECONDS: f64 = 1_800.0;
/// Assumed: seconds in which a worker starts.
pub(crate) const GLUE_START: f64 = 60.0;
/// Assumed: billed hours of one training. It does not grow with the load, because the examples
/// are a sample of `features.max_examples`.
pub(crate) const TRAINING_HOURS: f64 = 0.25;
/// Assumed: requests of 200 rows a second that one ml.c7i.large answers.
pub(crate) const ENDPOINT_REQUESTS: f64 = 100.0;
/// Set in infra: target utilisation of the endpoint's autoscaling.
pub(crate) const ENDPOINT_TARGET: f64 = 0.7;
/// Computed: bytes of 200 rows of 50 columns as CSV, and of their scores.
pub(crate) const ENDPOINT_BYTES: f64 = 95_000.0;

/// Computed: bytes of an answer of ten products.
pub(crate) const ANSWER_BYTES: f64 = 2_300.0;
/// Computed: bytes of the head of any answer.
pub(crate) const HEAD_BYTES: f64 = 500.0;
/// Assumed: log bytes of one invocation: its own line, the platform's, API Gateway's, metrics.
pub(crate) const LOG_BYTES: f64 = 1_000.0;
/// Set in infra: custom metrics of the functions.
pub(crate) const METRICS: f64 = 10.0;
/// Set in infra: alarms.
pub(crate) const ALARMS: f64 = 25.0;
/// Set in infra: dashboards.
pub(crate) const DASHBOARDS: f64 = 1.0;
/// Assumed: requests a month to the web app, which is the console and a demo shop.
pub(crate) const WEB_REQUESTS: f64 = 1e6;
/// Assumed: gigabytes a month that the web app sends.
pub(crate) const WEB_GB: f64 = 10.0;
/// From the state machine: transitions of a run, without those for each part.
pub(crate) const TRANSITIONS: f64 = 25.0;
