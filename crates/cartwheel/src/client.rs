//! Calls to the running server of the data directory.

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use cartwheel_node::{DataDir, KEY_VARIABLE};

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
    let (status, answer) = ask(data_dir, method, path, body).await?;
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
    let (status, body) = ask(data_dir, "GET", path, None).await?;
    Ok((status.as_u16(), String::from_utf8_lossy(&body).into_owned()))
}

async fn ask(
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
    if let Ok(key) = std::env::var(KEY_VARIABLE) {
        request = request.header("x-api-key", key);
    }
    let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
    let request = request.body(Full::new(Bytes::from(body)))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let answer = response.into_body().collect().await?.to_bytes();
    connection.abort();
    Ok((status, answer))
}
