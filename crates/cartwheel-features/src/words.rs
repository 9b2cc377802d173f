//! The words of texts.

use crate::holdout::stable_hash;

/// Shortest word that counts, in characters.
const MIN_WORD: usize = 3;

/// The words of a text that count.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| word.chars().count() >= MIN_WORD)
}

/// The hashes of the words of a text, whatever their case. Records keep them, so they are the same
/// in every release.
pub(crate) fn hashes(text: &str) -> impl Iterator<Item = u32> {
    words(text).map(|word| (stable_hash(word.to_lowercase().as_bytes()) >> 32) as u32)
}
