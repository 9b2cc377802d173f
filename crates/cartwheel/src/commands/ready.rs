//! `ready`: whether the server of the data directory accepts and answers events.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::client;
use crate::context::Context;
use crate::show::result;

/// Time for the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the server. Fails if it is not ready.
pub fn run(context: &Context) -> Result<()> {
    ensure!(
        context.data_dir.server().exists(),
        "no server runs on the data directory: start one with `cartwheel serve`"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = client::send(&context.data_dir, "GET", "/readyz", None);
    let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await });
    answer
        .context("the server has not answered within 5 seconds: see its log")?
        .context("the server is not ready")?;
    result(context.json, &json!({"ready": true}), || "ready".to_owned());
    Ok(())
}
