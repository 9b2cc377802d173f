//! The collector that OpenTelemetry's variables name, and requests to it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use http_body_util::{BodyExt, Full};
use hyper::Uri;
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// Time for the collector's answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Counts and states.
    Metrics,
}

impl Signal {
    /// Its name in addresses.
    fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }
}

/// Where a signal is sent.
#[derive(Debug)]
pub struct Collector {
    signal: Signal,
    address: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Collector {
    /// The collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names, such as `http://127.0.0.1:4318`, with
    /// OpenTelemetry's other variables for addresses and headers. `None` if the variables name none, or no
    /// exporter.
    ///
    /// # Errors
    /// When a variable is not valid; the error names it.
    pub fn of(signal: Signal, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let upper = signal.name().to_uppercase();
        let own = format!("OTEL_EXPORTER_OTLP_{upper}_ENDPOINT");
        let (name, address) = match (variable(&own), variable("OTEL_EXPORTER_OTLP_ENDPOINT")) {
            (Some(address), _) => (own.as_str(), address),
            (None, Some(base)) => {
                let path = format!("/v1/{}", signal.name());
                ("OTEL_EXPORTER_OTLP_ENDPOINT", base.trim_end_matches('/').to_owned() + &path)
            }
            (None, None) => return Ok(None),
        };
        let exporter = format!("OTEL_{upper}_EXPORTER");
        match variable(&exporter).as_deref() {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(other) => bail!("{exporter} is {other:?}: set it to otlp or to none"),
        }
        let address = parse(&address).context(name.to_owned())?;
        let own = format!("OTEL_EXPORTER_OTLP_{upper}_HEADERS");
        let name = if variable(&own).is_some() { &own } else { "OTEL_EXPORTER_OTLP_HEADERS" };
        let headers = headers(&variable(name).unwrap_or_default());
        let headers = headers.with_context(|| format!("{name} is not NAME=VALUE,NAME=VALUE"))?;
        Ok(Some(Self { signal, address, headers }))
    }

    /// Sends each body that `next` gives, until it gives none. Blocks; a body that the collector does not
    /// take is lost.
    pub(super) fn send(&self, mut next: impl FnMut() -> Option<Value>) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        let mut failed = false;
        while let Some(body) = next() {
            // One line for an outage.
            match self.post(&runtime, &body) {
                Err(error) if !failed => {
                    let (what, error) = (self.signal.name(), format!("{error:#}"));
                    tracing::warn!(address = %self.address, error, "the collector takes no {what}; they are lost");
                    failed = true;
                }
                Err(_) => {}
                Ok(()) => failed = false,
            }
        }
    }

    fn post(&self, runtime: &Runtime, body: &Value) -> Result<()> {
        runtime.block_on(async {
            let answer = tokio::time::timeout(PATIENCE, self.ask(body));
            answer.await.context("no answer in 5 seconds")?
        })
    }

    async fn ask(&self, body: &Value) -> Result<()> {
        let authority = self.address.authority().map(ToString::to_string).unwrap_or_default();
        let host = self.address.host().unwrap_or_default().trim_matches(['[', ']']);
        let at = (host, self.address.port_u16().unwrap_or(4318));
        let stream = TcpStream::connect(at).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let path = self.address.path_and_query().map_or("/", |path| path.as_str());
        let mut request = hyper::Request::builder()
            .method("POST")
            .uri(path)
            .header("host", authority)
            .header("content-type", "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let body = Full::new(Bytes::from(serde_json::to_vec(&body)?));
        let answer = sender.send_request(request.body(body)?).await?;
        let status = answer.status();
        let _ = answer.into_body().collect().await;
        connection.abort();
        ensure!(status.is_success(), "it answers {status}");
        Ok(())
    }
}

/// A variable of the environment. An empty one counts as absent.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// The program as a resource of OTLP.
pub(super) fn resource() -> Value {
    let attribute = |name: &str, text: &str| json!({"key": name, "value": {"stringValue": text}});
    json!({"attributes": [attribute("service.name", "cartwheel"),
                          attribute("service.version", env!("CARGO_PKG_VERSION"))]})
}

fn parse(text: &str) -> Result<Uri> {
    let address: Uri = text.parse().with_context(|| format!("{text:?} is no address"))?;
    ensure!(
        address.scheme_str() == Some("http") && address.host().is_some(),
        "{text:?} does not begin with http://: use a collector beside the server, which speaks \
         TLS with others"
    );
    Ok(address)
}

/// Reads `NAME=VALUE,NAME=VALUE`, whose values may have `%` escapes. The values are secrets, and stand in
/// no error.
fn headers(text: &str) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let header = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let mut value = HeaderValue::from_bytes(&unescaped(value.trim())?).ok()?;
        value.set_sensitive(true);
        Some((name.trim().parse().ok()?, value))
    };
    pairs.map(header).collect()
}

/// A text without its `%` escapes.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut found = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        found.extend(hex::decode(digits).ok()?);
        found.extend(rest.as_bytes());
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(signal: Signal, variables: &[(&str, &str)]) -> Result<Option<Collector>> {
        Collector::of(signal, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn variables_name_the_collector_of_each_signal() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/otlp/");
        let address = |signal, variables: &[(&str, &str)]| {
            of(signal, variables).unwrap().map(|collector| collector.address.to_string())
        };
        assert_eq!(address(Signal::Traces, &[]), None);
        let traces = address(Signal::Traces, &[base]);
        assert_eq!(traces.as_deref(), Some("http://127.0.0.1:4318/otlp/v1/traces"));
        let metrics = address(Signal::Metrics, &[base]);
        assert_eq!(metrics.as_deref(), Some("http://127.0.0.1:4318/otlp/v1/metrics"));
        let own = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://collector/x?y=1");
        let metrics = address(Signal::Metrics, &[base, own]);
        assert_eq!(metrics.as_deref(), Some("http://collector/x?y=1"));
        assert_eq!(address(Signal::Traces, &[own]), None);
        assert_eq!(address(Signal::Metrics, &[base, ("OTEL_METRICS_EXPORTER", "none")]), None);
        assert!(address(Signal::Traces, &[base, ("OTEL_METRICS_EXPORTER", "none")]).is_some());
    }

    #[test]
    fn headers_may_have_escapes_and_their_values_stay_secret() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        let given = ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20dTpw%3D, x-team = shop");
        let headers = of(Signal::Metrics, &[base, given]).unwrap().unwrap().headers;
        assert_eq!(headers[0].1.to_str().unwrap(), "Basic dTpw=");
        assert_eq!((headers[1].0.as_str(), headers[1].1.to_str().unwrap()), ("x-team", "shop"));
        assert!(!format!("{headers:?}").contains("dTpw"));
    }

    #[test]
    fn a_value_that_does_not_fit_is_an_error_that_names_its_variable() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "no address"),
            ("OTEL_METRICS_EXPORTER", "console"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x=secret%"),
            ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "no name=secret"),
        ] {
            let error = format!("{:#}", of(Signal::Metrics, &[(name, value), base]).unwrap_err());
            assert!(error.contains(name) && !error.contains("secret"), "{error}");
        }
    }
}
