//! `config`: checks the settings, and prints their reference.

use anyhow::Result;
use clap::Subcommand;

use crate::show::result;
use cartwheel_settings::{Settings, markdown};

/// The subcommands of `config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Explain every setting that is wrong, or print the settings in effect.
    #[command(after_help = "Examples:
  cartwheel config check
  cartwheel --config shop.toml config check")]
    Check,
    /// Print the reference of all settings as Markdown.
    #[command(after_help = "Example:\n  cartwheel config reference > settings.md")]
    Reference,
}

/// Runs `config check`.
pub fn check(settings: &Settings, json: bool) -> Result<()> {
    let toml = toml::to_string_pretty(settings)?;
    result(json, settings, || toml);
    Ok(())
}

/// Runs `config reference`.
pub fn reference(json: bool) {
    let markdown = markdown();
    result(json, &serde_json::json!({"markdown": markdown}), || markdown.trim_end().to_owned());
}
