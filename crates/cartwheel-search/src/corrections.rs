//! What was probably meant by a query that finds nothing.

use crate::found::Suggestion;
use crate::reading::{Effort, Reader};

/// Most queries that are offered.
const MAX_SUGGESTIONS: usize = 3;
/// Most queries that are tried.
const MAX_TRIED: usize = 8;

/// Queries that find something: with the nearest words instead of those that no product has, or
/// without a word. `count` tells how many products a query finds.
pub(crate) fn suggestions(
    reader: &Reader<'_>,
    words: &[String],
    count: impl Fn(Vec<String>) -> usize,
) -> Vec<Suggestion> {
    let understood = reader.read(words, false, Effort::Widened);
    let unknown: Vec<usize> = (0..words.len()).filter(|&at| understood[at].is_empty()).collect();
    let mut queries: Vec<Vec<String>> = Vec::new();
    let nearest: Vec<Vec<String>> =
        unknown.iter().map(|&at| reader.far(&words[at], MAX_SUGGESTIONS)).collect();
    for rank in 0..MAX_SUGGESTIONS {
        let mut query = words.to_vec();
        let mut is_complete = !unknown.is_empty();
        for (&at, nearest) in unknown.iter().zip(&nearest) {
            match nearest.get(rank).or(nearest.last()) {
                Some(word) => query[at].clone_from(word),
                None => is_complete = false,
            }
        }
        if is_complete {
            queries.push(query);
        }
    }
    let without = |left_out: &[usize]| {
        let kept = words.iter().enumerate().filter(|(at, _)| !left_out.contains(at));
        kept.map(|(_, word)| word.clone()).collect::<Vec<_>>()
    };
    if unknown.is_empty() {
        // The words exist, but no product has all of them.
        queries.extend((0..words.len()).rev().map(|at| without(&[at])));
    } else {
        queries.push(without(&unknown));
    }
    let mut found: Vec<Suggestion> = Vec::new();
    for words in queries.into_iter().take(MAX_TRIED) {
        let query = words.join(" ");
        let is_new = !query.is_empty() && found.iter().all(|other| other.query != query);
        let total = if is_new { count(words) } else { 0 };
        if total > 0 {
            found.push(Suggestion { query, total });
        }
        if found.len() == MAX_SUGGESTIONS {
            break;
        }
    }
    found
}
