//! The `CARTWHEEL_*` environment variables that are not settings.

/// An environment variable that is not a setting.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub meaning: &'static str,
}

/// Declares variables as `NAME: "meaning"`.
macro_rules! variables {
    ($($name:ident: $meaning:literal;)+) => {
        &[$(Variable { name: stringify!($name), meaning: $meaning },)+]
    };
}

/// Variables of the binary.
pub const OF_THE_BINARY: &[Variable] = variables! {
    CARTWHEEL_DATA_DIR: "The data directory, as `--data-dir`.";
    CARTWHEEL_API_KEY: "API key that commands send to a running server.";
    CARTWHEEL_PROGRESS: "`json` turns progress bars into lines of JSON on standard error.";
    CARTWHEEL_JOB: "Marks a process as a job of another one. The pipeline sets it.";
    CARTWHEEL_JOB_MEMORY: "Most memory of a job in bytes. The server sets it, by `import.max_memory_bytes`.";
};

/// Variables of the functions on AWS, and of `serve --backend aws`. Terraform sets them.
pub const ON_AWS: &[Variable] = variables! {
    CARTWHEEL_LAKE: "Address of the lake, such as `s3://lake`.";
    CARTWHEEL_TABLE: "DynamoDB table of users and sessions.";
    CARTWHEEL_STREAM: "Kinesis stream of events.";
    CARTWHEEL_STREAM_HOURS: "How long the stream keeps records, in hours.";
    CARTWHEEL_IMPRESSIONS: "Firehose stream of impressions.";
    CARTWHEEL_DEAD_LETTERS: "Address of the queue for records that cannot be applied.";
    CARTWHEEL_TOPIC: "SNS topic of notifications.";
    CARTWHEEL_ENDPOINT: "SageMaker endpoint; empty to score in the function.";
    CARTWHEEL_STATE_MACHINE: "ARN of the pipeline's state machine; empty to show no runs.";
    CARTWHEEL_TIMEZONE: "IANA time zone of the shop.";
    CARTWHEEL_KEY_HASHES: "API keys by their hashes, separated by commas.";
    CARTWHEEL_CORS_ORIGINS: "Origins of other sites, separated by commas.";
};

/// Variables of scripts, tests and the web app's tools. The binary ignores them.
pub const OF_SCRIPTS: &[Variable] = variables! {
    CARTWHEEL_BIN: "Path of the binary that `scripts/test-spark` runs.";
    CARTWHEEL_WORKER: "Path of the worker that `scripts/test-spark` runs.";
    CARTWHEEL_FUNCTIONS: "Folder of packaged functions for the tests and benchmarks of `lambdas/`.";
    CARTWHEEL_SIGNING_SECRET: "Signing secret of a key, for the programs of docs/identity.md.";
    CARTWHEEL_KILLED_WRITER: "Folder of the log in a test of the stream that kills its writer.";
    CARTWHEEL_SHOP_KEY: "Public API key that `scripts/deploy-webapp` writes into the page.";
    CARTWHEEL_URL: "Address of the API for the web app's development server.";
};

/// Every variable that is not a setting.
pub fn all() -> impl Iterator<Item = &'static Variable> {
    OF_THE_BINARY.iter().chain(ON_AWS).chain(OF_SCRIPTS)
}
