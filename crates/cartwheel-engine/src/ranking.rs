//! How a shop answers a query.

use std::collections::BTreeMap;

use cartwheel_events::{ProductId, UserId};
use cartwheel_features::{Action, Context, Event, LastCheckout, Search, Source, Touch, UserState};
use cartwheel_recommend::{
    Candidate, Contributions, FEATURES, Ranked, Said, Value, by_value, candidates, column,
    due_first, is_due, order, reasons, rows, scores,
};
use cartwheel_sessions::{Session, SessionCheckout, SessionSearch};
use rustc_hash::FxHashSet;

use crate::answer::{
    Answer, Explanation, FeatureContribution, Recommendation, SourceCount, ValueShare,
};
use crate::browse::TRENDING;
use crate::newcomers;
use crate::question::{Query, StoredRecord};
use crate::release::Opened;
use crate::scorer::Scorer;
use crate::shop::Shop;

/// The user's state for one query.
pub(crate) struct Shopper {
    pub(crate) state: UserState,
    /// Whether the stored record could not be read.
    pub(crate) unreadable: bool,
}

/// The probabilities of candidates.
pub(crate) struct Scored {
    pub(crate) probabilities: Vec<f32>,
    /// Whether another machine should have scored them and failed.
    pub(crate) failed: bool,
}

impl Shop {
    /// Answers a query. `hidden` tells to ignore the user's stored record.
    pub(crate) async fn recommend(
        &self,
        query: &Query<'_>,
        scorer: Option<&dyn Scorer>,
        hidden: bool,
    ) -> Answer {
        let opened = &*self.opened;
        let catalogue = &opened.catalogue;
        let Shopper { state, unreadable } = opened.shopper(query, hidden);
        let (held, cart) = self.held(query);
        let context = opened.calendar.context(&state, query.now_ms);
        let filter = self.filter_for(query, &state);
        let qualifies = |product: u32| {
            filter.qualifies(product)
                && self.discovery.admits(&state, product)
                && !(query.filters.exclude_purchased && state.product(product).is_some())
        };
        let chosen = candidates(catalogue, &state, &cart, query.limit, self.discovery, qualifies);
        let scored = self.scored(scorer, &state, &context, &cart, &chosen).await;
        let ranked = order(catalogue, chosen, scored.probabilities);
        let ranked = match opened.model {
            // A model has learned what shoppers want of the products that it knows.
            Some(_) => ranked,
            None => self.with_trending(ranked, &held, query.limit, qualifies),
        };
        let ranked = newcomers::with_newcomers(self, ranked, &state, &held, query.limit, qualifies);
        let ranked = match self.value {
            Value::Off => ranked,
            Value::Price | Value::Margin => by_value(ranked, |product| self.worth(product)),
        };
        let is_new = |ranked: &Ranked| state.product(ranked.candidate.product).is_none();
        let ranked = self.discovery.arrange(ranked, is_new);
        let ranked = due_first(ranked, |ranked| is_due(&state, &context, ranked.candidate.product));
        let shown = &ranked[..ranked.len().min(query.limit)];
        let explained = query.explain.then(|| opened.explain(&state, &context, &cart, shown));
        let explained = explained.into_iter().flatten().zip(shown);
        let mut explained = explained.map(|(explanation, ranked)| Explanation {
            value: self.value_of(ranked.candidate.product),
            ..explanation
        });
        let mut said = Said::default();
        let items = shown.iter().filter_map(|ranked| {
            let explanation = explained.next();
            let product = ranked.candidate.product;
            let reasons = self.why(&state, ranked, explanation.as_ref(), &mut said);
            let item = self.recommendation(product, ranked.probability, reasons)?;
            let source = Some(ranked.candidate.source.as_str().to_owned());
            Some(Recommendation { source, explanation, ..item })
        });
        Answer {
            items: items.collect(),
            candidates: if query.explain { count_by_source(&ranked) } else { Vec::new() },
            model_version: opened.model_version().unwrap_or("none").to_owned(),
            release: opened.name(),
            degraded: unreadable || scored.failed || opened.stands_in,
        }
    }

    /// The products of the cart, and those of them that the release contains: new products are in no
    /// feature row, and only steer what is new.
    pub(crate) fn held(&self, query: &Query<'_>) -> (Vec<u32>, Vec<u32>) {
        let held: Vec<u32> = query.cart_products().iter().filter_map(|id| self.find(id)).collect();
        let is_released = |product: &u32| self.opened.catalogue.get(*product).is_some();
        let released = held.iter().copied().filter(is_released).collect();
        (held, released)
    }

