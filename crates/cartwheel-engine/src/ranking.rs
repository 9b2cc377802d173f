//! How a shop answers a query.

use std::collections::BTreeMap;
use std::sync::Arc;

use cartwheel_features::{Context, Source, UserState};
use cartwheel_recommend::{
    Candidate, Contributions, FEATURES, Ranked, Relations, Said, Value, by_value, column,
    due_first, is_due, order, reasons, rows, scores,
};
use rustc_hash::FxHashSet;

use crate::answer::{
    Answer, Explanation, FeatureContribution, Recommendation, SourceCount, ValueShare,
};
use crate::browse::TRENDING;
use crate::newcomers;
use crate::question::Query;
use crate::rules::RECOMMENDATIONS;
use crate::scorer::Scorer;
use crate::shop::Shop;
use crate::shopper::Moment;

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
        let moment = self.moment(query, hidden);
        let Moment { state, unreadable, context, cart, .. } = &moment;
        let shopper = self.asking(query, state);
        let ruling = Arc::new(self.ruling(query, &shopper, RECOMMENDATIONS));
        let filter = self.filter_for(query, &shopper, Some(ruling.clone()));
        let qualifies = |product: u32| {
            filter.qualifies(product)
                && self.discovery.admits(state, product)
                && !(query.filters.exclude_purchased && state.product(product).is_some())
        };
        let relations = Relations::new(&opened.catalogue, state, cart);
        let mut chosen = relations.candidates(query.limit, self.discovery, qualifies);
        let lacking = self.lacking(&moment, &ruling, &chosen, query.limit, qualifies);
        chosen.extend(relations.among(lacking.iter().copied()));
        drop(relations);
        let scored = self.scored(scorer, &moment, &chosen).await;
        let ranked =
            self.ordered_for(&moment, &chosen, scored.probabilities, query.limit, qualifies);
        let ranked = with_unscored(ranked, &lacking);
        let counted = if query.explain { count_by_source(&ranked) } else { Vec::new() };
        let of = |ranked: &Ranked| (ranked.candidate.product, ranked.probability);
        let (shown, moves): (Vec<Ranked>, Vec<_>) =
            self.arranged(&ruling, ranked, query.limit, of).into_iter().unzip();
        let explained = query.explain.then(|| self.explain(state, context, cart, &shown));
        let explained = explained.into_iter().flatten().zip(&shown);
        let mut explained = explained.map(|(explanation, ranked)| Explanation {
            value: self.value_of(ranked.candidate.product),
            ..explanation
        });
        let mut said = Said::default();
        let items = shown.iter().zip(moves).filter_map(|(ranked, moved_by)| {
            let explanation = explained.next();
            let product = ranked.candidate.product;
            let reasons = self.why(state, ranked, explanation.as_ref(), &mut said);
            let item = self.recommendation(product, ranked.probability, reasons)?;
            let item = self.dated(&moment.state, product, item);
            let source = Some(ranked.candidate.source.as_str().to_owned());
            Some(Recommendation { source, moved_by, explanation, ..item })
        });
        Answer {
            items: items.collect(),
            candidates: counted,
            model_version: self.model_version().to_owned(),
            release: self.release(),
            degraded: *unreadable || scored.failed || opened.stands_in,
            basis: self.basis(hidden),
        }
    }

    /// Puts scored candidates into the order in which the shopper sees them, with trending and new
    /// products among them, so that at least `limit` are in the order while so many qualify.
    pub(crate) fn ordered_for(
        &self,
        moment: &Moment,
        chosen: &[Candidate],
        probabilities: Vec<f32>,
        limit: usize,
        qualifies: impl Fn(u32) -> bool + Copy,
    ) -> Vec<Ranked> {
        let Moment { state, context, held, .. } = moment;
        let opened = &*self.opened;
        let ranked = order(&opened.catalogue, chosen, probabilities);
        let ranked = match self.model() {
            // A model has learned what shoppers want of the products that it knows.
            Some(_) => ranked,
            None => self.with_trending(ranked, held, limit, qualifies),
        };
        let ranked = newcomers::with_newcomers(self, ranked, state, held, limit, qualifies);
        let ranked = match self.value {
            Value::Off => ranked,
            Value::Price | Value::Margin => by_value(ranked, |product| self.worth(product)),
        };
        let is_new = |ranked: &Ranked| state.product(ranked.candidate.product).is_none();
        let ranked = self.discovery.arrange(ranked, is_new);
        due_first(ranked, |ranked| is_due(state, context, ranked.candidate.product))
    }

    /// Scores candidates on another machine, if there is one that has the release's model, or in this
    /// process.
    pub(crate) async fn scored(
        &self,
        scorer: Option<&dyn Scorer>,
        moment: &Moment,
        chosen: &[Candidate],
    ) -> Scored {
        let Moment { state, context, cart, .. } = moment;
        let catalogue = &self.opened.catalogue;
        let (Some(scorer), Some(variant), Some(model)) = (scorer, self.variant(), self.model())
        else {
            let probabilities = scores(catalogue, self.model(), state, context, cart, chosen);
            return Scored { probabilities, failed: false };
        };
        let mut features = Vec::new();
        rows(catalogue, state, context, cart, chosen, &mut features);
        model.scale(&mut features);
        match scorer.score(&variant.name, &features, FEATURES.len()).await {
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
    pub(crate) fn why(
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

impl Shop {
    /// The rows as they were scored, before scaling, with the contribution of each value.
    pub(crate) fn explain(
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
        rows(&self.opened.catalogue, state, context, cart, &candidates, &mut values);
        let mut scaled = values.clone();
        if let Some(model) = self.model() {
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
            let model = self.model().filter(|_| !scaled.is_empty());
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
}

/// Adds those of some products that a ranking lacks, since the release does not have them, in a
/// fixed order.
pub(crate) fn with_unscored(mut ranked: Vec<Ranked>, products: &FxHashSet<u32>) -> Vec<Ranked> {
    let found: FxHashSet<u32> = ranked.iter().map(|r| r.candidate.product).collect();
    let mut others: Vec<u32> = products.iter().copied().filter(|p| !found.contains(p)).collect();
    others.sort_unstable();
    ranked.extend(others.into_iter().map(|product| Ranked {
        candidate: Candidate::new(product, Source::New),
        probability: 0.0,
    }));
    ranked
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
