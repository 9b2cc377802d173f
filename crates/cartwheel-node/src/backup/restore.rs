//! Restoring a backup into a new data directory.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use cartwheel_backup::{Backup, BackupError, Store};
use cartwheel_events::Record;
use cartwheel_files::sync_dir;
use cartwheel_lake::{
    Erasure, Erasures, Lake, Tombstone, append_tombstones, parse_tombstones, read_tombstones,
};
use cartwheel_stream::{LogFiles, Sequence};
use serde_json::json;

use crate::backup::moment::{ORIGIN, backup_of};
use crate::data_dir::{DataDir, salt};

/// The list of everybody who was erased, in a backup.
const ERASED: &str = "erased.ndjson";

/// What is restored.
#[derive(Debug, Default)]
pub struct RestoreOptions<'a> {
    /// The backup; by default the newest.
    pub name: Option<&'a str>,
    /// Restores events, changes of products and impressions up to this moment instead, UTC
    /// milliseconds. Everything else is as in the last backup before it.
    pub until_ms: Option<i64>,
    /// Another list of erased users.
    pub erased: Option<&'a Path>,
}

/// A restored backup.
#[derive(Debug)]
pub struct Restored {
    /// The backup.
    pub backup: Backup,
    /// Shoppers who were erased after the backup, and are being erased again.
    pub erased_again: Vec<String>,
    /// Later backups whose erasures cannot be read.
    pub problems: Vec<String>,
}

