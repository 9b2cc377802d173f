//! How a shop answers a full-text search.

use std::cmp::Ordering;
use std::sync::Arc;

use cartwheel_catalogue::Money;
use cartwheel_recommend::{Relations, scores};
use cartwheel_search::{FacetFilters, Match, Question, Synonyms};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::product_index::ProductIndex;
use crate::question::{Filters, Query, SearchOrder, TextSearch};
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
        let wanted = search.offset.saturating_add(search.limit);
        let shopper = search.shopper.as_ref().filter(|_| search.order == SearchOrder::Relevance);
        let state = search.shopper.as_ref().filter(|_| search.expression.is_some());
        let state = state.map(|query| (query, self.opened.shopper(query, hidden).state));
        let asking = state.as_ref().map(|(query, state)| self.asking(query, state));
        let unfiltered = Filters::default();
        let expression = search.expression.as_ref();
        let filter = self.filter_with(&unfiltered, expression, None, &asking.unwrap_or_default());
        let mut first = First::new(wanted.max(shopper.map_or(0, |_| PERSONAL)));
        let found = index.of(self).search(
            &question,
            |product| filter.qualifies(product),
            |found| first.push(self.sort_key(search.order, &found), found),
        );
        let mut matches = first.in_order();
        if let Some(shopper) = shopper {
            self.personalise(&mut matches, shopper, hidden);
        }
        let total = found.total;
        let page = matches.iter().skip(search.offset).take(search.limit);
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
        let exists = |product: u32| !self.overlay.is_deleted(product);
        let mut products = FxHashSet::default();
        index.of(self).search(&question, exists, |found| {
            products.insert(found.key);
        });
        products
    }

    /// What matches are sorted by before their relevance, lowest first.
    fn sort_key(&self, order: SearchOrder, found: &Match) -> i64 {
        let price = |price: Money| i64::try_from(price.ten_thousandths()).unwrap_or(i64::MAX);
        // What is not known comes last.
        match order {
            SearchOrder::Relevance => 0,
            SearchOrder::Cheapest => found.price.map_or(i64::MAX, price),
            SearchOrder::Dearest => found.price.map_or(i64::MAX, |p| -price(p)),
            SearchOrder::Newest => self.since_ms(found.key).map_or(i64::MAX, i64::wrapping_neg),
            SearchOrder::Popular => i64::from(self.place(found.key)),
        }
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
        let scores = scores(catalogue, self.model(), &state, &context, &cart, &chosen);
        chosen.iter().zip(scores).map(|(candidate, p)| (candidate.product, p)).collect()
    }
}

/// The first matches by a key, then by relevance.
struct First {
    wanted: usize,
    /// The first ones so far, in no order, and at most as many others.
    kept: Vec<(i64, Match)>,
    /// Matches after this one are not among the first.
    last: Option<(i64, Match)>,
}

impl First {
    fn new(wanted: usize) -> Self {
        Self { wanted: wanted.max(1), kept: Vec::new(), last: None }
    }

    fn push(&mut self, key: i64, found: Match) {
        let new = (key, found);
        if self.last.is_some_and(|last| Self::order(&last, &new).is_lt()) {
            return;
        }
        self.kept.push(new);
        if self.kept.len() >= self.wanted.saturating_mul(2) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.wanted < self.kept.len() {
            let (_, last, _) = self.kept.select_nth_unstable_by(self.wanted - 1, Self::order);
            self.last = Some(*last);
            self.kept.truncate(self.wanted);
        }
    }

    fn in_order(mut self) -> Vec<Match> {
        self.cut();
        self.kept.sort_unstable_by(Self::order);
        self.kept.into_iter().map(|(_, found)| found).collect()
    }

    fn order(a: &(i64, Match), b: &(i64, Match)) -> Ordering {
        a.0.cmp(&b.0).then_with(|| a.1.by_relevance(&b.1))
    }
}
