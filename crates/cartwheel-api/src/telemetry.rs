//! Names of metrics that are counted as things happen, and their recorder. `operate::metrics` adds
//! the state at the moment of a scrape.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use axum::http::Method;
use cartwheel_ambient::system_ms;
use metrics::{Counter, Histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use parking_lot::RwLock;

/// Requests by method, route and status.
pub const REQUESTS: &str = "cartwheel_http_requests_total";
/// Seconds from request to answer, by route.
pub const LATENCY: &str = "cartwheel_http_request_duration_seconds";
/// Events by result: `accepted`, `repeated`, `failed` or `ignored`.
pub const EVENTS: &str = "cartwheel_events_total";
/// Changes of products by result: `stored`, `unchanged` or `failed`.
pub const PRODUCT_CHANGES: &str = "cartwheel_product_changes_total";
/// Impressions that were not stored.
pub const IMPRESSIONS_DROPPED: &str = "cartwheel_impressions_dropped_total";
/// Degraded answers.
pub const DEGRADED: &str = "cartwheel_answers_degraded_total";

/// Failures of background tasks, by task.
pub const TASK_FAILURES: &str = "cartwheel_task_failures_total";

const BUCKETS: [f64; 13] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Renders metrics. Empty if another recorder is installed.
#[derive(Clone, Debug)]
pub struct Metrics(Option<(PrometheusHandle, i64)>);

impl Metrics {
    /// Installs the recorder of the process. Later calls share it.
    pub fn install() -> Self {
        static HANDLE: OnceLock<Option<(PrometheusHandle, i64)>> = OnceLock::new();
        let handle = HANDLE.get_or_init(|| {
            let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).ok()?;
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            metrics::set_global_recorder(recorder).ok()?;
            describe();
            Some((handle, system_ms()))
        });
        Self(handle.clone())
    }

    /// Renders the Prometheus text format.
    pub fn render(&self) -> Option<String> {
        self.0.as_ref().map(|(handle, _)| handle.render())
    }

    /// When counts began, UTC milliseconds.
    pub(crate) fn start_ms(&self) -> Option<i64> {
        self.0.as_ref().map(|(_, start_ms)| *start_ms)
    }

    /// Folds samples into histograms, so that memory stays bounded even without scrapes. Runs
    /// until dropped.
    pub async fn upkeep(&self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(5));
        loop {
            ticks.tick().await;
            if let Some((handle, _)) = &self.0 {
                handle.run_upkeep();
            }
        }
    }
}

/// Counts events by their result.
pub(crate) struct EventCounts {
    /// Stored.
    pub(crate) accepted: Counter,
    /// Stored before.
    pub(crate) repeated: Counter,
    /// Not stored.
    pub(crate) failed: Counter,
    /// Of another product, and about nothing that is stored.
    pub(crate) ignored: Counter,
}

impl EventCounts {
    /// The counters behind `/metrics`, which have to be installed before.
    pub(crate) fn new(_: &Metrics) -> Self {
        Self {
            accepted: metrics::counter!(EVENTS, "result" => "accepted"),
            repeated: metrics::counter!(EVENTS, "result" => "repeated"),
            failed: metrics::counter!(EVENTS, "result" => "failed"),
            ignored: metrics::counter!(EVENTS, "result" => "ignored"),
        }
    }
}

/// Counts requests. It keeps the metrics of each route: to find them by their labels takes longer
/// than all else that is done with them.
#[derive(Default)]
pub(crate) struct RequestCounts {
    routes: RwLock<HashMap<String, RouteMetrics>>,
}

/// By method and status: the requests, and the times of the route.
type RouteMetrics = HashMap<(&'static str, u16), (Counter, Histogram)>;

impl RequestCounts {
    /// Counts a request by method, route and status, and its time by route. A route is one of the
    /// router's or `other`, so that their number is bounded.
    pub(crate) fn request(&self, method: &Method, route: &str, status: u16, took: Duration) {
        let method = match method.as_str() {
            "GET" => "GET",
            "POST" => "POST",
            "HEAD" => "HEAD",
            "OPTIONS" => "OPTIONS",
            "PUT" => "PUT",
            "DELETE" => "DELETE",
            _ => "other",
        };
        let count = |(counter, histogram): &(Counter, Histogram)| {
            counter.increment(1);
            histogram.record(took.as_secs_f64());
        };
        let key = (method, status);
        let known = self.routes.read().get(route).and_then(|route| route.get(&key)).map(count);
        if known.is_none() {
            let label = route.to_owned();
            let counter = metrics::counter!(REQUESTS, "method" => method, "route" => label.clone(),
                                            "status" => status.to_string());
            let histogram = metrics::histogram!(LATENCY, "route" => label.clone());
            count(
                self.routes
                    .write()
                    .entry(label)
                    .or_default()
                    .entry(key)
                    .or_insert((counter, histogram)),
            );
        }
    }
}

fn describe() {
    metrics::describe_counter!(REQUESTS, "HTTP requests by method, route and status.");
    metrics::describe_histogram!(LATENCY, metrics::Unit::Seconds, "Time from request to answer.");
    metrics::describe_counter!(EVENTS, "Events by result.");
    metrics::describe_counter!(PRODUCT_CHANGES, "Changes of products by result.");
    metrics::describe_counter!(IMPRESSIONS_DROPPED, "Impressions that were not stored.");
    metrics::describe_counter!(TASK_FAILURES, "Panics and errors of background tasks.");
    metrics::describe_counter!(DEGRADED, "Degraded answers.");
    for result in ["accepted", "repeated", "failed", "ignored"] {
        metrics::counter!(EVENTS, "result" => result).increment(0);
    }
    for result in ["stored", "unchanged", "failed"] {
        metrics::counter!(PRODUCT_CHANGES, "result" => result).increment(0);
    }
    metrics::counter!(IMPRESSIONS_DROPPED).increment(0);
    metrics::counter!(DEGRADED).increment(0);
}
