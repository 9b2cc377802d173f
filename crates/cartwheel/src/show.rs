//! Progress bars and results, for people and for scripts.

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// A bar on standard error; hidden where that is no terminal.
pub fn bar(what: &'static str, length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let style =
        ProgressStyle::with_template("{msg:18} [{bar:32}] {human_pos}/{human_len} {per_sec} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar.set_message(what);
    bar
}

/// Prints `text`, or `value` as JSON.
pub fn result(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) {
    if json {
        // Results are plain structs with string keys, which always serialise.
        println!("{}", serde_json::to_string_pretty(value).unwrap_or_default());
    } else {
        println!("{}", text().trim_end());
    }
}
