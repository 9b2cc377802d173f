//! The table of all settings. It declares each key once: type, default, allowed values and, as
//! the doc comment, the meaning. The structs, the checks and docs/settings.md follow from it.

use std::net::SocketAddr;
use std::path::PathBuf;

use cartwheel_feature_set::{Label, SearchMode};
use cartwheel_features::{Named, Selection, Source, Subject};
use serde::Serialize;

use crate::key::{Key, Kind, Rule, any, at_least, between, expected, finite, share};
use crate::nearest::nearest;
use crate::origin::{is_host, network, origin};
use crate::values::Values;

/// Minimum size of a segment of the log in bytes.
const MIN_SEGMENT: u64 = 64 << 10;
/// Minimum number of segments that the log has room for.
const MIN_SEGMENTS: u64 = 3;

/// A value that its key does not allow.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation {
    /// The key, such as `train.max_depth`.
    pub key: String,
    /// The value.
    pub found: String,
    /// What the value has to be.
    pub expected: String,
    /// What it probably means.
    pub advice: Option<String>,
}

macro_rules! settings {
    ($(
        $(#[doc = $area_doc:literal])+
        $area:ident: $Area:ident {
            $(
                $(#[doc = $doc:literal])+
                $name:ident: $type:ty = $default:expr, $rule:expr;
            )+
        }
    )+) => {
        /// All settings, by area.
        #[derive(Debug, Clone, Default, Serialize)]
        pub struct Settings {
            $($(#[doc = $area_doc])+ pub $area: $Area,)+
        }

        $(
            $(#[doc = $area_doc])+
            #[derive(Debug, Clone, Serialize)]
            pub struct $Area {
                $($(#[doc = $doc])+ pub $name: $type,)+
            }

            impl Default for $Area {
                fn default() -> Self {
                    Self { $($name: $default,)+ }
                }
            }
        )+

        /// Names of the areas, with what each is about.
        pub const AREAS: &[(&str, &str)] =
            &[$((stringify!($area), concat!($($area_doc),+)),)+];

        impl Settings {
            /// Describes every key, in the order of the table.
            pub fn keys() -> Vec<Key> {
                let defaults = Self::default();
                vec![$($({
                    let rule: Rule<$type> = $rule;
                    Key {
                        area: stringify!($area),
                        name: stringify!($name),
                        kind: <$type as Kind>::NAME,
                        range: rule.range,
                        default: as_toml(&defaults.$area.$name),
                        meaning: concat!($($doc),+).trim().to_owned(),
                    }
                },)+)+]
            }

            /// Takes every key's value.
            pub(super) fn take(values: &mut Values) -> Self {
                Self {
                    $($area: $Area {
                        $($name: values.take(
                            concat!(stringify!($area), ".", stringify!($name)),
                            $default,
                        ),)+
                    },)+
                }
            }

            /// Checks each value alone.
            fn check_values(&self) -> Vec<Violation> {
                let mut violations = Vec::new();
                $($({
                    let rule: Rule<$type> = $rule;
                    let value = &self.$area.$name;
                    if !(rule.allows)(value) {
                        violations.push(Violation {
                            key: concat!(stringify!($area), ".", stringify!($name)).to_owned(),
                            found: as_toml(value).unwrap_or_else(|| "unset".to_owned()),
                            expected: expected(<$type as Kind>::NAME, rule.range.as_deref()),
                            advice: (rule.advice)(value),
                        });
                    }
                })+)+
                violations
            }
        }
    };
}

settings! {
    /// The shop.
    shop: Shop {
        /// Time zone in which days and hours are counted.
        timezone: String = "UTC".to_owned(), time_zone();
    }

    /// The live catalogue.
    catalogue: Catalogue {
        /// Whether products that only events and orders name are shown although the shop has
        /// described others. Without any described product, they are shown in any case.
        accept_unknown: bool = false, any();
    }

    /// The HTTP server.
    server: Server {
        /// Address and port to listen on.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)), any();
        /// Whether a server without API keys may listen where other machines reach it. Everyone
        /// who reaches it may then do everything.
        open_to_everyone: bool = false, any();
        /// Certificate chain, PEM. With `tls_key`, the server speaks TLS only.
        tls_cert: Option<PathBuf> = None, any();
        /// Private key of the certificate, PEM.
        tls_key: Option<PathBuf> = None, any();
        /// File with the secret that signs Shopify's webhooks. Without it, they are refused.
        shopify_secret: Option<PathBuf> = None, any();
        /// Host names that the server answers to beside `localhost` and addresses, without the
        /// port. A server with API keys answers to every name while this list is empty.
        hosts: Vec<String> = Vec::new(), hosts();
        /// Addresses or networks of proxies whose `x-forwarded-for` names the client.
        trusted_proxies: Vec<String> = Vec::new(), networks();
        /// Origins of other sites whose pages may call the API.
        cors_origins: Vec<String> = Vec::new(), origins();
        /// Origins of other sites whose pictures the web app may show. Without them, it draws
        /// the products whose pictures are elsewhere.
        image_hosts: Vec<String> = Vec::new(), origins();
        /// Requests a second that one API key may make, with bursts of twice as many; 0 for no
        /// limit.
        rate_per_key: u32 = 5_000, any();
        /// Requests a second that one address (IPv6: one /64) may make, with bursts of twice as
        /// many; 0 for no limit. Loopback is exempt.
        rate_per_address: u32 = 500, any();
        /// Maximum size of a request body in bytes, after decompression.
        max_body_bytes: usize = 1 << 20, between(1_024, 64 << 20);
        /// Seconds after which a request without an answer fails.
        request_seconds: u64 = 10, between(1, 300);
        /// Seconds after which a connection without requests is closed.
        idle_seconds: u64 = 75, between(1, 3_600);
        /// Maximum number of connections at the same time.
        max_connections: usize = 4_096, between(1, 1_000_000);
    }

    /// Imports of uploaded files.
    import: Import {
        /// Maximum size of an uploaded file in bytes, as it arrives. It is kept in the data
        /// directory until its import is complete.
        max_upload_bytes: u64 = 1 << 30, at_least(1);
        /// Most memory of the process that reads an uploaded file, in bytes, and of imports and generated
        /// shops that are started over HTTP. One that needs more is not imported; `cartwheel import`
        /// has no limit.
        max_memory_bytes: u64 = 4 << 30, at_least(1);
    }

    /// The embedded event log.
    stream: Stream {
        /// Shards of a new log. An existing log keeps its own.
        shards: u32 = 4, between(1, 256);
        /// Size of a segment file in bytes.
        segment_bytes: u64 = 64 << 20, between(MIN_SEGMENT, 1 << 30);
        /// Maximum size of the log in bytes, at least three segments. Beyond it the oldest segments
        /// are removed. While sessions or delivery still need them, the server refuses events with
        /// 429.
        max_bytes: u64 = 16 << 30, at_least(MIN_SEGMENTS * MIN_SEGMENT);
        /// Hours after which records are removed, once sessions and delivery have read them.
        retention_hours: u32 = 7 * 24, at_least(1);
    }

    /// Delivery from the stream to the lake.
    delivery: Delivery {
        /// Seconds after which a record is delivered, even if its part is small.
        max_age_seconds: u64 = 5, at_least(1);
        /// Maximum number of records in a part.
        max_records: usize = 50_000, at_least(1);
    }

    /// The lake's files.
    lake: Lake {
        /// Seconds between two compactions, which merge small parts; 0 for none. Erased users do
        /// not wait for it.
        compact_seconds: u64 = 600, any();
        /// Seconds for which merged parts stay, so that readers that have listed them can finish.
        grace_seconds: u64 = 600, any();
    }

    /// The feature job.
    features: Features {
        /// How many of a user's newest orders become labels.
        label_orders: usize = 20, between(1, 50);
        /// Maximum number of training examples.
        max_examples: usize = 16_000, between(1, 1_000_000);
        /// Seed of samples and carts.
        seed: u64 = 1, any();
    }

    /// Recommendations.
    recommend: Recommend {
        /// Least share of an answer, 0 to 1, that goes to products which the customer has not
        /// bought. Of its first `k` products, at least `k` times the share are new, rounded down;
        /// apart from that the most probable product comes first. At 1 all are new.
        discovery: f32 = 0.0, between(0.0, 1.0);
        /// Sources of candidates that are switched off, with the columns of their scores: some of
        /// `seen`, `cart`, `search`, `visit`, `taste`, `next`, `affinity` and `content`. It takes effect
        /// with the next run of the pipeline, since a model knows the sources that it was trained with.
        without: Vec<String> = Vec::new(), selection::<Source>();
        /// How the value of products shapes the order of an answer: `off` for none, `price`, or
        /// `margin`, which is the price minus the cost. Products come in the order of probability times
        /// value; the probabilities stay as they are. A product whose value the live catalogue does
        /// not have counts with the median of the others that the answer chooses from.
        value: String = "off".to_owned(), value();
    }

    /// What follows from recommendations.
    quality: Quality {
        /// Hours for which an event that names an answer counts for it, and a purchase for the
        /// addition to the cart before it.
        window_hours: u32 = 24, between(1, 720);
    }

    /// Training.
    train: Train {
        /// Maximum number of trees. XGBoost's `num_round`.
        rounds: u32 = 600, between(1, 10_000);
        /// Rounds without progress on the validation users after which training stops. XGBoost's
        /// `early_stopping_rounds`.
        early_stopping: u32 = 30, any();
        /// Maximum depth of a tree.
        max_depth: u32 = 5, between(1, 16);
        /// Learning rate.
        eta: f32 = 0.07, share();
        /// Minimum sum of hessians in a leaf.
        min_child_weight: f32 = 10.0, any();
        /// Share of the rows that each tree sees.
        subsample: f32 = 0.5, share();
        /// Share of the columns that each tree sees.
        colsample_bytree: f32 = 0.15, any();
        /// L2 regularisation.
        lambda: f32 = 5.0, any();
        /// Seed of XGBoost.
        seed: u64 = 1, any();
        /// What the model predicts ([pipeline.md](pipeline.md#labels)). `next_basket`: the product is in
        /// the next purchase. `next_interaction`: it is the next one in this visit. `next_purchase`: it
        /// is bought in the rest of this visit. Several events of the rest of this visit have weights,
        /// as in `purchase=1, cart=0.3, click=0.05`. `auto` is the first in a shop with orders and the
        /// second in one with views alone.
        label: String = "auto".to_owned(), label();
        /// How many values of `max_depth`, `min_child_weight`, `lambda` and `colsample_bytree` a run of
        /// the pipeline tries on validation users: `off`, `quick` or `full`, which are none, 4 and 12.
        /// Values that differ from the default, or are given for the run, stay as they are. Of the
        /// parameters of the sources of candidates it tries none, two or three values each, or five.
        search: String = "quick".to_owned(), search();
        /// Subjects of which the model learns nothing, to see what they are worth: some of `habit`, `cart`,
        /// `search`, `visit`, `taste`, `next`, `affinity`, `content`, `aisle`, `popularity`, `customer` and
        /// `moment`. Candidates stay as they are. It takes effect with the next run of the pipeline.
        without: Vec<String> = Vec::new(), selection::<Subject>();
        /// Path of libxgboost, if it is neither beside the program nor in the system's places.
        library: Option<PathBuf> = None, any();
    }

    /// The gate that a new model has to pass.
    gate: Gate {
        /// How much the model's Recall@10 has to exceed that of the serving model.
        margin: f64 = 0.0, finite();
        /// Minimum number of gate users for the comparison.
        min_users: u32 = 20, any();
    }

    /// Runs of the pipeline beside the server.
    pipeline: Pipeline {
        /// Minutes between the starts of two runs; 0 for no schedule.
        every: u64 = 0, any();
        /// New checkouts after which a run starts; 0 to ignore checkouts.
        after_checkouts: u64 = 0, any();
        /// Hours after the request to erase a user at which a run starts that leaves the user out of
        /// the feature sets, if none did before. It starts also without a schedule.
        erasure_hours: u64 = 24, between(1, 720);
        /// Threads of a job beside a server; 0 for half of the cores.
        threads: usize = 0, any();
        /// Number of ended runs to keep.
        keep: usize = 100, at_least(1);
    }
}

impl Settings {
    /// Finds every value that is not allowed.
    pub fn check(&self) -> Vec<Violation> {
        let mut violations = self.check_values();
        violations.extend(self.check_pairs());
        violations
    }

    /// Checks the values that have to fit one another.
    fn check_pairs(&self) -> Vec<Violation> {
        let (server, stream) = (&self.server, &self.stream);
        let mut violations = Vec::new();
        for (key, this, other, name) in [
            ("server.tls_key", &server.tls_key, &server.tls_cert, "server.tls_cert"),
            ("server.tls_cert", &server.tls_cert, &server.tls_key, "server.tls_key"),
        ] {
            if this.is_none() && other.is_some() {
                let expected = format!("a path, because {name} is set");
                let (key, found) = (key.into(), "unset".into());
                violations.push(Violation { key, found, expected, advice: None });
            }
        }
        let smallest = stream.segment_bytes.saturating_mul(MIN_SEGMENTS);
        if stream.max_bytes < smallest {
            violations.push(Violation {
                key: "stream.max_bytes".to_owned(),
                found: stream.max_bytes.to_string(),
                expected: format!("at least {smallest}, {MIN_SEGMENTS} times stream.segment_bytes"),
                advice: None,
            });
        }
        violations
    }
}

impl Pipeline {
    /// Threads of a job beside a server, at least one.
    pub fn job_threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if self.threads > 0 { self.threads } else { (cores / 2).max(1) }
    }
}

/// Allows IANA time zones.
fn time_zone() -> Rule<String> {
    let allows = |zone: &String| cartwheel_feature_set::Calendar::new(zone).is_ok();
    Rule::new("an IANA time zone such as Europe/Berlin", allows)
}

impl Train {
    /// The label, or `None` to choose one by the data.
    pub fn label(&self) -> Option<Label> {
        self.label.parse().ok()
    }

    /// How much a run of the pipeline searches.
    pub fn search(&self) -> SearchMode {
        // Settings that were read are valid.
        self.search.parse().unwrap_or_default()
    }
}

/// Allows values of products.
fn value() -> Rule<String> {
    Rule::new("off, price or margin", |text: &String| {
        ["off", "price", "margin"].contains(&text.as_str())
    })
}

/// Allows labels.
fn label() -> Rule<String> {
    let allows = |text: &String| text == "auto" || text.parse::<Label>().is_ok();
    Rule::new(format!("auto, {}", Label::EXPECTED), allows)
}

/// Allows lists of names.
fn selection<T: Named>() -> Rule<Vec<String>> {
    let names = || T::CHOICES.iter().map(|choice| choice.name());
    let known = names().collect::<Vec<_>>().join(", ");
    let allows = |list: &Vec<String>| Selection::<T>::parse(list).is_ok();
    Rule::new(format!("some of {known}"), allows).advising(move |list| {
        let wrong = Selection::<T>::parse(list).err()?;
        let near = nearest(&wrong, names())?;
        Some(format!("For {wrong:?}, did you mean {near:?}?"))
    })
}

/// Allows the extents of a search.
fn search() -> Rule<String> {
    Rule::new("off, quick or full", |name: &String| name.parse::<SearchMode>().is_ok())
}

/// Allows lists of origins.
fn origins() -> Rule<Vec<String>> {
    let allows = |list: &Vec<String>| list.iter().all(|text| origin(text).is_ok());
    Rule::new("each as https://shop.example, in lower case and without a path", allows)
}

/// Allows lists of host names.
fn hosts() -> Rule<Vec<String>> {
    let allows = |list: &Vec<String>| list.iter().all(|text| is_host(text));
    Rule::new("each as shop.example, in lower case and without scheme and port", allows)
}

/// Allows lists of addresses and networks.
fn networks() -> Rule<Vec<String>> {
    let allows = |list: &Vec<String>| list.iter().all(|text| network(text).is_ok());
    Rule::new("each as 192.0.2.1 or 10.0.0.0/8", allows)
}

/// A value as TOML; `None` if it is unset.
fn as_toml(value: &impl Serialize) -> Option<String> {
    // Numbers, strings, booleans and lists look the same in JSON and TOML.
    let text = serde_json::to_string(value).unwrap_or_default();
    (text != "null").then_some(text)
}
