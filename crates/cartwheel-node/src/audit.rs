//! The audit log: one line of JSON for each administrative action that changes something.
//!
//! An entry is written and synced with status 102 before its action starts. When the action
//! ends, its HTTP status overwrites those three digits. An entry that still has 102 belongs
//! to an action that is running or whose process ended first. Commands and the server append
//! to the same file, so each append takes a file lock.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cartwheel_ambient::Clock;
use cartwheel_api::{ActionEnd, AdminAction, AuditLog};
use serde::{Deserialize, Serialize};

use crate::data_dir::DataDir;

/// Size in bytes at which the file is rotated. Rotation replaces the previous old file.
const MAX_BYTES: u64 = 64 << 20;
/// Longest line that is read back, in bytes.
const LONGEST_LINE: u64 = 64 << 10;
/// Status of an action that has begun.
const BEGUN: u16 = 102;
/// Length of the text after the status in a line, in bytes.
const AFTER_STATUS: u64 = "}\n".len() as u64;

/// The audit log of a data directory.
#[derive(Debug, Clone)]
pub struct AuditFile {
    path: PathBuf,
    max_bytes: u64,
}

/// An entry as it is written.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    action: &'a AdminAction,
    /// The last field, so that the offset of its digits is known.
    status: u16,
}

/// An entry of the audit log, read back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The start of the action, UTC milliseconds.
    pub time_ms: i64,
    /// The name of the API key, `anonymous`, or `cli`.
    pub actor: String,
    /// The client's address.
    pub address: Option<String>,
    /// The HTTP method, or `RUN`.
    pub method: String,
    /// The route or the command.
    pub route: String,
    /// The route's parameters, by name.
    pub target: std::collections::BTreeMap<String, String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The HTTP status of the response; 102 if the action has not ended.
    pub status: u16,
}

impl AuditFile {
    /// Opens the audit log of a data directory.
    pub fn new(data_dir: &DataDir) -> Self {
        Self { path: data_dir.audit(), max_bytes: MAX_BYTES }
    }

    fn rotated(&self) -> PathBuf {
        self.path.with_extension("old.ndjson")
    }

    /// Runs a command and records it with its outcome.
    ///
    /// # Errors
    /// When the work fails or the log cannot be written. If the first entry cannot be
    /// written, the work does not run.
    pub fn command<T>(
        &self,
        command: &str,
        target: &[(&str, &str)],
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let outcome = self.begin(&by_command(command, target)).with_context(|| {
            format!(
                "{}: cannot write the audit entry; the command did not run",
                self.path.display()
            )
        })?;
        let result = work();
        // The statuses that a request would have; the command prints the error itself.
        let status = if result.is_ok() { 200 } else { 500 };
        outcome(status).with_context(|| self.path.display().to_string())?;
        result
    }

    /// Records a command that has succeeded. For what takes rights away: it must not depend on
    /// the log.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn record(&self, command: &str, target: &[(&str, &str)]) -> Result<()> {
        let outcome = self.begin(&by_command(command, target));
        outcome.and_then(|end| end(200)).with_context(|| self.path.display().to_string())
    }

    /// Reads the entries since `from_ms` (UTC milliseconds), oldest first.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn entries(&self, from_ms: i64) -> Result<Vec<AuditEntry>> {
        let mut entries = Vec::new();
        for path in [self.rotated(), self.path.clone()] {
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).with_context(|| path.display().to_string()),
            };
            let mut reader = BufReader::new(file);
            let mut line = Vec::new();
            loop {
                line.clear();
                let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
                if read.with_context(|| path.display().to_string())? == 0 {
                    break;
                }
                // A power cut may leave an incomplete line.
                let entry = serde_json::from_slice::<AuditEntry>(&line).ok();
                entries.extend(entry.filter(|entry| entry.time_ms >= from_ms));
            }
        }
        Ok(entries)
    }

    fn append(&self, action: &AdminAction) -> io::Result<(File, u64)> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir)?;
        let lock = File::create(self.path.with_extension("lock"))?;
        lock.lock()?;
        let size = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        if size >= self.max_bytes {
            std::fs::rename(&self.path, self.rotated())?;
        }
        let mut options = OpenOptions::new();
        // Only the owner may read the log.
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&self.path)?;
        let end = file.seek(SeekFrom::End(0))?;
        let mut line = Vec::new();
        // Ends a line that a power cut left incomplete.
        let mut last = [b'\n'];
        if end > 0 {
            file.read_exact_at(&mut last, end - 1)?;
        }
        if last != [b'\n'] {
            line.push(b'\n');
        }
        serde_json::to_writer(&mut line, &Line { action, status: BEGUN })?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_all()?;
        if end == 0 {
            File::open(dir)?.sync_all()?;
        }
        let digits = BEGUN.to_string().len() as u64;
        Ok((file, end + line.len() as u64 - AFTER_STATUS - digits))
    }
}