/// Restores a backup into a directory that is missing or empty. Shoppers whose erasure later
/// backups of the store or the list of the options know are erased: a server hides
/// them from its first answer on, and removes their records. `progress` receives the bytes that
/// are done and the total.
///
/// # Errors
/// When the directory is not empty, a stored file is missing or damaged, or a file cannot be
/// written. An interrupted restore leaves a directory that no command accepts.
pub fn restore(
    store: &Store,
    options: &RestoreOptions<'_>,
    data_dir: &DataDir,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Restored> {
    let names = store.names()?;
    let newest = names.last().map(String::as_str);
    let backup = match options.until_ms {
        Some(until_ms) => backup_of(store, &names, until_ms)?,
        None => store.backup(options.name.or(newest).context("the store holds no backup yet")?)?,
    };
    let dir = &data_dir.0;
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let mut entries = fs::read_dir(dir).with_context(|| dir.display().to_string())?;
    ensure!(
        entries.next().is_none(),
        "{} is not empty: name a new directory with --data-dir",
        dir.display()
    );
    if let Some(format) = content(store, &backup, "format")? {
        data_dir.check_format(&String::from_utf8_lossy(&format))?;
    }
    // Nothing starts on half of a backup.
    cartwheel_files::replace(&data_dir.restoring(), backup.name.as_bytes())?;
    let (mut done, total) = (0, backup.bytes());
    let mut folders = BTreeSet::from([dir.clone()]);
    for file in &backup.files {
        let path = dir.join(&file.path);
        let modified = Duration::from_nanos(file.modified_ns.try_into().unwrap_or_default());
        // The backup's own origin gives way to the new one.
        if file.path == ORIGIN {
            continue;
        }
        write(&path, modified, |out| Ok(store.get(file, out)?))?;
        folders.extend(
            path.ancestors().skip(1).take_while(|at| at.starts_with(dir)).map(PathBuf::from),
        );
        done += file.size;
        progress(done, total);
    }
    for folder in folders.iter().rev() {
        sync_dir(folder).with_context(|| folder.display().to_string())?;
    }
    if let Some(until_ms) = options.until_ms {
        let next = LogFiles::cut(&data_dir.stream(), until_ms)?;
        ensure!(
            next >= backup.log_next,
            "the clock went back since backup {}: there is no state of that moment",
            backup.name
        );
    }
    // A backup that is restored twice gives two logs that differ from there on.
    let origin = json!({"id": salt(), "backup": backup.name, "until_ms": options.until_ms});
    let origin = serde_json::to_vec(&origin).context(ORIGIN)?;
    cartwheel_files::replace(&dir.join(ORIGIN), &origin).context(ORIGIN)?;
    let mut problems = Vec::new();
    let erased = options.erased;
    let erased_again = erase_again(store, &names, &backup, erased, data_dir, &mut problems)?;
    fs::remove_file(data_dir.restoring()).context("restoring")?;
    sync_dir(dir).with_context(|| dir.display().to_string())?;
    Ok(Restored { backup, erased_again, problems })
}

/// Writes a file with the time of its last change, which tells the age of models and parts.
fn write(
    path: &Path,
    modified: Duration,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    let failed = || path.display().to_string();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    let mut file = BufWriter::new(File::create_new(path).with_context(failed)?);
    fill(&mut file)?;
    file.flush().with_context(failed)?;
    let file = file.get_ref();
    file.set_modified(UNIX_EPOCH + modified).and_then(|()| file.sync_all()).with_context(failed)
}

/// The content of a small file of a backup, if it has the file.
fn content(store: &Store, backup: &Backup, path: &str) -> Result<Option<Vec<u8>>, BackupError> {
    let Some(file) = backup.files.iter().find(|file| file.path == path) else { return Ok(None) };
    let mut bytes = Vec::new();
    store.get(file, &mut bytes).map(|()| Some(bytes))
}

/// Begins the erasures that the backup does not know, and returns the shoppers.
fn erase_again(
    store: &Store,
    names: &[String],
    backup: &Backup,
    erased: Option<&Path>,
    data_dir: &DataDir,
    problems: &mut Vec<String>,
) -> Result<Vec<String>> {
    let known = read_tombstones(&data_dir.erased())?;
    let mut others = match erased {
        Some(path) => {
            ensure!(path.exists(), "{} does not exist", path.display());
            read_tombstones(path)?
        }
        None => Vec::new(),
    };
    for name in names.iter().filter(|name| **name != backup.name) {
        let list = store.backup(name).and_then(|other| content(store, &other, ERASED));
        match list {
            Ok(list) => others.extend(parse_tombstones(&list.unwrap_or_default())),
            Err(error) => problems.push(format!("the erasures of backup {name}: {error}")),
        }
    }
    let known: BTreeSet<(&str, i64)> =
        known.iter().map(|buried| (&*buried.user, buried.erased_at_ms)).collect();
    others.sort_by_key(|buried| buried.erased_at_ms);
    let new =
        others.into_iter().filter(|buried| !known.contains(&(&*buried.user, buried.erased_at_ms)));
    // Of several erasures of a user, the last.
    let new: BTreeMap<String, Tombstone> =
        new.map(|buried| (buried.user.clone(), buried)).collect();
    if new.is_empty() {
        return Ok(Vec::new());
    }
    append_tombstones(&data_dir.erased(), &new.values().cloned().collect::<Vec<_>>())?;
    let found = erased_users(data_dir, &new, problems)?;
    let mut erasures = Erasures::open(&data_dir.erasures())?;
    erasures.add(&found)?;
    Ok(found.into_iter().map(|erasure| erasure.user_id).collect())
}

/// Finds the users of tombstones, by their hashes, among all users of lake and log.
fn erased_users(
    data_dir: &DataDir,
    tombstones: &BTreeMap<String, Tombstone>,
    problems: &mut Vec<String>,
) -> Result<Vec<Erasure>> {
    let salts: BTreeSet<&str> = tombstones.values().map(|buried| &*buried.salt).collect();
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut visit = |user: &str| {
        if seen.contains(user) {
            return;
        }
        seen.insert(user.to_owned());
        let hashes = salts.iter().map(|salt| Tombstone::hash(salt, user));
        let mut buried = hashes.filter_map(|hash| tombstones.get(&hash));
        if let Some(buried) = buried.next() {
            found.push((user.to_owned(), buried.before, buried.erased_at_ms));
        }
    };
    problems.extend(Lake::open(&data_dir.lake())?.for_each_user(&mut visit)?);
    let mut end = 0;
    if data_dir.stream().exists() {
        let mut files = LogFiles::open(&data_dir.stream(), 0)?;
        loop {
            let entries = files.read()?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                let record = Record::from_slice(&entry.data);
                let user = record.as_ref().ok().and_then(|record| record.user_id());
                user.into_iter().for_each(|user| visit(user.as_str()));
            }
        }
        end = files.next();
    }
    found.sort();
    // Every record of the backup is older than these erasures, and every later record is new.
    let erasure = |(user_id, before, erased_at_ms): (String, Sequence, i64)| Erasure {
        user_id,
        before: before.min(end.into()),
        erased_at_ms,
    };
    Ok(found.into_iter().map(erasure).collect())
}
