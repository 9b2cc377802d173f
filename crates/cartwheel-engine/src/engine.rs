//! Answers from the current release.

use std::sync::{Arc, RwLock};

use cartwheel_api::{
    Answer, Engine, EngineStatus, Filters, ProductView, Query, Recommendation, StoredRecord,
    UserView,
};
use cartwheel_events::{ProductId, UserId};
use cartwheel_features::{Catalogue, Context, UserState};
use cartwheel_recommend::{Candidate, FEATURES, Ranked, candidates, order, rank, reasons, rows};
use cartwheel_stream::Pending;
use rustc_hash::FxHashSet;

use crate::release::Opened;

/// Why rows were not scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("endpoint: {0}")]
pub struct ScoreError(pub String);

/// Scores rows on another machine.
pub trait Scorer: Send + Sync {
    /// Probabilities of scaled rows of `width` values each, one a row.
    fn score<'a>(
        &'a self,
        rows: &'a [f32],
        width: usize,
    ) -> Pending<'a, Result<Vec<f32>, ScoreError>>;
}

impl Opened {
    /// The user's stored state with the session's later checkouts folded in.
    fn state(&self, query: &Query<'_>) -> (UserState, bool) {
        let (mut state, degraded) = match self.record(query) {
            Ok(state) => (state.unwrap_or_default(), false),
            Err(error) => {
                tracing::error!(error, "the user's record cannot be read");
                (UserState::default(), true)
            }
        };
        for checkout in query.session.iter().flat_map(|s| &s.checkouts) {
            let key = (checkout.received_at_ms, checkout.event_id.clone());
            if state.last_checkout.as_ref().is_some_and(|last| *last >= key) {
                continue;
            }
            let products = self.find(checkout.items.iter());
            let order = self.calendar.order(&state, checkout.received_at_ms, &products);
            state.apply(&order);
            state.last_checkout = Some(key);
        }
        (state, degraded)
    }

    /// The user's record: of this release's file, or as the question brings it.
    fn record(&self, query: &Query<'_>) -> Result<Option<UserState>, String> {
        match (&self.users, query.record) {
            (Some(users), _) => users.get(query.user_id.as_str()).map_err(|e| e.to_string()),
            (None, Some(StoredRecord { feature_set, bytes })) => {
                // Read just before another release came.
                if feature_set != self.release.feature_set {
                    return Err(format!("the record is one of {feature_set}"));
                }
                bytes.map(UserState::decode).transpose().map_err(|e| e.to_string())
            }
            (None, None) => Err("the user store did not answer".to_owned()),
        }
    }

    fn find<'a>(&self, ids: impl Iterator<Item = &'a ProductId>) -> Vec<u32> {
        ids.filter_map(|id| self.catalogue.find(id.as_str())).collect()
    }

    async fn recommend(&self, query: &Query<'_>, scorer: Option<&dyn Scorer>) -> Answer {
        let (state, mut failed) = self.state(query);
        let cart = match (&query.cart, query.session) {
            (Some(cart), _) => self.find(cart.iter()),
            (None, Some(session)) => self.find(session.cart.iter().map(|item| &item.product_id)),
            (None, None) => Vec::new(),
        };
        let context = self.calendar.context(&state, query.now_ms);
        let keep = Keep::new(self, &query.filters);
        let keep = |p: u32| {
            keep.allows(&self.catalogue, p)
                && !(query.filters.exclude_purchased && state.product(p).is_some())
        };
        let ranked = match (scorer, &self.model) {
            (Some(scorer), Some(model)) => {
                let mut chosen = candidates(&self.catalogue, &state, &cart);
                chosen.retain(|c| keep(c.product));
                let mut features = Vec::new();
                rows(&self.catalogue, &state, &context, &cart, &chosen, &mut features);
                model.scale(&mut features);
                let scores = match scorer.score(&features, FEATURES.len()).await {
                    Ok(scores) if scores.len() == chosen.len() => scores,
                    other => {
                        let count = other.as_ref().map(Vec::len);
                        tracing::error!(?count, rows = chosen.len(), "scored here instead");
                        failed = true;
                        model.probabilities(&features)
                    }
                };
                order(&self.catalogue, chosen, scores)
            }
            (_, model) => rank(&self.catalogue, model.as_ref(), &state, &context, &cart, keep),
        };
        let shown = &ranked[..ranked.len().min(query.limit)];
        let explained = query.explain.then(|| self.features(&state, &context, &cart, shown));
        let mut explained = explained.into_iter().flatten();
        let items = shown.iter().filter_map(|r| {
            let features = explained.next();
            let why = reasons(&self.catalogue, &state, &r.candidate);
            let view = self.view(r.candidate.product, r.probability, why)?;
            let source = Some(r.candidate.source.as_str().to_owned());
            Some(Recommendation { source, features, ..view })
        });
        Answer {
            items: items.collect(),
            model_version: self.model_version().unwrap_or("none").to_owned(),
            release: self.name(),
            degraded: failed || self.model.is_none(),
        }
    }

    /// The rows that were scored, unscaled, with the names of their columns.
    fn features(
        &self,
        state: &UserState,
        context: &Context,
        cart: &[u32],
        shown: &[Ranked],
    ) -> Vec<Vec<(String, f32)>> {
        let candidates: Vec<Candidate> = shown.iter().map(|r| r.candidate).collect();
        let mut values = Vec::new();
        rows(&self.catalogue, state, context, cart, &candidates, &mut values);
        let named = |row: &[f32]| {
            FEATURES.iter().map(|&name| name.to_owned()).zip(row.iter().copied()).collect()
        };
        values.chunks_exact(FEATURES.len()).map(named).collect()
    }

    fn view(&self, product: u32, probability: f32, reasons: Vec<String>) -> Option<Recommendation> {
        let info = &self.catalogue.get(product)?.info;
        Some(Recommendation {
            product_id: ProductId::new(&info.product_id).ok()?,
            product_name: info.name.clone(),
            aisle: info.aisle.clone(),
            department: info.department.clone(),
            probability,
            reasons,
            source: None,
            features: None,
        })
    }

    fn product(&self, product: u32) -> Option<ProductView> {
        let known = self.catalogue.get(product)?;
        Some(ProductView {
            product_id: ProductId::new(&known.info.product_id).ok()?,
            product_name: known.info.name.clone(),
            aisle: known.info.aisle.clone(),
            department: known.info.department.clone(),
            orders: u64::from(known.stats.orders),
            in_stock: true,
        })
    }

    fn share(&self, product: u32) -> f32 {
        let orders = self.catalogue.get(product).map_or(0, |p| p.stats.orders);
        orders as f32 / self.catalogue.orders.max(1) as f32
    }
}

