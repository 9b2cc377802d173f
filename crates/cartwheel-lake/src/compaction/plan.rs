//! Planning which parts of a folder to merge.

use std::ops::Range;

use crate::compaction::options::CompactionOptions;

/// A live part of a folder.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Candidate {
    pub shard: u32,
    pub bytes: u64,
    pub rows: u64,
    /// Whether the part may be merged. No merged part covers a part that may not.
    pub is_mergeable: bool,
}

/// Returns the runs of neighbouring parts to merge. `parts` are by shard and sequence number.
pub(super) fn plan_merges(
    parts: &[Candidate],
    hour_is_over: bool,
    options: &CompactionOptions,
) -> Vec<Range<usize>> {
    let is_small = |part: &Candidate| {
        part.is_mergeable
            && part.bytes <= options.target_bytes / 2
            && part.rows <= options.target_rows / 2
    };
    let mut runs = Vec::new();
    let mut at = 0;
    while let Some(first) = parts.get(at) {
        let (mut bytes, mut rows, mut end) = (0, 0, at);
        let mut is_full = false;
        while let Some(part) = parts.get(end).filter(|p| is_small(p) && p.shard == first.shard) {
            bytes += part.bytes;
            rows += part.rows;
            is_full = bytes > options.target_bytes || rows > options.target_rows;
            if is_full {
                break;
            }
            end += 1;
        }
        let count = end - at;
        if count > 1 && (hour_is_over || is_full || count > options.max_parts) {
            runs.push(at..end);
        }
        at = end.max(at + 1);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_merged_up_to_the_target_and_never_across_a_part() {
        let options = CompactionOptions { max_parts: 3, target_bytes: 100, ..Default::default() };
        let part = |shard, bytes| Candidate { shard, bytes, rows: 1, is_mergeable: true };
        let fixed = Candidate::default();
        let runs = |parts: &[Candidate], hour_is_over| -> Vec<(usize, usize)> {
            let runs = plan_merges(parts, hour_is_over, &options);
            runs.into_iter().map(|run| (run.start, run.end)).collect()
        };
        assert_eq!(runs(&[], true), []);
        assert_eq!(runs(&[part(0, 9)], true), []);
        assert_eq!(runs(&[part(0, 9), part(0, 9), part(1, 9), part(1, 9)], true), [(0, 2), (2, 4)]);
        assert_eq!(runs(&[part(0, 9), fixed, part(0, 9)], true), []);
        assert_eq!(runs(&[part(0, 9), part(0, 51), part(0, 9), part(0, 9)], true), [(2, 4)]);
        assert_eq!(runs(&[part(0, 40); 5], true), [(0, 2), (2, 4)]);
        // If the hour is not over, few parts stay; many parts or a full run are merged.
        assert_eq!(runs(&[part(0, 9); 3], false), []);
        assert_eq!(runs(&[part(0, 9); 4], false), [(0, 4)]);
        assert_eq!(runs(&[part(0, 40); 3], false), [(0, 2)]);
    }
}
