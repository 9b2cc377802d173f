//! The audit log: two lines of JSON for each administrative action that changes something.
//!
//! The first line is written and synced before its action starts, the second when the action has
//! ended, with its HTTP status. An entry without a second line belongs to an action that is running
//! or whose process ended first. Commands and the server append to the same file, so each append
//! takes a file lock.
//!
//! The last field of each line, `link`, is an HMAC of the line and of the link before it, by the
//! secret in `audit.key`: a line that is changed, removed or inserted breaks the chain
//! ([`AuditFile::verify`]). A file begins with a line that names the last link of the file before
//! it. Earlier releases wrote lines without links, and replaced the status in them.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cartwheel_ambient::{Clock, Ids};
use cartwheel_api::{ActionEnd, AdminAction, AuditKey, AuditLog};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::data_dir::DataDir;

/// Size in bytes at which the file is rotated. Rotation replaces the previous old file.
const MAX_BYTES: u64 = 64 << 20;
/// Longest line that is read back, in bytes.
const LONGEST_LINE: u64 = 64 << 10;
/// Status of an action that has begun.
const BEGUN: u16 = 102;
/// What stands between a line and its link.
const LINK: &str = ",\"link\":\"";
/// What ends a line after its link.
const END: &str = "\"}";

/// The audit log of a data directory.
#[derive(Debug, Clone)]
pub struct AuditFile {
    path: PathBuf,
    key: PathBuf,
    max_bytes: u64,
}

/// The first line of an action.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    action: &'a AdminAction,
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

/// The second line of an action.
#[derive(Debug, Deserialize)]
struct Outcome {
    /// The link of the first line.
    ends: String,
    status: u16,
}

/// A line without its link, and the link if it has one.
pub(crate) fn split(line: &str) -> (String, Option<&str>) {
    let found = line.strip_suffix(END).and_then(|line| line.rsplit_once(LINK));
    match found {
        Some((content, link)) => (format!("{content}}}"), Some(link)),
        None => (line.to_owned(), None),
    }
}

impl AuditFile {
    /// Opens the audit log of a data directory.
    pub fn new(data_dir: &DataDir) -> Self {
        Self { path: data_dir.audit(), key: data_dir.audit_key(), max_bytes: MAX_BYTES }
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
        let mut entries: Vec<AuditEntry> = Vec::new();
        let mut begun = HashMap::new();
        self.each_line(|_, line| {
            let (content, link) = split(line);
            if let Ok(entry) = serde_json::from_str::<AuditEntry>(&content) {
                begun.extend(link.map(|link| (link.to_owned(), entries.len())));
                entries.push(entry);
            } else if let Ok(end) = serde_json::from_str::<Outcome>(&content)
                && let Some(at) = begun.remove(&end.ends)
            {
                entries[at].status = end.status;
            }
        })?;
        entries.retain(|entry| entry.time_ms >= from_ms);
        Ok(entries)
    }

