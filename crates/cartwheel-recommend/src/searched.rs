//! Scores of products by the words that the user has searched for.

use cartwheel_features::{Catalogue, Neighbour, Source, UserState, Wanted};

use crate::scored::Scored;
use crate::visit::minutes;

/// Searches whose products are proposed, the newest.
const PROPOSED: usize = 2;
/// Products of a search that are scored, the best.
const FOUND: usize = 200;
/// Weight of a search relative to the one after it.
const BACK: f32 = 0.5;
/// What the most popular product is ahead of the least popular one with the same words.
const POPULARITY: f32 = 0.01;
/// Least share of a search's words that a product has if the search is a reason for it.
const IS_MATCH: f32 = 0.6;

/// Scores the products that match the newest searches; of those that have the same words, the
/// more popular ones come first.
pub(crate) fn score_searches(catalogue: &Catalogue, state: &UserState, scored: &mut Scored) {
    let least = catalogue.popular.len().max(1) as f32;
    let mut weight = 1.0;
    for search in state.searches.iter().rev().take(PROPOSED) {
        let mut found = catalogue.contents.words.look_up(search).products(&catalogue.popular);
        for found in &mut found {
            let rank = catalogue.get(found.product).map_or(least, |product| product.rank as f32);
            found.score += POPULARITY * (1.0 - rank / least);
        }
        for found in Neighbour::best(found, FOUND) {
            let entry = scored.of(found.product, Source::Search);
            entry.search = entry.search.max(weight * found.score);
        }
        weight *= BACK;
    }
}

/// The user's searches, looked up once for all candidates.
pub(crate) struct Searched<'a> {
    /// The newest first, each with its age in minutes.
    searches: Vec<(Wanted<'a>, f32)>,
}

impl<'a> Searched<'a> {
    /// Looks up the searches of `state` as of a time in UTC milliseconds.
    pub(crate) fn new(catalogue: &'a Catalogue, state: &UserState, at_ms: Option<i64>) -> Self {
        let words = &catalogue.contents.words;
        let newest = state.searches.iter().rev();
        let look_up = |search| (words.look_up(search), minutes(Some(search.at_ms), at_ms));
        Self { searches: newest.map(look_up).collect() }
    }

    /// The share of the newest search's words that a product has, the largest share of any
    /// search, and the minutes since the newest search with a word of it. NaN if there is no such
    /// search.
    pub(crate) fn columns(&self, product: u32) -> [f32; 3] {
        let mut columns = [f32::NAN; 3];
        for (at, (wanted, minutes)) in self.searches.iter().enumerate() {
            let share = wanted.share(product);
            if at == 0 {
                columns[0] = share;
            }
            if share > 0.0 && columns[2].is_nan() {
                columns[2] = *minutes;
            }
            columns[1] = columns[1].max(share);
        }
        columns
    }

    /// Whether a product has most of the words of a search.
    pub(crate) fn is_match(&self, product: u32) -> bool {
        self.searches.iter().any(|(wanted, _)| wanted.share(product) >= IS_MATCH)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cartwheel_features::{
        Contents, Context, Event, Partial, ProductInfo, SampleSizes, Search, Sources,
    };

    use super::*;
    use crate::{Discovery, FEATURES, candidates, reasons, rows};

    const MINUTE_MS: i64 = 60_000;

    /// Fifty teas, of which the last one is bought, and one bread.
    fn shop() -> Catalogue {
        let name = |p: u32| if p < 50 { format!("Tea No{p}x") } else { "Rye bread".to_owned() };
        let info = |p: u32| ProductInfo {
            product_id: format!("{p:02}"),
            name: name(p),
            ..ProductInfo::default()
        };
        let infos: Vec<ProductInfo> = (0..51).map(info).collect();
        let sizes = SampleSizes { baskets: 10, shoppers: 10, visits: 10 };
        let mut partial = Partial::new(51, sizes);
        partial.basket(vec![49], 0, 1);
        let contents = Arc::new(Contents::of(&infos));
        Catalogue::finish(infos, partial).with_contents(&contents)
    }

    fn searching(queries: &[&str]) -> UserState {
        let mut state = UserState::default();
        for (at_ms, query) in (0..).step_by(MINUTE_MS as usize).zip(queries) {
            state.apply(Event::Search(&Search::of(query, at_ms).unwrap()));
        }
        state
    }

    fn proposed(catalogue: &Catalogue, state: &UserState) -> Vec<u32> {
        let found = candidates(catalogue, state, &[], 0, Discovery::NONE, |_| true);
        let of_search = found.iter().filter(|c| c.source == Source::Search);
        of_search.map(|c| c.product).collect()
    }

    #[test]
    fn what_matches_the_newest_searches_is_proposed() {
        let catalogue = shop();
        assert_eq!(proposed(&catalogue, &searching(&["bread"])), [50]);
        let teas = proposed(&catalogue, &searching(&["rye bread", "tea"]));
        assert_eq!((teas.len(), teas[0]), (40, 49), "the one that is bought comes first");
        assert!(teas.iter().all(|&product| product < 50), "the newer search goes first");
        assert_eq!(proposed(&catalogue, &searching(&["tea no7x"]))[0], 7);
        assert!(proposed(&catalogue, &searching(&["motor oil"])).is_empty());
        let off = catalogue.without_sources(&Sources::parse(&["search"]).unwrap());
        assert!(proposed(&off, &searching(&["bread"])).is_empty());
    }

    #[test]
    fn columns_and_reasons_tell_how_a_product_matches() {
        let catalogue = shop();
        let state = searching(&["rye bread", "tea"]);
        let context = Context { at_ms: Some(5 * MINUTE_MS), ..Context::default() };
        let at = FEATURES.iter().position(|name| *name == "search_match").unwrap();
        let columns = |catalogue: &Catalogue, state: &UserState, product: u32| {
            let found = candidates(catalogue, state, &[], 51, Discovery::NONE, |_| true);
            let candidate = found.into_iter().find(|c| c.product == product).unwrap();
            let mut row = Vec::new();
            rows(catalogue, state, &context, &[], &[candidate], &mut row);
            let said = format!("{:?}", reasons(catalogue, state, &candidate, |_| ""));
            let is_reason = said.contains("Matches what you searched for");
            (row[at..at + 4].to_vec(), is_reason)
        };
        assert_eq!(columns(&catalogue, &state, 49), (vec![1.0, 1.0, 4.0, 1.0], true));
        let (bread, is_reason) = columns(&catalogue, &state, 50);
        assert_eq!((&bread[..3], is_reason), (&[0.0, 1.0, 5.0][..], true));
        let (tea, is_reason) = columns(&catalogue, &searching(&["tea of no7x"]), 49);
        assert!(tea[0] > 0.0 && tea[0] < IS_MATCH && !is_reason, "another tea: {tea:?}");
        let unknown = |columns: &[f32]| columns[..3].iter().all(|x| x.is_nan());
        assert!(unknown(&columns(&catalogue, &UserState::default(), 49).0));
        let off = catalogue.without_sources(&Sources::parse(&["search"]).unwrap());
        assert!(unknown(&columns(&off, &state, 49).0));
    }
}
