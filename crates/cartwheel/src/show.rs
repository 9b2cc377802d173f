//! Progress bars and results, for people and for scripts.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cartwheel_workflow::Progress;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde::Serialize;

/// Set to `json`, progress is lines of JSON on standard error: for a parent process.
pub const PROGRESS_VARIABLE: &str = "CARTWHEEL_PROGRESS";
/// Lines of JSON come at most this often.
const EVERY: Duration = Duration::from_millis(250);

/// A bar on standard error; hidden where that is no terminal.
pub struct Bar {
    bar: ProgressBar,
    last_line: Option<Mutex<Option<Instant>>>,
}

/// A new bar.
pub fn bar(what: &'static str, length: u64) -> Bar {
    let as_json = std::env::var_os(PROGRESS_VARIABLE).is_some_and(|form| form == "json");
    let bar = if as_json {
        ProgressBar::with_draw_target(Some(length), indicatif::ProgressDrawTarget::hidden())
    } else {
        ProgressBar::new(length)
    };
    bar.set_style(style("{msg:18} [{bar:32}] {human_pos}/{human_len} {rate} {eta}"));
    bar.set_message(what);
    Bar { bar, last_line: as_json.then(Mutex::default) }
}

/// A bar's style, with `{rate}` as people write it.
pub fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
    style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let rate = state.per_sec();
        let digits = usize::from(rate < 100.0);
        // A bar that cannot be drawn does no harm.
        let _ = match rate {
            rate if rate >= 1e6 => write!(out, "{:.1} M/s", rate / 1e6),
            rate if rate >= 1e4 => write!(out, "{:.0} k/s", rate / 1e3),
            rate => write!(out, "{rate:.digits$}/s"),
        };
    })
}

impl Bar {
    /// How much there is to do.
    pub fn set_length(&self, length: u64) {
        self.bar.set_length(length);
    }

    /// How much is done.
    pub fn set_position(&self, done: u64) {
        self.bar.set_position(done);
        self.tell();
    }

    /// So much more is done.
    pub fn inc(&self, more: u64) {
        self.bar.inc(more);
        self.tell();
    }

    /// What is being done.
    pub fn set_message(&self, what: impl Into<std::borrow::Cow<'static, str>>) {
        self.bar.set_message(what);
        self.tell();
    }

    /// Ends it without a trace.
    pub fn finish_and_clear(&self) {
        self.bar.finish_and_clear();
    }

    fn tell(&self) {
        let Some(last) = &self.last_line else { return };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        *last = Some(Instant::now());
        let total = self.bar.length().filter(|&length| length > 0);
        let progress = Progress { what: self.bar.message(), done: self.bar.position(), total };
        eprintln!("{}", serde_json::to_string(&progress).unwrap_or_default());
    }
}

/// Prints `text`, or `value` as JSON.
pub fn result(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) {
    if json {
        // Results are plain structs with string keys, which always serialise.
        print(&serde_json::to_string_pretty(value).unwrap_or_default());
    } else {
        print(&plain(text().trim_end()));
    }
}

/// Without what a terminal would obey: names are from whoever wrote the catalogue.
fn plain(text: &str) -> String {
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.chars().map(|c| if obeyed(c) { ' ' } else { c }).collect()
}

/// Prints to stdout. A reader that has seen enough (`| head`) is no error.
pub fn print(text: &str) {
    if let Err(error) = writeln!(std::io::stdout(), "{text}")
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        eprintln!("error: stdout: {error}");
        std::process::exit(1);
    }
}
