//! `replay`: computes an earlier answer again. A running server does it; without one, the command does
//! it itself.

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;

use super::users::LocalData;
use crate::client;
use crate::context::Context;
use crate::show::{result, second};

/// The contributions that are shown of a product; `--json` has all of them.
const SHOWN: usize = 3;

/// The arguments of `replay`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cartwheel replay 019ac5a2-7c1e-7d3f-9f0e-2b6f3c1d4e5a
  cartwheel --json replay 019ac5a2-7c1e-7d3f-9f0e-2b6f3c1d4e5a | jq .outcome

The exit code is 0 if both answers are the same, and 1 if they differ, if something that the answer was
made from is no longer stored, or if the command fails.")]
pub struct Replay {
    /// The recommendation_id of the answer.
    id: String,
}

/// Runs `replay`.
pub fn run(context: &Context, args: &Replay) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let replay = runtime.block_on(replay(context, &args.id))?;
    result(context.json, &replay, || text(&replay));
    match replay["outcome"].as_str() {
        Some("same") => Ok(()),
        Some("different") => bail!("the answers differ"),
        Some("erased") => bail!("the shopper was erased"),
        _ => bail!("the answer cannot be computed again"),
    }
}

async fn replay(context: &Context, id: &str) -> Result<Value> {
    let Some(local) = LocalData::open(context).await? else {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        anyhow::ensure!(id.bytes().all(is_plain), "no answer is stored under {id:?}");
        let path = format!("/v1/recommendations/{id}/replay");
        return client::send(&context.data_dir, "GET", &path, None).await;
    };
    let (now_ms, asked) = (context.clock.now_ms(), id.to_owned());
    let found = tokio::task::spawn_blocking(move || local.upkeep.replay(&asked, now_ms)).await??;
    let found = found.with_context(|| {
        format!(
            "no answer {id} is stored: it is older than what is kept, its recording was dropped, or \
             its shopper was erased"
        )
    })?;
    Ok(serde_json::to_value(found)?)
}

fn text(replay: &Value) -> String {
    let of = |name: &str| replay[name].as_str().unwrap_or("\u{2013}").to_owned();
    let at = second(replay["answered_at_ms"].as_i64().unwrap_or_default());
    let mut out = format!(
        "{} for {}, {at} UTC, release {}\n",
        of("recommendation_id"),
        of("user_id"),
        of("release")
    );
    for missing in replay["missing"].as_array().into_iter().flatten() {
        out.push_str(&format!("{}\n", missing.as_str().unwrap_or_default()));
    }
    let places = replay["places"].as_array().map(Vec::as_slice).unwrap_or_default();
    if places.is_empty() {
        return out;
    }
    let same = places.iter().filter(|place| place["is_same"] == true).count();
    out.push_str(&format!("{same} of {} places are the same\n\n", places.len()));
    out.push_str(&format!(
        "{:<4}{:<6}{:<30}{:<14}{}\n",
        "", "SAME", "PRODUCT", "PROBABILITY", "BECAUSE OF"
    ));
    for place in places {
        out.push_str(&line(place));
    }
    out
}

fn line(place: &Value) -> String {
    let (given, again) = (&place["given"], &place["again"]);
    let same = if place["is_same"] == true { "yes" } else { "NO" };
    let name = place["product_name"].as_str().or_else(|| given["product_id"].as_str());
    let name: String = name.unwrap_or_default().chars().take(28).collect();
    let number = place["place"].as_u64().unwrap_or_default();
    let mut line =
        format!("{number:<4}{same:<6}{name:<30}{:<14}", again["probability"].to_string());
    if place["is_same"] == true {
        let features = place["explanation"]["features"].as_array();
        let mut features: Vec<(&str, f64)> = (features.into_iter().flatten())
            .filter_map(|f| Some((f["name"].as_str()?, f["contribution"].as_f64()?)))
            .collect();
        features.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let features = features.into_iter().take(SHOWN);
        let parts: Vec<String> = features.map(|(name, c)| format!("{name} {c:+.3}")).collect();
        line.push_str(&parts.join(", "));
    } else {
        line.push_str(&format!("given: {given}"));
    }
    line.push('\n');
    line
}
