//! `users` and `lake`: erasure, export and compaction. A server that has the data
//! directory does it; without one it is done here.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use cartwheel_events::UserId;
use cartwheel_lake::{Delivery, DeliveryOptions, Lake};
use cartwheel_sessions::{SessionStore, Sessions, consume_sessions};
use cartwheel_stream::{Log, OpenError, Sequence, Stream};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::audit::AuditFile;
use crate::cli::{self, Context};
use crate::client;
use crate::commands::serve::{log_options, now_ms};
use crate::data_dir::DataDir;
use crate::settings::Settings;
use crate::show::{bar, result};
use crate::upkeep::Upkeep;

pub fn run(context: &Context, command: cli::Users) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(users(context, command))
}

async fn users(context: &Context, command: cli::Users) -> Result<()> {
    let Context { data_dir: place, settings, json, .. } = context;
    match command {
        cli::Users::Erase { user } => {
            let user_id = id(&user)?;
            let erased = match Here::open(place, settings).await? {
                Some(here) => {
                    let target = [("id", &*cartwheel_api::hashed_id(user_id.as_str()))];
                    let erased = tokio::task::block_in_place(|| {
                        let erase = || Handle::current().block_on(here.upkeep.erase(&user_id));
                        AuditFile::new(place).command("users erase", &target, erase)
                    })?;
                    serde_json::to_value(erased)?
                }
                None => {
                    client::send(place, "DELETE", &format!("/v1/users/{user_id}"), None).await?
                }
            };
            result(*json, &erased, || {
                format!(
                    "{user} is gone from answers. `cartwheel lake compact` (a server does it by \
                     itself) takes the records out of stream and lake, the next `cartwheel \
                     pipeline run` out of feature sets and models"
                )
            });
        }
        cli::Users::Erasures => {
            let erasures = match Here::open(place, settings).await? {
                Some(here) => json!({"erasures": here.upkeep.pending()}),
                None => client::send(place, "GET", "/v1/erasures", None).await?,
            };
            result(*json, &erasures, || table(&erasures));
        }
        cli::Users::Export { user, out } => {
            let user_id = id(&user)?;
            let stored = match Here::open(place, settings).await? {
                Some(here) => {
                    let session = here.sessions.session(&user_id, now_ms())?;
                    let (upkeep, user) = (here.upkeep.clone(), user_id.clone());
                    let stored =
                        tokio::task::spawn_blocking(move || upkeep.stored(&user)).await??;
                    json!({"user_id": user_id, "exported_at_ms": now_ms(),
                           "session": session.as_deref(), "stored": stored})
                }
                None => {
                    client::send(place, "GET", &format!("/v1/users/{user_id}/export"), None).await?
                }
            };
            write(&stored, out.as_deref())?;
        }
    }
    Ok(())
}

fn id(user: &str) -> Result<UserId> {
    UserId::new(user).map_err(|error| anyhow::anyhow!("the user's id {error}"))
}

fn write(stored: &Value, out: Option<&Path>) -> Result<()> {
    let text = serde_json::to_string_pretty(stored)?;
    match out {
        Some(path) => {
            std::fs::write(path, text).with_context(|| path.display().to_string())?;
            eprintln!("Written to {}", path.display());
        }
        None => crate::show::print(&text),
    }
    Ok(())
}

fn table(erasures: &Value) -> String {
    let all = erasures["erasures"].as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return "Nobody is being erased: whoever was asked for is gone from everything".to_owned();
    }
    let mut out = format!("{:<24}{:<22}{}\n", "USER", "ASKED", "NEXT");
    for erasure in all {
        let asked = erasure["erased_at_ms"].as_i64().unwrap_or_default();
        let asked = jiff::Timestamp::from_millisecond(asked).unwrap_or_default();
        let next = match erasure["step"].as_str() {
            Some("lake") => "compaction of the lake",
            _ => "a run of the pipeline",
        };
        let user = erasure["user_id"].as_str().unwrap_or_default();
        let asked = asked.strftime("%Y-%m-%d %H:%M").to_string();
        out.push_str(&format!("{user:<24}{asked:<22}{next}\n"));
    }
    out
}

/// `lake compact`
pub fn compact(context: &Context) -> Result<()> {
    let Context { data_dir: place, settings, json, .. } = context;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let compacted = runtime.block_on(async {
        let here = Here::open(place, settings).await?.context(
            "a server has the data directory, and compacts by itself: see `lake.compact_seconds`",
        )?;
        let progress = bar("compacting", 0);
        let done = tokio::task::spawn_blocking(move || {
            here.upkeep.run(&mut |at| {
                progress.set_length(at.total);
                progress.set_position(at.done);
            })
        });
        done.await?
    })?;
    for problem in &compacted.problems {
        eprintln!("warning: left out: {problem}");
    }
    let view = json!({
        "parts_before": compacted.parts_before, "parts_after": compacted.parts_after,
        "rows": compacted.rows, "rows_dropped": compacted.rows_dropped,
        "bytes": compacted.bytes, "removed": compacted.removed,
        "erased": compacted.erased.iter().filter(|erased| erased.complete).count(),
        "problems": compacted.problems,
    });
    result(*json, &view, || {
        format!(
            "{} parts became {} ({} rows, {:.1} MB); {} merged ones removed; {} users erased",
            compacted.parts_before,
            compacted.parts_after,
            compacted.rows,
            compacted.bytes as f64 / 1e6,
            compacted.removed,
            view["erased"],
        )
    });
    Ok(())
}

/// A data directory that no server has: everything in its stream is applied and delivered.
struct Here {
    sessions: Arc<Sessions>,
    upkeep: Arc<Upkeep>,
}

impl Here {
    /// None where a server has it.
    async fn open(place: &DataDir, settings: &Settings) -> Result<Option<Self>> {
        let log = match Log::open(&place.stream(), log_options(&settings.stream)) {
            Ok(log) => Arc::new(log),
            Err(OpenError::Locked(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stream: Arc<dyn Stream> = log.clone();
        let sessions = Arc::new(Sessions::new(Arc::new(SessionStore::new(place.sessions())), 1000));
        let kept = |_: Sequence| ();
        let options = DeliveryOptions {
            max_records: settings.delivery.max_records,
            max_age: std::time::Duration::ZERO,
        };
        let mut delivery = Delivery::new(
            stream.clone(),
            &Lake::open(&place.lake())?,
            options,
            &place.delivery(),
            kept,
        )?;
        let upkeep =
            Upkeep::open(place, &settings.lake, log, sessions.clone(), None, delivery.status())?;
        delivery.deliver().await?;
        // With an end in sight from the start, it applies what there is and ends.
        let caught_up = {
            let sessions = sessions.clone();
            async move {
                while !sessions.is_ready() {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            }
        };
        consume_sessions(stream, sessions.clone(), now_ms, kept, caught_up).await?;
        Ok(Some(Self { sessions, upkeep: Arc::new(upkeep) }))
    }
}
