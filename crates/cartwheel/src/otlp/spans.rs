//! Sends spans in batches.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::collector::{Collector, resource};
use crate::show::instant;

/// Spans that wait for the exporter. More are lost.
const QUEUE: usize = 4096;
/// Spans of one request to the collector.
const BATCH: usize = 512;
/// How long a span waits for others.
const WAIT: Duration = Duration::from_secs(1);

/// What the exporter receives.
pub enum Message {
    /// A span in OTLP's mapping to JSON.
    Span(Value),
    /// Send what waits, and end.
    Stop,
}

/// A thread that sends spans. Dropped, it sends the last ones.
pub struct Exporter {
    queue: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
}

impl Exporter {
    /// Sends to that collector.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(collector: Collector) -> Result<Self> {
        let (queue, waiting) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("traces".to_owned());
        let thread = thread.spawn(move || export(&collector, &waiting))?;
        Ok(Self { queue, thread: Some(thread) })
    }

    /// Where finished spans go.
    pub fn queue(&self) -> SyncSender<Message> {
        self.queue.clone()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // A full queue means that the collector is slow: its spans are given up.
        let stopped = self.queue.try_send(Message::Stop).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| stopped) {
            let _ = thread.join();
        }
    }
}

/// Sends batches until it is told to stop.
fn export(collector: &Collector, waiting: &Receiver<Message>) {
    let mut goes_on = true;
    collector.send(|| {
        let mut spans = Vec::new();
        while spans.is_empty() && goes_on {
            (spans, goes_on) = batch(waiting);
        }
        (!spans.is_empty()).then(|| {
            json!({"resourceSpans": [{
                "resource": resource(),
                "scopeSpans": [{"scope": {"name": "cartwheel"}, "spans": spans}],
            }]})
        })
    });
}

/// The next spans, and whether more may follow. Waits for the first, and then [`WAIT`] for others.
fn batch(waiting: &Receiver<Message>) -> (Vec<Value>, bool) {
    let mut spans = Vec::new();
    let mut next = waiting.recv().map_err(|_| RecvTimeoutError::Disconnected);
    let first = instant();
    loop {
        match next {
            Ok(Message::Span(span)) => spans.push(span),
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return (spans, false),
            Err(RecvTimeoutError::Timeout) => return (spans, true),
        }
        if spans.len() == BATCH {
            return (spans, true);
        }
        next = waiting.recv_timeout(WAIT.saturating_sub(first.elapsed()));
    }
}
