//! A model, the baselines and a reference, judged by the same questions.

use cartwheel_feature_set::Label;
use cartwheel_features::{
    Catalogue, Context, Example, GROUPS, Histories, OrderHistory, group_of, stable_hash,
};
use cartwheel_recommend::baselines::{Baseline, Question, of_others, of_visits, simple};
use cartwheel_recommend::due_dates::due_dates;
use cartwheel_recommend::metrics::{
    ListScore, Prediction, Score, calibration, calibration_error, list_score, log_loss, mean,
};
use cartwheel_recommend::paired::paired;
use cartwheel_recommend::slices::{Judged, Market, slices};
use cartwheel_recommend::{Model, rank};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::diversity_curve::{DiversityPoint, diversity_curve};
use crate::report::{Comparison, Method, Report};

/// The baseline that a first model is compared with.
const POPULAR: &str = "popular";
/// Length of the lists that are judged.
const LIMIT: usize = 20;

/// Questions that a model is judged by, each with the state before it and its answer.
pub(crate) struct Judgement<'a> {
    /// Version of the feature set.
    pub(crate) set: &'a str,
    /// A catalogue for all users, or those over other users, by group of users.
    pub(crate) catalogues: Vec<Catalogue>,
    pub(crate) examples: Vec<Example>,
    /// Folds of cross-validation; 0 for gate users.
    pub(crate) folds: u32,
    /// The time from which on the questions were asked; `None` if they are of held-out users.
    pub(crate) since_ms: Option<i64>,
    /// What the examples ask for.
    pub(crate) label: Label,
    /// What the baselines know of the users and of others.
    pub(crate) histories: Histories,
}

/// The lists of a method for all examples, with the history and without.
struct Lists {
    known: Vec<Vec<u32>>,
    guests: Vec<Vec<u32>>,
}

fn has_answer(judged: &Judged<'_>) -> bool {
    !judged.example.basket.is_empty()
}

/// The group of an example's user, who is judged with the users of other groups.
fn group(example: &Example) -> usize {
    group_of(stable_hash(example.user_id.as_bytes()))
}

/// The market for an example: the only one, or that of its group.
fn market<'m, 'c>(markets: &'m [Market<'c>], example: &Example) -> &'m Market<'c> {
    if let [market] = markets { market } else { &markets[group(example)] }
}

