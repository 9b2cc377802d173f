//! Counters as CloudWatch metrics, by lines of the embedded metric format in the log.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use serde_json::{Map, Value, json};

/// A line at most this often.
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

/// Counts in memory and writes what changed. Only counters that were asked for are kept:
/// CloudWatch bills each metric.
#[derive(Debug, Clone)]
pub struct Emf {
    function: &'static str,
    names: &'static [&'static str],
    state: Arc<Mutex<State>>,
}

impl Emf {
    /// Installs the process's recorder for the counters called `names`.
    pub fn install(function: &'static str, names: &'static [&'static str]) -> Self {
        let emf = Self { function, names, state: Arc::default() };
        if metrics::set_global_recorder(emf.clone()).is_err() {
            tracing::warn!("another recorder of metrics is installed");
        }
        emf
    }

    /// The lines of what was counted since the last call; none a second after it.
    pub fn lines(&self, now: Instant) -> Vec<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.written.is_some_and(|written| now.duration_since(written) < EVERY) {
            return Vec::new();
        }
        state.written = Some(now);
        // One line for each set of labels: a name has one value a line.
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
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let dimensions: Vec<&str> =
            std::iter::once("function").chain(labels.iter().map(|l| l.0.as_str())).collect();
        let metrics: Vec<Value> =
            values.keys().map(|name| json!({"Name": name, "Unit": "Count"})).collect();
        let mut line = json!({
            "_aws": {
                "Timestamp": u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
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

    /// Writes what was counted to the log.
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
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
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
        let emf = Emf { function: "api", names: &["a", "b"], state: Arc::default() };
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
