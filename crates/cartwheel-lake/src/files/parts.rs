//! The files of delivered tables: their names, and which of them are live.
//!
//! A part is named after its shard and the range of sequence numbers that it covers. Compaction
//! writes a part that covers the ranges of several parts, and removes those later. Until then
//! they are superseded: a part is not live if another part of the same shard and folder covers
//! its range. So a merged part replaces its sources at the moment that it appears.

use std::cmp::Reverse;
use std::io;
use std::path::{Path, PathBuf};

use cartwheel_stream::Sequence;

use crate::error::LakeError;
use crate::files::format::Format;
use crate::files::partition::is_import_folder;
use crate::files::walk::walk;

/// The range that a part covers, as its name states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartName {
    pub shard: u32,
    pub first: Sequence,
    pub last: Sequence,
}

impl PartName {
    /// Parses a file name. `None` for files that another writer named.
    pub(crate) fn parse(path: &Path) -> Option<Self> {
        let mut fields = path.file_stem()?.to_str()?.strip_prefix("part-")?.split('-');
        let mut field = || fields.next();
        let shard = field()?.parse().ok()?;
        let (first, last) = (field()?.parse().ok()?, field()?.parse().ok()?);
        fields.next().is_none().then_some(Self { shard, first, last })
    }

    /// The file name.
    pub(crate) fn file(&self, format: Format) -> String {
        let Self { shard, first, last } = self;
        format!("part-{shard:04}-{first:020}-{last:020}.{}", format.extension())
    }

    /// Whether delivery no longer writes this part, because its shard is delivered beyond the
    /// range. `delivered` holds the next sequence number of each shard. A shard that it lacks has
    /// no delivery.
    pub(crate) fn is_settled(&self, delivered: &[Sequence]) -> bool {
        delivered.get(self.shard as usize).is_none_or(|next| self.last < *next)
    }
}

/// A file of a delivered table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub path: PathBuf,
    /// `None` for files that another writer named.
    pub name: Option<PartName>,
    /// The part that covers this one.
    pub superseded_by: Option<PathBuf>,
}

/// The parts of one folder, by shard and sequence number.
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
        // In this order a covering part precedes the parts that it covers: it starts earlier, or
        // starts at the same number and ends later.
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

    /// The parts that readers use.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.superseded_by.is_none())
    }
}

/// Every folder of delivered files of `format` below `root`, by path. Empty if `root` does not
/// exist.
pub(crate) fn folders(root: &Path, format: Format) -> Result<Vec<Folder>, LakeError> {
    let mut found = Vec::new();
    walk(root, |folder, files| {
        let is_part = |file: &PathBuf| file.extension().is_some_and(|x| x == format.extension());
        let files: Vec<PathBuf> = files.into_iter().filter(is_part).collect();
        if !files.is_empty() && !is_import_folder(folder) {
            found.push(Folder::new(folder.to_owned(), files));
        }
        Ok(())
    })?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// The live delivered Parquet files below `root`, the oldest hour first.
pub(crate) fn live_parts(root: &Path) -> Result<Vec<PathBuf>, LakeError> {
    let folders = folders(root, Format::Parquet)?;
    Ok(folders.iter().flat_map(Folder::live).map(|part| part.path.clone()).collect())
}

/// The content of some parts.
pub(crate) struct PartsRead<T> {
    pub content: T,
    /// Parts that could not be read, each with its path and the error.
    pub problems: Vec<String>,
}

/// How often parts are listed at most. An erasure replaces one after another.
const LISTINGS: usize = 10;

/// Reads each part once. If compaction or an erasure removes a part between the listing and the reading,
/// the part that replaces it exists by then: all parts are listed and read again, a few times.
pub(crate) fn read_parts<T: Default>(
    mut list: impl FnMut() -> Result<Vec<PathBuf>, LakeError>,
    mut read: impl FnMut(&Path, &mut T) -> io::Result<()>,
) -> Result<PartsRead<T>, LakeError> {
    let mut listings = 0;
    'listing: loop {
        listings += 1;
        let (mut content, mut problems) = (T::default(), Vec::new());
        for path in list()? {
            match read(&path, &mut content) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound && listings < LISTINGS => {
                    continue 'listing;
                }
                Err(e) => problems.push(format!("{}: {e}", path.display())),
            }
        }
        return Ok(PartsRead { content, problems });
    }
}
