//! How a shop answers a full-text search.

use std::sync::Arc;

use cartwheel_recommend::{Relations, scores};
use cartwheel_search::{FacetFilters, Match, Question, Synonyms};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::product_index::ProductIndex;
use crate::question::{Query, SearchOrder, TextSearch};
use crate::search_results::{FacetsView, SearchResults, SuggestionView};
use crate::shop::Shop;

/// Matches that are put into the shopper's order, the most relevant ones.
const PERSONAL: usize = 100;

impl Shop {
    /// Answers a search. `hidden` tells to ignore the shopper's stored record.
    pub(crate) fn search(
        &self,
        index: &Arc<ProductIndex>,
        search: &TextSearch<'_>,
        hidden: bool,
    ) -> SearchResults {
        let none = Synonyms::default();
        let question = Question {
            text: search.text,
            is_typing: search.is_typing,
            filters: &search.filters,
            synonyms: search.synonyms.unwrap_or(&none),
        };
        let found = index.find(self, &question, |product| self.shows(product));
        let total = found.matches.len();
        let wanted = search.offset.saturating_add(search.limit);
        let ordered = self.ordered(found.matches, search, wanted, hidden);
        let page = ordered.iter().skip(search.offset).take(search.limit);
        let suggestion = |suggestion: cartwheel_search::Suggestion| SuggestionView {
            query: suggestion.query,
            total: suggestion.total,
        };
        SearchResults {
            products: page.filter_map(|found| self.product(found.key)).collect(),
            total,
            next_cursor: (wanted < total).then(|| wanted.to_string()),
            corrected_query: found.corrected,
            did_you_mean: found.suggestions.into_iter().map(suggestion).collect(),
            facets: FacetsView::from(found.facets),
        }
    }

    /// The products that fit a text, whether they may be shown or not.
    pub(crate) fn products_with(
        &self,
        index: &Arc<ProductIndex>,
        text: &str,
        synonyms: Option<&Synonyms>,
    ) -> FxHashSet<u32> {
        let (filters, none) = (FacetFilters::default(), Synonyms::default());
        let synonyms = synonyms.unwrap_or(&none);
        let question = Question { text, is_typing: true, filters: &filters, synonyms };
        let found = index.find(self, &question, |product| !self.overlay.is_deleted(product));
        found.matches.into_iter().map(|found| found.key).collect()
    }

    /// The first `wanted` matches in the order that a search asks for.
    fn ordered(
        &self,
        mut matches: Vec<Match>,
        search: &TextSearch<'_>,
        wanted: usize,
        hidden: bool,
    ) -> Vec<Match> {
        match search.order {
            SearchOrder::Relevance => {
                let shopper = search.shopper.as_ref();
                let personal = shopper.map_or(0, |_| PERSONAL);
                first(&mut matches, wanted.max(personal), Match::by_relevance);
                if let Some(shopper) = shopper {
                    self.personalise(&mut matches, shopper, hidden);
                }
            }
            SearchOrder::Cheapest => first(&mut matches, wanted, |a, b| {
                let key = |found: &Match| (found.price.is_none(), found.price);
                key(a).cmp(&key(b)).then_with(|| a.by_relevance(b))
            }),
            SearchOrder::Dearest => first(&mut matches, wanted, |a, b| {
                b.price.cmp(&a.price).then_with(|| a.by_relevance(b))
            }),
            SearchOrder::Newest => {
                let since: FxHashMap<u32, Option<i64>> =
                    matches.iter().map(|found| (found.key, self.since_ms(found.key))).collect();
                first(&mut matches, wanted, |a, b| {
                    since[&b.key].cmp(&since[&a.key]).then_with(|| a.by_relevance(b))
                });
            }
            SearchOrder::Popular => {
                first(&mut matches, wanted, |a, b| self.place(a.key).cmp(&self.place(b.key)));
            }
        }
        matches
    }

    /// When the shop first offered a product, UTC milliseconds, if it is known.
    fn since_ms(&self, product: u32) -> Option<i64> {
        let created = self.live(product).and_then(|product| product.created_at);
        created.map(|time| time.as_ms()).or_else(|| self.overlay.added_at_ms(product))
    }

    /// Puts the most relevant matches into the order of the shopper: among those that fit the
    /// words alike, the score of the text counts up to twice, by the probability that the shopper
    /// wants the product as a share of the largest.
    fn personalise(&self, matches: &mut [Match], shopper: &Query<'_>, hidden: bool) {
        let most_relevant = matches.len().min(PERSONAL);
        let matches = &mut matches[..most_relevant];
        let products: FxHashSet<u32> = matches.iter().map(|found| found.key).collect();
        let probabilities = self.probabilities(shopper, hidden, &products);
        let largest = probabilities.values().copied().fold(f32::MIN_POSITIVE, f32::max);
        for found in matches.iter_mut() {
            let share = probabilities.get(&found.key).map_or(0.0, |p| p / largest);
            found.score *= 1.0 + share;
        }
        matches.sort_by(Match::by_relevance);
    }

    /// For each of some products, how likely the shopper wants it next. Products that the release
    /// does not have are left out.
    fn probabilities(
        &self,
        shopper: &Query<'_>,
        hidden: bool,
        products: &FxHashSet<u32>,
    ) -> FxHashMap<u32, f32> {
        let opened = &*self.opened;
        let catalogue = &opened.catalogue;
        let state = opened.shopper(shopper, hidden).state;
        let cart = shopper.cart_products();
        let cart: Vec<u32> = cart.iter().filter_map(|id| catalogue.find(id.as_str())).collect();
        let context = opened.calendar.context(&state, shopper.now_ms);
        let chosen = Relations::new(catalogue, &state, &cart).among(products.iter().copied());
        let scores = scores(catalogue, opened.model.as_ref(), &state, &context, &cart, &chosen);
        chosen.iter().zip(scores).map(|(candidate, p)| (candidate.product, p)).collect()
    }
}

/// Leaves the first `wanted` matches in an order.
fn first(
    matches: &mut Vec<Match>,
    wanted: usize,
    order: impl Fn(&Match, &Match) -> std::cmp::Ordering,
) {
    if wanted < matches.len() {
        matches.select_nth_unstable_by(wanted, &order);
        matches.truncate(wanted);
    }
    matches.sort_unstable_by(order);
}
