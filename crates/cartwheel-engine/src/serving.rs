//! The engine over the serving release.

use std::sync::Arc;

use cartwheel_catalogue::Product;
use cartwheel_events::{ProductId, UserId};
use cartwheel_recommend::{Discovery, Value};
use cartwheel_registry::Release;
use cartwheel_rules::{Conflict, RuleSet};
use cartwheel_sessions::{Changes, LiveCatalogue};
use cartwheel_stream::Pending;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::answer::{Answer, Ranking, Recommendation};
use crate::basis::{Attention, Noted};
use crate::engine::{Engine, EngineStatus};
use crate::filter_index::FilterIndex;
use crate::overlay::Overlay;
use crate::page::{Page, Slot};
use crate::product_index::ProductIndex;
use crate::question::{
    Filters, PageStart, ProductSearch, Query, Similarity, StoredRecord, TextSearch,
};
use crate::release::Opened;
use crate::scorer::Scorer;
use crate::search_results::SearchResults;
use crate::shop::Shop;
use crate::trends::{Trend, Trends};
use crate::views::{
    CheckoutProgress, DepartmentView, ExploredProduct, ProductView, Products, UnnamedProduct,
    UserLookup, UserView,
};

/// Records that are looked at for examples of users.
const MAX_LOOKED_AT: usize = 10_000;

/// Which feature sets still contain the records of an erased user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    /// Any set may, because the lake does.
    InLake,
    /// Sets built before the lake had completed this many erasures.
    BeforeErasure(u64),
}

/// An [`Engine`] over one release at a time, with the live catalogue laid over it. Releases are
/// swapped without interrupting requests.
pub struct ServingEngine {
    current: RwLock<Current>,
    live: Option<Arc<LiveCatalogue>>,
    accepts_unknown: bool,
    scorer: Option<Arc<dyn Scorer>>,
    trends: Trends,
    /// Read in place of `trends`.
    past_attention: Option<Vec<Noted>>,
    discovery: Discovery,
    value: Value,
    filter_index: FilterIndex,
    erased: RwLock<FxHashMap<UserId, Erased>>,
}

/// The serving release, and what is laid over it.
#[derive(Clone)]
struct Current {
    opened: Arc<Opened>,
    overlay: Arc<Overlay>,
    index: Arc<ProductIndex>,
}

impl ServingEngine {
    /// Serves `opened`, scored in this process.
    pub fn new(opened: impl Into<Arc<Opened>>) -> Self {
        let opened = opened.into();
        let overlay = Arc::new(Overlay::new(&opened.catalogue, Changes::default(), false));
        let index = Arc::new(ProductIndex::new(None));
        Self {
            current: RwLock::new(Current { opened, overlay, index }),
            live: None,
            accepts_unknown: false,
            scorer: None,
            trends: Trends::default(),
            past_attention: None,
            discovery: Discovery::NONE,
            value: Value::Off,
            filter_index: FilterIndex::default(),
            erased: RwLock::default(),
        }
    }

    /// Lays the live catalogue over every release. With `accepts_unknown`, products that
    /// nobody has described are shown although there is a catalogue.
    #[must_use]
    pub fn with_catalogue(self, live: Arc<LiveCatalogue>, accepts_unknown: bool) -> Self {
        let engine = Self { live: Some(live), accepts_unknown, ..self };
        let opened = engine.current.read().opened.clone();
        *engine.current.write() = engine.laid_over(opened);
        engine
    }

    /// Makes the index of searches, for which the first search waits otherwise.
    pub fn index_products(&self) {
        let (shop, index) = self.searched(0);
        index.of(&shop);
    }

    /// Gives a share of every answer to products that are new to the customer.
    #[must_use]
    pub fn discovering(self, discovery: Discovery) -> Self {
        Self { discovery, ..self }
    }

    /// Orders answers by probability times the value of a product, which the live catalogue tells.
    #[must_use]
    pub fn valuing(self, value: Value) -> Self {
        Self { value, ..self }
    }

    /// What a piece of a product is worth to the shop, in the currency of its price; `None` if the
    /// shop has not said or if answers are not ordered by value.
    pub fn worth(&self, product_id: &ProductId) -> Option<f64> {
        let shop = self.shop(0);
        shop.worth(shop.find(product_id)?)
    }

    /// Answers with what shoppers turned to when an earlier answer was made, instead of now.
    #[must_use]
    pub fn with_attention(self, readings: Vec<Noted>) -> Self {
        Self { past_attention: Some(readings), ..self }
    }

    /// Scores on another machine. If that fails, the release's own model scores and the
    /// answer is `degraded`.
    #[must_use]
    pub fn scored_by(self, scorer: Arc<dyn Scorer>) -> Self {
        Self { scorer: Some(scorer), ..self }
    }

    /// The counts behind trending products. A reader of the stream adds its events.
    pub fn trends(&self) -> Trends {
        self.trends.clone()
    }

    /// Serves another release from the next request on. No search waits for its index.
    pub fn swap(&self, opened: Opened) {
        let current = self.laid_over(Arc::new(opened));
        let index = current.index.clone();
        index.of(&self.shop_of(current.clone(), 0));
        *self.current.write() = current;
    }