/// The action of a command.
fn by_command(command: &str, target: &[(&str, &str)]) -> AdminAction {
    AdminAction {
        time_ms: Clock::system().now_ms(),
        actor: "cli".to_owned(),
        address: None,
        method: "RUN".to_owned(),
        route: command.to_owned(),
        target: target.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect(),
        request_id: None,
    }
}

impl AuditLog for AuditFile {
    fn begin(&self, action: &AdminAction) -> io::Result<ActionEnd> {
        let (file, at) = self.append(action)?;
        Ok(Box::new(move |status| {
            // Always three digits, so that the line keeps its length.
            let status = status.clamp(100, 999).to_string();
            file.write_all_at(status.as_bytes(), at)?;
            file.sync_data()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(route: &str) -> AdminAction {
        AdminAction {
            time_ms: 1,
            actor: "operator".to_owned(),
            address: None,
            method: "POST".to_owned(),
            route: route.to_owned(),
            target: [("name".to_owned(), "a\"\n{\"status\":200}\u{1b}[2J".to_owned())].into(),
            request_id: None,
        }
    }

    #[test]
    fn an_action_is_one_line_and_its_outcome_replaces_the_status() {
        let dir = tempfile::tempdir().unwrap();
        let audit = AuditFile::new(&DataDir(dir.path().join("data")));
        let first = audit.begin(&action("/a")).unwrap();
        let second = audit.begin(&action("/b")).unwrap();
        let statuses =
            || -> Vec<u16> { audit.entries(0).unwrap().iter().map(|entry| entry.status).collect() };
        assert_eq!(statuses(), [102, 102]);
        second(409).unwrap();
        assert_eq!(statuses(), [102, 409]);
        first(200).unwrap();
        assert_eq!(statuses(), [200, 409]);
        let text = std::fs::read_to_string(&audit.path).unwrap();
        assert_eq!(text.lines().count(), 2, "request text cannot start a line: {text}");
        assert!(!text.contains('\u{1b}'));
        assert_eq!(audit.entries(2).unwrap().len(), 0);
    }

    #[test]
    fn an_incomplete_line_is_ended_and_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let audit = AuditFile::new(&DataDir(dir.path().to_owned()));
        std::fs::write(&audit.path, "{\"time_ms\":1,\"act").unwrap();
        audit.begin(&action("/a")).unwrap()(200).unwrap();
        let entries = audit.entries(0).unwrap();
        assert_eq!((entries.len(), entries[0].status), (1, 200));
    }

    #[test]
    fn at_most_two_files_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let audit =
            AuditFile { max_bytes: 1_000, ..AuditFile::new(&DataDir(dir.path().to_owned())) };
        let open = audit.begin(&action("/first")).unwrap();
        for _ in 0..100 {
            audit.begin(&action("/a")).unwrap()(200).unwrap();
        }
        // The entry has been rotated away, which is not an error.
        open(200).unwrap();
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(size(&audit.path) + size(&audit.rotated()) < 4_000);
        assert!(audit.entries(0).unwrap().iter().all(|entry| entry.status == 200));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "two files and the lock");
    }

    #[test]
    fn a_command_does_not_run_if_its_entry_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let audit = AuditFile::new(&DataDir(dir.path().to_owned()));
        std::fs::create_dir(&audit.path).unwrap();
        let mut ran = false;
        let result = audit.command("keys create", &[], || {
            ran = true;
            Ok(())
        });
        assert!(result.is_err() && !ran);
    }
}
