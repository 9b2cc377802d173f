//! The files of delivered tables: their names, and which of them count.
//!
//! A part is named after its shard and the range of sequence numbers that it covers.
//! Compaction writes a part that covers the ranges of several, and takes these away
//! later. Until then they are superseded: a part whose range lies within that of
//! another one of the same shard and folder does not count. So a merged part takes
//! the place of its sources at the moment that it appears.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cartwheel_stream::Sequence;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::manifest::LakeError;

/// What a part covers, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartName {
    pub shard: u32,
    pub first: Sequence,
    pub last: Sequence,
}

impl PartName {
    /// The name's content; none for files that others named.
    fn parse(path: &Path) -> Option<Self> {
        let mut fields = path.file_stem()?.to_str()?.strip_prefix("part-")?.split('-');
        let mut field = || fields.next();
        let shard = field()?.parse().ok()?;
        let (first, last) = (field()?.parse().ok()?, field()?.parse().ok()?);
        fields.next().is_none().then_some(Self { shard, first, last })
    }

    pub(crate) fn file(&self, extension: &str) -> String {
        let Self { shard, first, last } = self;
        format!("part-{shard:04}-{first:020}-{last:020}.{extension}")
    }

    /// Whether all of it lies below what its shard has delivered: then nobody writes
    /// it, or one like it, again. Nobody delivers a shard of which nothing is known.
    pub(crate) fn settled(&self, delivered: &[Sequence]) -> bool {
        delivered.get(self.shard as usize).is_none_or(|next| self.last < *next)
    }
}

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub path: PathBuf,
    pub name: Option<PartName>,
    /// The part that covers it, if one does.
    pub superseded_by: Option<PathBuf>,
}

/// The files of one folder, by shard and sequence number.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub path: PathBuf,
    pub parts: Vec<Part>,
}

impl Folder {
    fn new(path: PathBuf, files: Vec<PathBuf>) -> Self {
        let mut parts: Vec<Part> = files
            .into_iter()
            .map(|path| Part { name: PartName::parse(&path), path, superseded_by: None })
            .collect();
        parts.sort_by(|a, b| {
            let key = |part: &Part| part.name.map(|n| (n.shard, n.first, Reverse(n.last)));
            (key(a), &a.path).cmp(&(key(b), &b.path))
        });
        // What covers a part stands before it: it begins earlier, or there and ends later.
        let mut widest: Option<(PartName, PathBuf)> = None;
        for part in &mut parts {
            let Some(name) = part.name else { continue };
            match &widest {
                Some((wide, path)) if wide.shard == name.shard && wide.last >= name.last => {
                    part.superseded_by = Some(path.clone());
                }
                _ => widest = Some((name, part.path.clone())),
            }
        }
        Self { path, parts }
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.superseded_by.is_none())
    }
}

/// Every folder below `root` that holds files of that extension, in order; none where
/// `root` does not exist.
pub(crate) fn folders(root: &Path, extension: &str) -> Result<Vec<Folder>, LakeError> {
    let mut found = Vec::new();
    walk(root, |folder, files| {
        let is_part = |file: &PathBuf| file.extension().is_some_and(|x| x == extension);
        let files: Vec<PathBuf> = files.into_iter().filter(is_part).collect();
        if !files.is_empty() {
            found.push(Folder::new(folder.to_owned(), files));
        }
        Ok(())
    })?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// The Parquet files below `root` that count, the oldest hour first. This is the one
/// place that decides it.
pub(crate) fn parts(root: &Path) -> Result<Vec<PathBuf>, LakeError> {
    let folders = folders(root, "parquet")?;
    Ok(folders.iter().flat_map(Folder::live).map(|part| part.path.clone()).collect())
}

/// Reads parts, each once, and says which could not be read. Compaction may take one
/// away after it was listed: what replaces it is there by then, so that all are listed
/// and read again.
pub(crate) fn read_parts<T: Default>(
    mut list: impl FnMut() -> Result<Vec<PathBuf>, LakeError>,
    mut read: impl FnMut(&Path, &mut T) -> io::Result<()>,
) -> Result<(T, Vec<String>), LakeError> {
    let mut again = true;
    'listing: loop {
        let (mut out, mut problems) = (T::default(), Vec::new());
        for path in list()? {
            match read(&path, &mut out) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound && again => {
                    again = false;
                    continue 'listing;
                }
                Err(e) => problems.push(format!("{}: {e}", path.display())),
            }
        }
        return Ok((out, problems));
    }
}

/// Removes what writers that were killed left half written below `root`. Such files are
/// read by nobody; only their writer may run while this does.
pub(crate) fn sweep(root: &Path) -> Result<usize, LakeError> {
    let mut swept = 0;
    walk(root, |_, files| {
        for file in files.iter().filter(|file| is_staged(file)) {
            match fs::remove_file(file) {
                Ok(()) => swept += 1,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(LakeError::file(file, e)),
            }
        }
        Ok(())
    })?;
    Ok(swept)
}

/// Whether a file is what `object_store` writes before it renames it: `<name>#<number>`.
pub(crate) fn is_staged(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = name.rsplit_once('#').map(|(_, number)| number);
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Shows each folder below `root`, and it too, with its files.
pub(crate) fn walk(
    root: &Path,
    mut on: impl FnMut(&Path, Vec<PathBuf>) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |e| LakeError::file(&folder, e);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(failed(e)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
        on(&folder, files)?;
    }
    Ok(())
}

/// The folder of an hour, UTC.
pub(crate) fn hour(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let time = time.to_zoned(TimeZone::UTC);
    let (year, month, day, hour) = (time.year(), time.month(), time.day(), time.hour());
    format!("year={year:04}/month={month:02}/day={day:02}/hour={hour:02}")
}

/// When the hour of a folder begins, UTC milliseconds.
pub(crate) fn hour_of(folder: &Path) -> Option<i64> {
    let mut names = folder.iter().rev().map(|name| name.to_str());
    let mut field = |key: &str| names.next()??.strip_prefix(key)?.strip_prefix('=');
    let hour = field("hour")?.parse().ok()?;
    let (day, month) = (field("day")?.parse().ok()?, field("month")?.parse().ok()?);
    let time = DateTime::new(field("year")?.parse().ok()?, month, day, hour, 0, 0, 0).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}