    /// A release with the live catalogue as it is now.
    fn laid_over(&self, opened: Arc<Opened>) -> Current {
        let changes = self.live.as_ref().map(|live| live.changed_since(0));
        let changes = changes.unwrap_or_default();
        let overlay = Overlay::new(&opened.catalogue, changes, self.accepts_unknown);
        let index = Arc::new(ProductIndex::new(self.live.clone()));
        Current { opened, overlay: Arc::new(overlay), index }
    }

    /// The release and the newest catalogue, for one request from start to end.
    fn shop(&self, now_ms: i64) -> Shop {
        self.shop_of(self.newest(), now_ms)
    }

    /// The same, with the index over it.
    fn searched(&self, now_ms: i64) -> (Shop, Arc<ProductIndex>) {
        let current = self.newest();
        let index = current.index.clone();
        (self.shop_of(current, now_ms), index)
    }

    fn newest(&self) -> Current {
        let mut current = self.current.read().clone();
        if let Some(live) = &self.live
            && live.version() != current.overlay.version()
        {
            current = self.refreshed(live);
        }
        current
    }

    fn shop_of(&self, current: Current, now_ms: i64) -> Shop {
        let Current { opened, overlay, .. } = current;
        let (discovery, value) = (self.discovery, self.value);
        let attention = Attention::new(&self.trends, self.past_attention.as_deref());
        let filter_index = self.filter_index.clone();
        Shop {
            opened,
            challenged: false,
            overlay,
            attention,
            now_ms,
            discovery,
            value,
            filter_index,
        }
    }

    /// Takes over the changes of the live catalogue. The first request after a change does it
    /// for all others.
    fn refreshed(&self, live: &LiveCatalogue) -> Current {
        let mut current = self.current.write();
        let changes = live.changed_since(current.overlay.version());
        if changes.version != current.overlay.version() {
            let catalogue = &current.opened.catalogue;
            let after = current.overlay.after(catalogue, changes);
            *current = match after {
                Some(overlay) => Current { overlay: Arc::new(overlay), ..current.clone() },
                None => self.laid_over(current.opened.clone()),
            };
        }
        current.clone()
    }

    /// Ignores the user's record in all feature sets that `erased` covers.
    pub fn hide(&self, user_id: UserId, erased: Erased) {
        self.erased.write().insert(user_id, erased);
    }

    /// Uses the user's records again.
    pub fn show(&self, user_id: &UserId) {
        self.erased.write().remove(user_id);
    }

    /// Whether a fallback serves instead of the current release.
    pub fn is_fallback(&self) -> bool {
        self.opened().stands_in
    }

    /// The serving release, open.
    pub fn opened(&self) -> Arc<Opened> {
        self.current.read().opened.clone()
    }

    /// The serving release.
    pub fn release(&self) -> Release {
        self.opened().release.clone()
    }

    /// Indexes the catalogue for filters now; otherwise the first request with one starts it.
    #[cfg(test)]
    pub(crate) fn index_for_filters(&self) {
        let shop = self.shop(0);
        self.filter_index.put(&shop.edition(), shop.index());
    }

    fn hides(&self, opened: &Opened, user_id: &UserId) -> bool {
        match self.erased.read().get(user_id) {
            None => false,
            Some(Erased::InLake) => true,
            Some(Erased::BeforeErasure(count)) => opened.erasures < *count,
        }
    }
}

impl Engine for ServingEngine {
    fn status(&self) -> EngineStatus {
        let Shop { opened, overlay, .. } = self.shop(0);
        EngineStatus {
            // A new shop is ready for its first product; a fallback without products is not.
            ready: !(opened.stands_in && overlay.products() == 0),
            release: Some(opened.name()),
            model_version: opened.model_version().map(str::to_owned),
            products: overlay.products(),
            users: opened.user_count,
            degraded: opened.stands_in,
        }
    }

    fn external_records(&self) -> Option<String> {
        let opened = self.opened();
        opened.users.is_none().then(|| opened.release.feature_set.clone())
    }

    fn recommend<'a>(&'a self, query: Query<'a>) -> Pending<'a, Answer> {
        let shop = self.shop(query.now_ms).seen_by(query.user_id);
        let hidden = self.hides(&shop.opened, query.user_id);
        Box::pin(async move { shop.recommend(&query, self.scorer.as_deref(), hidden).await })
    }

