//! Counters as CloudWatch metrics, written to the log in the embedded metric format.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cartwheel_ambient::Clock;
use metrics::{
    Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

/// Shortest time between two writes.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Count(AtomicU64);

impl CounterFn for Count {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        self.0.fetch_max(value, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct State {
    counters: BTreeMap<Key, Arc<Count>>,
    written: Option<Instant>,
}

/// A recorder that counts in memory and writes the counters that changed. It keeps only the
/// counters it is installed for, because CloudWatch bills each metric.
#[derive(Debug, Clone)]
pub struct Emf {
    function: &'static str,
    names: &'static [&'static str],
    clock: Clock,
    state: Arc<Mutex<State>>,
}

impl Emf {
    /// Installs the process's recorder for the counters called `names`.
    pub fn install(function: &'static str, names: &'static [&'static str], clock: Clock) -> Self {
        let emf = Self { function, names, clock, state: Arc::default() };
        if metrics::set_global_recorder(emf.clone()).is_err() {
            tracing::warn!("another metrics recorder is installed: counters are not written");
        }
        emf
    }

    /// Returns lines with the counts since the last call. Within a second of it there are
    /// no lines; the counts stay for the next call.
    pub fn lines(&self, now: Instant) -> Vec<String> {
        let mut state = self.state.lock();
        if state.written.is_some_and(|written| now.duration_since(written) < EVERY) {
            return Vec::new();
        }
        state.written = Some(now);
        // One line for each set of labels: a line has one value for each name.
        let mut lines: BTreeMap<Vec<(String, String)>, Map<String, Value>> = BTreeMap::new();
        for (key, count) in &state.counters {
            let count = count.0.swap(0, Ordering::Relaxed);
            if count > 0 {
                let labels = key.labels().map(|l| (l.key().to_owned(), l.value().to_owned()));
                let line = lines.entry(labels.collect()).or_default();
                line.insert(key.name().to_owned(), count.into());
            }
        }
        lines.into_iter().map(|(labels, values)| self.line(&labels, values)).collect()
    }

    fn line(&self, labels: &[(String, String)], values: Map<String, Value>) -> String {
        let dimensions: Vec<&str> =
            std::iter::once("function").chain(labels.iter().map(|l| l.0.as_str())).collect();
        let metrics: Vec<Value> =
            values.keys().map(|name| json!({"Name": name, "Unit": "Count"})).collect();
        let mut line = json!({
            "_aws": {
                "Timestamp": self.clock.now_ms(),
                "CloudWatchMetrics": [
                    {"Namespace": "cartwheel", "Dimensions": [dimensions], "Metrics": metrics},
                ],
            },
            "function": self.function,
        });
        if let Value::Object(line) = &mut line {
            line.extend(labels.iter().map(|(name, value)| (name.clone(), value.clone().into())));
            line.extend(values);
        }
        line.to_string()
    }

    /// Writes the counts to the log.
    #[allow(clippy::print_stdout)]
    pub fn flush(&self) {
        for line in self.lines(Instant::now()) {
            println!("{line}");
        }
    }
}

impl Recorder for Emf {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if !self.names.contains(&key.name()) {
            return Counter::noop();
        }
        let mut state = self.state.lock();
        Counter::from_arc(state.counters.entry(key.clone()).or_default().clone())
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_become_lines_with_their_labels() {
        let emf = Emf {
            function: "api",
            names: &["a", "b"],
            clock: Clock::fixed(1_700_000_000_000),
            state: Arc::default(),
        };
        metrics::with_local_recorder(&emf, || {
            metrics::counter!("a", "result" => "accepted").increment(2);
            metrics::counter!("a", "result" => "failed").increment(1);
            metrics::counter!("b").increment(5);
            metrics::counter!("c").increment(9);
        });
        let start = Instant::now();
        let lines: Vec<Value> =
            emf.lines(start).iter().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!((&lines[0]["b"], &lines[0]["function"]), (&json!(5), &json!("api")));
        assert_eq!((&lines[1]["a"], &lines[1]["result"]), (&json!(2), &json!("accepted")));
        assert_eq!(lines[0]["_aws"]["Timestamp"], json!(1_700_000_000_000_i64));
        assert_eq!(
            lines[1]["_aws"]["CloudWatchMetrics"][0]["Dimensions"],
            json!([["function", "result"]])
        );
        metrics::with_local_recorder(&emf, || metrics::counter!("b").increment(1));
        assert!(emf.lines(start).is_empty(), "not twice in a second");
        assert_eq!(emf.lines(start + EVERY).len(), 1);
        assert!(emf.lines(start + EVERY * 2).is_empty(), "nothing new");
    }
}
