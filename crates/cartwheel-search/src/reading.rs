//! How the words of a query are understood.

use std::cmp::Reverse;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::dictionary::{Dictionary, Near};
use crate::segment::{Beginning, Posting, Segment};
use crate::words::singular;

/// Most words that a misspelled word may stand for, the most frequent first.
const MAX_ALTERNATIVES: usize = 32;
/// Shortest word before the last that may be the beginning of another.
const MIN_BEGINNING: usize = 3;

/// How far a search goes to find anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Words as they are. A word that no product has may be the beginning of others.
    Written,
    /// Words that no product has may also have typos.
    Corrected,
    /// All words may have typos.
    Widened,
}

/// How a part of a product fits a word of the query, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is the word, or its plural or singular.
    Whole,
    /// It begins with the word.
    Beginning,
    /// It is the word, or begins with it, but for a typo.
    Typo,
}

/// A word of the query, by what products may have instead. Empty if no product has anything.
pub(crate) type Word<'a> = Vec<Alternative<'a>>;

/// What products may have for a word of the query.
#[derive(Debug)]
pub(crate) struct Alternative<'a> {
    pub(crate) fit: Fit,
    /// How much it tells about a product: the rarer, the more (`idf` of BM25).
    pub(crate) rarity: f32,
    /// By segment.
    had: Vec<Had<'a>>,
}

/// What the products of a segment have.
#[derive(Debug)]
enum Had<'a> {
    /// One of these stems.
    Stems(Vec<u32>),
    /// A word with a beginning that many products have.
    Beginning(&'a Beginning),
}

impl Had<'_> {
    /// The number of postings of all stems.
    fn occurrences(&self, segment: &Segment) -> usize {
        match self {
            Self::Stems(stems) => stems.iter().map(|stem| segment.postings(*stem).len()).sum(),
            Self::Beginning(beginning) => beginning.occurrences,
        }
    }
}

impl Alternative<'_> {
    /// Whether no product of the segment `at` can have it.
    pub(crate) fn is_empty(&self, at: usize) -> bool {
        matches!(&self.had[at], Had::Stems(stems) if stems.is_empty())
    }

    /// Calls `visit` with the products of `segment`, which is the one `at`. A product may come more
    /// than once.
    pub(crate) fn visit(&self, segment: &Segment, at: usize, mut visit: impl FnMut(Posting)) {
        match &self.had[at] {
            Had::Stems(stems) => {
                let lists = stems.iter().map(|stem| segment.postings(*stem));
                lists.for_each(|postings| postings.iter().copied().for_each(&mut visit));
            }
            Had::Beginning(beginning) => beginning.postings.iter().copied().for_each(visit),
        }
    }

    /// The products of the segment `at` if they are at hand, each once.
    pub(crate) fn listed(&self, at: usize) -> Option<&[Posting]> {
        match &self.had[at] {
            Had::Beginning(beginning) => Some(&beginning.postings),
            Had::Stems(_) => None,
        }
    }

    /// Its stems in the segment `at`; none if the products are listed by a beginning.
    pub(crate) fn stems(&self, at: usize) -> &[u32] {
        match &self.had[at] {
            Had::Stems(stems) => stems,
            Had::Beginning(_) => &[],
        }
    }
}

/// Understands words by the dictionaries of all segments at once. A word that only one of them has
/// is a typo in none.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) segments: &'a [Arc<Segment>],
    /// The number of products.
    pub(crate) products: usize,
}

