//! How one release answers a query.

use std::collections::BTreeMap;

use cartwheel_events::{ProductId, UserId};
use cartwheel_features::{Catalogue, Context, LastCheckout, UserState};
use cartwheel_recommend::{
    Candidate, FEATURES, Ranked, Source, candidates, order, rank, reasons, rows,
};
use rustc_hash::FxHashSet;

use crate::answer::{Answer, Explanation, FeatureContribution, Recommendation, SourceCount};
use crate::question::{Filters, Query, StoredRecord};
use crate::release::Opened;
use crate::scorer::Scorer;

/// The user's state for one query.
struct Shopper {
    state: UserState,
    /// Whether the stored record could not be read.
    unreadable: bool,
}

impl Opened {
    /// Answers a query. `hidden` tells to ignore the user's stored record.
    pub(crate) async fn recommend(
        &self,
        query: &Query<'_>,
        scorer: Option<&dyn Scorer>,
        hidden: bool,
    ) -> Answer {
        let Shopper { state, unreadable } = self.shopper(query, hidden);
        let mut failed = unreadable;
        let cart = self.indices(query.cart_products().iter());
        let context = self.calendar.context(&state, query.now_ms);
        let filter = Filter::new(self, &query.filters);
        let keep = |product: u32| {
            filter.allows(&self.catalogue, product)
                && !(query.filters.exclude_purchased && state.product(product).is_some())
        };
        let ranked = match (scorer, &self.model) {
            (Some(scorer), Some(model)) => {
                let mut chosen = candidates(&self.catalogue, &state, &cart);
                chosen.retain(|candidate| keep(candidate.product));
                let mut features = Vec::new();
                rows(&self.catalogue, &state, &context, &cart, &chosen, &mut features);
                model.scale(&mut features);
                let scores = match scorer.score(&features, FEATURES.len()).await {
                    Ok(scores) if scores.len() == chosen.len() => scores,
                    other => {
                        let count = other.as_ref().map(Vec::len);
                        tracing::error!(
                            ?count,
                            rows = chosen.len(),
                            "the endpoint failed; scoring in this process"
                        );
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
        let items = shown.iter().filter_map(|ranked| {
            let explanation = explained.next();
            let why = reasons(&self.catalogue, &state, &ranked.candidate);
            let item = self.recommendation(ranked.candidate.product, ranked.probability, why)?;
            let source = Some(ranked.candidate.source.as_str().to_owned());
            Some(Recommendation { source, explanation, ..item })
        });
        Answer {
            items: items.collect(),
            candidates: if query.explain { count_by_source(&ranked) } else { Vec::new() },
            model_version: self.model_version().unwrap_or("none").to_owned(),
            release: self.name(),
            degraded: failed || self.model.is_none() || self.stands_in,
        }
    }

    /// The user's stored state with the session's later checkouts folded in.
    fn shopper(&self, query: &Query<'_>, hidden: bool) -> Shopper {
        let (mut state, unreadable) = match self.record(query.user_id, query.record) {
            Ok(state) => (state.filter(|_| !hidden).unwrap_or_default(), false),
            Err(error) => {
                tracing::error!(error, "cannot read the user's record");
                (UserState::default(), true)
            }
        };
        for checkout in query.session.iter().flat_map(|session| &session.checkouts) {
            let key = LastCheckout {
                at_ms: checkout.received_at_ms,
                event_id: checkout.event_id.clone(),
            };
            if state.last_checkout.as_ref().is_some_and(|last| *last >= key) {
                continue;
            }
            let products = self.indices(checkout.items.iter());
            let order = self.calendar.order(&state, checkout.received_at_ms, &products);
            state.apply(&order);
            state.last_checkout = Some(key);
        }
        Shopper { state, unreadable }
    }

    /// The user's record, from this release's file or from the query.
    pub(crate) fn record(
        &self,
        user_id: &UserId,
        record: Option<StoredRecord<'_>>,
    ) -> Result<Option<UserState>, String> {
        match (&self.users, record) {
            (Some(users), _) => users.get(user_id.as_str()).map_err(|e| e.to_string()),
            (None, Some(StoredRecord { feature_set, bytes })) => {
                // The record was read just before the release changed.
                if feature_set != self.release.feature_set {
                    return Err(format!("the record belongs to feature set {feature_set}"));
                }
                bytes.map(UserState::decode).transpose().map_err(|e| e.to_string())
            }
            (None, None) => Err("the user store did not answer".to_owned()),
        }
    }

    /// The rows as they were scored, before scaling, with the contribution of each value.
    fn explain(
        &self,
        state: &UserState,
        context: &Context,
        cart: &[u32],
        shown: &[Ranked],
    ) -> Vec<Explanation> {
        let candidates: Vec<Candidate> = shown.iter().map(|ranked| ranked.candidate).collect();
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
                // A model file without statistics can serve but cannot be explained.
                let parts = self.model.as_ref().and_then(|m| m.contributions(scaled).ok());
                let added = parts.as_ref().map_or(&[][..], |parts| &parts.values);
                let features = FEATURES.iter().zip(row).enumerate();
                let features = features.map(|(at, (name, value))| FeatureContribution {
                    name: (*name).to_owned(),
                    value: value.is_finite().then_some(*value),
                    contribution: added.get(at).copied().unwrap_or_default(),
                });
                Explanation {
                    source: candidate.source.as_str().to_owned(),
                    base: parts.as_ref().map(|parts| parts.expected),
                    features: features.collect(),
                }
            })
            .collect()
    }

    /// A product as a recommendation. `None` if it is not in the catalogue.
    pub(crate) fn recommendation(
        &self,
        product: u32,
        probability: f32,
        reasons: Vec<String>,
    ) -> Option<Recommendation> {
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

    /// Catalogue indices of products; unknown products are dropped.
    fn indices<'a>(&self, ids: impl Iterator<Item = &'a ProductId>) -> Vec<u32> {
        ids.filter_map(|id| self.catalogue.find(id.as_str())).collect()
    }
}

/// Counts ranked candidates by source, the strongest source first.
fn count_by_source(ranked: &[Ranked]) -> Vec<SourceCount> {
    let mut counts = BTreeMap::new();
    for ranked in ranked {
        *counts.entry(ranked.candidate.source).or_insert(0) += 1;
    }
    let count = |(source, candidates): (Source, usize)| SourceCount {
        source: source.as_str().to_owned(),
        candidates,
    };
    counts.into_iter().map(count).collect()
}

/// A query's filters over catalogue indices.
pub(crate) struct Filter<'a> {
    filters: &'a Filters,
    excluded: FxHashSet<u32>,
}

impl<'a> Filter<'a> {
    pub(crate) fn new(opened: &Opened, filters: &'a Filters) -> Self {
        let excluded = opened.indices(filters.exclude_products.iter());
        Self { filters, excluded: excluded.into_iter().collect() }
    }

    pub(crate) fn allows(&self, catalogue: &Catalogue, product: u32) -> bool {
        let Some(info) = catalogue.get(product).map(|p| &p.info) else { return false };
        let listed = |names: &[String], name: &String| names.is_empty() || names.contains(name);
        listed(&self.filters.departments, &info.department)
            && listed(&self.filters.aisles, &info.aisle)
            && !self.excluded.contains(&product)
    }
}
