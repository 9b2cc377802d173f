//! The distinct words of a segment, sorted, with the words that are near to a given one.
//!
//! The edit distance counts an insertion, a deletion, a replacement, and a swap of neighbours as
//! one step each (optimal string alignment). Sorted words share the rows of the distance matrix
//! that belong to their common beginning, and a beginning that is too far excludes all words that
//! have it. That is the work of a Levenshtein automaton without the time to build it, and unlike
//! those of the crate `fst` it knows swaps: `mlik` is one step from `milk`.

use std::ops::Range;

use crate::words::MAX_WORD;

/// Sorted distinct words.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    chars: Vec<char>,
    /// Where each word ends in `chars`.
    ends: Vec<u32>,
    /// Characters that each word shares with the one before.
    shared: Vec<u8>,
}

/// A word that is near to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Near {
    /// Its place in the dictionary.
    pub(crate) term: u32,
    /// Its distance, or that of its nearest beginning.
    pub(crate) distance: u8,
    /// Whether only its beginning is as near as that.
    pub(crate) is_beginning: bool,
}

impl Dictionary {
    /// A dictionary of `words`, which are sorted and distinct.
    pub(crate) fn new<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let mut dictionary = Self::default();
        let mut last: Vec<char> = Vec::new();
        for word in words {
            let word: Vec<char> = word.chars().collect();
            let shared = last.iter().zip(&word).take_while(|(a, b)| a == b).count();
            dictionary.shared.push(u8::try_from(shared).unwrap_or(u8::MAX));
            dictionary.chars.extend(&word);
            dictionary.ends.push(u32::try_from(dictionary.chars.len()).unwrap_or(u32::MAX));
            last = word;
        }
        dictionary
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The word at a place.
    pub(crate) fn word(&self, term: usize) -> &[char] {
        let start = term.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.chars[start..self.ends[term] as usize]
    }

    /// The first place whose word is not before `bound`.
    fn lower_bound(&self, is_before: impl Fn(&[char]) -> bool) -> usize {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = from.midpoint(to);
            if is_before(self.word(middle)) {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        from
    }

    /// The places of the words that begin with `prefix`.
    pub(crate) fn beginning_with(&self, prefix: &[char]) -> Range<usize> {
        let from = self.lower_bound(|word| word < prefix);
        from..self.lower_bound(|word| word < prefix || word.starts_with(prefix))
    }

    /// All places.
    pub(crate) fn all(&self) -> Range<usize> {
        0..self.len()
    }

    /// The words within `limit` steps of `word`, among those in a range of places; with
    /// `beginnings`, also words of which a beginning is. All have at most [`MAX_WORD`] characters.
    pub(crate) fn near(
        &self,
        range: Range<usize>,
        word: &[char],
        limit: u8,
        beginnings: bool,
    ) -> Vec<Near> {
        let mut found = Vec::new();
        if word.len() > MAX_WORD {
            return found;
        }
        let mut matrix = Matrix::new(word, limit);
        // Words that share at least this with the one before are too far.
        let mut too_far: Option<u8> = None;
        let first = range.start;
        for term in range {
            let shared = if term == first { 0 } else { self.shared[term] };
            if too_far.is_some_and(|depth| shared >= depth) {
                continue;
            }
            too_far = None;
            let letters = self.word(term);
            let mut depth = usize::from(shared);
            let mut is_reached = true;
            while depth < letters.len() {
                depth += 1;
                let least = matrix.row(letters, depth);
                if least > limit && !(beginnings && matrix.nearest_beginning(depth) <= limit) {
                    too_far = u8::try_from(depth).ok();
                    is_reached = false;
                    break;
                }
            }
            if !is_reached {
                continue;
            }
            let term = u32::try_from(term).unwrap_or(u32::MAX);
            let (whole, beginning) = (matrix.distance(depth), matrix.nearest_beginning(depth));
            if whole <= limit && (whole <= beginning || !beginnings) {
                found.push(Near { term, distance: whole, is_beginning: false });
            } else if beginnings && beginning <= limit {
                found.push(Near { term, distance: beginning, is_beginning: true });
            }
        }
        found
    }
}

/// A distance beyond every limit.
const FAR: u8 = 100;

/// The distances between the beginnings of two words, as far as they are within a limit: what is
/// further from the diagonal is [`FAR`].
struct Matrix<'a> {
    word: &'a [char],
    limit: usize,
    /// Row `i` has the distances of the first `i` letters of the other word.
    rows: Vec<u8>,
    /// The least distance of a beginning of up to `i` letters to the whole of `word`.
    beginnings: Vec<u8>,
}

impl<'a> Matrix<'a> {
    fn new(word: &'a [char], limit: u8) -> Self {
        let width = word.len() + 1;
        let mut rows = vec![FAR; width * (MAX_WORD + 1)];
        for (at, cell) in rows.iter_mut().take(width).enumerate() {
            *cell = at as u8;
        }
        let mut beginnings = vec![FAR; MAX_WORD + 1];
        beginnings[0] = word.len() as u8;
        Self { word, limit: usize::from(limit), rows, beginnings }
    }

