//! Answers from the current release.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use cartwheel_api::{
    AisleView, Answer, BoughtProduct, DepartmentView, Engine, EngineStatus, Explanation,
    FeatureContribution, Filters, KnownUser, Learned, ProductLabel, ProductView, Products, Query,
    Recommendation, SourceCount, StoredRecord, UserRecord, UserView, Wanted,
};
use cartwheel_events::{ProductId, UserId};
use cartwheel_features::{Catalogue, Context, UserState};
use cartwheel_recommend::{
    Candidate, FEATURES, Ranked, Source, candidates, order, rank, reasons, rows,
};
use cartwheel_stream::Pending;
use parking_lot::RwLock;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::release::Opened;

/// Products that a user's summary names.
const FAVOURITES: usize = 3;
/// Products that a user's record lists.
const BOUGHT: usize = 100;

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
    fn state(&self, query: &Query<'_>, forgotten: bool) -> (UserState, bool) {
        let (mut state, degraded) = match self.record(query.user_id, query.record) {
            Ok(state) => (state.filter(|_| !forgotten).unwrap_or_default(), false),
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
    fn record(
        &self,
        user_id: &UserId,
        record: Option<StoredRecord<'_>>,
    ) -> Result<Option<UserState>, String> {
        match (&self.users, record) {
            (Some(users), _) => users.get(user_id.as_str()).map_err(|e| e.to_string()),
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

    async fn recommend(
        &self,
        query: &Query<'_>,
        scorer: Option<&dyn Scorer>,
        forgotten: bool,
    ) -> Answer {
        let (state, mut failed) = self.state(query, forgotten);
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
        let explained = query.explain.then(|| self.explain(&state, &context, &cart, shown));
        let mut explained = explained.into_iter().flatten();
        let items = shown.iter().filter_map(|r| {
            let explanation = explained.next();
            let why = reasons(&self.catalogue, &state, &r.candidate);
            let view = self.view(r.candidate.product, r.probability, why)?;
            let source = Some(r.candidate.source.as_str().to_owned());
            Some(Recommendation { source, explanation, ..view })
        });
        Answer {
            items: items.collect(),
            candidates: if query.explain { by_source(&ranked) } else { Vec::new() },
            model_version: self.model_version().unwrap_or("none").to_owned(),
            release: self.name(),
            degraded: failed || self.model.is_none() || self.stands_in,
        }
    }

    /// The rows that were scored, unscaled, and what each of their values adds.
    fn explain(
        &self,
        state: &UserState,
        context: &Context,
        cart: &[u32],
        shown: &[Ranked],
    ) -> Vec<Explanation> {
        let candidates: Vec<Candidate> = shown.iter().map(|r| r.candidate).collect();
        let mut values = Vec::new();
        rows(&self.catalogue, state, context, cart, &candidates, &mut values);
        let mut scaled = values.clone();
        if let Some(model) = &self.model {
            model.scale(&mut scaled);
        }
        let width = FEATURES.len();
        let pairs = values.chunks_exact(width).zip(scaled.chunks_exact(width)).zip(&candidates);
        pairs
            .map(|((row, scaled), candidate)| {
                // A model file without statistics serves, and explains nothing.
                let parts = self.model.as_ref().and_then(|m| m.contributions(scaled).ok());
                let added = parts.as_ref().map_or(&[][..], |(_, added)| added);
                let features = FEATURES.iter().zip(row).enumerate();
                let features = features.map(|(at, (name, value))| FeatureContribution {
                    name: (*name).to_owned(),
                    value: value.is_finite().then_some(*value),
                    contribution: added.get(at).copied().unwrap_or_default(),
                });
                Explanation {
                    source: candidate.source.as_str().to_owned(),
                    base: parts.as_ref().map(|(base, _)| *base),
                    features: features.collect(),
                }
            })
            .collect()
    }

    fn label(&self, product: u32) -> Option<ProductLabel> {
        let info = &self.catalogue.get(product)?.info;
        Some(ProductLabel {
            product_id: info.product_id.clone(),
            product_name: info.name.clone(),
            aisle: info.aisle.clone(),
            department: info.department.clone(),
        })
    }

    fn user_view(&self, user_id: &str, state: &UserState) -> Option<UserView> {
        let mut bought: Vec<_> = state.products.iter().collect();
        bought.sort_by_key(|p| (Reverse(p.orders), p.product));
        let name = |product: u32| self.catalogue.get(product).map(|p| p.info.name.clone());
        Some(UserView {
            user_id: UserId::new(user_id).ok()?,
            orders: state.orders,
            products: u32::try_from(state.products.len()).unwrap_or(u32::MAX),
            favourites: bought.iter().take(FAVOURITES).filter_map(|p| name(p.product)).collect(),
            mean_days: (state.applied > 1).then(|| state.days / (state.applied - 1) as f32),
        })
    }

    fn user_record(&self, state: &UserState) -> UserRecord {
        let mut bought: Vec<_> = state.products.iter().collect();
        bought.sort_by_key(|p| (Reverse((p.orders, p.last)), p.product));
        let view = |p: &&cartwheel_features::UserProduct| {
            Some(BoughtProduct {
                product: self.label(p.product)?,
                orders: p.orders,
                last_order_number: p.last,
                mean_position: p.mean_position(),
            })
        };
        UserRecord {
            orders: state.orders,
            products: state.products.len(),
            lines: state.lines,
            mean_days_since_prior: state.mean_days_since_prior(),
            reorder_ratio: state.reorder_ratio(),
            last_order_ms: state.last_order_ms,
            bought: bought.iter().take(BOUGHT).filter_map(view).collect(),
        }
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
            explanation: None,
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

/// Ranked candidates by what made them candidates, the strongest source first.
fn by_source(ranked: &[Ranked]) -> Vec<SourceCount> {
    let mut counts = BTreeMap::new();
    for r in ranked {
        *counts.entry(r.candidate.source).or_insert(0) += 1;
    }
    let count = |(source, candidates): (Source, usize)| SourceCount {
        source: source.as_str().to_owned(),
        candidates,
    };
    counts.into_iter().map(count).collect()
}

/// A part of the shop with its own parts, by name.
#[derive(Default)]
struct Shelf<'a> {
    /// Orders of the products that lie here.
    orders: u64,
    products: usize,
    parts: BTreeMap<&'a str, Shelf<'a>>,
}

impl<'a> Shelf<'a> {
    /// Its parts, the most bought first.
    fn most_bought(self) -> Vec<(&'a str, Self)> {
        let mut parts: Vec<_> = self.parts.into_iter().collect();
        parts.sort_by_key(|(_, part)| Reverse(part.all_orders()));
        parts
    }

    fn all_orders(&self) -> u64 {
        self.orders + self.parts.values().map(Self::all_orders).sum::<u64>()
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
    /// Erased users, and how many erasures a feature set has to take in to have none of
    /// their records from before; none while the lake may have some.
    erased: RwLock<FxHashMap<UserId, Option<u64>>>,
}

impl Current {
    /// Serves `opened`, scored in this process.
    pub fn new(opened: Opened) -> Self {
        Self { opened: RwLock::new(Arc::new(opened)), scorer: None, erased: RwLock::default() }
    }

    /// Scores elsewhere. When that fails, the release's own model does it and the
    /// answer says `degraded`.
    #[must_use]
    pub fn scored_by(self, scorer: Arc<dyn Scorer>) -> Self {
        Self { scorer: Some(scorer), ..self }
    }

    /// Serves another release from the next request on.
    pub fn swap(&self, opened: Opened) {
        *self.opened.write() = Arc::new(opened);
    }

    /// Answers as if the user had no record, as long as a feature set serves that takes in
    /// fewer than `erasures`, or any set where that is none.
    pub fn forget(&self, user_id: UserId, erasures: Option<u64>) {
        self.erased.write().insert(user_id, erasures);
    }

    /// Takes the user's records as they are from now on.
    pub fn remember(&self, user_id: &UserId) {
        self.erased.write().remove(user_id);
    }

    fn forgets(&self, opened: &Opened, user_id: &UserId) -> bool {
        let erased = self.erased.read();
        erased.get(user_id).is_some_and(|needed| needed.is_none_or(|n| opened.erasures < n))
    }

    /// Whether something stands in for the current release.
    pub fn stands_in(&self) -> bool {
        self.pin().stands_in
    }

    /// What serves now.
    pub fn release(&self) -> cartwheel_registry::Release {
        self.pin().release.clone()
    }

    fn pin(&self) -> Arc<Opened> {
        self.opened.read().clone()
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
            degraded: opened.stands_in || opened.model.is_none(),
        }
    }

    fn foreign_records(&self) -> Option<String> {
        let opened = self.pin();
        opened.users.is_none().then(|| opened.release.feature_set.clone())
    }

    fn recommend<'a>(&'a self, query: Query<'a>) -> Pending<'a, Answer> {
        let opened = self.pin();
        let forgotten = self.forgets(&opened, query.user_id);
        Box::pin(async move { opened.recommend(&query, self.scorer.as_deref(), forgotten).await })
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

    fn products(&self, wanted: &Wanted, offset: usize, limit: usize) -> Products {
        let opened = self.pin();
        let search = wanted.search.as_deref().unwrap_or("").to_lowercase();
        let words: Vec<&str> = search.split_whitespace().collect();
        let is = |wanted: &Option<String>, name: &String| wanted.as_ref().is_none_or(|w| w == name);
        let fits = |p: &&u32| {
            let info = &opened.catalogue.products[**p as usize].info;
            if !is(&wanted.department, &info.department) || !is(&wanted.aisle, &info.aisle) {
                return false;
            }
            let name = info.name.to_lowercase();
            words.iter().all(|w| name.contains(w) || info.product_id == *w)
        };
        let found: Vec<u32> = opened.catalogue.popular.iter().filter(fits).copied().collect();
        let page = found.iter().skip(offset).take(limit);
        Products { products: page.filter_map(|&p| opened.product(p)).collect(), total: found.len() }
    }

    fn departments(&self) -> Vec<DepartmentView> {
        let opened = self.pin();
        let mut shop = Shelf::default();
        for product in &opened.catalogue.products {
            let shelf = shop.parts.entry(&product.info.department).or_default();
            let shelf = shelf.parts.entry(&product.info.aisle).or_default();
            shelf.orders += u64::from(product.stats.orders);
            shelf.products += 1;
        }
        let aisle = |(name, shelf): (&str, Shelf<'_>)| AisleView {
            aisle: name.to_owned(),
            products: shelf.products,
        };
        let department = |(name, shelf): (&str, Shelf<'_>)| {
            let aisles: Vec<AisleView> = shelf.most_bought().into_iter().map(aisle).collect();
            let products = aisles.iter().map(|aisle| aisle.products).sum();
            DepartmentView { department: name.to_owned(), products, aisles }
        };
        shop.most_bought().into_iter().map(department).collect()
    }

    fn product(&self, product_id: &str) -> Option<ProductView> {
        let opened = self.pin();
        opened.product(opened.catalogue.find(product_id)?)
    }

    fn example_users(&self, limit: usize) -> Vec<UserView> {
        let opened = self.pin();
        let Some(users) = &opened.users else { return Vec::new() };
        let records = (0..users.len()).filter_map(|at| users.record(at).ok());
        let known = |id: &str| UserId::new(id).is_ok_and(|id| !self.forgets(&opened, &id));
        let records = records.filter(|(id, _)| known(id)).take(limit);
        records.filter_map(|(id, state)| opened.user_view(&id, &state)).collect()
    }

    fn user(&self, user_id: &UserId, record: Option<StoredRecord<'_>>) -> KnownUser {
        let opened = self.pin();
        let record = opened.record(user_id, record).unwrap_or_else(|error| {
            tracing::error!(error, "the user's record cannot be read");
            None
        });
        let record = record.filter(|_| !self.forgets(&opened, user_id));
        KnownUser {
            feature_set: opened.release.feature_set.clone(),
            record: record.map(|state| opened.user_record(&state)),
        }
    }

    fn learned(&self, user_id: &UserId, received_at_ms: i64, event_id: &str) -> Learned {
        let opened = self.pin();
        let Some(users) = &opened.users else { return Learned::default() };
        let last = users.get(user_id.as_str()).ok().flatten().and_then(|s| s.last_checkout);
        let holds =
            last.is_some_and(|(at_ms, id)| (at_ms, id.as_str()) >= (received_at_ms, event_id));
        if !holds {
            return Learned::default();
        }
        let feature_set = opened.release.feature_set.clone();
        let trained = opened.trained_on.as_ref() == Some(&feature_set);
        Learned {
            model_version: opened.model_version().filter(|_| trained).map(str::to_owned),
            feature_set: Some(feature_set),
        }
    }
}
