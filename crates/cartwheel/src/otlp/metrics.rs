//! Sends metrics at an interval.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cartwheel_node::MetricsExport;
use serde_json::{Value, json};

use super::collector::{Collector, Signal, resource};

const INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";
/// The shortest and the longest interval, in milliseconds.
const INTERVALS: [u64; 2] = [100, 86_400_000];
/// Metrics that wait for the sender. Later ones have the same series, so that more are not needed.
const QUEUE: usize = 2;

/// A thread that sends metrics. Dropped, it sends the last ones.
pub struct Sender {
    queue: SyncSender<Option<Vec<Value>>>,
    thread: Option<JoinHandle<()>>,
}

/// The export of metrics to the collector that the variables name, every minute unless they say otherwise.
/// It lasts as long as its sender.
///
/// # Errors
/// When a variable is not valid, or no thread can be started.
pub fn metrics(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<(MetricsExport, Sender)>> {
    let Some(collector) = Collector::of(Signal::Metrics, &variable)? else { return Ok(None) };
    let every = variable(INTERVAL).map_or(Ok(60_000), |text| interval(&text))?;
    let (queue, waiting) = sync_channel::<Option<Vec<Value>>>(QUEUE);
    let thread = std::thread::Builder::new().name("metrics".to_owned());
    let thread = thread.spawn(move || {
        collector.send(|| {
            let metrics = waiting.recv().ok().flatten()?;
            Some(json!({"resourceMetrics": [{
                "resource": resource(),
                "scopeMetrics": [{"scope": {"name": "cartwheel"}, "metrics": metrics}],
            }]}))
        });
    })?;
    let pushed = queue.clone();
    let push = Arc::new(move |metrics| {
        // The next ones count on.
        let _ = pushed.try_send(Some(metrics));
    });
    let export = MetricsExport { every: Duration::from_millis(every), push };
    Ok(Some((export, Sender { queue, thread: Some(thread) })))
}

impl Drop for Sender {
    fn drop(&mut self) {
        // A full queue means that the collector is slow: the last metrics are given up.
        let stopped = self.queue.try_send(None).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| stopped) {
            let _ = thread.join();
        }
    }
}

fn interval(text: &str) -> Result<u64> {
    let [shortest, longest] = INTERVALS;
    let every = text.parse().ok().filter(|ms| (shortest..=longest).contains(ms));
    every.with_context(|| {
        format!("{INTERVAL} is {text:?}: set it to {shortest} to {longest} milliseconds")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_bounds() {
        assert_eq!(interval("100").unwrap(), 100);
        for wrong in ["", "0", "99", "-1", "1s", "86400001"] {
            let error = interval(wrong).unwrap_err().to_string();
            assert!(error.contains(INTERVAL) && error.contains("100 to"), "{error}");
        }
    }
}
