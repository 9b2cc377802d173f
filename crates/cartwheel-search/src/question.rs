//! A question to the index.

use crate::facets::FacetFilters;
use crate::synonyms::Synonyms;
use crate::words::words;

/// Most words of a query that count.
pub const MAX_QUERY_WORDS: usize = 12;

/// A question to the index.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What the shopper has written. Without a word in it, nothing matches.
    pub text: &'a str,
    /// Whether the shopper is still writing: the last word may be the beginning of another although
    /// it is a word.
    pub is_typing: bool,
    /// Restrictions on the matches.
    pub filters: &'a FacetFilters,
    /// Words that mean the same.
    pub synonyms: &'a Synonyms,
}

impl Question<'_> {
    /// The words that count.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = words(self.text);
        words.truncate(MAX_QUERY_WORDS);
        words
    }

    /// Whether the last word may be unfinished. A space after it finishes it.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.is_typing && self.text.ends_with(char::is_alphanumeric)
    }
}