    /// Scores candidates on another machine, if there is one, or in this process.
    pub(crate) async fn scored(
        &self,
        scorer: Option<&dyn Scorer>,
        state: &UserState,
        context: &Context,
        cart: &[u32],
        chosen: &[Candidate],
    ) -> Scored {
        let catalogue = &self.opened.catalogue;
        let (Some(scorer), Some(model)) = (scorer, &self.opened.model) else {
            let model = self.opened.model.as_ref();
            let probabilities = scores(catalogue, model, state, context, cart, chosen);
            return Scored { probabilities, failed: false };
        };
        let mut features = Vec::new();
        rows(catalogue, state, context, cart, chosen, &mut features);
        model.scale(&mut features);
        match scorer.score(&features, FEATURES.len()).await {
            Ok(probabilities) if probabilities.len() == chosen.len() => {
                Scored { probabilities, failed: false }
            }
            other => {
                let count = other.as_ref().map(Vec::len);
                tracing::error!(
                    ?count,
                    rows = chosen.len(),
                    "the endpoint failed; scoring in this process"
                );
                Scored { probabilities: model.probabilities(&features), failed: true }
            }
        }
    }

    /// Adds products that shoppers turn to now, among them products of which no order tells:
    /// all that a shop knows on its first day. The first one is as likely as the best of the
    /// answer.
    fn with_trending(
        &self,
        mut ranked: Vec<Ranked>,
        held: &[u32],
        limit: usize,
        qualifies: impl Fn(u32) -> bool,
    ) -> Vec<Ranked> {
        let mut taken: FxHashSet<u32> = ranked.iter().map(|r| r.candidate.product).collect();
        taken.extend(held);
        let found = self.turned_to(limit, |p| qualifies(p) && !taken.contains(&p));
        let best = ranked.first().map_or(newcomers::WITHOUT_ORDERS, |best| best.probability);
        let most = found.first().map_or(1.0, |(_, count)| *count);
        ranked.extend(found.into_iter().map(|(product, count)| Ranked {
            candidate: Candidate::new(product, Source::Trending),
            probability: best * (count / most) as f32,
        }));
        ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        ranked
    }

    /// How the value of a product has a part in its place; `None` if answers are not ordered by it.
    fn value_of(&self, product: u32) -> Option<ValueShare> {
        (self.value != Value::Off).then(|| ValueShare {
            by: self.value.as_str().to_owned(),
            is_known: self.worth(product).is_some(),
        })
    }

    /// The reasons for a product of a list, of which `said` knows the earlier ones.
    fn why(
        &self,
        state: &UserState,
        ranked: &Ranked,
        explanation: Option<&Explanation>,
        said: &mut Said,
    ) -> Vec<String> {
        let Candidate { product, source, .. } = ranked.candidate;
        match source {
            Source::New => return vec![newcomers::reason(self, product)],
            Source::Trending => return vec![TRENDING.to_owned()],
            _ => {}
        }
        let name = |product: u32| self.label(product).map_or("", |label| label.name);
        let true_ones = reasons(&self.opened.catalogue, state, &ranked.candidate, name);
        let contributions = explanation.and_then(Explanation::contributions);
        said.choose(source, contributions.as_ref(), true_ones)
    }
}

impl Explanation {
    /// The contributions of the columns; `None` without a model.
    fn contributions(&self) -> Option<Contributions> {
        let values = self.features.iter().map(|feature| feature.contribution).collect();
        self.base.map(|expected| Contributions { expected, values })
    }
}

