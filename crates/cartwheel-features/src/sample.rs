//! Bottom-k samples: bounded, deterministic, mergeable in any order.

use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

/// The `k` entries with the smallest hashes: a uniform sample if the hashes are uniform.
/// Merging two samples gives the sample of their union, so the merge is associative and
/// commutative (Cohen & Kaplan, PODC 2007).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BottomK<T> {
    capacity: usize,
    heap: BinaryHeap<Entry<T>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry<T>(u64, T);

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Entry<T> {}
impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl<T> BottomK<T> {
    /// Creates an empty sample of at most `capacity` entries.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, heap: BinaryHeap::new() }
    }

    /// Whether an entry with that hash would be kept; check before building the entry.
    pub fn wants(&self, hash: u64) -> bool {
        self.heap.len() < self.capacity || self.heap.peek().is_some_and(|top| hash < top.0)
    }

    /// Adds an entry if its hash is small enough.
    pub fn push(&mut self, hash: u64, entry: T) {
        if self.heap.len() < self.capacity {
            self.heap.push(Entry(hash, entry));
        } else if let Some(mut top) = self.heap.peek_mut().filter(|top| hash < top.0) {
            *top = Entry(hash, entry);
        }
    }

    /// Merges another sample into this one.
    pub fn merge(&mut self, other: Self) {
        for Entry(hash, entry) in other.heap {
            self.push(hash, entry);
        }
    }

    /// Returns the entries of the samples' union, which is as large as the first of them, in the order
    /// of their hashes.
    pub(crate) fn union<'a>(samples: impl Iterator<Item = &'a Self> + Clone) -> Vec<&'a T> {
        let capacity = samples.clone().next().map_or(0, |first| first.capacity);
        let mut all: Vec<(u64, &T)> = samples
            .flat_map(|sample| &sample.heap)
            .map(|Entry(hash, entry)| (*hash, entry))
            .collect();
        if all.len() > capacity {
            all.select_nth_unstable_by_key(capacity, |(hash, _)| *hash);
            all.truncate(capacity);
        }
        all.sort_unstable_by_key(|(hash, _)| *hash);
        all.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Returns the entries in the order of their hashes.
    pub fn into_sorted(self) -> Vec<T> {
        self.heap.into_sorted_vec().into_iter().map(|e| e.1).collect()
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether the sample is empty.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}
