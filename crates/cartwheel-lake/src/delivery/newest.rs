//! What the names of a lake's parts tell about its delivery.

use std::collections::BTreeMap;
use std::path::Path;

use cartwheel_stream::Sequence;

use crate::error::LakeError;
use crate::files::partition::{hour_start_ms, is_import_folder};
use crate::files::parts::PartName;
use crate::files::staged::is_staged;
use crate::files::walk::walk;
use crate::lake::Lake;
use crate::tables::DELIVERED;

/// The newest range of a shard of which the lake has a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NewestRange {
    pub first: Sequence,
    /// The number behind the last one.
    pub end: Sequence,
    /// Whether another part overlaps it. Then compaction has merged parts, which it does with
    /// ranges only that are delivered as a whole.
    pub is_merged: bool,
    /// The hour of its malformed records, UTC milliseconds, if it has any.
    pub errors_at_ms: Option<i64>,
    /// The end of the newest other range.
    other: Sequence,
}

impl NewestRange {
    fn new(name: PartName) -> Self {
        let (first, end, other) = (name.first, name.last.next(), Sequence::default());
        Self { first, end, is_merged: false, errors_at_ms: None, other }
    }

    /// Takes another part of the shard into account.
    fn add(&mut self, name: PartName) {
        let (before, part) = (*self, Self::new(name));
        if part.end > before.end {
            *self = Self { other: before.other.max(before.end), ..part };
        } else if (part.first, part.end) != (before.first, before.end) {
            self.other = before.other.max(part.end);
        }
        self.is_merged = self.other > self.first;
    }
}

/// Finds the newest range of each shard. Calls `on_staged` with each staged file of the delivered
/// tables.
pub(super) fn newest_ranges(
    lake: &Lake,
    mut on_staged: impl FnMut(&Path) -> Result<(), LakeError>,
) -> Result<BTreeMap<u32, NewestRange>, LakeError> {
    let mut newest: BTreeMap<u32, NewestRange> = BTreeMap::new();
    for table in &DELIVERED {
        walk(&lake.dir().join(table.name), |folder, files| {
            for path in files {
                if is_staged(&path) {
                    on_staged(&path)?;
                    continue;
                }
                let name = PartName::parse(&path).filter(|_| !is_import_folder(folder));
                let Some(name) = name else { continue };
                let range = newest.entry(name.shard).or_insert_with(|| NewestRange::new(name));
                range.add(name);
                if table.name == "errors" && range.end == name.last.next() {
                    range.errors_at_ms = hour_start_ms(folder);
                }
            }
            Ok(())
        })?;
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_range_is_merged_if_another_one_overlaps_it() {
        let range = |names: &[(u64, u64)]| {
            let part = |&(first, last): &(u64, u64)| PartName {
                shard: 0,
                first: first.into(),
                last: last.into(),
            };
            let mut range = NewestRange::new(part(&names[0]));
            names.iter().map(part).for_each(|name| range.add(name));
            (range.first.as_u64().unwrap(), range.end.as_u64().unwrap(), range.is_merged)
        };
        assert_eq!(range(&[(0, 9)]), (0, 10, false));
        assert_eq!(range(&[(0, 9), (10, 19), (10, 19)]), (10, 20, false));
        assert_eq!(range(&[(10, 19), (0, 9), (20, 29)]), (20, 30, false));
        // Sources and what they were merged into, in any order; then without the sources.
        assert!(range(&[(0, 19), (10, 19), (0, 9)]).2);
        assert!(range(&[(10, 19), (0, 19), (0, 9)]).2);
        assert!(range(&[(10, 29), (0, 19)]).2);
        assert!(range(&[(0, 19), (10, 29)]).2);
        assert!(!range(&[(0, 9), (10, 29)]).2);
    }
}
