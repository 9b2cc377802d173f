//! `placements`: shows and changes the placements of the data directory. A running server sees a
//! change within a second.

mod args;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use cartwheel_node::{AuditFile, StoredDocument};
use cartwheel_placements::{Dials, Placement, Placements};
use cartwheel_registry::{DocumentVersion, Edition};
use serde_json::json;

use crate::context::Context;
use crate::show::{print, result, second};
pub use args::PlacementsCommand;

/// Runs a subcommand of `placements`.
pub fn run(context: &Context, command: &PlacementsCommand) -> Result<()> {
    let placements = StoredDocument::placements(&context.data_dir);
    let current = placements.current()?;
    match command {
        PlacementsCommand::List => list(context, &current),
        PlacementsCommand::Show { name } => show(&current, name.as_deref())?,
        PlacementsCommand::Apply { file } => {
            let document = read(file)?;
            let file = file.display().to_string();
            let target = [("file", file.as_str())];
            put(context, current.version, "placements apply", &target, &document)?;
        }
        PlacementsCommand::History { limit } => {
            let versions = placements.history(*limit)?;
            result(context.json, &summaries(&versions), || history(&versions));
        }
        PlacementsCommand::Undo { version } => {
            let before = version.or(current.version.checked_sub(1));
            let wanted = before.context(
                "the placements are those that exist from the start: there is no change to undo",
            )?;
            let document = placements.version(wanted)?;
            document.check().with_context(|| format!("version {wanted} is not valid any more"))?;
            let wanted = wanted.to_string();
            let target = [("version", wanted.as_str())];
            put(context, current.version, "placements undo", &target, &document)?;
        }
    }
    Ok(())
}

/// Reads the document of a file.
fn read(file: &Path) -> Result<Placements> {
    let shown = file.display();
    let text = std::fs::read(file).with_context(|| shown.to_string())?;
    let document: Placements = serde_json::from_slice(&text).with_context(|| {
        format!("{shown} has another form than `cartwheel placements show` prints")
    })?;
    match document.check() {
        Ok(()) => Ok(document),
        Err(invalid) => bail!("{shown}: {invalid} Expected: {}.", invalid.expected),
    }
}

/// Stores the document in place of the version `expected` and says which version it is.
fn put(
    context: &Context,
    expected: u64,
    command: &str,
    target: &[(&str, &str)],
    document: &Placements,
) -> Result<()> {
    let (data_dir, now_ms) = (&context.data_dir, context.clock.now_ms());
    let placements = StoredDocument::placements(data_dir);
    let store = || placements.put(expected, document, now_ms);
    let stored = AuditFile::new(data_dir).command(command, target, store)?;
    let all = &stored.content.placements;
    result(context.json, &json!({"version": stored.version, "placements": all}), || {
        format!("Version {} with {} placements is in effect", stored.version, all.len())
    });
    Ok(())
}

fn list(context: &Context, current: &Edition<Placements>) {
    let Edition { version, changed_at_ms, by, content } = current;
    let value = json!({
        "version": version, "changed_at_ms": changed_at_ms, "by": by,
        "placements": content.placements,
    });
    result(context.json, &value, || table(current));
}

fn table(current: &Edition<Placements>) -> String {
    let mut out = match (current.changed_at_ms, &current.by) {
        (Some(at_ms), Some(by)) => {
            format!("Version {}, changed {} by {by}\n\n", current.version, second(at_ms))
        }
        _ => "The placements that exist from the start\n\n".to_owned(),
    };
    out.push_str(&format!("{:<34}{:<17}{:<7}{}\n", "PLACEMENT", "KIND", "LIMIT", "THEN"));
    for (name, placement) in &current.content.placements {
        let Placement { kind, limit, filter, fallback, diversity, explore } = placement;
        let kind = kind.as_str();
        out.push_str(&format!("{name:<34}{kind:<17}{limit:<7}{}\n", fallback.join(", ")));
        out.extend(filter.as_ref().map(|filter| format!("{:<34}{filter}\n", "")));
        if !diversity.are_off() {
            let Dials { calibration, variety } = diversity;
            let dials = format!("calibration {calibration}, variety {variety}");
            out.push_str(&format!("{:<34}{dials}\n", ""));
        }
        if !explore.is_off() {
            out.push_str(&format!("{:<34}explores {} places\n", "", explore.slots));
        }
    }
    out
}

/// Prints a placement or the whole document, as `apply` reads it.
fn show(current: &Edition<Placements>, name: Option<&str>) -> Result<()> {
    let document = &current.content;
    let text = match name {
        None => serde_json::to_string_pretty(document)?,
        Some(name) => {
            let names: Vec<&str> = document.placements.keys().map(String::as_str).collect();
            let found = document.placements.get(name);
            let found = found.with_context(|| {
                format!("there is no placement {name:?}; there are {}", names.join(", "))
            })?;
            serde_json::to_string_pretty(found)?
        }
    };
    print(&text);
    Ok(())
}

fn summaries(versions: &[DocumentVersion]) -> serde_json::Value {
    let summary = |version: &DocumentVersion| {
        json!({
            "version": version.version, "changed_at_ms": version.changed_at_ms, "by": version.by,
            "placements": version.content["placements"],
        })
    };
    versions.iter().map(summary).collect()
}

fn history(versions: &[DocumentVersion]) -> String {
    if versions.is_empty() {
        return "No changes yet: the placements are those that exist from the start".to_owned();
    }
    let mut out = format!("{:<10}{:<21}{:<18}{}\n", "VERSION", "TIME (UTC)", "BY", "PLACEMENTS");
    for version in versions {
        let count = version.content["placements"].as_object().map_or(0, |all| all.len());
        let time = second(version.changed_at_ms);
        out.push_str(&format!("{:<10}{time:<21}{:<18}{count}\n", version.version, version.by));
    }
    out
}
