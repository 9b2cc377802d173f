//! Calls to the running server of the data directory.

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use cartwheel_node::{DataDir, KEY_VARIABLE};

const KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// What a request shows to be admitted.
#[derive(Debug, Clone, Default)]
pub struct Credentials(Vec<(HeaderName, HeaderValue)>);

impl Credentials {
    /// The key in `CARTWHEEL_API_KEY`, if there is one.
    pub fn of_environment() -> Self {
        let key = std::env::var(KEY_VARIABLE).ok();
        let key = key.and_then(|key| HeaderValue::try_from(key).ok());
        Self(key.map(|key| (KEY_HEADER, key)).into_iter().collect())
    }

    /// Those of another request, which is made in turn.
    pub fn of(headers: &HeaderMap) -> Self {
        let found = [KEY_HEADER, AUTHORIZATION].into_iter();
        Self(found.filter_map(|name| Some((name.clone(), headers.get(name)?.clone()))).collect())
    }
}

/// Posts JSON and returns the answer's JSON. A problem document becomes an error.
///
/// # Errors
/// As [`send`].
pub async fn post(data_dir: &DataDir, path: &str, body: &Value) -> Result<Value> {
    send(data_dir, "POST", path, Some(body)).await
}

/// Sends a request and returns the answer's JSON. A problem document becomes an error.
///
/// # Errors
/// When no server answers, or when it refuses the request.
pub async fn send(
    data_dir: &DataDir,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Value> {
    send_as(&Credentials::of_environment(), data_dir, method, path, body).await
}

/// As [`send`], with other credentials.
///
/// # Errors
/// As [`send`].
pub async fn send_as(
    credentials: &Credentials,
    data_dir: &DataDir,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Value> {
    let (status, answer) = ask(credentials, data_dir, method, path, body).await?;
    let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
    if !status.is_success() {
        let reason = answer["detail"].as_str().or_else(|| answer["title"].as_str());
        let reason = reason.unwrap_or(status.as_str());
        if status == StatusCode::UNAUTHORIZED {
            bail!(
                "{reason} Set {KEY_VARIABLE} to an admin key: `cartwheel keys create operator --scope \
                 admin` makes one."
            );
        }
        bail!("{reason}");
    }
    Ok(answer)
}

/// Reads a path and returns status and body, whatever the status is.
///
/// # Errors
/// When no server answers.
pub async fn get(data_dir: &DataDir, path: &str) -> Result<(u16, String)> {
    get_as(&Credentials::of_environment(), data_dir, path).await
}

/// As [`get`], with other credentials.
///
/// # Errors
/// As [`get`].
pub async fn get_as(
    credentials: &Credentials,
    data_dir: &DataDir,
    path: &str,
) -> Result<(u16, String)> {
    let (status, body) = ask(credentials, data_dir, "GET", path, None).await?;
    Ok((status.as_u16(), String::from_utf8_lossy(&body).into_owned()))
}

async fn ask(
    credentials: &Credentials,
    data_dir: &DataDir,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<(StatusCode, Bytes)> {
    let address = std::fs::read_to_string(data_dir.server())
        .context("another command uses the data directory: try again when it has ended")?;
    let address = address.trim();
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("the server on {address} does not answer"))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let mut request = hyper::Request::builder().method(method).uri(path).header("host", address);
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in &credentials.0 {
        request = request.header(name, value);
    }
    let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
    let request = request.body(Full::new(Bytes::from(body)))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let answer = response.into_body().collect().await?.to_bytes();
    connection.abort();
    Ok((status, answer))
}