    /// Fills the row of the first `depth` letters, from 1 to [`MAX_WORD`], and returns its least
    /// value.
    fn row(&mut self, letters: &[char], depth: usize) -> u8 {
        let last_column = self.word.len();
        let width = last_column + 1;
        let (before, rest) = self.rows.split_at_mut(depth * width);
        let last = &before[(depth - 1) * width..];
        let row = &mut rest[..width];
        let letter = letters[depth - 1];
        let (from, to) = (depth.saturating_sub(self.limit), (depth + self.limit).min(last_column));
        row[last_column] = FAR;
        let mut least = FAR;
        if from == 0 {
            row[0] = depth as u8;
            least = row[0];
        } else if from <= last_column {
            row[from - 1] = FAR;
        }
        for at in from.max(1)..=to {
            let same = self.word[at - 1] == letter;
            let mut cell = (last[at] + 1).min(row[at - 1] + 1).min(last[at - 1] + u8::from(!same));
            let is_swap = depth > 1
                && at > 1
                && self.word[at - 2] == letter
                && self.word[at - 1] == letters[depth - 2];
            if is_swap {
                cell = cell.min(before[(depth - 2) * width + at - 2] + 1);
            }
            row[at] = cell.min(FAR);
            least = least.min(cell);
        }
        if to < last_column {
            row[to + 1] = FAR;
        }
        self.beginnings[depth] = self.beginnings[depth - 1].min(row[last_column]);
        least
    }

    fn distance(&self, depth: usize) -> u8 {
        self.rows[depth * (self.word.len() + 1) + self.word.len()]
    }

    fn nearest_beginning(&self, depth: usize) -> u8 {
        self.beginnings[depth]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn chars(word: &str) -> Vec<char> {
        word.chars().collect()
    }

    /// The distance by its definition.
    fn distance(a: &[char], b: &[char]) -> u8 {
        let (Some((&x, a_rest)), Some((&y, b_rest))) = (a.split_last(), b.split_last()) else {
            return (a.len() + b.len()) as u8;
        };
        let change = distance(a_rest, b_rest) + u8::from(x != y);
        let mut least = change.min(distance(a_rest, b) + 1).min(distance(a, b_rest) + 1);
        if let (Some((&p, a_more)), Some((&q, b_more))) = (a_rest.split_last(), b_rest.split_last())
            && p == y
            && q == x
        {
            least = least.min(distance(a_more, b_more) + 1);
        }
        least
    }

    #[test]
    fn a_swap_is_one_step() {
        let dictionary = Dictionary::new(["milk", "mill", "silk"].into_iter());
        let near = |word: &str, limit| {
            let near = dictionary.near(dictionary.all(), &chars(word), limit, false);
            near.iter().map(|near| (near.term, near.distance)).collect::<Vec<_>>()
        };
        assert_eq!(near("mlik", 1), [(0, 1)]);
        assert_eq!(near("milk", 1), [(0, 0), (1, 1), (2, 1)]);
        assert_eq!(near("x", 1), []);
    }

    #[test]
    fn a_beginning_may_be_near() {
        let dictionary = Dictionary::new(["choco", "chocolate", "cocoa"].into_iter());
        let near = dictionary.near(dictionary.all(), &chars("choclat"), 1, true);
        assert_eq!(near, [Near { term: 1, distance: 1, is_beginning: true }]);
    }

    proptest! {
        #[test]
        fn near_words_are_those_by_definition(
            words in prop::collection::btree_set("[abc]{1,5}", 0..12),
            word in "[abcd]{0,5}",
            limit in 0u8..3,
            beginnings: bool,
        ) {
            let words: BTreeSet<String> = words;
            let dictionary = Dictionary::new(words.iter().map(String::as_str));
            let word = chars(&word);
            let expected = words.iter().zip(0..).filter_map(|(other, term)| {
                let other = chars(other);
                let whole = distance(&other, &word);
                let starts = (0..=other.len()).map(|len| distance(&other[..len], &word));
                let beginning = starts.min().unwrap_or(u8::MAX);
                if whole <= limit && (whole <= beginning || !beginnings) {
                    Some(Near { term, distance: whole, is_beginning: false })
                } else {
                    let near = Near { term, distance: beginning, is_beginning: true };
                    (beginnings && beginning <= limit).then_some(near)
                }
            });
            prop_assert_eq!(dictionary.near(dictionary.all(), &word, limit, beginnings), expected.collect::<Vec<_>>());
            let prefix = words.iter().enumerate()
                .filter(|(_, other)| chars(other).starts_with(&word)).map(|(at, _)| at);
            prop_assert!(dictionary.beginning_with(&word).eq(prefix));
        }
    }
}
