//! An inverted index over some products.

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::dictionary::Dictionary;
use crate::document::Document;
use crate::facets::Values;
use crate::words::{singular, words};

/// Most words of a product that are indexed.
const MAX_WORDS: usize = 256;
/// The usual number of words in a field; fewer count more, more count less.
const USUAL_WORDS: f32 = 4.0;
/// How much the number of words in a field matters, from 0 to 1 (`b` of BM25F).
const LENGTH: f32 = 0.3;
/// How soon more occurrences add little (`k1` of BM25F).
const SATURATION: f32 = 1.2;
/// Longest beginning of words whose products are listed, in characters.
const MAX_BEGINNING: usize = 3;
/// Fewest occurrences of words with the same beginning for which their products are listed.
const MIN_OCCURRENCES: usize = 2048;

/// An inverted index over some products. It never changes.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    /// The caller's number of each product, and below its popularity.
    keys: Vec<u32>,
    places: FxHashMap<u32, u32>,
    /// Places by id in lower case.
    ids: FxHashMap<String, u32>,
    popularity: Vec<f32>,
    pub(crate) values: Values,
    /// Words as they occur.
    pub(crate) dictionary: Dictionary,
    /// By place in the dictionary: the stem, which plural and singular share.
    stem_of: Vec<u32>,
    stems: FxHashMap<String, u32>,
    /// By stem: where its postings end.
    ends: Vec<u32>,
    /// By stem, the products that have it by rising number.
    postings: Vec<Posting>,
    /// By stem: its most frequent word, by place in the dictionary.
    usual: Vec<u32>,
    /// The first letters that many products have words with: who types them asks for all of these.
    beginnings: FxHashMap<Vec<char>, Beginning>,
}

/// The products that have a word with the same beginning.
#[derive(Debug)]
pub(crate) struct Beginning {
    /// The number of postings of all its stems.
    pub(crate) occurrences: usize,
    /// The products by rising number, each once, with the largest of its weights.
    pub(crate) postings: Vec<Posting>,
}

/// A word of a product.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Posting {
    /// The product's place in the segment.
    pub(crate) place: u32,
    /// How much the product is about the word, from 0 to 1.
    pub(crate) weight: f32,
}