impl Judgement<'_> {
    /// Whether any question has an answer that can be found.
    pub(crate) fn has_answers(&self) -> bool {
        self.examples.iter().any(|example| !example.basket.is_empty())
    }

    /// The questions with their markets, of which there is one or one a group.
    fn questions<'q>(&'q self, markets: &'q [Market<'q>]) -> Vec<Judged<'q>> {
        let mut users: FxHashMap<&str, u32> = FxHashMap::default();
        let number = |example: &'q Example| {
            let next = users.len() as u32;
            let user = *users.entry(&example.user_id).or_insert(next);
            Judged { market: market(markets, example), user, example }
        };
        self.examples.iter().map(number).collect()
    }

    /// The price of diversity, over the questions that have an answer.
    pub(crate) fn diversity(&self, model: Option<&Model>) -> Vec<DiversityPoint> {
        let markets: Vec<Market<'_>> = self.catalogues.iter().map(Market::new).collect();
        let asked: Vec<Judged<'_>> =
            self.questions(&markets).into_iter().filter(has_answer).collect();
        diversity_curve(&asked, |Judged { market, example: e, .. }| {
            rank(market.catalogue(), model, &e.state, &e.context, held(e), |_| true)
        })
    }

    /// Compares the model of each example with the reference, or with popularity.
    pub(crate) fn report<'m>(
        &self,
        version: Option<&str>,
        model: &(dyn Fn(&Example) -> Option<&'m Model> + Sync),
        reference: Option<(&str, Model)>,
    ) -> Report {
        let markets: Vec<Market<'_>> = self.catalogues.iter().map(Market::new).collect();
        let all = self.questions(&markets);
        // In a visit that ends without the event nothing can be found: it only has probabilities.
        let (judged, empty): (Vec<_>, Vec<_>) = all.into_iter().partition(has_answer);
        let users: FxHashSet<u32> = judged.iter().map(|judged| judged.user).collect();
        let answer = |judged: &Judged<'_>| answer(judged, model(judged.example));
        let answers: Vec<Answer> = judged.par_iter().map(answer).collect();
        let empty: Vec<Answer> = empty.par_iter().map(answer).collect();
        let lists = Lists {
            known: answers.iter().map(|answer| answer.list.clone()).collect(),
            guests: judged.par_iter().map(|j| guest_list(j, model(j.example))).collect(),
        };
        let ours = recalls(&lists, &judged);
        let mut methods = Vec::new();
        let mut popular = Vec::new();
        for (name, lists) in self.baselines(&judged) {
            let theirs = recalls(&lists, &judged);
            methods.push(Method {
                model_lead: Some(paired(&ours, &theirs)),
                ..method(name, &lists, &judged)
            });
            if name == POPULAR {
                popular = theirs;
            }
        }
        let name = if version.is_some() { "model" } else { "no model" };
        methods.push(method(name, &lists, &judged));
        let predictions: Vec<Prediction> =
            answers.iter().chain(&empty).flat_map(|a| a.predictions.iter().copied()).collect();
        let bins = calibration(&predictions);
        let asked = || answers.iter().zip(&judged);
        let found: Vec<Score> = asked()
            .map(|(answer, judged)| Score { user: judged.user, value: answer.candidate_recall })
            .collect();
        let half: Vec<Score> = asked()
            .filter_map(|(answer, judged)| {
                Some(Score { user: judged.user, value: answer.half_recall? })
            })
            .collect();
        Report {
            feature_set: self.set.to_owned(),
            model: version.map(str::to_owned),
            users: users.len(),
            questions: judged.len(),
            folds: self.folds,
            since_ms: self.since_ms,
            label: self.label,
            event: self.label.event(),
            methods,
            candidate_recall: mean(&found),
            log_loss: log_loss(&predictions),
            calibration_error: calibration_error(&bins),
            calibration: bins,
            half_cart_recall_at_10: mean(&half),
            due_dates: match self.label {
                Label::NextBasket => due_dates(&judged),
                _ => None,
            },
            comparison: compare(&ours, &popular, &judged, reference),
        }
    }

    /// The lists of each baseline, by name.
    fn baselines(&self, judged: &[Judged<'_>]) -> Vec<(&'static str, Lists)> {
        let mut of_group: FxHashMap<usize, Vec<Box<dyn Baseline + '_>>> = FxHashMap::default();
        for group in self.examples.iter().map(group) {
            of_group.entry(group).or_insert_with(|| self.baselines_of(group));
        }
        let users = self.histories.groups.iter().flatten().chain(&self.histories.judged);
        let users: FxHashMap<&str, &OrderHistory> =
            users.map(|history| (history.user_id.as_str(), history)).collect();
        let asked = |at: usize| {
            let known = |Judged { market, example, .. }: &Judged<'_>| {
                let history = users.get(example.user_id.as_str());
                let orders = history.map_or_else(Vec::new, |h| h.before(example.state.orders + 1));
                let question = Question {
                    catalogue: market.catalogue(),
                    user_id: &example.user_id,
                    state: &example.state,
                    orders: &orders,
                    cart: held(example),
                };
                of_group[&group(example)][at].rank(&question, LIMIT)
            };
            let guest = |Judged { market, example, .. }: &Judged<'_>| {
                let state = example.state.as_guest();
                let question = Question {
                    catalogue: market.catalogue(),
                    user_id: &example.user_id,
                    state: &state,
                    orders: &[],
                    cart: held(example),
                };
                of_group[&group(example)][at].rank(&question, LIMIT)
            };
            Lists {
                known: judged.par_iter().map(known).collect(),
                guests: judged.par_iter().map(guest).collect(),
            }
        };
        let names = of_group.values().next().into_iter().flatten().map(|baseline| baseline.name());
        names.enumerate().map(|(at, name)| (name, asked(at))).collect()
    }

    /// The baselines for users of a group, who are judged with the users of other groups.
    fn baselines_of(&self, group: usize) -> Vec<Box<dyn Baseline + '_>> {
        let Histories { groups, tuning, .. } = &self.histories;
        let mut baselines: Vec<Box<dyn Baseline + '_>> = simple();
        if groups.iter().any(|users| !users.is_empty()) {
            let others = (0..GROUPS).filter(|other| *other != group);
            // In cross-validation the users to tune by are judged themselves.
            let tuning = if self.folds == 0 { &tuning[..] } else { &[] };
            let tuning_ids: FxHashSet<&str> =
                tuning.iter().map(|user| user.user_id.as_str()).collect();
            let references: Vec<&OrderHistory> = others
                .flat_map(|other| &groups[other])
                .filter(|user| !tuning_ids.contains(user.user_id.as_str()))
                .collect();
            baselines.extend(of_others(&references, tuning));
        }
        baselines.extend(self.catalogues.first().and_then(of_visits));
        baselines
    }
}

