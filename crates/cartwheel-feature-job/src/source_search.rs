//! The search for the parameters of a shop's sources, by successive halving.
//!
//! Each parameter shapes a list of a source. Its values are compared by these lists alone: by how
//! near the top they have what validation users turned to that was new to them. One parameter is
//! chosen after the other. A value replaces the standard one only if chance hardly explains its
//! lead.

use cartwheel_feature_set::{ParameterSearch, ParameterTrial, SearchMode, SourceSearch};
use cartwheel_features::{Catalogue, Example, Merged, Parameter, mix, stable_hash};
use cartwheel_recommend::metrics::{Score, list_score, mean};
use cartwheel_recommend::paired::paired;
use cartwheel_recommend::{is_new, list_of};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::options::JobOptions;

/// Questions that a search asks for: with fewer, only the largest differences are no chance.
const MIN_QUESTIONS: usize = 100;
/// Questions of the last rung, at most.
const MAX_QUESTIONS: usize = 2_000;
/// The first rung asks one in this many of them.
const FIRST_RUNG: usize = 4;
/// Share by which the figure of a value has to be higher than that of the standard one.
const MARGIN: f64 = 0.01;
/// The probability of such a lead by chance from which on it does not count.
const MAX_CHANCE: f64 = 0.01;

/// The values that are tried beside the standard one.
fn challengers(parameter: Parameter, mode: SearchMode) -> &'static [f64] {
    let (quick, full): (&[f64], &[f64]) = match parameter {
        Parameter::SignificantPairs => (&[3.0, 80.0], &[1.0, 3.0, 25.0, 80.0, 200.0]),
        Parameter::CompanionShrink => (&[3.0, 30.0], &[1.0, 3.0, 5.0, 20.0, 50.0]),
        Parameter::FollowSteps => (&[3.0, 20.0], &[1.0, 2.0, 3.0, 5.0, 20.0]),
        Parameter::VisitPrior => (&[0.5, 10.0], &[0.5, 5.0, 10.0, 20.0, 40.0]),
        Parameter::VisitBack => (&[0.5, 0.65, 0.95], &[0.3, 0.5, 0.65, 0.9, 1.0]),
        Parameter::NearestVisits => (&[50.0, 300.0], &[30.0, 50.0, 200.0, 300.0, 500.0]),
    };
    match mode {
        SearchMode::Off => &[],
        SearchMode::Quick => quick,
        SearchMode::Full => full,
    }
}

/// Why no values are compared, in one sentence.
pub(crate) fn obstacle(valid: &[Example], gate_is_small: bool, mode: SearchMode) -> Option<String> {
    let questions = valid.iter().filter_map(Question::new).count();
    if mode == SearchMode::Off {
        Some("The search is off.".to_owned())
    } else if gate_is_small {
        Some("Nothing was tried: a shop that cross-validation judges is too small.".to_owned())
    } else if questions < MIN_QUESTIONS {
        Some(format!(
            "Nothing was tried: {questions} validation questions have an answer that is new to the \
             user, and a search asks for {MIN_QUESTIONS}."
        ))
    } else {
        None
    }
}

/// Chooses the parameters and adapts `catalogue` to them. It is the one over all users but those of
/// the `valid` examples and their group, and built from `merged`.
pub(crate) fn search(
    catalogue: &mut Catalogue,
    merged: &Merged<'_>,
    valid: &[Example],
    options: &JobOptions,
) -> SourceSearch {
    let mut questions: Vec<Question<'_>> = valid.iter().filter_map(Question::new).collect();
    questions.sort_by_key(|question| question.draw(options.seed));
    questions.truncate(MAX_QUESTIONS);
    let users: FxHashMap<&str, u32> =
        questions.iter().map(|question| question.example.user_id.as_str()).zip(0..).collect();
    questions.iter_mut().for_each(|q| q.user = users[q.example.user_id.as_str()]);
    let sources = Parameter::ALL.into_iter();
    let searched = sources.filter(|parameter| !catalogue.without.contains(parameter.source()));
    let searched: Vec<Parameter> = searched.collect();
    let values = |parameter| {
        let mut values = Values { parameter, catalogue: &mut *catalogue, merged };
        values.search(&questions, options.search)
    };
    let parameters: Vec<ParameterSearch> = searched.into_iter().filter_map(values).collect();
    let changed = parameters.iter().filter(|search| search.chosen != search.trials[0].value);
    let changed: Vec<String> =
        changed.map(|search| format!("{} = {}", search.name, search.chosen)).collect();
    SourceSearch {
        mode: options.search,
        questions: [questions.len() / FIRST_RUNG, questions.len()].map(|n| n as u64).to_vec(),
        parameters,
        outcome: match changed.is_empty() {
            true => "No value was clearly better than the standard one.".to_owned(),
            false => format!("Chosen for this shop: {}.", changed.join(", ")),
        },
    }
}

/// A question to a validation user.
struct Question<'a> {
    example: &'a Example,
    /// A number of the user.
    user: u32,
    cart: &'a [u32],
    /// What the user turned to that was new.
    answer: Vec<u32>,
}

