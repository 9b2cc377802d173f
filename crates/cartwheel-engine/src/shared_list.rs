//! A list whose copies share what has not changed.

use std::sync::Arc;

/// Entries of a chunk, which is copied as a whole.
const CHUNK: usize = 1024;

/// A list in chunks. A copy costs one reference per chunk, and a change copies one chunk.
#[derive(Debug, Clone)]
pub(crate) struct SharedList<T> {
    chunks: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T> Default for SharedList<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T: Clone> SharedList<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    pub(crate) fn push(&mut self, value: T) {
        if self.len.is_multiple_of(CHUNK) {
            self.chunks.push(Arc::new(Vec::with_capacity(CHUNK)));
        }
        if let Some(last) = self.chunks.last_mut() {
            Arc::make_mut(last).push(value);
            self.len += 1;
        }
    }

    /// Replaces an existing entry.
    pub(crate) fn set(&mut self, index: usize, value: T) {
        let entry = self.chunks.get_mut(index / CHUNK).map(Arc::make_mut);
        if let Some(entry) = entry.and_then(|chunk| chunk.get_mut(index % CHUNK)) {
            *entry = value;
        }
    }

    /// The places of the entries that another list lacks, or has otherwise. Chunks that both
    /// share are not looked at.
    pub(crate) fn differing(&self, other: &Self, is_same: impl Fn(&T, &T) -> bool) -> Vec<usize> {
        let mut places = Vec::new();
        for (number, chunk) in self.chunks.iter().enumerate() {
            let others = other.chunks.get(number);
            if others.is_some_and(|others| Arc::ptr_eq(chunk, others)) {
                continue;
            }
            for (place, entry) in chunk.iter().enumerate() {
                let other = others.and_then(|others| others.get(place));
                if other.is_none_or(|other| !is_same(entry, other)) {
                    places.push(number * CHUNK + place);
                }
            }
        }
        places
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
}

impl<T: Clone> FromIterator<T> for SharedList<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut list = Self::default();
        values.into_iter().for_each(|value| list.push(value));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_what_it_had() {
        let mut list: SharedList<usize> = (0..3000).collect();
        let before = list.clone();
        list.set(1500, 7);
        list.push(3000);
        assert_eq!((list.get(1500), list.get(3000), list.len()), (Some(&7), Some(&3000), 3001));
        assert_eq!((before.get(1500), before.get(3000)), (Some(&1500), None));
        assert!(before.iter().copied().eq(0..3000));
        assert_eq!(list.differing(&before, |a, b| a == b), [1500, 3000]);
        assert_eq!(before.differing(&list, |a, b| a == b), [1500]);
    }
}
