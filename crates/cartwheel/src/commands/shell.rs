//! `completions` and `man`: files for shells and for the manual, made from the command line itself.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use clap_complete::Shell;

use crate::show::result;

/// The arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cartwheel completions bash > /etc/bash_completion.d/cartwheel
  cartwheel completions zsh > \"${fpath[1]}/_cartwheel\"
  cartwheel completions fish > ~/.config/fish/completions/cartwheel.fish")]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

/// The arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cartwheel man /usr/local/share/man/man1
  cartwheel man ./man && man ./man/cartwheel-serve.1")]
pub struct Man {
    /// The folder for the pages, one for each command. It is created unless it exists.
    dir: PathBuf,
}

/// Prints a script that completes commands, options and their values.
pub fn completions(args: &Completions, mut command: clap::Command, json: bool) {
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    let script = String::from_utf8_lossy(&script);
    result(json, &serde_json::json!({"script": script}), || script.trim_end().to_owned());
}

/// Writes a manual page for each command.
///
/// # Errors
/// When a file cannot be written.
pub fn man(args: &Man, command: clap::Command, json: bool) -> Result<()> {
    let shown = args.dir.display().to_string();
    std::fs::create_dir_all(&args.dir)
        .and_then(|()| clap_mangen::generate_to(command, &args.dir))
        .with_context(|| shown.clone())?;
    result(json, &serde_json::json!({"dir": shown}), || {
        format!("The pages are in {shown}: read them with `man {shown}/cartwheel.1`")
    });
    Ok(())
}