/// Recall@10 of each question.
fn recalls(lists: &Lists, judged: &[Judged<'_>]) -> Vec<Score> {
    let pairs = lists.known.iter().zip(judged);
    pairs.map(|(list, judged)| score(list, judged, 10, |s| s.recall)).collect()
}

/// One figure of a list.
fn score(list: &[u32], judged: &Judged<'_>, k: usize, pick: fn(ListScore) -> f64) -> Score {
    Score { user: judged.user, value: pick(list_score(list, &judged.example.basket, k)) }
}

fn method(name: &str, lists: &Lists, judged: &[Judged<'_>]) -> Method {
    let at = |k: usize, pick: fn(ListScore) -> f64| {
        let pairs = lists.known.iter().zip(judged);
        mean(&pairs.map(|(list, judged)| score(list, judged, k, pick)).collect::<Vec<_>>())
    };
    Method {
        name: name.to_owned(),
        recall_at_10: at(10, |s| s.recall),
        ndcg_at_10: at(10, |s| s.ndcg),
        phr_at_10: at(10, |s| s.phr),
        recall_at_20: at(20, |s| s.recall),
        ndcg_at_20: at(20, |s| s.ndcg),
        phr_at_20: at(20, |s| s.phr),
        model_lead: None,
        slices: Some(slices(&lists.known, &lists.guests, judged)),
    }
}

/// Compares the model's recalls with those of the reference, or of popularity.
fn compare(
    ours: &[Score],
    popular: &[Score],
    judged: &[Judged<'_>],
    reference: Option<(&str, Model)>,
) -> Comparison {
    let theirs = match &reference {
        Some((_, model)) => {
            let recall = |judged: &Judged<'_>| {
                score(&answer(judged, Some(model)).list, judged, 10, |s| s.recall)
            };
            judged.par_iter().map(recall).collect()
        }
        None => popular.to_vec(),
    };
    let difference = paired(ours, &theirs);
    Comparison {
        reference: reference.as_ref().map_or(POPULAR, |(version, _)| version).to_owned(),
        serving: reference.is_some(),
        difference: difference.into(),
        p_value: Some(difference.p_value),
        recall_at_10: Some(mean(&theirs)),
    }
}

/// The products in the cart when the question is asked.
fn held(example: &Example) -> &[u32] {
    example.cart.as_deref().unwrap_or_default()
}

/// How a model ranks for an example.
struct Answer {
    list: Vec<u32>,
    predictions: Vec<Prediction>,
    candidate_recall: f64,
    half_recall: Option<f64>,
}

fn answer(judged: &Judged<'_>, model: Option<&Model>) -> Answer {
    let Judged { market, example: e, .. } = judged;
    let ranked = rank(market.catalogue(), model, &e.state, &e.context, held(e), |_| true);
    let products: Vec<u32> = ranked.iter().map(|r| r.candidate.product).collect();
    let (cart, rest) = e.basket.split_at(e.basket.len() / 2);
    let half_recall = (!cart.is_empty()).then(|| {
        let cart = [held(e), cart].concat();
        let ranked = rank(market.catalogue(), model, &e.state, &e.context, &cart, |_| true);
        let list: Vec<u32> = ranked.iter().map(|r| r.candidate.product).collect();
        list_score(&list, rest, 10).recall
    });
    Answer {
        candidate_recall: list_score(&products, &e.basket, products.len()).recall,
        predictions: ranked
            .iter()
            .map(|r| Prediction {
                probability: r.probability,
                happened: e.basket.contains(&r.candidate.product),
            })
            .collect(),
        list: products.into_iter().take(LIMIT).collect(),
        half_recall,
    }
}

/// The model's list for an example without the user's history.
fn guest_list(judged: &Judged<'_>, model: Option<&Model>) -> Vec<u32> {
    let Judged { market, example, .. } = judged;
    let context = Context { days_since_prior: None, ..example.context };
    let state = example.state.as_guest();
    let ranked = rank(market.catalogue(), model, &state, &context, held(example), |_| true);
    ranked.iter().take(LIMIT).map(|r| r.candidate.product).collect()
}
