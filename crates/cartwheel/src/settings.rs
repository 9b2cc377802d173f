//! Configuration: `cartwheel.toml`, then `CARTWHEEL_*`, then flags.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// Smallest segment of the log in bytes.
const MIN_SEGMENT: u64 = 64 << 10;

/// All settings, by area.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub shop: Shop,
    pub server: Server,
    pub stream: Stream,
    pub delivery: Delivery,
    pub lake: Lake,
    pub features: Features,
    pub train: Train,
    pub gate: Gate,
    pub pipeline: Pipeline,
}

/// What a new model has to show.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gate {
    /// Least Recall@10 above the serving model's.
    pub margin: f64,
    /// Fewest gate users that it is judged on.
    pub min_users: u32,
}

/// When and how the pipeline runs beside the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pipeline {
    /// A run starts this long after the last one, in minutes; 0 for never.
    pub every: u64,
    /// A run starts after so many new checkouts; 0 for never.
    pub after_checkouts: u64,
    /// Threads of a job beside a server; 0 for half of the cores.
    pub threads: usize,
    /// Ended runs that are kept.
    pub keep: usize,
}

/// The shop.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shop {
    /// IANA time zone of days and hours.
    pub timezone: String,
}

/// The HTTP server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// Whether whoever reaches the server may do everything, where there are no keys.
    pub open_to_everyone: bool,
    /// The chain of certificates, PEM; with `tls_key` the server speaks TLS alone.
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM.
    pub tls_key: Option<PathBuf>,
    /// Origins of other sites whose pages may call the API, as `https://shop.example`.
    pub cors_origins: Vec<String>,
    /// Requests a second of one key, twice as many at once; 0 for no limit.
    pub rate_per_key: u32,
    /// Requests a second of one address (IPv6: one /64), twice as many at once; 0 for no
    /// limit. Loopback is not limited.
    pub rate_per_address: u32,
    /// Largest body, decoded.
    pub max_body_bytes: usize,
    /// Longest time to an answer.
    pub request_seconds: u64,
    /// Longest rest of a connection between requests.
    pub idle_seconds: u64,
    /// Most connections at once.
    pub max_connections: usize,
}

/// The embedded log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stream {
    /// Shards of a new log; an old one keeps its own.
    pub shards: u32,
    /// Size of a segment file.
    pub segment_bytes: u64,
    /// Most bytes of all segments. Beyond them the oldest go; while sessions or delivery
    /// still need those, events are refused with 429.
    pub max_bytes: u64,
    /// Records older than this go, once sessions and delivery have read them.
    pub retention_hours: u32,
}

/// From stream to lake.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delivery {
    /// Oldest undelivered record, in seconds.
    pub max_age_seconds: u64,
    /// Most records of a part.
    pub max_records: usize,
}

/// The lake's files.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lake {
    /// Small parts are merged this often, in seconds; 0 for never. Users who are to be
    /// erased do not wait for it.
    pub compact_seconds: u64,
    /// Merged parts stay this long for readers that have listed them, in seconds.
    pub grace_seconds: u64,
}

/// The feature job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Features {
    /// Newest orders of a user that are labels.
    pub label_orders: usize,
    /// Most examples to train on.
    pub max_examples: usize,
    /// Seed of samples and carts.
    pub seed: u64,
}

/// Training.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Train {
    /// Most trees.
    pub rounds: u32,
    /// Rounds without progress on validation users before training stops.
    pub early_stopping: u32,
    /// Depth of a tree.
    pub max_depth: u32,
    /// Learning rate.
    pub eta: f32,
    /// Least sum of hessians in a leaf.
    pub min_child_weight: f32,
    /// Share of rows a tree sees.
    pub subsample: f32,
    /// Share of columns a tree sees.
    pub colsample_bytree: f32,
    /// L2 regularisation.
    pub lambda: f32,
    /// Seed of XGBoost.
    pub seed: u64,
    /// Path of libxgboost, where it is not in a usual place.
    pub library: Option<PathBuf>,
}

impl Default for Shop {
    fn default() -> Self {
        Self { timezone: "UTC".to_owned() }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            open_to_everyone: false,
            tls_cert: None,
            tls_key: None,
            cors_origins: Vec::new(),
            rate_per_key: 5_000,
            rate_per_address: 500,
            max_body_bytes: 1 << 20,
            request_seconds: 10,
            idle_seconds: 75,
            max_connections: 4_096,
        }
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self { shards: 4, segment_bytes: 64 << 20, max_bytes: 16 << 30, retention_hours: 7 * 24 }
    }
}

impl Default for Delivery {
    fn default() -> Self {
        Self { max_age_seconds: 5, max_records: 50_000 }
    }
}

impl Default for Lake {
    fn default() -> Self {
        Self { compact_seconds: 600, grace_seconds: 600 }
    }
}

impl Default for Features {
    fn default() -> Self {
        Self { label_orders: 7, max_examples: 8_000, seed: 1 }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self { margin: 0.0, min_users: 20 }
    }
}

impl Default for Pipeline {
    fn default() -> Self {
        Self { every: 0, after_checkouts: 0, threads: 0, keep: 100 }
    }
}

