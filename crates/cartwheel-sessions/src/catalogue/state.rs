//! The live catalogue in memory.

use std::collections::{BTreeMap, VecDeque};

use cartwheel_events::{ProductId, ProductRecord};
use cartwheel_stream::{Position, Sequence};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalogue::listing::Listing;
use crate::catalogue::mark::CatalogueMark;
use crate::catalogue::redb_table::{Commit, Loaded};
use crate::catalogue::unknown::UnknownProducts;

/// Changes that are kept one by one for readers that follow them.
const CHANGES: usize = 4096;

/// Listings, how far the stream is applied, and what is not written yet.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) listings: BTreeMap<ProductId, Listing>,
    pub(crate) unknown: UnknownProducts,
    /// By shard, the sequence number of the first record that is not applied.
    applied: FxHashMap<u32, Sequence>,
    /// Counts the changes of listings.
    version: u64,
    mark: CatalogueMark,
    /// The products of the last changes, the newest last.
    changes: VecDeque<ProductId>,
    dirty: FxHashSet<ProductId>,
    /// Shards whose checkpoint is not written yet.
    advanced: FxHashSet<u32>,
}

impl State {
    pub(crate) fn new(loaded: Loaded) -> Self {
        let version = loaded.listings.len() as u64;
        let mut mark = CatalogueMark::default();
        for (id, listing) in &loaded.listings {
            mark.note(id, None, listing.position.sequence);
        }
        Self {
            listings: loaded.listings,
            mark,
            unknown: UnknownProducts::new(loaded.unknown),
            applied: loaded.checkpoints,
            version,
            ..Self::default()
        }
    }

    /// Applies a record unless it is already applied. Returns whether it changed anything.
    pub(crate) fn apply(
        &mut self,
        position: Position,
        record: &ProductRecord,
    ) -> Result<bool, serde_json::Error> {
        let id = &record.product_id;
        let Some(listing) = Listing::after(self.listings.get(id), position, record)? else {
            return Ok(false);
        };
        self.set(id, listing);
        Ok(true)
    }

    /// Takes over a listing unless there is a newer one.
    pub(crate) fn restore(&mut self, id: &ProductId, listing: Listing) {
        let known = self.listings.get(id).map(|known| known.position.sequence);
        if known.is_none_or(|known| known < listing.position.sequence) {
            self.set(id, listing);
        }
    }

    fn set(&mut self, id: &ProductId, listing: Listing) {
        let after = listing.position.sequence;
        let before = self.listings.insert(id.clone(), listing);
        self.mark.note(id, before.map(|before| before.position.sequence), after);
        self.unknown.remove(id);
        self.dirty.insert(id.clone());
        self.version += 1;
        if self.changes.len() == CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(id.clone());
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn mark(&self) -> CatalogueMark {
        self.mark
    }

    /// The listings that changed after `version`, and perhaps others.
    pub(crate) fn changed_since(&self, version: u64) -> Vec<(ProductId, Listing)> {
        let listing = |id: &ProductId| Some((id.clone(), self.listings.get(id)?.clone()));
        let new = usize::try_from(self.version.saturating_sub(version)).unwrap_or(usize::MAX);
        if new > self.changes.len() {
            return self.listings.keys().filter_map(listing).collect();
        }
        let ids: FxHashSet<&ProductId> = self.changes.iter().rev().take(new).collect();
        ids.into_iter().filter_map(listing).collect()
    }

    /// The sequence number from which the consumer continues in `shard`.
    pub(crate) fn checkpoint(&self, shard: u32) -> Sequence {
        self.applied.get(&shard).copied().unwrap_or_default()
    }

    /// Whether the stream was never read.
    pub(crate) fn is_fresh(&self) -> bool {
        self.applied.is_empty()
    }

    /// The highest of the shards' sequence numbers; 0 without one.
    pub(crate) fn newest_checkpoint(&self) -> Sequence {
        self.applied.values().copied().max().unwrap_or_default()
    }

    /// Notes that every record of `shard` before `next` is applied.
    pub(crate) fn advance(&mut self, shard: u32, next: Sequence) {
        self.applied.insert(shard, next);
        self.advanced.insert(shard);
    }

    /// Whether listings are not written yet.
    pub(crate) fn has_unwritten_listings(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Takes everything that is not written yet.
    pub(crate) fn take_unwritten(&mut self) -> Commit {
        let dirty = std::mem::take(&mut self.dirty);
        let listing = |id: ProductId| {
            let listing = self.listings.get(&id)?.clone();
            Some((id, listing))
        };
        let listings = dirty.into_iter().filter_map(listing).collect();
        let shards = std::mem::take(&mut self.advanced);
        let position = |shard| Position { shard, sequence: self.checkpoint(shard) };
        let checkpoints = shards.into_iter().map(position).collect();
        Commit { listings, unknown: self.unknown.take_dirty(), checkpoints }
    }

    /// Marks a commit that failed as unwritten again.
    pub(crate) fn put_back(&mut self, commit: Commit) {
        self.dirty.extend(commit.listings.into_iter().map(|(id, _)| id));
        self.unknown.mark_dirty(commit.unknown.into_iter().map(|(id, _)| id));
        self.advanced.extend(commit.checkpoints.into_iter().map(|position| position.shard));
    }
}
