//! The engine over the serving release.

use std::sync::Arc;

use cartwheel_events::UserId;
use cartwheel_registry::Release;
use cartwheel_stream::Pending;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::answer::{Answer, Recommendation};
use crate::engine::{Engine, EngineStatus};
use crate::question::{Filters, ProductSearch, Query, StoredRecord};
use crate::release::Opened;
use crate::scorer::Scorer;
use crate::views::{CheckoutProgress, DepartmentView, ProductView, Products, UserLookup, UserView};

/// Which feature sets still contain the records of an erased user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    /// Any set may, because the lake does.
    InLake,
    /// Sets built before the lake had completed this many erasures.
    BeforeErasure(u64),
}

/// An [`Engine`] over one release at a time. Releases are swapped without interrupting
/// requests.
pub struct ServingEngine {
    opened: RwLock<Arc<Opened>>,
    scorer: Option<Arc<dyn Scorer>>,
    erased: RwLock<FxHashMap<UserId, Erased>>,
}

impl ServingEngine {
    /// Serves `opened`, scored in this process.
    pub fn new(opened: Opened) -> Self {
        Self { opened: RwLock::new(Arc::new(opened)), scorer: None, erased: RwLock::default() }
    }

    /// Scores on another machine. If that fails, the release's own model scores and the
    /// answer is `degraded`.
    #[must_use]
    pub fn scored_by(self, scorer: Arc<dyn Scorer>) -> Self {
        Self { scorer: Some(scorer), ..self }
    }

    /// Serves another release from the next request on.
    pub fn swap(&self, opened: Opened) {
        *self.opened.write() = Arc::new(opened);
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
        self.pin().stands_in
    }

    /// The serving release.
    pub fn release(&self) -> Release {
        self.pin().release.clone()
    }

    fn hides(&self, opened: &Opened, user_id: &UserId) -> bool {
        match self.erased.read().get(user_id) {
            None => false,
            Some(Erased::InLake) => true,
            Some(Erased::BeforeErasure(count)) => opened.erasures < *count,
        }
    }

    fn pin(&self) -> Arc<Opened> {
        self.opened.read().clone()
    }
}

impl Engine for ServingEngine {
    fn status(&self) -> EngineStatus {
        let opened = self.pin();
        EngineStatus {
            // A shop without products has nothing to recommend yet.
            ready: !opened.catalogue.products.is_empty(),
            release: Some(opened.name()),
            model_version: opened.model_version().map(str::to_owned),
            products: opened.catalogue.products.len(),
            users: opened.user_count,
            degraded: opened.stands_in || opened.model.is_none(),
        }
    }

    fn external_records(&self) -> Option<String> {
        let opened = self.pin();
        opened.users.is_none().then(|| opened.release.feature_set.clone())
    }

    fn recommend<'a>(&'a self, query: Query<'a>) -> Pending<'a, Answer> {
        let opened = self.pin();
        let hidden = self.hides(&opened, query.user_id);
        Box::pin(async move { opened.recommend(&query, self.scorer.as_deref(), hidden).await })
    }

    fn similar(&self, product_id: &str, limit: usize) -> Option<Vec<Recommendation>> {
        self.pin().similar(product_id, limit)
    }

    fn popular(&self, limit: usize, filters: &Filters) -> Vec<Recommendation> {
        self.pin().popular(limit, filters)
    }

    fn products(&self, search: &ProductSearch, offset: usize, limit: usize) -> Products {
        self.pin().products(search, offset, limit)
    }

    fn departments(&self) -> Vec<DepartmentView> {
        self.pin().departments()
    }

    fn product(&self, product_id: &str) -> Option<ProductView> {
        let opened = self.pin();
        opened.product(opened.catalogue.find(product_id)?)
    }

    fn example_users(&self, limit: usize) -> Vec<UserView> {
        let opened = self.pin();
        let Some(users) = &opened.users else { return Vec::new() };
        let records = (0..users.len()).filter_map(|at| users.record(at).ok());
        let visible = |id: &str| UserId::new(id).is_ok_and(|id| !self.hides(&opened, &id));
        let records = records.filter(|(id, _)| visible(id)).take(limit);
        records.filter_map(|(id, state)| opened.user_view(&id, &state)).collect()
    }

    fn user(&self, user_id: &UserId, record: Option<StoredRecord<'_>>) -> UserLookup {
        let opened = self.pin();
        let record = opened.record(user_id, record).unwrap_or_else(|error| {
            tracing::error!(error, "cannot read the user's record");
            None
        });
        let record = record.filter(|_| !self.hides(&opened, user_id));
        UserLookup {
            feature_set: opened.release.feature_set.clone(),
            record: record.map(|state| opened.user_record(&state)),
        }
    }

    fn checkout_progress(
        &self,
        user_id: &UserId,
        received_at_ms: i64,
        event_id: &str,
    ) -> CheckoutProgress {
        let opened = self.pin();
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
