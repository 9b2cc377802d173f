//! Scores from a SageMaker endpoint.

use std::fmt::Write as _;
use std::time::Duration;

use aws_sdk_sagemakerruntime::Client;
use aws_sdk_sagemakerruntime::primitives::Blob;
use cartwheel_engine::{ScoreError, Scorer};
use cartwheel_stream::Pending;

use crate::breaker::Breaker;
use crate::retry::text;

/// Longest time that a request waits for scores.
const LIMIT: Duration = Duration::from_millis(300);

/// A scorer that invokes an endpoint of SageMaker's built-in XGBoost container.
#[derive(Debug)]
pub struct Endpoint {
    client: Client,
    name: String,
    breaker: Breaker,
}

impl Endpoint {
    /// The endpoint with this name.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into(), breaker: Breaker::new(LIMIT) }
    }

    async fn invoke(&self, variant: &str, body: String) -> Result<Vec<f32>, String> {
        let request = self.client.invoke_endpoint().endpoint_name(&self.name);
        // Another variant may have another model, or that of the next release.
        let request = request.target_variant(variant);
        let request = request.content_type("text/csv").accept("text/csv");
        let output = request.body(Blob::new(body)).send().await.map_err(|e| text(&e))?;
        let body = output.body().map(Blob::as_ref).unwrap_or_default();
        scores(&String::from_utf8_lossy(body))
    }
}

/// Writes rows as the container takes them: without a header, missing values empty.
fn csv(rows: &[f32], width: usize) -> String {
    let mut out = String::with_capacity(rows.len() * 8);
    for row in rows.chunks_exact(width.max(1)) {
        for (at, value) in row.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            if !value.is_nan() {
                // Writing to a string cannot fail.
                let _ = write!(out, "{value}");
            }
        }
        out.push('\n');
    }
    out
}

/// Parses one value for each line; older containers separate them by commas.
fn scores(body: &str) -> Result<Vec<f32>, String> {
    let values = body.split([',', '\n']).map(str::trim).filter(|value| !value.is_empty());
    values.map(|value| value.parse().map_err(|_| format!("{value:?} is not a score"))).collect()
}

impl Scorer for Endpoint {
    fn score<'a>(
        &'a self,
        variant: &'a str,
        rows: &'a [f32],
        width: usize,
    ) -> Pending<'a, Result<Vec<f32>, ScoreError>> {
        Box::pin(async move {
            if rows.is_empty() {
                return Ok(Vec::new());
            }
            let invoked = self.breaker.call(self.invoke(variant, csv(rows, width))).await;
            invoked.map_err(|error| ScoreError(error.to_string()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_csv_with_empty_cells_for_missing_values() {
        assert_eq!(csv(&[1.0, f32::NAN, -0.25, 1e-7], 2), "1,\n-0.25,0.0000001\n");
        assert_eq!(scores("0.5\n0.25\n").unwrap(), [0.5, 0.25]);
        assert_eq!(scores("0.5,0.25").unwrap(), [0.5, 0.25]);
        assert!(scores("<html>").is_err());
    }
}