impl<'a> Reader<'a> {
    /// Understands the words of a query. `is_unfinished` tells of the last one.
    pub(crate) fn read(
        &self,
        words: &[String],
        is_unfinished: bool,
        effort: Effort,
    ) -> Vec<Word<'a>> {
        let last = words.len().saturating_sub(1);
        let word = |(at, word): (usize, &String)| {
            let is_last = at == last;
            let whole = self.whole(word);
            let letters: Vec<char> = word.chars().collect();
            let may_begin = match whole {
                None => is_last || letters.len() >= MIN_BEGINNING,
                Some(_) => is_last && (is_unfinished || effort == Effort::Widened),
            };
            let beginning = may_begin.then(|| self.beginning(&letters)).flatten();
            let may_be_typo = match effort {
                Effort::Written => false,
                Effort::Corrected => whole.is_none() && beginning.is_none(),
                Effort::Widened => true,
            };
            let typo = may_be_typo.then(|| self.typo(&letters, is_last)).flatten();
            [whole, beginning, typo].into_iter().flatten().collect()
        };
        words.iter().enumerate().map(word).collect()
    }

    fn whole(&self, word: &str) -> Option<Alternative<'a>> {
        let stem = |segment: &Segment| segment.stem(word).into_iter().collect();
        let had = self.segments.iter().map(|segment| Had::Stems(stem(segment)));
        self.alternative(Fit::Whole, had.collect())
    }

    fn beginning(&self, word: &[char]) -> Option<Alternative<'a>> {
        let had = self.segments.iter().map(|segment| match segment.beginning(word) {
            Some(beginning) => Had::Beginning(beginning),
            None => Had::Stems(segment.stems_of(segment.dictionary.beginning_with(word))),
        });
        self.alternative(Fit::Beginning, had.collect())
    }

    fn typo(&self, word: &[char], is_last: bool) -> Option<Alternative<'a>> {
        let limit = typos_allowed(word);
        if limit == 0 {
            return None;
        }
        // A single typo may be anywhere, also in a word that is not complete.
        let mut near = self.typos(word, |all| all.near(all.all(), word, 1, is_last));
        near.retain(|((_, other_start, is_beginning), ..)| !(*other_start && *is_beginning));
        if near.is_empty() && limit > 1 {
            let start = &word[..1];
            near = self.typos(word, |all| all.near(all.beginning_with(start), word, limit, false));
        }
        let least = near.iter().map(|(cost, ..)| *cost).min()?;
        near.retain(|(cost, ..)| *cost == least);
        let near: FxHashSet<(usize, u32)> =
            near.into_iter().map(|(_, at, stem)| (at, stem)).collect();
        let mut near: Vec<(usize, u32)> = near.into_iter().collect();
        let count = |(at, stem): &(usize, u32)| self.segments[*at].postings(*stem).len();
        near.sort_by_key(|found| (Reverse(count(found)), *found));
        near.truncate(MAX_ALTERNATIVES);
        let mut stems = vec![Vec::new(); self.segments.len()];
        near.into_iter().for_each(|(at, stem)| stems[at].push(stem));
        self.alternative(Fit::Typo, stems.into_iter().map(Had::Stems).collect())
    }

    /// The stems that `near` finds in the dictionaries but for `word` itself, each with its segment
    /// and its cost: steps, then another first letter, then an incomplete word.
    fn typos(
        &self,
        word: &[char],
        near: impl Fn(&Dictionary) -> Vec<Near>,
    ) -> Vec<((u8, bool, bool), usize, u32)> {
        let mut found = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            let all = near(&segment.dictionary).into_iter().filter(|near| near.distance > 0);
            found.extend(all.map(|near| {
                let term = near.term as usize;
                let other_start = segment.dictionary.word(term).first() != word.first();
                let cost = (near.distance, other_start, near.is_beginning);
                (cost, at, segment.stem_of(term))
            }));
        }
        found
    }

    /// `None` if no product has one of the stems.
    fn alternative(&self, fit: Fit, had: Vec<Had<'a>>) -> Option<Alternative<'a>> {
        let products = self.products as f32;
        let all = self.segments.iter().zip(&had);
        let occurrences: usize = all.map(|(segment, had)| had.occurrences(segment)).sum();
        let with = (occurrences as f32).min(products);
        let rarity = (1.0 + (products - with + 0.5) / (with + 0.5)).ln();
        (with > 0.0).then_some(Alternative { fit, rarity, had })
    }

    /// The words with the same first letter that are nearest to `word`, at most `limit`, nearest and
    /// most frequent first. They may be further away than typos.
    pub(crate) fn far(&self, word: &str, limit: usize) -> Vec<String> {
        let letters: Vec<char> = word.chars().collect();
        if letters.len() < 3 || letters.iter().any(|letter| letter.is_numeric()) {
            return Vec::new();
        }
        let steps = u8::try_from(letters.len() / 3 + 1).unwrap_or(u8::MAX).clamp(2, 4);
        let mut found: FxHashMap<String, (u8, usize)> = FxHashMap::default();
        for segment in self.segments {
            let dictionary = &segment.dictionary;
            let range = dictionary.beginning_with(&letters[..1]);
            for near in dictionary.near(range, &letters, steps, false) {
                let other = dictionary.word(near.term as usize);
                // Half of a word has to be right.
                if usize::from(near.distance) * 2 > other.len().max(letters.len()) {
                    continue;
                }
                let stem = segment.stem_of(near.term as usize);
                let (distance, count) =
                    found.entry(segment.usual_word(stem)).or_insert((near.distance, 0));
                *distance = near.distance.min(*distance);
                *count += segment.postings(stem).len();
            }
        }
        found.retain(|other, _| singular(other) != singular(word));
        let mut found: Vec<(String, (u8, usize))> = found.into_iter().collect();
        found.sort_by(|(a, (near, few)), (b, (far, many))| {
            near.cmp(far).then(many.cmp(few)).then_with(|| a.cmp(b))
        });
        found.into_iter().take(limit).map(|(word, _)| word).collect()
    }
}

/// The steps that a typo may take: one up to five letters, two from six on. Very short words and
/// numbers stand for themselves.
fn typos_allowed(word: &[char]) -> u8 {
    if word.iter().any(|letter| letter.is_numeric()) {
        return 0;
    }
    match word.len() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    }
}
