//! The index: segments, of which newer ones replace products of older ones.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::corrections::suggestions;
use crate::document::Document;
use crate::evaluation::{Hit, hits, meant};
use crate::facets::{Counter, FacetFilters, Facets};
use crate::found::{Found, Match};
use crate::question::Question;
use crate::reading::{Effort, Reader, Word};
use crate::segment::Segment;

/// What a match loses if it is found by a synonym.
const SYNONYM: f32 = 0.9;

/// An index over products. It never changes, and a copy shares everything.
#[derive(Debug, Clone, Default)]
pub struct Index {
    segments: Vec<Arc<Segment>>,
    /// For each segment, one bit for each product that a newer segment replaces.
    replaced: Vec<Arc<Vec<u64>>>,
    products: usize,
}

impl Index {
    /// An index over all products.
    pub fn new<'a>(documents: impl Iterator<Item = Document<'a>>) -> Self {
        Self::default().with(documents)
    }

    /// An index in which `documents` are new, or replace those with the same keys.
    #[must_use]
    pub fn with<'a>(&self, documents: impl Iterator<Item = Document<'a>>) -> Self {
        let segment = Segment::new(documents);
        let mut index = self.clone();
        for (old, replaced) in index.segments.iter().zip(&mut index.replaced) {
            for place in segment.keys().iter().filter_map(|key| old.place(*key)) {
                if !is_set(replaced, place) {
                    Arc::make_mut(replaced)[place as usize / 64] |= 1 << (place % 64);
                    index.products -= 1;
                }
            }
        }
        index.products += segment.len();
        index.replaced.push(Arc::new(vec![0; segment.len().div_ceil(64)]));
        index.segments.push(Arc::new(segment));
        index
    }

    /// The number of products.
    pub fn products(&self) -> usize {
        self.products
    }

    /// The number of segments. Every search reads all of them: an index with many is better made
    /// anew.
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Finds the products that have every word of a question and whose keys `accepts` admits, and
    /// the product whose id the question is. Calls `take` with each of them that passes the filters,
    /// in no order.
    ///
    /// Words count as they are written, in plural or singular, or replaced by synonyms. The last
    /// word may be the beginning of another, and so may any word that no product has. Only if
    /// nothing is found, words that no product has are taken for typos, and after them all words.
    pub fn search(
        &self,
        question: &Question<'_>,
        accepts: impl Fn(u32) -> bool,
        take: impl FnMut(Match),
    ) -> Found {
        let words = question.words();
        let is_unfinished = question.is_unfinished();
        let readings = question.synonyms.readings(&words);
        let mut found = Collected::new(question.filters, take);
        for effort in [Effort::Written, Effort::Corrected, Effort::Widened] {
            let read = |words: &Vec<String>| self.reader().read(words, is_unfinished, effort);
            let understood: Vec<Vec<Word<'_>>> = readings.iter().map(read).collect();
            self.visit(&understood, question.text.trim(), &accepts, |at, hit| {
                found.add(&self.segments[at], at, hit);
            });
            if let Some((at, hit)) = found.best {
                let corrected = self.corrected(&readings, &understood, at, &hit);
                let (total, facets) = found.end();
                return Found { total, facets, corrected, suggestions: Vec::new() };
            }
        }
        let suggestions = suggestions(&self.reader(), &words, |words| {
            let read = self.reader().read(&words, false, Effort::Written);
            let mut total = 0;
            self.visit(&[read], "", &accepts, |_, _| total += 1);
            total
        });
        Found { suggestions, ..Found::default() }
    }

    fn reader(&self) -> Reader<'_> {
        Reader { segments: &self.segments, products: self.products }
    }

    /// Calls `visit` with the accepted products that fit any of the readings, each once, after the
    /// number of its segment. The product with the id comes before all others.
    fn visit(
        &self,
        readings: &[Vec<Word<'_>>],
        id: &str,
        accepts: impl Fn(u32) -> bool,
        mut visit: impl FnMut(usize, Hit),
    ) {
        let id = id.to_lowercase();
        for (at, segment) in self.segments.iter().enumerate() {
            let is_live =
                |place: u32| !is_set(&self.replaced[at], place) && accepts(segment.key(place));
            let by_id = segment.by_id(&id).filter(|&place| is_live(place));
            if let Some(place) = by_id {
                visit(at, Hit { place, reading: 0, parts: 0, typos: 0, score: f32::MAX });
            }
            let is_other = |place: u32| Some(place) != by_id && is_live(place);
            if let [words] = readings {
                hits(segment, at, words, |hit| {
                    if is_other(hit.place) {
                        visit(at, hit);
                    }
                });
                continue;
            }
            let mut best: FxHashMap<u32, Hit> = FxHashMap::default();
            for (words, reading) in readings.iter().zip(0u8..) {
                let factor = if reading == 0 { 1.0 } else { SYNONYM };
                hits(segment, at, words, |hit| {
                    if is_other(hit.place) {
                        let hit = Hit { reading, score: hit.score * factor, ..hit };
                        let known = best.entry(hit.place).or_insert(hit);
                        if fits_better(&hit, known) {
                            *known = hit;
                        }
                    }
                });
            }
            best.into_values().for_each(|hit| visit(at, hit));
        }
    }

    /// The query with the words that the best match, a hit of the segment `at`, has instead of
    /// misspelled ones; `None` if none of its words is misspelled.
    fn corrected(
        &self,
        readings: &[Vec<String>],
        understood: &[Vec<Word<'_>>],
        at: usize,
        best: &Hit,
    ) -> Option<String> {
        let reading = usize::from(best.reading);
        let words = readings[reading].iter().zip(&understood[reading]).enumerate();
        let words = words.map(|(number, (written, word))| {
            let is_typo = best.typos & (1 << number) != 0;
            let meant = is_typo.then(|| meant(&self.segments[at], at, word, best.place)).flatten();
            meant.unwrap_or_else(|| written.clone())
        });
        (best.typos != 0).then(|| words.collect::<Vec<_>>().join(" "))
    }
}

/// What a search has found so far.
struct Collected<'a, T> {
    counter: Counter<'a>,
    /// The hits that pass the filters.
    total: usize,
    /// The most relevant hit and its segment, whether it passes the filters or not.
    best: Option<(usize, Hit)>,
    best_match: Option<Match>,
    take: T,
}

