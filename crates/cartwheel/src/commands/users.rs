//! `users` and `lake`: erasure, export and compaction. A running server does the work; without
//! one, the command does it itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cartwheel_ambient::Clock;
use cartwheel_events::UserId;
use cartwheel_lake::{Delivery, DeliveryOptions, Lake};
use cartwheel_sessions::{RedbSessionTable, Sessions, consume_sessions};
use cartwheel_stream::{Log, OpenError, Sequence, Stream};
use clap::Subcommand;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::client;
use crate::context::Context;
use crate::show::{bar, minute, print, result};
use cartwheel_node::AuditFile;
use cartwheel_node::Upkeep;
use cartwheel_node::{keep_numbers, log_options, open_catalogue, read_before};

/// Users whose sessions stay in memory.
const SESSIONS_IN_MEMORY: usize = 1000;

/// The subcommands of `users`.
#[derive(Debug, Subcommand)]
pub enum Users {
    /// Erase a user: from answers at once, from all files with the next compaction and the next
    /// run of the pipeline.
    #[command(after_help = "Example:\n  cartwheel users erase 347")]
    Erase {
        /// Id of the user.
        user: String,
    },
    /// List the users who are being erased, with the next step for each.
    #[command(after_help = "Example:\n  cartwheel users erasures")]
    Erasures,
    /// Write everything that is stored about a user as JSON.
    #[command(after_help = "Example:\n  cartwheel users export 347 --out 347.json")]
    Export {
        /// Id of the user.
        user: String,
        /// File to write [default: standard output].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// The subcommands of `lake`.
#[derive(Debug, Subcommand)]
pub enum LakeCommand {
    /// Merge small parts, and remove the records of erased users. A server does both by itself,
    /// every `lake.compact_seconds`.
    #[command(after_help = "Example:\n  cartwheel lake compact --json")]
    Compact,
}

/// Runs a subcommand of `users`.
pub fn run(context: &Context, command: Users) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Users::Erase { user } => erase(context, &user_id(&user)?).await,
            Users::Erasures => erasures(context).await,
            Users::Export { user, out } => export(context, &user_id(&user)?, out.as_deref()).await,
        }
    })
}

async fn erase(context: &Context, user_id: &UserId) -> Result<()> {
    let data_dir = &context.data_dir;
    let erased = match LocalData::open(context).await? {
        Some(local) => {
            let audit = AuditFile::new(data_dir);
            let id = audit.pseudonym(user_id.as_str()).context("audit.key")?;
            let target = [("id", &*id)];
            let erased = tokio::task::block_in_place(|| {
                let erase = || Handle::current().block_on(local.upkeep.erase(user_id));
                audit.command("users erase", &target, erase)
            })?;
            serde_json::to_value(erased)?
        }
        None => client::send(data_dir, "DELETE", &format!("/v1/users/{user_id}"), None).await?,
    };
    result(context.json, &erased, || {
        format!(
            "{user_id} is erased from answers. The next compaction (`cartwheel lake compact`; a \
             server does it by itself) removes the records from stream and lake, and the next \
             `cartwheel pipeline run` those of feature sets and models"
        )
    });
    Ok(())
}

async fn erasures(context: &Context) -> Result<()> {
    let erasures = match LocalData::open(context).await? {
        Some(local) => json!({"erasures": local.upkeep.pending()}),
        None => client::send(&context.data_dir, "GET", "/v1/erasures", None).await?,
    };
    result(context.json, &erasures, || table(&erasures));
    Ok(())
}

async fn export(context: &Context, user_id: &UserId, out: Option<&Path>) -> Result<()> {
    let stored = match LocalData::open(context).await? {
        Some(local) => {
            let exported_at_ms = context.clock.now_ms();
            let session = local.sessions.session(user_id, exported_at_ms)?;
            let (upkeep, user) = (local.upkeep.clone(), user_id.clone());
            let stored = tokio::task::spawn_blocking(move || upkeep.stored(&user)).await??;
            json!({"user_id": user_id, "exported_at_ms": exported_at_ms,
                   "session": session.as_deref(), "stored": stored})
        }
        None => {
            let path = format!("/v1/users/{user_id}/export");
            client::send(&context.data_dir, "GET", &path, None).await?
        }
    };
    let text = serde_json::to_string_pretty(&stored)?;
    match out {
        Some(path) => {
            std::fs::write(path, text).with_context(|| path.display().to_string())?;
            eprintln!("Written to {}", path.display());
        }
        None => print(&text),
    }
    Ok(())
}