impl Segment {
    pub(crate) fn new<'a>(documents: impl Iterator<Item = Document<'a>>) -> Self {
        let mut terms = Terms::default();
        let mut segment = Self::default();
        let mut entries: Vec<(u32, Posting)> = Vec::new();
        let mut weights: FxHashMap<u32, f32> = FxHashMap::default();
        for (document, place) in documents.zip(0..) {
            segment.keys.push(document.key);
            segment.places.insert(document.key, place);
            if !document.id.is_empty() {
                segment.ids.insert(document.id.to_lowercase(), place);
            }
            segment.popularity.push(document.popularity);
            segment.values.push(&document);
            let mut left = MAX_WORDS;
            for (weight, text) in document.fields() {
                let words = words(text);
                let length = 1.0 - LENGTH + LENGTH * words.len() as f32 / USUAL_WORDS;
                for word in words.into_iter().take(left) {
                    *weights.entry(terms.stem(word)).or_default() += weight / length;
                    left -= 1;
                }
            }
            entries.extend(weights.drain().map(|(stem, weight)| {
                (stem, Posting { place, weight: weight / (weight + SATURATION) })
            }));
        }
        segment.values.sort_prices();
        entries.sort_unstable_by_key(|(stem, posting)| (*stem, posting.place));
        segment.ends = vec![0; terms.stems.len()];
        for (stem, _) in &entries {
            segment.ends[*stem as usize] += 1;
        }
        let mut end = 0;
        for count in &mut segment.ends {
            end += *count;
            *count = end;
        }
        segment.postings = entries.into_iter().map(|(_, posting)| posting).collect();
        let mut words: Vec<(String, Term)> = terms.words.into_iter().collect();
        // Strings in UTF-8 sort as their characters do.
        words.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        segment.dictionary = Dictionary::new(words.iter().map(|(word, _)| word.as_str()));
        segment.stem_of = words.iter().map(|(_, term)| term.stem).collect();
        let mut usual: Vec<(u32, u32)> = vec![(0, 0); terms.stems.len()];
        for ((_, term), at) in words.iter().zip(0..) {
            let usual = &mut usual[term.stem as usize];
            if term.count > usual.0 {
                *usual = (term.count, at);
            }
        }
        segment.usual = usual.into_iter().map(|(_, at)| at).collect();
        segment.stems = terms.stems;
        segment.list_beginnings(segment.dictionary.all(), 1);
        segment
    }

    /// Lists the products of the beginnings with `len` characters or more of the words at `places`,
    /// which share all characters before the last of these.
    fn list_beginnings(&mut self, places: Range<usize>, len: usize) {
        let mut from = places.start;
        while from < places.end {
            let word = self.dictionary.word(from);
            let Some(beginning) = word.get(..len).map(<[char]>::to_vec) else {
                from += 1;
                continue;
            };
            let same = self.dictionary.beginning_with(&beginning);
            from = same.end;
            let stems = self.stems_of(same.clone());
            let occurrences = stems.iter().map(|stem| self.postings(*stem).len()).sum();
            if occurrences < MIN_OCCURRENCES {
                continue;
            }
            let all = stems.iter().flat_map(|stem| self.postings(*stem)).copied();
            let mut postings: Vec<Posting> = all.collect();
            postings
                .sort_unstable_by(|a, b| a.place.cmp(&b.place).then(b.weight.total_cmp(&a.weight)));
            postings.dedup_by_key(|posting| posting.place);
            postings.shrink_to_fit();
            self.beginnings.insert(beginning, Beginning { occurrences, postings });
            if len < MAX_BEGINNING {
                self.list_beginnings(same, len + 1);
            }
        }
    }

    /// The number of products.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The caller's number of a product.
    pub(crate) fn key(&self, place: u32) -> u32 {
        self.keys[place as usize]
    }

    /// The caller's numbers by place.
    pub(crate) fn keys(&self) -> &[u32] {
        &self.keys
    }

    /// The place of a product by the caller's number.
    pub(crate) fn place(&self, key: u32) -> Option<u32> {
        self.places.get(&key).copied()
    }

    /// The place of a product by its id, in lower case.
    pub(crate) fn by_id(&self, id: &str) -> Option<u32> {
        self.ids.get(id).copied()
    }

    /// The popularity of a product, from 0 to 1.
    pub(crate) fn popularity(&self, place: u32) -> f32 {
        self.popularity[place as usize]
    }

    /// The stem that a word shares with its plural or singular, if a product has it.
    pub(crate) fn stem(&self, word: &str) -> Option<u32> {
        self.stems.get(&singular(word)).copied()
    }

    /// The stems of places in the dictionary, each once.
    pub(crate) fn stems_of(&self, terms: Range<usize>) -> Vec<u32> {
        let mut stems = self.stem_of[terms].to_vec();
        stems.sort_unstable();
        stems.dedup();
        stems
    }

    /// The products that have a word with this beginning, if they are many.
    pub(crate) fn beginning(&self, beginning: &[char]) -> Option<&Beginning> {
        self.beginnings.get(beginning)
    }

    /// The stem of a place in the dictionary.
    pub(crate) fn stem_of(&self, term: usize) -> u32 {
        self.stem_of[term]
    }

    /// The products that have a stem.
    pub(crate) fn postings(&self, stem: u32) -> &[Posting] {
        let start = stem.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.postings[start as usize..self.ends[stem as usize] as usize]
    }

    /// The most frequent word of a stem.
    pub(crate) fn usual_word(&self, stem: u32) -> String {
        self.dictionary.word(self.usual[stem as usize] as usize).iter().collect()
    }
}

/// The words that a segment has met.
#[derive(Default)]
struct Terms {
    words: FxHashMap<String, Term>,
    stems: FxHashMap<String, u32>,
}

struct Term {
    stem: u32,
    /// Occurrences.
    count: u32,
}

impl Terms {
    /// The stem of a word, which is counted.
    fn stem(&mut self, word: String) -> u32 {
        if let Some(term) = self.words.get_mut(&word) {
            term.count += 1;
            return term.stem;
        }
        let new = u32::try_from(self.stems.len()).unwrap_or(u32::MAX);
        let stem = *self.stems.entry(singular(&word)).or_insert(new);
        self.words.insert(word, Term { stem, count: 1 });
        stem
    }
}
