//! `synonyms`: shows and changes the synonyms of the data directory. A running server sees a change
//! within a second.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use cartwheel_engine::Synonyms;
use cartwheel_node::{AuditFile, StoredDocument};
use cartwheel_registry::DocumentVersion;
use clap::Subcommand;
use serde_json::json;

use crate::context::Context;
use crate::show::{result, second};

/// Largest file in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// The subcommands of `synonyms`.
#[derive(Debug, Subcommand)]
pub enum SynonymsCommand {
    /// Print the groups, as a file for `apply`.
    #[command(after_help = "Example:\n  cartwheel synonyms show > synonyms.txt")]
    Show,
    /// Replace all groups by those of a file. A running server follows them within a second.
    #[command(after_help = "Example:\n  cartwheel synonyms apply synonyms.txt")]
    Apply {
        /// File with a group on each line, such as `soda, pop` or `tv => television`.
        file: PathBuf,
    },
    /// List the versions of the synonyms, the newest first: when, and by whom.
    #[command(after_help = "Example:\n  cartwheel synonyms history")]
    History {
        /// Maximum number of versions; the last 50 are kept.
        #[arg(long, value_name = "N", default_value = "20")]
        limit: usize,
    },
    /// Put an earlier version back, as the newest one.
    #[command(after_help = "Examples:\n  cartwheel synonyms undo\n  cartwheel synonyms undo 3")]
    Undo {
        /// Number of the version; 0 for no synonyms [default: the version before the newest].
        version: Option<u64>,
    },
}

/// Runs a subcommand of `synonyms`.
pub fn run(context: &Context, command: &SynonymsCommand) -> Result<()> {
    let synonyms = StoredDocument::synonyms(&context.data_dir);
    let current = synonyms.current()?;
    match command {
        SynonymsCommand::Show => {
            let groups = &current.content.document().groups;
            let value = json!({
                "version": current.version, "changed_at_ms": current.changed_at_ms,
                "by": current.by, "groups": groups,
            });
            result(context.json, &value, || match groups.is_empty() {
                true => "# There are no synonyms".to_owned(),
                false => groups.join("\n"),
            });
        }
        SynonymsCommand::Apply { file } => {
            let content = read(file)?;
            let file = file.display().to_string();
            put(context, current.version, "synonyms apply", &[("file", &file)], &content)?;
        }
        SynonymsCommand::History { limit } => {
            let versions = synonyms.history(*limit)?;
            result(context.json, &summaries(&versions), || history(&versions));
        }
        SynonymsCommand::Undo { version } => {
            let before = version.or(current.version.checked_sub(1));
            let wanted = before.context("nobody has changed the synonyms yet")?;
            let content = synonyms.version(wanted)?;
            let wanted = wanted.to_string();
            put(context, current.version, "synonyms undo", &[("version", &wanted)], &content)?;
        }
    }
    Ok(())
}

/// Reads and checks the groups of a file.
fn read(file: &Path) -> Result<Synonyms> {
    let read = || -> Result<Synonyms> {
        let bytes = std::fs::metadata(file)?.len();
        ensure!(bytes <= MAX_BYTES, "the file has {bytes} bytes; at most {MAX_BYTES} are read");
        Ok(Synonyms::parse(&std::fs::read_to_string(file)?)?)
    };
    read().with_context(|| file.display().to_string())
}

/// Stores the groups in place of the version `expected` and says which version they are.
fn put(
    context: &Context,
    expected: u64,
    command: &str,
    target: &[(&str, &str)],
    content: &Synonyms,
) -> Result<()> {
    let (data_dir, now_ms) = (&context.data_dir, context.clock.now_ms());
    let synonyms = StoredDocument::synonyms(data_dir);
    let store = || synonyms.put(expected, content, now_ms);
    let stored = AuditFile::new(data_dir).command(command, target, store)?;
    let groups = &stored.content.document().groups;
    result(context.json, &json!({"version": stored.version, "groups": groups}), || {
        format!("Version {} with {} groups is in effect", stored.version, groups.len())
    });
    Ok(())
}

fn summaries(versions: &[DocumentVersion]) -> serde_json::Value {
    let summary = |version: &DocumentVersion| {
        json!({
            "version": version.version, "changed_at_ms": version.changed_at_ms, "by": version.by,
            "groups": version.content["groups"],
        })
    };
    versions.iter().map(summary).collect()
}

fn history(versions: &[DocumentVersion]) -> String {
    if versions.is_empty() {
        return "No changes yet: there are no synonyms".to_owned();
    }
    let mut out = format!("{:<10}{:<21}{:<18}{}\n", "VERSION", "TIME (UTC)", "BY", "GROUPS");
    for version in versions {
        let count = version.content["groups"].as_array().map_or(0, Vec::len);
        let time = second(version.changed_at_ms);
        out.push_str(&format!("{:<10}{time:<21}{:<18}{count}\n", version.version, version.by));
    }
    out
}