fn user_id(text: &str) -> Result<UserId> {
    UserId::new(text).map_err(|error| anyhow::anyhow!("the user's id {error}"))
}

fn table(erasures: &Value) -> String {
    let all = erasures["erasures"].as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return "No erasure is under way: all erased users are removed from all files".to_owned();
    }
    let mut out = format!("{:<24}{:<22}{}\n", "USER", "ERASED (UTC)", "NEXT STEP");
    for erasure in all {
        let erased = minute(erasure["erased_at_ms"].as_i64().unwrap_or_default());
        let next = match erasure["step"].as_str() {
            Some("lake") => "compaction of the lake",
            _ => "run of the pipeline",
        };
        let user = erasure["user_id"].as_str().unwrap_or_default();
        out.push_str(&format!("{user:<24}{erased:<22}{next}\n"));
        for file in erasure["unreadable"].as_array().into_iter().flatten() {
            let file = file.as_str().unwrap_or_default();
            out.push_str(&format!("{:<24}repair or remove {file}\n", ""));
        }
    }
    out
}

/// Runs `lake compact`.
pub fn compact(context: &Context) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let compacted = runtime.block_on(async {
        let local = LocalData::open(context).await?.context(
            "a server uses the data directory. It compacts by itself, every `lake.compact_seconds`",
        )?;
        let progress = bar("compacting", 0);
        let done = tokio::task::spawn_blocking(move || {
            local.upkeep.run(&mut |at| {
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
        "rows_conflicting": compacted.rows_conflicting,
        "bytes": compacted.bytes, "removed": compacted.removed,
        "erased": compacted.erasures.iter().filter(|erasure| erasure.complete).count(),
        "problems": compacted.problems,
    });
    result(context.json, &view, || {
        format!(
            "Merged {} parts into {} ({} rows, {:.1} MB); removed {} merged parts; erased {} users",
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

/// The data directory opened by this process, with everything in its stream applied and
/// delivered.
pub(super) struct LocalData {
    sessions: Arc<Sessions>,
    pub(super) upkeep: Arc<Upkeep>,
}

impl LocalData {
    /// Opens the data directory; `None` if a server uses it.
    pub(super) async fn open(context: &Context) -> Result<Option<Self>> {
        let Context { data_dir, settings, .. } = context;
        let log = match Log::open(&data_dir.stream(), log_options(&settings.stream)) {
            Ok(log) => Arc::new(log),
            Err(OpenError::Locked(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let lake = Lake::open(&data_dir.lake())?;
        let table = Arc::new(RedbSessionTable::new(data_dir.sessions()));
        let read = read_before(data_dir, &lake, &table, &open_catalogue(data_dir, &lake)?)?;
        keep_numbers(&log, read).await?;
        let stream: Arc<dyn Stream> = log.clone();
        let sessions = Arc::new(Sessions::new(table, SESSIONS_IN_MEMORY));
        let ignore_floor = |_: Sequence| ();
        let options = DeliveryOptions {
            max_records: settings.delivery.max_records,
            max_age: Duration::ZERO,
            clock: Clock::system(),
        };
        let mut delivery =
            Delivery::new(stream.clone(), &lake, options, &data_dir.delivery(), ignore_floor)?;
        let upkeep =
            Upkeep::open(data_dir, &settings.lake, log, sessions.clone(), None, delivery.status())?;
        delivery.deliver().await?;
        // The consumer applies the records that exist, and ends.
        let caught_up = {
            let sessions = sessions.clone();
            async move {
                while !sessions.is_ready() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        };
        consume_sessions(stream, sessions.clone(), Clock::system(), ignore_floor, caught_up)
            .await?;
        Ok(Some(Self { sessions, upkeep: Arc::new(upkeep) }))
    }
}
