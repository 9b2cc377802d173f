//! Sends traces to a collector, by OTLP over HTTP in its JSON encoding.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::Uri;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::show::instant;

/// Spans that wait for the exporter. More are lost.
const QUEUE: usize = 4096;
/// Spans of one request to the collector.
const BATCH: usize = 512;
/// How long a span waits for others.
const WAIT: Duration = Duration::from_secs(1);
/// Time for the collector's answer.
const PATIENCE: Duration = Duration::from_secs(5);

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
    /// Sends to the collector at `endpoint`, such as `http://127.0.0.1:4318`.
    ///
    /// # Errors
    /// When the address is not valid.
    pub fn start(endpoint: &str) -> Result<Self> {
        let address: Uri =
            endpoint.parse().with_context(|| format!("{endpoint:?} is no address"))?;
        ensure!(
            address.scheme_str() == Some("http") && address.host().is_some(),
            "{endpoint:?} does not begin with http://: use a collector beside the server, which speaks \
             TLS with others"
        );
        let (queue, waiting) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("traces".to_owned());
        let thread = thread.spawn(move || export(&address, &waiting))?;
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
fn export(address: &Uri, waiting: &Receiver<Message>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    let mut failed = false;
    loop {
        let (spans, goes_on) = batch(waiting);
        if !spans.is_empty() {
            let sent = runtime.block_on(async {
                let sending = send(address, spans);
                tokio::time::timeout(PATIENCE, sending).await.context("no answer in 5 seconds")?
            });
            // One line for an outage.
            match sent {
                Err(error) if !failed => {
                    let error = format!("{error:#}");
                    tracing::warn!(%address, error, "the collector takes no traces; they are lost");
                    failed = true;
                }
                Err(_) => {}
                Ok(()) => failed = false,
            }
        }
        if !goes_on {
            return;
        }
    }
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

async fn send(address: &Uri, spans: Vec<Value>) -> Result<()> {
    let authority = address.authority().map(ToString::to_string).unwrap_or_default();
    let host = address.host().unwrap_or_default().trim_matches(['[', ']']);
    let at = (host, address.port_u16().unwrap_or(4318));
    let stream = TcpStream::connect(at).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let service = json!({"key": "service.name", "value": {"stringValue": "cartwheel"}});
    let version =
        json!({"key": "service.version", "value": {"stringValue": env!("CARGO_PKG_VERSION")}});
    let body = json!({"resourceSpans": [{
        "resource": {"attributes": [service, version]},
        "scopeSpans": [{"scope": {"name": "cartwheel"}, "spans": spans}],
    }]});
    let request = hyper::Request::builder()
        .method("POST")
        .uri(format!("{}/v1/traces", address.path().trim_end_matches('/')))
        .header("host", authority)
        .header("content-type", "application/json");
    let body = Full::new(Bytes::from(serde_json::to_vec(&body)?));
    let answer = sender.send_request(request.body(body)?).await?;
    let status = answer.status();
    let _ = answer.into_body().collect().await;
    connection.abort();
    ensure!(status.is_success(), "it answers {status}");
    Ok(())
}
