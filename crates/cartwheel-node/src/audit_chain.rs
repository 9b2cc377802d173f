//! Checks the links of the audit log.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context as _, Result};
use cartwheel_api::AuditKey;
use serde::Deserialize;

use crate::audit::{AuditFile, split};

/// An audit log whose links are right.
#[derive(Debug)]
pub struct Verified {
    /// Lines with a link.
    pub lines: u64,
    /// Lines before them, which earlier releases wrote without a link.
    pub unlinked: u64,
    /// The last link; empty without any.
    pub last: String,
    links: HashSet<String>,
}

/// The first line of a file.
#[derive(Debug, Deserialize)]
struct Beginning {
    /// The last link of the file before it; empty without one.
    continues: String,
}

impl Verified {
    /// Checks that the log still has a link that was noted before. Without that, nobody can tell
    /// a log whose end was cut off from a shorter one.
    ///
    /// # Errors
    /// When it is missing.
    pub fn require(&self, noted: &str) -> Result<()> {
        anyhow::ensure!(
            self.links.contains(noted),
            "the audit log has no line with the link {noted}: its end was cut off, or the line is \
             older than the files that are kept"
        );
        Ok(())
    }

    /// Takes the next line.
    fn take(&mut self, key: &AuditKey, path: &Path, number: u64, line: &str) -> Result<()> {
        let is_first = self.lines == 0;
        let (content, link) = split(line);
        let Some(link) = link else {
            anyhow::ensure!(is_first, broken(path, number, "has no link"));
            self.unlinked += 1;
            return Ok(());
        };
        // What came before the oldest file that is kept is not known any more.
        let beginning = serde_json::from_str::<Beginning>(&content).ok();
        if let Some(Beginning { continues }) = beginning.filter(|_| is_first && number == 1) {
            self.last = continues;
        }
        anyhow::ensure!(
            key.link(&self.last, &content) == link,
            broken(path, number, "does not follow from the line before it")
        );
        self.lines += 1;
        self.last = link.to_owned();
        self.links.insert(link.to_owned());
        Ok(())
    }
}

impl AuditFile {
    /// Checks every link.
    ///
    /// # Errors
    /// When a line was changed, removed or inserted, with its file and number; when the log or its
    /// secret cannot be read.
    pub fn verify(&self) -> Result<Verified> {
        let _turn = self.lock().context("the audit log's lock")?;
        let key = self.key().context("the audit log's secret, audit.key")?;
        let (lines, unlinked, last) = (0, 0, String::new());
        let mut verified = Verified { lines, unlinked, last, links: HashSet::new() };
        let (mut of, mut number, mut outcome) = (None, 0, Ok(()));
        self.each_line(|path, line| {
            if of.as_deref() != Some(path) {
                (of, number) = (Some(path.to_owned()), 0);
            }
            number += 1;
            if outcome.is_ok() {
                outcome = verified.take(&key, path, number, line);
            }
        })?;
        outcome.map(|()| verified)
    }
}

fn broken(path: &Path, number: u64, what: &str) -> String {
    format!(
        "{}: line {number} {what}: it or a line before it was changed, removed or inserted, or \
         audit.key is another one",
        path.display()
    )
}