    /// Calls `found` with each line of both files, oldest first, and the file's path.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn each_line(&self, mut found: impl FnMut(&Path, &str)) -> Result<()> {
        for path in [self.rotated(), self.path.clone()] {
            let name = || path.display().to_string();
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).with_context(name),
            };
            let mut reader = BufReader::new(file);
            let mut line = Vec::new();
            loop {
                line.clear();
                let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
                if read.with_context(name)? == 0 {
                    break;
                }
                // A power cut may leave an incomplete line, which the next one replaces.
                if let Some(line) = line.strip_suffix(b"\n") {
                    found(&path, &String::from_utf8_lossy(line));
                }
            }
        }
        Ok(())
    }

    /// The secret of the log. The first call makes it.
    ///
    /// # Errors
    /// When it can be neither read nor made.
    pub(crate) fn key(&self) -> io::Result<AuditKey> {
        match std::fs::read_to_string(&self.key) {
            Ok(secret) => return Ok(AuditKey::new(secret.trim())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let (ids, now_ms) = (Ids::uuid_v7(), Clock::system().now_ms());
        // Two ids hold more than 128 random bits.
        let secret = format!("{}{}\n", ids.next(now_ms), ids.next(now_ms));
        cartwheel_files::replace_private(&self.key, secret.as_bytes())?;
        Ok(AuditKey::new(secret.trim()))
    }

    /// Lets one process at a time append.
    ///
    /// # Errors
    /// When the lock cannot be made.
    pub(crate) fn lock(&self) -> io::Result<File> {
        std::fs::create_dir_all(self.path.parent().unwrap_or(Path::new(".")))?;
        let lock = File::create(self.path.with_extension("lock"))?;
        lock.lock()?;
        Ok(lock)
    }

    /// Replaces a user's id.
    ///
    /// # Errors
    /// When the log's secret can be neither read nor made.
    pub fn pseudonym(&self, user_id: &str) -> io::Result<String> {
        let _turn = self.lock()?;
        Ok(self.key()?.pseudonym(user_id))
    }

    /// Appends a line, and returns its link.
    fn append(&self, line: &str) -> io::Result<String> {
        let _turn = self.lock()?;
        let key = self.key()?;
        let size = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        if size >= self.max_bytes {
            std::fs::rename(&self.path, self.rotated())?;
        }
        let mut options = OpenOptions::new();
        // Only the owner may read the log.
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&self.path)?;
        let (end, mut previous) = last_link(&file)?;
        // A power cut may leave an incomplete line, of which nobody was told that it is durable.
        file.set_len(end)?;
        file.seek(SeekFrom::End(0))?;
        let mut lines = String::new();
        if end == 0 {
            let rotated = File::open(self.rotated()).and_then(|file| last_link(&file));
            let before = rotated.map(|(_, link)| link).unwrap_or_default();
            previous = linked(&key, &before, &json!({"continues": before}).to_string(), &mut lines);
        }
        let link = linked(&key, &previous, line, &mut lines);
        file.write_all(lines.as_bytes())?;
        file.sync_all()?;
        if end == 0 {
            File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(link)
    }
}

/// Adds a line with its link to `lines`, and returns the link.
fn linked(key: &AuditKey, previous: &str, line: &str, lines: &mut String) -> String {
    let link = key.link(previous, line);
    lines.push_str(line.strip_suffix('}').unwrap_or(line));
    for part in [LINK, &link, END, "\n"] {
        lines.push_str(part);
    }
    link
}

/// The end of the last complete line of a file, and its link; empty if it has none.
fn last_link(file: &File) -> io::Result<(u64, String)> {
    let size = file.metadata()?.len();
    // An incomplete line may follow the last one.
    let from = size.saturating_sub(2 * LONGEST_LINE);
    let mut tail = vec![0; usize::try_from(size - from).unwrap_or_default()];
    file.read_exact_at(&mut tail, from)?;
    let Some(end) = tail.iter().rposition(|byte| *byte == b'\n') else {
        // Longer than any line: this is no audit log.
        let is_log = from == 0;
        return is_log.then(|| (0, String::new())).ok_or_else(|| io::ErrorKind::InvalidData.into());
    };
    let last = tail[..end].rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let last = String::from_utf8_lossy(last);
    Ok((from + end as u64 + 1, split(&last).1.unwrap_or_default().to_owned()))
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
        let link = self.append(&serde_json::to_string(&Line { action, status: BEGUN })?)?;
        let log = self.clone();
        Ok(Box::new(move |status| {
            log.append(&json!({"ends": link, "status": status}).to_string()).map(|_| ())
        }))
    }

    fn pseudonym(&self, user_id: &str) -> io::Result<String> {
        AuditFile::pseudonym(self, user_id)
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
    fn an_action_has_a_line_and_its_outcome_another() {
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
        // The beginning of the file, and two lines an action.
        assert_eq!(text.lines().count(), 5, "request text cannot start a line: {text}");
        assert!(!text.contains('\u{1b}'));
        assert_eq!(audit.entries(2).unwrap().len(), 0);
    }

    #[test]
    fn an_incomplete_line_is_removed() {
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
        audit.verify().unwrap();
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(size(&audit.path) + size(&audit.rotated()) < 5_000);
        assert!(audit.entries(0).unwrap().iter().all(|entry| entry.status == 200));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4, "two files, lock and key");
    }

    #[test]
    fn entries_of_earlier_releases_are_read_and_followed_by_links() {
        let dir = tempfile::tempdir().unwrap();
        let audit = AuditFile::new(&DataDir(dir.path().to_owned()));
        let old = serde_json::to_string(&Line { action: &action("/old"), status: 200 }).unwrap();
        std::fs::write(&audit.path, format!("{old}\n")).unwrap();
        audit.begin(&action("/new")).unwrap()(201).unwrap();
        let entries = audit.entries(0).unwrap();
        let seen: Vec<_> = entries.iter().map(|e| (&*e.route, e.status)).collect();
        assert_eq!(seen, [("/old", 200), ("/new", 201)]);
        let verified = audit.verify().unwrap();
        assert_eq!((verified.lines, verified.unlinked), (2, 1));
    }

    #[test]
    fn every_change_of_a_line_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let audit = AuditFile::new(&DataDir(dir.path().to_owned()));
        for route in ["/a", "/b", "/c"] {
            audit.begin(&action(route)).unwrap()(200).unwrap();
        }
        let whole = std::fs::read_to_string(&audit.path).unwrap();
        let noted = audit.verify().unwrap();
        assert_eq!((noted.lines, noted.unlinked), (7, 0));
        assert!(whole.ends_with(&format!("{}\"}}\n", noted.last)));
        let lines: Vec<&str> = whole.lines().collect();
        let write = |lines: &[&str]| std::fs::write(&audit.path, lines.join("\n") + "\n").unwrap();
        for at in 0..lines.len() {
            let changed = lines[at].replacen(['0', '2', 'a', 'b'], "7", 1);
            let mut all = lines.clone();
            all[at] = &changed;
            write(&all);
            assert!(audit.verify().is_err(), "changed {at}");
            if at + 1 < lines.len() {
                let mut all = lines.clone();
                all.remove(at);
                write(&all);
                assert!(audit.verify().is_err(), "removed {at}");
                let mut all = lines.clone();
                all.swap(at, at + 1);
                write(&all);
                assert!(audit.verify().is_err(), "swapped {at}");
            }
            let mut all = lines.clone();
            all.insert(at, lines[0]);
            write(&all);
            assert!(audit.verify().is_err(), "inserted before {at}");
        }
        // The end of a log is missed by who has noted its last link.
        write(&lines[..5]);
        assert!(audit.verify().unwrap().require(&noted.last).is_err());
        std::fs::write(&audit.path, &whole).unwrap();
        audit.begin(&action("/d")).unwrap()(200).unwrap();
        audit.verify().unwrap().require(&noted.last).unwrap();
        // Nobody without the key can continue the chain.
        std::fs::remove_file(&audit.key).unwrap();
        audit.begin(&action("/e")).unwrap()(200).unwrap();
        assert!(audit.verify().is_err());
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
