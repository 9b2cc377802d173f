//! What a user searches for.

use serde::{Deserialize, Serialize};

use crate::words::hashes;

/// Searches that a state keeps, the newest.
pub const MAX_SEARCHES: usize = 8;
/// Words of a search that count, the first.
pub const SEARCH_WORDS: usize = 12;

/// A search: the words of its text, hashed. Its text is not kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Search {
    /// When, UTC milliseconds.
    pub at_ms: i64,
    words: Vec<u32>,
}

impl Search {
    /// The search for a text; `None` if it has no word that could be in the texts of a product.
    pub fn of(query: &str, at_ms: i64) -> Option<Self> {
        Self::new(hashes(query).take(SEARCH_WORDS).collect(), at_ms)
    }

    /// The search for words that [`Self::words`] returned; `None` if there are none. At most
    /// [`SEARCH_WORDS`] are kept.
    pub fn new(mut words: Vec<u32>, at_ms: i64) -> Option<Self> {
        words.truncate(SEARCH_WORDS);
        words.sort_unstable();
        words.dedup();
        (!words.is_empty()).then_some(Self { at_ms, words })
    }

    /// The hashes of its words, ascending and without repeats.
    pub fn words(&self) -> &[u32] {
        &self.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_and_the_case_of_words_do_not_matter() {
        let search = Search::of("Green Tea", 1).unwrap();
        assert_eq!(Some(&search), Search::of("tea, GREEN tea", 1).as_ref());
        assert_eq!(search.words().len(), 2);
        assert_eq!(Search::of("a – 7", 1), None, "too short to be words");
        let long = (0..50).map(|n| format!("word{n} ")).collect::<String>();
        assert_eq!(Search::of(&long, 1).unwrap().words().len(), SEARCH_WORDS);
    }
}
