//! Calls to the server that has the data directory.

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::data_dir::DataDir;

/// Names the key to bring to a server that asks for one.
pub const KEY_VARIABLE: &str = "CARTWHEEL_API_KEY";

/// Posts JSON and gives the answer's JSON; a problem document becomes an error.
pub async fn post(place: &DataDir, path: &str, body: &Value) -> Result<Value> {
    send(place, "POST", path, Some(body)).await
}

/// Sends a request and gives the answer's JSON; a problem document becomes an error.
pub async fn send(
    place: &DataDir,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Value> {
    let address = std::fs::read_to_string(place.server())
        .context("a process has the data directory, and it is no server: try again later")?;
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
    let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
    if !status.is_success() {
        let why = answer["detail"].as_str().or_else(|| answer["title"].as_str());
        let why = why.unwrap_or(status.as_str());
        if status == hyper::StatusCode::UNAUTHORIZED {
            bail!("{why} Name an admin key in {KEY_VARIABLE}.");
        }
        bail!("{why}");
    }
    Ok(answer)
}