impl Opened {
    /// The user's stored state with the session's later events folded in.
    pub(crate) fn shopper(&self, query: &Query<'_>, hidden: bool) -> Shopper {
        let (mut state, unreadable) = match self.record(query.user_id, query.record) {
            Ok(state) => (state.filter(|_| !hidden).unwrap_or_default(), false),
            Err(error) => {
                tracing::error!(error, "cannot read the user's record");
                (UserState::default(), true)
            }
        };
        // What the record has is not folded in again.
        let recorded_ms = state.last_touch_ms().unwrap_or(i64::MIN);
        let searched_ms = state.last_search_ms().unwrap_or(i64::MIN);
        for event in query.session.into_iter().flat_map(later_events) {
            match event {
                Later::Checkout(checkout) => {
                    let key = LastCheckout {
                        at_ms: checkout.received_at_ms,
                        event_id: checkout.event_id.clone(),
                    };
                    if state.last_checkout.as_ref().is_some_and(|last| *last >= key) {
                        continue;
                    }
                    let products = self.indices(checkout.items.iter());
                    let order = self.calendar.order(&state, checkout.received_at_ms, &products);
                    state.apply(Event::Order(&order));
                    state.last_checkout = Some(key);
                }
                Later::Touch { product_id, action, at_ms } => {
                    if at_ms <= recorded_ms {
                        continue;
                    }
                    if let Some(product) = self.catalogue.find(product_id.as_str()) {
                        state.apply(Event::Touch(Touch { product, action, at_ms }));
                    }
                }
                Later::Search(SessionSearch { query, at_ms }) => {
                    let is_new = *at_ms > searched_ms;
                    if let Some(search) = Search::of(query, *at_ms).filter(|_| is_new) {
                        state.apply(Event::Search(&search));
                    }
                }
            }
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
        let is_scored = |candidate: &Candidate| candidate.source != Source::New;
        let all = shown.iter().map(|ranked| ranked.candidate);
        let candidates: Vec<Candidate> = all.clone().filter(is_scored).collect();
        let mut values = Vec::new();
        rows(&self.catalogue, state, context, cart, &candidates, &mut values);
        let mut scaled = values.clone();
        if let Some(model) = &self.model {
            model.scale(&mut scaled);
        }
        let width = FEATURES.len();
        let mut pairs = values.chunks_exact(width).zip(scaled.chunks_exact(width));
        all.map(|candidate| {
            // A new product has no row: it is not scored.
            let none = (&[][..], &[][..]);
            let (row, scaled) =
                if is_scored(&candidate) { pairs.next().unwrap_or(none) } else { none };
            // A model file without statistics can serve but cannot be explained.
            let model = self.model.as_ref().filter(|_| !scaled.is_empty());
            let parts = model.and_then(|model| model.contributions(scaled).ok());
            let added = parts.as_ref().map_or(&[][..], |parts| &parts.values);
            let features = FEATURES.iter().zip(row).enumerate();
            let features = features.map(|(at, (name, value))| FeatureContribution {
                name: (*name).to_owned(),
                label: column(name).map_or("", |column| column.label).to_owned(),
                unit: column(name).map_or("", |column| column.unit).to_owned(),
                subject: column(name).map_or("", |column| column.subject.as_str()).to_owned(),
                value: value.is_finite().then_some(*value),
                contribution: added.get(at).copied().unwrap_or_default(),
            });
            Explanation {
                source: candidate.source.as_str().to_owned(),
                base: parts.as_ref().map(|parts| parts.expected),
                value: None,
                features: features.collect(),
            }
        })
        .collect()
    }

    /// Catalogue indices of products; unknown products are dropped.
    fn indices<'a>(&self, ids: impl Iterator<Item = &'a ProductId>) -> Vec<u32> {
        ids.filter_map(|id| self.catalogue.find(id.as_str())).collect()
    }
}

/// An event of a session, as the fold takes it.
enum Later<'a> {
    Checkout(&'a SessionCheckout),
    Touch { product_id: &'a ProductId, action: Action, at_ms: i64 },
    Search(&'a SessionSearch),
}

impl Later<'_> {
    /// When it was accepted, UTC milliseconds.
    fn at_ms(&self) -> i64 {
        match self {
            Self::Checkout(checkout) => checkout.received_at_ms,
            Self::Touch { at_ms, .. } => *at_ms,
            Self::Search(search) => search.at_ms,
        }
    }
}

/// The events of a session by rising time.
fn later_events(session: &Session) -> Vec<Later<'_>> {
    let views = session.views.iter().map(|view| Later::Touch {
        product_id: &view.product_id,
        action: Action::View,
        at_ms: view.at_ms,
    });
    let changes = session.cart_changes.iter().map(|change| Later::Touch {
        product_id: &change.product_id,
        action: if change.is_added { Action::Add } else { Action::Remove },
        at_ms: change.at_ms,
    });
    let checkouts = session.checkouts.iter().map(Later::Checkout);
    // Of the same moment, a search comes first, as in the feature job.
    let searches = session.searches.iter().map(Later::Search);
    let mut events: Vec<Later<'_>> =
        searches.chain(views).chain(changes).chain(checkouts).collect();
    events.sort_by_key(Later::at_ms);
    events
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