impl<'a> Question<'a> {
    /// Returns `None` if nothing in the answer was new to the user.
    fn new(example: &'a Example) -> Option<Self> {
        let cart = example.cart.as_deref().unwrap_or_default();
        let mut answer = example.basket.clone();
        answer.retain(|&product| is_new(&example.state, cart, product));
        (!answer.is_empty()).then_some(Self { example, user: 0, cart, answer })
    }

    /// The question's place in the order of questions.
    fn draw(&self, seed: u64) -> u64 {
        let Example { user_id, order_number, .. } = self.example;
        mix(stable_hash(format!("sources/{seed}/{user_id}/{order_number}").as_bytes()))
    }
}

/// The values of a parameter.
struct Values<'a> {
    parameter: Parameter,
    /// Has the parameters that were chosen so far.
    catalogue: &'a mut Catalogue,
    merged: &'a Merged<'a>,
}

impl Values<'_> {
    /// Chooses a value. Returns `None` if the source lists nothing in this shop.
    fn search(&mut self, questions: &[Question<'_>], mode: SearchMode) -> Option<ParameterSearch> {
        let standard = self.catalogue.parameters[self.parameter];
        let few = questions.len() / FIRST_RUNG;
        let own = self.scores(questions);
        if mean(&own[..few]).mean == 0.0 {
            return None;
        }
        let tried = challengers(self.parameter, mode);
        let mut variants = self.catalogue.variants(self.parameter, tried, self.merged);
        // To build the lists takes longer than to ask: each value is asked everything at once.
        let others = tried.iter().zip(&mut variants).map(|(&value, variant)| {
            self.catalogue.swap(variant);
            let scores = self.scores(questions);
            self.catalogue.swap(variant);
            (value, scores)
        });
        let all: Vec<(f64, Vec<Score>)> = std::iter::once((standard, own)).chain(others).collect();
        let first = |(value, scores): &(f64, Vec<Score>)| ParameterTrial {
            value: *value,
            scores: vec![mean(&scores[..few]).mean],
        };
        let mut trials: Vec<(ParameterTrial, Vec<Score>)> =
            all.iter().map(|one| (first(one), Vec::new())).collect();
        let mut order: Vec<usize> = (1..trials.len()).collect();
        order.sort_by(|&a, &b| trials[b].0.scores[0].total_cmp(&trials[a].0.scores[0]));
        order.truncate((trials.len() / 2).max(2) - 1);
        for at in std::iter::once(0).chain(order) {
            let (trial, scores) = &mut trials[at];
            scores.clone_from(&all[at].1);
            trial.scores.push(mean(scores).mean);
        }
        let (chosen, outcome) = decide(&trials);
        if let Some(at) = tried.iter().position(|&value| value == chosen) {
            self.catalogue.swap(&mut variants[at]);
        }
        Some(ParameterSearch {
            name: self.parameter.as_str().to_owned(),
            source: self.parameter.source().as_str().to_owned(),
            trials: trials.into_iter().map(|(trial, _)| trial).collect(),
            chosen,
            outcome,
        })
    }

    /// The NDCG of each question's list with the value that the catalogue has.
    fn scores(&self, questions: &[Question<'_>]) -> Vec<Score> {
        let (parameter, catalogue) = (self.parameter, &*self.catalogue);
        let score = |question: &Question<'_>| {
            let list = list_of(parameter, catalogue, &question.example.state, question.cart);
            let value = list_score(&list, &question.answer, list.len()).ndcg;
            Score { user: question.user, value }
        };
        questions.par_iter().map(score).collect()
    }
}

/// Chooses among trials, the first of which has the standard value. Those of the last rung have a
/// score for each question.
fn decide(trials: &[(ParameterTrial, Vec<Score>)]) -> (f64, String) {
    let figure = |trial: &ParameterTrial| trial.scores.last().copied().unwrap_or_default();
    let (standard, own) = &trials[0];
    let last = trials[1..].iter().filter(|(_, scores)| !scores.is_empty());
    let best = last.max_by(|(a, _), (b, _)| figure(a).total_cmp(&figure(b)));
    let better = best.filter(|(trial, _)| figure(trial) > figure(standard));
    let Some((trial, scores)) = better else {
        let outcome =
            format!("No value had a higher NDCG than the standard one, {}.", standard.value);
        return (standard.value, outcome);
    };
    let lead = figure(trial) / figure(standard) - 1.0;
    let chance = paired(scores, own).p_value;
    let p = match chance < 0.001 {
        true => "p < 0.001".to_owned(),
        false => format!("p = {chance:.3}"),
    };
    let found = format!(
        "The NDCG with {} is {:.1} % higher than with {}, {p}",
        trial.value,
        lead * 100.0,
        standard.value
    );
    if lead < MARGIN || chance >= MAX_CHANCE {
        let asked = format!("a change asks for {} % and p < {MAX_CHANCE}", MARGIN * 100.0);
        return (standard.value, format!("{found}: {asked}."));
    }
    (trial.value, format!("{found}: it was chosen."))
}
