//! The audit log: one line of JSON for each action of an admin that changes something.
//!
//! An action is written down and synced before it is done, with the status 102; its
//! outcome then takes the place of those three digits. A line that still says 102 tells
//! of an action under way, or of one whose process ended before it did. Commands write
//! to the same file as a server beside them: whoever appends holds a lock.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cartwheel_ambient::Clock;
use cartwheel_api::{ActionEnd, AdminAction, AuditLog};
use serde::{Deserialize, Serialize};

use crate::data_dir::DataDir;

/// A file of this size is put aside; the one that was aside before goes.
const LARGEST: u64 = 64 << 20;
/// Longest line that is read back.
const LONGEST_LINE: u64 = 64 << 10;
/// An action that has begun.
const BEGUN: u16 = 102;
/// What follows the status in a line.
const AFTER_STATUS: u64 = "}\n".len() as u64;

/// The audit log of a data directory.
#[derive(Debug, Clone)]
pub struct AuditFile {
    path: PathBuf,
    largest: u64,
}

/// A line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    action: &'a AdminAction,
    /// The last field, so that its digits are found again.
    status: u16,
}

/// A line that is read back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The start of the action, UTC milliseconds.
    pub time_ms: i64,
    /// The name of the key, `anonymous`, or `cli`.
    pub actor: String,
    /// The address that the request came from.
    pub address: Option<String>,
    /// The HTTP method, or `RUN`.
    pub method: String,
    /// The route or the command.
    pub route: String,
    /// The values of the route's parameters.
    pub target: std::collections::BTreeMap<String, String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The HTTP status of the answer; 102 if the action did not end.
    pub status: u16,
}

impl AuditFile {
    /// The audit log of a data directory.
    pub fn new(place: &DataDir) -> Self {
        Self { path: place.audit(), largest: LARGEST }
    }

    fn aside(&self) -> PathBuf {
        self.path.with_extension("old.ndjson")
    }

    /// Runs a command's work between two entries.
    ///
    /// # Errors
    /// When it cannot be written down, which is then not done, or when it fails.
    pub fn command<T>(
        &self,
        command: &str,
        target: &[(&str, &str)],
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let action = AdminAction {
            time_ms: Clock::system().now_ms(),
            actor: "cli".to_owned(),
            address: None,
            method: "RUN".to_owned(),
            route: command.to_owned(),
            target: target.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect(),
            request_id: None,
        };
        let outcome = self.begin(&action).with_context(|| {
            format!("{}: the action cannot be written down", self.path.display())
        })?;
        let result = work();
        // As over HTTP; what is at fault is in the command's own words.
        let status = if result.is_ok() { 200 } else { 500 };
        outcome(status).with_context(|| self.path.display().to_string())?;
        result
    }

    /// What is written down since `from_ms`, the oldest first.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn entries(&self, from_ms: i64) -> Result<Vec<AuditEntry>> {
        let mut entries = Vec::new();
        for path in [self.aside(), self.path.clone()] {
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
                // The last line of a power cut may be half a line.
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
        if size >= self.largest {
            std::fs::rename(&self.path, self.aside())?;
        }
        let mut options = OpenOptions::new();
        // Only its owner may read who did what.
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&self.path)?;
        let end = file.seek(SeekFrom::End(0))?;
        let mut line = Vec::new();
        // What a power cut has left of a line ends here.
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

impl AuditLog for AuditFile {
    fn begin(&self, action: &AdminAction) -> io::Result<ActionEnd> {
        let (file, at) = self.append(action)?;
        Ok(Box::new(move |status| {
            // Three digits for three digits: the line keeps its length.
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
    fn an_action_is_one_line_whose_status_becomes_its_outcome() {
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
        assert_eq!(text.lines().count(), 2, "no text of a request begins a line: {text}");
        assert!(!text.contains('\u{1b}'));
        assert_eq!(audit.entries(2).unwrap().len(), 0);
    }

    #[test]
    fn a_half_line_is_ended_and_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let audit = AuditFile::new(&DataDir(dir.path().to_owned()));
        std::fs::write(&audit.path, "{\"time_ms\":1,\"act").unwrap();
        audit.begin(&action("/a")).unwrap()(200).unwrap();
        let entries = audit.entries(0).unwrap();
        assert_eq!((entries.len(), entries[0].status), (1, 200));
    }

    #[test]
    fn two_files_are_kept_at_most() {
        let dir = tempfile::tempdir().unwrap();
        let audit = AuditFile { largest: 1_000, ..AuditFile::new(&DataDir(dir.path().to_owned())) };
        let open = audit.begin(&action("/first")).unwrap();
        for _ in 0..100 {
            audit.begin(&action("/a")).unwrap()(200).unwrap();
        }
        // Its line is gone by now, which is no fault.
        open(200).unwrap();
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(size(&audit.path) + size(&audit.aside()) < 4_000);
        assert!(audit.entries(0).unwrap().iter().all(|entry| entry.status == 200));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "two files and the lock");
    }

    #[test]
    fn a_command_is_not_run_where_it_cannot_be_written_down() {
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
