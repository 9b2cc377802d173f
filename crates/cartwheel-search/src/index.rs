//! The index: segments, of which newer ones replace products of older ones.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::corrections::suggestions;
use crate::document::Document;
use crate::evaluation::{Hit, meant, visit};
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
    /// the product whose id the question is.
    ///
    /// Words count as they are written, in plural or singular, or replaced by synonyms. The last
    /// word may be the beginning of another, and so may any word that no product has. Only if
    /// nothing is found, words that no product has are taken for typos, and after them all words.
    pub fn search(&self, question: &Question<'_>, accepts: impl Fn(u32) -> bool) -> Found {
        let words = question.words();
        let is_unfinished = question.is_unfinished();
        let readings = question.synonyms.readings(&words);
        let mut best = Readings::default();
        for effort in [Effort::Written, Effort::Corrected, Effort::Widened] {
            best = self.read(&readings, is_unfinished, effort, &accepts);
            self.add_by_id(question.text.trim(), &mut best, &accepts);
            if !best.is_empty() {
                break;
            }
        }
        if best.is_empty() {
            let suggestions = suggestions(&self.reader(), &words, |words| {
                self.read(&[words], false, Effort::Written, &accepts).len()
            });
            return Found { suggestions, ..Found::default() };
        }
        let corrected = self.corrected(&readings, &best);
        let (matches, facets) = self.count(&best, question.filters);
        Found { matches, facets, corrected, suggestions: Vec::new() }
    }

    fn reader(&self) -> Reader<'_> {
        Reader { segments: &self.segments, products: self.products }
    }

    /// The accepted products that fit any of the readings.
    fn read(
        &self,
        readings: &[Vec<String>],
        is_unfinished: bool,
        effort: Effort,
        accepts: impl Fn(u32) -> bool,
    ) -> Readings<'_> {
        let mut found = Readings::default();
        for reading in readings {
            found.words.push(self.reader().read(reading, is_unfinished, effort));
        }
        for (at, segment) in self.segments.iter().enumerate() {
            let is_live =
                |place: u32| !is_set(&self.replaced[at], place) && accepts(segment.key(place));
            let mut all: Vec<Hit> = Vec::new();
            for (words, reading) in found.words.iter().zip(0u8..) {
                let factor = if reading == 0 { 1.0 } else { SYNONYM };
                visit(segment, at, words, |hit| {
                    if is_live(hit.place) {
                        all.push(Hit { reading, score: hit.score * factor, ..hit });
                    }
                });
            }
            found.hits.push(if readings.len() > 1 { best_of_each(all) } else { all });
        }
        found
    }

    /// Puts the product with an id before all others.
    fn add_by_id(&self, id: &str, found: &mut Readings<'_>, accepts: impl Fn(u32) -> bool) {
        let id = id.to_lowercase();
        for (at, segment) in self.segments.iter().enumerate() {
            let is_live =
                |place: &u32| !is_set(&self.replaced[at], *place) && accepts(segment.key(*place));
            if let Some(place) = segment.by_id(&id).filter(is_live) {
                let hit = Hit { place, reading: 0, parts: 0, typos: 0, score: f32::MAX };
                found.hits[at].retain(|hit| hit.place != place);
                found.hits[at].push(hit);
            }
        }
    }

    fn count(&self, found: &Readings<'_>, filters: &FacetFilters) -> (Vec<Match>, Facets) {
        let mut counter = Counter::new(filters);
        let mut matches = Vec::new();
        for (segment, hits) in self.segments.iter().zip(&found.hits) {
            let mut counter = counter.of(&segment.values, hits.len());
            matches.reserve(hits.len());
            let passing = hits.iter().filter(|hit| counter.admit(hit.place));
            matches.extend(passing.map(|hit| matched(segment, hit)));
            counter.finish();
        }
        (matches, counter.facets())
    }

    /// The query with the words that the best match has instead of misspelled ones; `None` if none
    /// of its words is misspelled.
    fn corrected(&self, readings: &[Vec<String>], found: &Readings<'_>) -> Option<String> {
        if found.hits.iter().flatten().all(|hit| hit.typos == 0) {
            return None;
        }
        let all = self.segments.iter().zip(&found.hits).enumerate();
        let all =
            all.flat_map(|(at, (segment, hits))| hits.iter().map(move |hit| (at, segment, hit)));
        let (at, segment, hit) =
            all.min_by(|a, b| matched(a.1, a.2).by_relevance(&matched(b.1, b.2)))?;
        let reading = usize::from(hit.reading);
        let words = readings[reading].iter().zip(&found.words[reading]).enumerate();
        let words = words.map(|(number, (written, word))| {
            let is_typo = hit.typos & (1 << number) != 0;
            let meant = is_typo.then(|| meant(segment, at, word, hit.place)).flatten();
            meant.unwrap_or_else(|| written.clone())
        });
        (hit.typos != 0).then(|| words.collect::<Vec<_>>().join(" "))
    }
}

/// What the readings of a query find.
#[derive(Default)]
struct Readings<'a> {
    /// For each reading, its words.
    words: Vec<Vec<Word<'a>>>,
    /// By segment.
    hits: Vec<Vec<Hit>>,
}

impl Readings<'_> {
    fn is_empty(&self) -> bool {
        self.hits.iter().all(Vec::is_empty)
    }

    fn len(&self) -> usize {
        self.hits.iter().map(Vec::len).sum()
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

/// Of the hits of each product the one with the fewest typos and parts and the best score.
fn best_of_each(all: Vec<Hit>) -> Vec<Hit> {
    let mut best: FxHashMap<u32, Hit> = FxHashMap::default();
    let worse = |hit: &Hit| (hit.typos.count_ones(), hit.parts);
    for hit in all {
        let entry = best.entry(hit.place).or_insert(hit);
        let order = worse(&hit).cmp(&worse(entry));
        if order.then(entry.score.total_cmp(&hit.score)).is_lt() {
            *entry = hit;
        }
    }
    best.into_values().collect()
}
