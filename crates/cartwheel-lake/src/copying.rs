//! Copying a lake beside its delivery.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use cartwheel_stream::Sequence;

use crate::delivery::delivered_by;
use crate::files::partition::is_import_folder;
use crate::files::parts::PartName;
use crate::files::staged::is_staged;
use crate::tables::DELIVERED;

/// Tells which files of a lake belong to a copy whose delivery continues from a checkpoint.
///
/// Read the checkpoint first and the lake afterwards. The copy then has every part that the
/// checkpoint counts as delivered. Later parts stay out: the copy's delivery writes their
/// records again, maybe in other parts, and both would be counted. No compaction may run
/// meanwhile, since it may merge parts on both sides of the checkpoint.
#[derive(Debug, Clone)]
pub struct DeliveredFiles {
    /// The first sequence number of each shard that is not delivered; `None` before the first
    /// delivery.
    next: Option<BTreeMap<u32, Sequence>>,
}

impl DeliveredFiles {
    /// Reads the content of a checkpoint's file; `None` if the file does not exist.
    ///
    /// # Errors
    /// When it is not a checkpoint.
    pub fn until(checkpoint: Option<&[u8]>) -> io::Result<Self> {
        Ok(Self { next: checkpoint.map(delivered_by).transpose()? })
    }

    /// Whether a file belongs to the copy. `path` is relative to the lake.
    pub fn include(&self, path: &Path) -> bool {
        if is_staged(path) {
            return false;
        }
        let table = path.components().next();
        let is_delivered = DELIVERED
            .iter()
            .any(|delivered| table.is_some_and(|table| table.as_os_str() == delivered.name))
            && !path.parent().is_some_and(is_import_folder);
        let part = is_delivered.then(|| PartName::parse(path)).flatten();
        part.is_none_or(|part| match &self.next {
            Some(next) => next.get(&part.shard).is_none_or(|next| part.last < *next),
            None => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_beyond_the_checkpoint_and_staged_files_stay_out() {
        let checkpoint = br#"{"0":{"next":10,"planned":14},"1":{"next":3,"planned":null}}"#;
        let files = DeliveredFiles::until(Some(checkpoint)).unwrap();
        let part = |shard: u32, last: u64| {
            format!("events/year=2026/hour=01/part-{shard:04}-{:020}-{last:020}.parquet", 0)
        };
        let has = |path: &str| files.include(Path::new(path));
        assert!(has(&part(0, 9)) && has(&part(1, 2)) && has(&part(7, 99)));
        assert!(!has(&part(0, 10)) && !has(&part(1, 3)));
        assert!(!has(&format!("{}#3", part(0, 1))));
        assert!(has("events/import=abc/part-00003.parquet") && has("models/m-1/model.tar.gz"));
        let none = DeliveredFiles::until(None).unwrap();
        assert!(!none.include(Path::new(&part(0, 1))) && none.include(Path::new("imports/x.json")));
        assert!(DeliveredFiles::until(Some(b"{")).is_err());
    }
}