/// A request's filters, by index.
struct Keep<'a> {
    filters: &'a Filters,
    excluded: FxHashSet<u32>,
}

impl<'a> Keep<'a> {
    fn new(opened: &Opened, filters: &'a Filters) -> Self {
        Self {
            filters,
            excluded: opened.find(filters.exclude_products.iter()).into_iter().collect(),
        }
    }

    fn allows(&self, catalogue: &Catalogue, product: u32) -> bool {
        let Some(info) = catalogue.get(product).map(|p| &p.info) else { return false };
        let listed = |names: &[String], name: &String| names.is_empty() || names.contains(name);
        listed(&self.filters.departments, &info.department)
            && listed(&self.filters.aisles, &info.aisle)
            && !self.excluded.contains(&product)
    }
}

/// The release that serves; swapped without a pause.
pub struct Current {
    opened: RwLock<Arc<Opened>>,
    scorer: Option<Arc<dyn Scorer>>,
}

impl Current {
    /// Serves `opened`, scored in this process.
    pub fn new(opened: Opened) -> Self {
        Self { opened: RwLock::new(Arc::new(opened)), scorer: None }
    }

    /// Scores elsewhere. When that fails, the release's own model does it and the
    /// answer says `degraded`.
    #[must_use]
    pub fn scored_by(self, scorer: Arc<dyn Scorer>) -> Self {
        Self { scorer: Some(scorer), ..self }
    }

    /// Serves another release from the next request on.
    pub fn swap(&self, opened: Opened) {
        *self.opened.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Arc::new(opened);
    }

    /// What serves now.
    pub fn release(&self) -> cartwheel_endpoint::Release {
        self.pin().release.clone()
    }

    fn pin(&self) -> Arc<Opened> {
        self.opened.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

impl Engine for Current {
    fn status(&self) -> EngineStatus {
        let opened = self.pin();
        EngineStatus {
            // A shop without products has nothing to recommend yet.
            ready: !opened.catalogue.products.is_empty(),
            release: Some(opened.name()),
            model_version: opened.model_version().map(str::to_owned),
            products: opened.catalogue.products.len(),
            users: opened.user_count,
        }
    }

    fn foreign_records(&self) -> Option<String> {
        let opened = self.pin();
        opened.users.is_none().then(|| opened.release.feature_set.clone())
    }

    fn recommend<'a>(&'a self, query: Query<'a>) -> Pending<'a, Answer> {
        let opened = self.pin();
        Box::pin(async move { opened.recommend(&query, self.scorer.as_deref()).await })
    }

    fn similar(&self, product_id: &str, limit: usize) -> Option<Vec<Recommendation>> {
        let opened = self.pin();
        let product = opened.catalogue.get(opened.catalogue.find(product_id)?)?;
        let reason = format!("Bought together with {}", product.info.name);
        let views = product.neighbours.iter().take(limit);
        Some(views.filter_map(|n| opened.view(n.product, n.score, vec![reason.clone()])).collect())
    }

    fn popular(&self, limit: usize, filters: &Filters) -> Vec<Recommendation> {
        let opened = self.pin();
        let keep = Keep::new(&opened, filters);
        let kept = opened.catalogue.popular.iter().filter(|&&p| keep.allows(&opened.catalogue, p));
        let view = |&p: &u32| {
            let share = opened.share(p);
            opened.view(p, share, vec![format!("In {:.1} % of all orders", share * 100.0)])
        };
        kept.take(limit).filter_map(view).collect()
    }

    fn products(&self, search: Option<&str>, offset: usize, limit: usize) -> Vec<ProductView> {
        let opened = self.pin();
        let words: Vec<String> =
            search.unwrap_or("").split_whitespace().map(str::to_lowercase).collect();
        let matches = |p: &&u32| {
            let info = &opened.catalogue.products[**p as usize].info;
            let name = info.name.to_lowercase();
            words.iter().all(|w| name.contains(w.as_str()) || info.product_id == *w)
        };
        let found = opened.catalogue.popular.iter().filter(matches).skip(offset).take(limit);
        found.filter_map(|&p| opened.product(p)).collect()
    }

    fn product(&self, product_id: &str) -> Option<ProductView> {
        let opened = self.pin();
        opened.product(opened.catalogue.find(product_id)?)
    }

    fn example_users(&self, limit: usize) -> Vec<UserView> {
        let opened = self.pin();
        let Some(users) = &opened.users else { return Vec::new() };
        let records = (0..users.len().min(limit)).filter_map(|at| users.record(at).ok());
        records
            .filter_map(|(id, state)| {
                Some(UserView {
                    user_id: UserId::new(id).ok()?,
                    orders: state.orders,
                    products: state.products.len() as u32,
                })
            })
            .collect()
    }
}
