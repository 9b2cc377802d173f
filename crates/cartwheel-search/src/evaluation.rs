//! Finds the products of a segment that have every word of a query.

use crate::reading::{Fit, Word};
use crate::segment::{Posting, Segment};

/// How much popularity adds to the score of the most popular product.
const POPULARITY: f32 = 0.5;

/// A product of a segment that has every word.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit {
    pub(crate) place: u32,
    /// The number of the reading that it has every word of.
    pub(crate) reading: u8,
    /// The number of words of which it has the beginning.
    pub(crate) parts: u8,
    /// One bit for each word that it has with a typo.
    pub(crate) typos: u16,
    pub(crate) score: f32,
}

/// What is known of a product before all words are looked up.
struct Slot {
    place: u32,
    /// The words that it has, without a gap from the first on.
    words: u8,
    parts: u8,
    typos: u16,
    /// The alternative by which it has the current word, and how much.
    alternative: u8,
    current: f32,
    total: f32,
}

/// Calls `visit` with the products of the segment `at` that have every word, each once, as hits of
/// the first reading.
pub(crate) fn hits(segment: &Segment, at: usize, words: &[Word<'_>], visit: impl FnMut(Hit)) {
    let has_word = |word: &Word<'_>| word.iter().any(|alternative| !alternative.is_empty(at));
    if words.is_empty() || !words.iter().all(has_word) {
        return;
    }
    let hit = |place: u32, parts: u8, typos: u16, total: f32| {
        let score = total * (1.0 + POPULARITY * segment.popularity(place));
        Hit { place, reading: 0, parts, typos, score }
    };
    // First letters: most products of a shop may have a word that begins with them.
    if let [word] = words
        && let [only] = &word[..]
        && let Some(postings) = only.listed(at)
    {
        let all = postings.iter().map(|p| hit(p.place, 1, 0, p.weight * only.rarity));
        return all.for_each(visit);
    }
    let slots = slots(segment, at, words);
    let complete = slots.iter().filter(|slot| usize::from(slot.words) == words.len());
    complete.map(|slot| hit(slot.place, slot.parts, slot.typos, slot.total)).for_each(visit);
}

/// The products that have at least the first of the words.
fn slots(segment: &Segment, at: usize, words: &[Word<'_>]) -> Vec<Slot> {
    // One more than the number of each product's slot; most products have none.
    let mut slot_of = vec![0u32; segment.len()];
    let mut slots: Vec<Slot> = Vec::new();
    for (word, number) in words.iter().zip(0u8..) {
        for (alternative, choice) in word.iter().zip(0u8..) {
            alternative.visit(segment, at, |Posting { place, weight }| {
                let score = weight * alternative.rarity;
                let slot_of = &mut slot_of[place as usize];
                if *slot_of == 0 {
                    if number > 0 {
                        return;
                    }
                    slots.push(Slot::new(place));
                    *slot_of = slots.len() as u32;
                }
                let slot = &mut slots[*slot_of as usize - 1];
                if slot.words == number {
                    slot.words += 1;
                    (slot.alternative, slot.current) = (choice, score);
                } else if slot.words == number + 1 && slot.alternative == choice {
                    slot.current = slot.current.max(score);
                }
            });
        }
        for slot in slots.iter_mut().filter(|slot| slot.words == number + 1) {
            slot.total += slot.current;
            match word[usize::from(slot.alternative)].fit {
                Fit::Whole => {}
                Fit::Beginning => slot.parts += 1,
                Fit::Typo => slot.typos |= 1 << number,
            }
        }
    }
    slots
}

impl Slot {
    fn new(place: u32) -> Self {
        Self { place, words: 0, parts: 0, typos: 0, alternative: 0, current: 0.0, total: 0.0 }
    }
}

/// The word that a product has instead of a misspelled one.
pub(crate) fn meant(segment: &Segment, at: usize, word: &Word<'_>, place: u32) -> Option<String> {
    let typo = word.iter().find(|alternative| alternative.fit == Fit::Typo)?;
    let has = |stem: &&u32| {
        segment.postings(**stem).binary_search_by_key(&place, |posting| posting.place).is_ok()
    };
    typo.stems(at).iter().find(has).map(|stem| segment.usual_word(*stem))
}