impl<'a, T: FnMut(Match)> Collected<'a, T> {
    fn new(filters: &'a FacetFilters, take: T) -> Self {
        let counter = Counter::new(filters);
        Self { counter, total: 0, best: None, best_match: None, take }
    }

    /// Adds a hit of the segment `at`. Those of one segment come together.
    fn add(&mut self, segment: &'a Segment, at: usize, hit: Hit) {
        let found = matched(segment, &hit);
        if self.best_match.is_none_or(|best| found.by_relevance(&best).is_lt()) {
            (self.best, self.best_match) = (Some((at, hit)), Some(found));
        }
        if self.counter.admit(&segment.values, hit.place) {
            self.total += 1;
            (self.take)(found);
        }
    }

    fn end(self) -> (usize, Facets) {
        (self.total, self.counter.facets())
    }
}

fn is_set(bits: &[u64], place: u32) -> bool {
    bits[place as usize / 64] & (1 << (place % 64)) != 0
}

fn matched(segment: &Segment, hit: &Hit) -> Match {
    Match {
        key: segment.key(hit.place),
        typos: u8::try_from(hit.typos.count_ones()).unwrap_or(u8::MAX),
        parts: hit.parts,
        score: hit.score,
        price: segment.values.price(hit.place),
    }
}

/// Whether a hit has fewer typos, or as many and fewer parts, or as many and a better score.
fn fits_better(hit: &Hit, other: &Hit) -> bool {
    let worse = |hit: &Hit| (hit.typos.count_ones(), hit.parts);
    worse(hit).cmp(&worse(other)).then(other.score.total_cmp(&hit.score)).is_lt()
}
