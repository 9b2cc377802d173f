//! Merging parts into one.

use std::io::Write;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;

use crate::compaction::dedup::{first_occurrences, hours_before, keys_in_earlier_hours};
use crate::error::LakeError;
use crate::files::format::Format;
use crate::files::lines::Lines;
use crate::files::parts::{Folder, Part, PartName};
use crate::files::rewrite::{RewriteError, Rewritten, rewrite};
use crate::files::upload::Upload;
use crate::lake::Lake;
use crate::tables::DeliveredTable;

/// An hour of a table, and the hours before it that may hold the same events.
pub(super) struct Hour<'a> {
    pub folder: &'a Folder,
    earlier: Vec<&'a Folder>,
}

impl<'a> Hour<'a> {
    /// The hour of `folder`; `before` are the folders before it, by path.
    pub(super) fn new(folder: &'a Folder, before: &'a [Folder]) -> Self {
        Self { folder, earlier: hours_before(folder, before) }
    }
}

/// Writes the rows of `sources`, neighbours of one shard in `hour`, as one part that covers
/// their ranges. Rows that the sources or the hours before hold twice are written once.
pub(super) fn merge(
    lake: &Lake,
    table: &DeliveredTable,
    hour: &Hour<'_>,
    sources: &[&Part],
) -> Result<Rewritten, RewriteError> {
    let names = || sources.iter().filter_map(|part| part.name);
    let (Some(first), Some(last)) = (names().next(), names().map(|name| name.last).max()) else {
        return Ok(Rewritten::default());
    };
    let name = PartName { last, ..first }.file(table.format);
    let target = lake.relative(&hour.folder.path).join(name);
    let sources: Vec<PathBuf> = sources.iter().map(|part| part.path.clone()).collect();
    let Some(key) = table.key else {
        return match table.format {
            Format::Ndjson => concatenate(lake, &sources, &target),
            Format::Parquet => {
                rewrite(lake, &sources, &target, false, |batch| Ok(vec![true; batch.num_rows()]))
            }
        };
    };
    let mut seen = keys_in_earlier_hours(key, first.shard, &sources, &hour.earlier)?;
    let keep = |batch: &RecordBatch| first_occurrences(batch, key, &mut seen);
    let mut done = rewrite(lake, &sources, &target, false, keep)?;
    done.conflicting = seen.conflicting;
    Ok(done)
}

/// Concatenates files of lines.
fn concatenate(lake: &Lake, sources: &[PathBuf], target: &Path) -> Result<Rewritten, RewriteError> {
    let failed = |error| RewriteError::Target(LakeError::file(target, error));
    let mut upload = Upload::new(lake, target)?;
    let mut done = Rewritten::default();
    for path in sources {
        let bad = |error| RewriteError::Source { path: path.clone(), error };
        let mut lines = Lines::open(path).map_err(bad)?;
        while let Some(line) = lines.next().map_err(bad)? {
            upload.write_all(line).map_err(failed)?;
            done.rows += 1;
        }
    }
    done.bytes = upload.finish().map_err(failed)?;
    Ok(done)
}