    fn rank<'a>(&'a self, query: Query<'a>, products: &'a [ProductId]) -> Pending<'a, Ranking> {
        let shop = self.shop(query.now_ms).seen_by(query.user_id);
        let hidden = self.hides(&shop.opened, query.user_id);
        Box::pin(async move { shop.rank(&query, products, self.scorer.as_deref(), hidden).await })
    }

    fn page<'a>(&'a self, query: Query<'a>, slots: &'a [Slot]) -> Pending<'a, Page> {
        let shop = self.shop(query.now_ms).seen_by(query.user_id);
        let hidden = self.hides(&shop.opened, query.user_id);
        Box::pin(async move { shop.page(&query, slots, self.scorer.as_deref(), hidden).await })
    }

    fn buy_again(&self, query: &Query<'_>) -> Answer {
        let shop = self.shop(query.now_ms);
        let hidden = self.hides(&shop.opened, query.user_id);
        shop.buy_again(query, hidden)
    }

    fn conflicts(&self, rules: &RuleSet, now_ms: i64) -> Vec<Conflict> {
        self.shop(now_ms).conflicts(rules)
    }

    fn similar(
        &self,
        product_id: &ProductId,
        similarity: Option<Similarity>,
        filters: &Filters,
        limit: usize,
        now_ms: i64,
    ) -> Option<Vec<Recommendation>> {
        self.shop(now_ms).similar(product_id, similarity, filters, limit)
    }

    fn popular(&self, limit: usize, filters: &Filters, now_ms: i64) -> Vec<Recommendation> {
        self.shop(now_ms).popular(limit, filters)
    }

    fn trending(
        &self,
        trend: Trend,
        limit: usize,
        filters: &Filters,
        now_ms: i64,
    ) -> Vec<Recommendation> {
        self.shop(now_ms).trending(trend, limit, filters)
    }

    fn explored(&self, limit: usize) -> Vec<ExploredProduct> {
        self.shop(0).explored_most(limit)
    }

    fn products(
        &self,
        search: &ProductSearch<'_>,
        start: &PageStart,
        limit: usize,
        now_ms: i64,
    ) -> Option<Products> {
        let (shop, index) = self.searched(now_ms);
        let text = search.text.as_deref();
        let fitting = text.map(|text| shop.products_with(&index, text, search.synonyms));
        shop.products(search, fitting, start, limit)
    }

    fn search(&self, search: &TextSearch<'_>) -> SearchResults {
        let (mut shop, index) = self.searched(search.now_ms);
        let shopper = search.shopper.as_ref();
        if let Some(shopper) = shopper {
            shop = shop.seen_by(shopper.user_id);
        }
        let hidden = shopper.is_some_and(|shopper| self.hides(&shop.opened, shopper.user_id));
        shop.search(&index, search, hidden)
    }

    fn departments(&self, now_ms: i64) -> Vec<DepartmentView> {
        self.shop(now_ms).departments()
    }

    fn product(&self, product_id: &ProductId, now_ms: i64) -> Option<ProductView> {
        let shop = self.shop(now_ms);
        let index = shop.find(product_id).filter(|&index| !shop.overlay.is_deleted(index))?;
        shop.product(index)
    }

    fn describes(&self, product_id: &ProductId) -> bool {
        self.shop(0).describes(product_id)
    }

    fn released(&self, product_id: &ProductId) -> Option<Product> {
        self.shop(0).released(product_id)
    }

    fn offered(&self) -> Vec<ProductId> {
        self.shop(0).offered()
    }

    fn unnamed(&self) -> Vec<UnnamedProduct> {
        self.shop(0).unnamed()
    }

    fn example_users(&self, limit: usize) -> Vec<UserView> {
        let shop = self.shop(0);
        let Some(users) = &shop.opened.users else { return Vec::new() };
        // Guests are no users, and a shop may have many of them.
        let records = (0..users.len().min(MAX_LOOKED_AT)).filter_map(|at| users.record(at).ok());
        let is_visible = |id: UserId| !id.is_guest() && !self.hides(&shop.opened, &id);
        let visible = |id: &str| UserId::new(id).is_ok_and(is_visible);
        let records = records.filter(|(id, state)| state.applied > 0 && visible(id)).take(limit);
        records.filter_map(|(id, state)| shop.user_view(&id, &state)).collect()
    }

    fn user(&self, user_id: &UserId, record: Option<StoredRecord<'_>>) -> UserLookup {
        let shop = self.shop(0);
        let opened = &shop.opened;
        let record = opened.record(user_id, record).unwrap_or_else(|error| {
            tracing::error!(error, "cannot read the user's record");
            None
        });
        let record = record.filter(|_| !self.hides(opened, user_id));
        UserLookup {
            feature_set: opened.release.feature_set.clone(),
            record: record.map(|state| shop.user_record(&state)),
        }
    }

    fn checkout_progress(
        &self,
        user_id: &UserId,
        received_at_ms: i64,
        event_id: &str,
    ) -> CheckoutProgress {
        let opened = self.opened();
        let Some(users) = &opened.users else { return CheckoutProgress::default() };
        let last = users.get(user_id.as_str()).ok().flatten().and_then(|s| s.last_checkout);
        let included =
            last.is_some_and(|c| (c.at_ms, c.event_id.as_str()) >= (received_at_ms, event_id));
        if !included {
            return CheckoutProgress::default();
        }
        let feature_set = opened.release.feature_set.clone();
        let trained = opened.trained_on.as_ref() == Some(&feature_set);
        CheckoutProgress {
            model_version: opened.model_version().filter(|_| trained).map(str::to_owned),
            feature_set: Some(feature_set),
        }
    }
}
