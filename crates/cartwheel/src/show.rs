//! Progress and results, for people and for scripts.

use std::io::Write;
use std::time::{Duration, Instant};

use cartwheel_node::PROGRESS_VARIABLE;
use cartwheel_workflow::Progress;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use parking_lot::Mutex;
use serde::Serialize;

/// Shortest time between two lines of JSON.
const REPORT_INTERVAL: Duration = Duration::from_millis(250);

/// Whether a parent process reads progress from standard error. It passes other lines on to
/// people, as text.
pub fn reports_to_parent() -> bool {
    std::env::var_os(PROGRESS_VARIABLE).is_some_and(|form| form == "json")
}

/// The current instant, to measure how long work takes.
#[allow(clippy::disallowed_methods, reason = "shown as elapsed time, never stored or compared")]
pub fn instant() -> Instant {
    Instant::now()
}

/// A progress bar on standard error. It is hidden if that is not a terminal.
pub struct Bar {
    bar: ProgressBar,
    /// When progress was last reported to the parent process; `None` if it is not reported.
    reported: Option<Mutex<Option<Instant>>>,
}

/// Makes a progress bar.
pub fn bar(what: &'static str, length: u64) -> Bar {
    let report = reports_to_parent();
    let bar = if report {
        ProgressBar::with_draw_target(Some(length), indicatif::ProgressDrawTarget::hidden())
    } else {
        ProgressBar::new(length)
    };
    bar.set_style(style("{msg:18} [{bar:32}] {human_pos}/{human_len} {rate} {eta}"));
    bar.set_message(what);
    Bar { bar, reported: report.then(Mutex::default) }
}

/// The style of a bar, with `{rate}` in readable units.
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
    /// Sets how much there is to do.
    pub fn set_length(&self, length: u64) {
        self.bar.set_length(length);
    }

    /// Sets how much is done.
    pub fn set_position(&self, done: u64) {
        self.bar.set_position(done);
        self.report();
    }

    /// Adds to what is done.
    pub fn inc(&self, more: u64) {
        self.bar.inc(more);
        self.report();
    }

    /// Sets the current step.
    pub fn set_message(&self, what: impl Into<std::borrow::Cow<'static, str>>) {
        self.bar.set_message(what);
        self.report();
    }

    /// Removes the bar.
    pub fn finish_and_clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Prints the progress for a parent process, unless that was done just now.
    fn report(&self) {
        let Some(reported) = &self.reported else { return };
        let mut reported = reported.lock();
        if reported.is_some_and(|last| last.elapsed() < REPORT_INTERVAL) {
            return;
        }
        *reported = Some(instant());
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
        print(&printable(text().trim_end()));
    }
}

/// Replaces the characters that control a terminal: names come from outside.
fn printable(text: &str) -> String {
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.chars().map(|c| if is_control(c) { ' ' } else { c }).collect()
}

/// Prints to standard output. It is not an error if the reader has closed it (`| head`).
pub fn print(text: &str) {
    if let Err(error) = writeln!(std::io::stdout(), "{text}")
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        eprintln!("error: standard output: {error}");
        std::process::exit(1);
    }
}

/// A number with its noun, such as `1 backup` and `2 backups`.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A UTC time such as `2026-01-31 23:59`.
pub fn minute(ms: i64) -> String {
    format_time(ms, "%Y-%m-%d %H:%M")
}

/// A UTC time such as `2026-01-31 23:59:59`.
pub fn second(ms: i64) -> String {
    format_time(ms, "%Y-%m-%d %H:%M:%S")
}

fn format_time(ms: i64, format: &str) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    time.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_several() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "backup")), ["0 backups", "1 backup", "2 backups"]);
    }
}