impl Pipeline {
    /// Threads of a job beside a server, at least one.
    pub fn job_threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if self.threads > 0 { self.threads } else { (cores / 2).max(1) }
    }
}

impl Default for Train {
    fn default() -> Self {
        Self {
            rounds: 400,
            early_stopping: 30,
            max_depth: 5,
            eta: 0.05,
            min_child_weight: 10.0,
            subsample: 0.8,
            colsample_bytree: 0.3,
            lambda: 5.0,
            seed: 1,
            library: None,
        }
    }
}

impl Settings {
    /// Reads the file (which may be missing unless it was named) and the environment.
    pub fn read(file: Option<&Path>) -> Result<Self> {
        let (path, named) = match file {
            Some(path) => (path, true),
            None => (Path::new("cartwheel.toml"), false),
        };
        let mut table: toml::Table = match std::fs::read_to_string(path) {
            Ok(text) => text.parse().with_context(|| format!("{}", path.display()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !named => toml::Table::new(),
            Err(e) => return Err(e).with_context(|| format!("{}", path.display())),
        };
        for (key, value) in std::env::vars() {
            if let Some((area, name)) = area_and_key(&key) {
                set(&mut table, &area, &name, &value).with_context(|| key.clone())?;
            }
        }
        let settings: Self = table.try_into().with_context(|| format!("{}", path.display()))?;
        settings.check()?;
        Ok(settings)
    }

    /// Checks the ranges of all values.
    pub fn check(&self) -> Result<()> {
        let (train, server) = (&self.train, &self.server);
        let checks = [
            (
                "server.tls_key",
                server.tls_cert.is_some() == server.tls_key.is_some(),
                "tls_cert and tls_key together",
            ),
            (
                "server.max_body_bytes",
                (1_024..=64 << 20).contains(&server.max_body_bytes),
                "1024 to 67108864",
            ),
            ("server.request_seconds", (1..=300).contains(&server.request_seconds), "1 to 300"),
            ("server.idle_seconds", (1..=3_600).contains(&server.idle_seconds), "1 to 3600"),
            (
                "server.max_connections",
                (1..=1_000_000).contains(&server.max_connections),
                "1 to 1000000",
            ),
            ("stream.shards", (1..=256).contains(&self.stream.shards), "1 to 256"),
            (
                "stream.segment_bytes",
                (MIN_SEGMENT..=1 << 30).contains(&self.stream.segment_bytes),
                "65536 to 1073741824",
            ),
            (
                "stream.max_bytes",
                self.stream.max_bytes >= self.stream.segment_bytes.saturating_mul(3),
                "three segments or more",
            ),
            ("stream.retention_hours", self.stream.retention_hours >= 1, "1 or more"),
            ("delivery.max_age_seconds", self.delivery.max_age_seconds >= 1, "1 or more"),
            ("delivery.max_records", self.delivery.max_records >= 1, "1 or more"),
            ("features.label_orders", (1..=50).contains(&self.features.label_orders), "1 to 50"),
            (
                "features.max_examples",
                (1..=1_000_000).contains(&self.features.max_examples),
                "1 to 1000000",
            ),
            ("gate.margin", self.gate.margin.is_finite(), "a number"),
            ("pipeline.keep", self.pipeline.keep >= 1, "1 or more"),
            ("train.rounds", (1..=10_000).contains(&train.rounds), "1 to 10000"),
            ("train.max_depth", (1..=16).contains(&train.max_depth), "1 to 16"),
            ("train.eta", train.eta > 0.0 && train.eta <= 1.0, "above 0, at most 1"),
            (
                "train.subsample",
                train.subsample > 0.0 && train.subsample <= 1.0,
                "above 0, at most 1",
            ),
        ];
        let bad: Vec<String> = checks
            .iter()
            .filter(|c| !c.1)
            .map(|(key, _, expected)| format!("{key}: expected {expected}"))
            .collect();
        if !bad.is_empty() {
            bail!("{}", bad.join("; "));
        }
        for text in &self.server.cors_origins {
            crate::listen::origin(text).context("server.cors_origins")?;
        }
        cartwheel_feature_set::Calendar::new(&self.shop.timezone).context("shop.timezone")?;
        Ok(())
    }
}

/// `CARTWHEEL_TRAIN_MAX_DEPTH` is `train.max_depth`.
fn area_and_key(variable: &str) -> Option<(String, String)> {
    let rest = variable.strip_prefix("CARTWHEEL_")?.to_ascii_lowercase();
    let areas =
        ["shop", "server", "stream", "delivery", "lake", "features", "train", "gate", "pipeline"];
    let area = areas.into_iter().find(|a| rest.starts_with(&format!("{a}_")))?;
    Some((area.to_owned(), rest[area.len() + 1..].to_owned()))
}

fn set(table: &mut toml::Table, area: &str, name: &str, value: &str) -> Result<()> {
    let area = table.entry(area).or_insert_with(|| toml::Table::new().into());
    let toml::Value::Table(area) = area else { bail!("is not a table in the file") };
    let parsed = format!("x = {value}").parse::<toml::Table>().ok();
    let parsed = parsed.and_then(|mut t| t.remove("x"));
    area.insert(name.to_owned(), parsed.unwrap_or_else(|| value.into()));
    Ok(())
}
