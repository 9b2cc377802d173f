//! `rules`: shows, checks and changes the rules of the data directory. A running server sees a change
//! within a second.

mod args;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use cartwheel_feature_set::Calendar;
use cartwheel_node::{AuditFile, StoredDocument};
use cartwheel_registry::{DocumentVersion, Edition};
use cartwheel_rules::{Conflict, Problem, Problems, Products, Rule, RuleBook, Rules};
use serde_json::json;

use crate::context::Context;
use crate::show::{print, result, second};
pub use args::RulesCommand;

/// Runs a subcommand of `rules`.
pub fn run(context: &Context, command: &RulesCommand) -> Result<()> {
    if let RulesCommand::Check { file } = command {
        let book = read(file)?;
        let conflicts = conflicts(context, &book)?;
        let value = json!({"rules": book.document().rules.len(), "conflicts": conflicts});
        let count = book.document().rules.len();
        result(context.json, &value, || {
            format!("{count} rules are valid\n{}", told(&conflicts)).trim_end().to_owned()
        });
        return Ok(());
    }
    let rules = StoredDocument::rules(&context.data_dir);
    let current = rules.current()?;
    match command {
        RulesCommand::Check { .. } => {}
        RulesCommand::List => list(context, &current)?,
        RulesCommand::Show { id } => show(current.content.document(), id.as_deref())?,
        RulesCommand::Apply { file } => {
            let book = read(file)?;
            let file = file.display().to_string();
            put(context, current.version, "rules apply", &[("file", &file)], &book)?;
        }
        RulesCommand::History { limit } => {
            let versions = rules.history(*limit)?;
            result(context.json, &summaries(&versions), || history(&versions));
        }
        RulesCommand::Undo { version } => {
            let before = version.or(current.version.checked_sub(1));
            let wanted = before.context("nobody has changed the rules yet")?;
            let book = rules.version(wanted)?;
            let wanted = wanted.to_string();
            put(context, current.version, "rules undo", &[("version", &wanted)], &book)?;
        }
    }
    Ok(())
}

/// Reads and checks the document of a file.
fn read(file: &Path) -> Result<RuleBook> {
    let shown = file.display();
    let text = std::fs::read(file).with_context(|| shown.to_string())?;
    let document: Rules = serde_json::from_slice(&text)
        .with_context(|| format!("{shown} has another form than `cartwheel rules show` prints"))?;
    match RuleBook::try_from(document) {
        Ok(book) => Ok(book),
        Err(Problems(problems)) => {
            let line = |problem: &Problem| match &problem.excerpt {
                Some(excerpt) => format!("{problem}\n{excerpt}"),
                None => problem.to_string(),
            };
            let lines: Vec<String> = problems.iter().map(line).collect();
            bail!("{shown} is not valid:\n{}", lines.join("\n"))
        }
    }
}

/// The contradictions of rules as far as they follow from the rules alone: a running server compares
/// ids with conditions too.
fn conflicts(context: &Context, book: &RuleBook) -> Result<Vec<Conflict>> {
    let now_ms = context.clock.now_ms();
    let today = Calendar::new(&context.settings.shop.timezone)?.day(now_ms);
    Ok(book.set().conflicts(today, &|_| None, now_ms))
}

fn told(conflicts: &[Conflict]) -> String {
    let line = |conflict: &Conflict| {
        let rules = conflict.rules.join(", ");
        let wins = conflict.wins.as_ref().map(|rule| format!(" {rule} wins."));
        format!("Conflict of {rules}: {}{}\n", conflict.reason, wins.unwrap_or_default())
    };
    conflicts.iter().map(line).collect()
}

/// Stores the rules in place of the version `expected` and says which version they are.
fn put(
    context: &Context,
    expected: u64,
    command: &str,
    target: &[(&str, &str)],
    book: &RuleBook,
) -> Result<()> {
    let conflicts = conflicts(context, book)?;
    let (data_dir, now_ms) = (&context.data_dir, context.clock.now_ms());
    let rules = StoredDocument::rules(data_dir);
    let store = || rules.put(expected, book, now_ms);
    let stored = AuditFile::new(data_dir).command(command, target, store)?;
    let all = &stored.content.document().rules;
    let value = json!({"version": stored.version, "rules": all, "conflicts": conflicts});
    result(context.json, &value, || {
        let text = format!("Version {} with {} rules is in effect", stored.version, all.len());
        format!("{text}\n{}", told(&conflicts)).trim_end().to_owned()
    });
    Ok(())
}

fn list(context: &Context, current: &Edition<RuleBook>) -> Result<()> {
    let Edition { version, changed_at_ms, by, content } = current;
    let conflicts = conflicts(context, content)?;
    let rules = &content.document().rules;
    let value = json!({
        "version": version, "changed_at_ms": changed_at_ms, "by": by, "rules": rules,
        "conflicts": conflicts,
    });
    result(context.json, &value, || {
        let mut out = match (changed_at_ms, by) {
            (Some(at_ms), Some(by)) => {
                format!("Version {version}, changed {} by {by}\n\n", second(*at_ms))
            }
            _ => return "There are no rules".to_owned(),
        };
        out.push_str(&format!("{:<28}{:<12}{:<10}{}\n", "RULE", "ACTION", "PRIORITY", "PRODUCTS"));
        rules.iter().for_each(|rule| out.push_str(&row(rule)));
        out.push_str(&told(&conflicts));
        out.trim_end().to_owned()
    });
    Ok(())
}

fn row(rule: &Rule) -> String {
    let action = serde_json::to_value(&rule.action).unwrap_or_default();
    let action = action["kind"].as_str().unwrap_or_default();
    let products = match &rule.products {
        None => "all".to_owned(),
        Some(Products::Select(text)) => text.clone(),
        Some(Products::Ids(ids)) => ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", "),
    };
    let state = if rule.active { "" } else { "  (not active)" };
    format!("{:<28}{action:<12}{:<10}{products}{state}\n", rule.id, rule.priority)
}

/// Prints a rule or the whole document, as `apply` reads it.
fn show(document: &Rules, id: Option<&str>) -> Result<()> {
    let text = match id {
        None => serde_json::to_string_pretty(document)?,
        Some(id) => {
            let found = document.rules.iter().find(|rule| rule.id == id);
            let found = found.with_context(|| {
                let ids: Vec<&str> = document.rules.iter().map(|rule| rule.id.as_str()).collect();
                match ids.as_slice() {
                    [] => format!("there is no rule {id:?}: there are no rules"),
                    ids => format!("there is no rule {id:?}; the rules are: {}", ids.join(", ")),
                }
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
            "rules": version.content["rules"],
        })
    };
    versions.iter().map(summary).collect()
}

fn history(versions: &[DocumentVersion]) -> String {
    if versions.is_empty() {
        return "No changes yet: there are no rules".to_owned();
    }
    let mut out = format!("{:<10}{:<21}{:<18}{}\n", "VERSION", "TIME (UTC)", "BY", "RULES");
    for version in versions {
        let count = version.content["rules"].as_array().map_or(0, Vec::len);
        let time = second(version.changed_at_ms);
        out.push_str(&format!("{:<10}{time:<21}{:<18}{count}\n", version.version, version.by));
    }
    out
}
