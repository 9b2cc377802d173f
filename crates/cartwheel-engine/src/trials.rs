//! What exploration has learned: how often products that it chose were seen, and clicked.
//!
//! An impression names the products that exploration chose. Events that name the answer tell which of
//! them were seen and clicked, each once. The counts hold products and answers, and no shopper.

use std::collections::VecDeque;

use cartwheel_events::{EventKind, EventRecord, Impression, ProductId};
use cartwheel_recommend::exploration::Belief;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// Products with counts, and twice as many for a while.
const CAPACITY: usize = 5_000;
/// The newest answers whose events count.
const ANSWERS: usize = 10_000;
/// The mean of the prior where no model predicts a probability.
pub(crate) const PRIOR: f64 = 0.05;
/// The trials as which the prior of a product counts that nobody has bought.
pub(crate) const WEAK: f64 = 10.0;

/// How often a product was explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Trial {
    sent: u64,
    seen: u64,
    clicked: u64,
    /// When it was last sent, UTC milliseconds.
    last_ms: i64,
}

/// A product of an answer, and what followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sent {
    product: String,
    seen: bool,
    clicked: bool,
}

/// The counts of all products.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Trials {
    products: FxHashMap<ProductId, Trial>,
    answers: FxHashMap<String, Vec<Sent>>,
    /// The ids of `answers`, the oldest first.
    order: VecDeque<String>,
    /// Whether a page has ever reported what was visible.
    is_reported: bool,
}

/// The counts as they are stored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct StoredTrials {
    products: Vec<(String, Trial)>,
    answers: Vec<(String, Vec<Sent>)>,
    is_reported: bool,
}

/// The trials and clicks of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tried {
    pub(crate) trials: u64,
    pub(crate) clicks: u64,
}

impl Tried {
    /// What is believed of the click rate, after a prior with that mean and strength.
    pub(crate) fn belief(self, prior: f64, strength: f64) -> Belief {
        Belief::new(prior, strength, self.trials, self.clicks)
    }
}

impl Trials {
    /// Counts the products of an answer that exploration chose. A repeated answer counts once.
    pub(crate) fn add_answer(&mut self, answer: &Impression) {
        let explored = answer.shown.iter().filter(|item| item.propensity.is_some());
        let products: Vec<&ProductId> = explored.map(|item| &item.product_id).collect();
        if products.is_empty() || self.answers.contains_key(&answer.recommendation_id) {
            return;
        }
        for &product in &products {
            let trial = self.products.entry(product.clone()).or_default();
            trial.sent += 1;
            trial.last_ms = trial.last_ms.max(answer.received_at_ms);
        }
        let sent = products.into_iter().map(|product| Sent {
            product: product.as_str().to_owned(),
            seen: false,
            clicked: false,
        });
        self.answers.insert(answer.recommendation_id.clone(), sent.collect());
        self.order.push_back(answer.recommendation_id.clone());
        if self.order.len() > ANSWERS
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
        if self.products.len() > 2 * CAPACITY {
            self.drop_oldest();
        }
    }

    /// Counts what an event tells of an answer's products.
    pub(crate) fn add_event(&mut self, event: &EventRecord) {
        let is_click = match event.event {
            EventKind::Impression => false,
            EventKind::View | EventKind::AddToCart | EventKind::Checkout => true,
            _ => return,
        };
        let id = event.recommendation_id.as_ref();
        let Some(answer) = id.and_then(|id| self.answers.get_mut(id)) else { return };
        self.is_reported |= !is_click;
        for product in &event.product_ids {
            let sent = answer.iter_mut().find(|sent| sent.product == product.as_str());
            let (Some(sent), Some(trial)) = (sent, self.products.get_mut(product)) else {
                continue;
            };
            trial.seen += u64::from(!sent.seen);
            sent.seen = true;
            if is_click {
                trial.clicked += u64::from(!sent.clicked);
                sent.clicked = true;
            }
        }
    }

    /// Keeps the products that were sent last.
    fn drop_oldest(&mut self) {
        let mut times: Vec<i64> = self.products.values().map(|trial| trial.last_ms).collect();
        let (_, bound, _) = times.select_nth_unstable_by(CAPACITY, |a, b| b.cmp(a));
        let bound = *bound;
        self.products.retain(|_, trial| trial.last_ms > bound);
    }

    /// The trials of a product: how often it was seen, or sent while no page has reported what is.
    pub(crate) fn of(&self, product: &ProductId) -> Tried {
        self.products.get(product).map_or_else(Tried::default, |trial| self.tried(trial))
    }

    fn tried(&self, trial: &Trial) -> Tried {
        let trials = if self.is_reported { trial.seen } else { trial.sent };
        Tried { trials, clicks: trial.clicked }
    }

    /// The products with the most trials.
    pub(crate) fn most_tried(&self, limit: usize) -> Vec<(ProductId, Tried)> {
        let all = self.products.iter().map(|(product, trial)| (product, self.tried(trial)));
        let mut all: Vec<(&ProductId, Tried)> = all.filter(|(_, tried)| tried.trials > 0).collect();
        all.sort_by(|a, b| (b.1.trials, a.0).cmp(&(a.1.trials, b.0)));
        all.into_iter().take(limit).map(|(product, tried)| (product.clone(), tried)).collect()
    }

    /// The counts for [`Trials::restored`].
    pub(crate) fn stored(&self) -> StoredTrials {
        let answer = |id: &String| Some((id.clone(), self.answers.get(id)?.clone()));
        StoredTrials {
            products: (self.products.iter())
                .map(|(product, trial)| (product.as_str().to_owned(), *trial))
                .collect(),
            answers: self.order.iter().filter_map(answer).collect(),
            is_reported: self.is_reported,
        }
    }

    /// The counts that were stored.
    pub(crate) fn restored(stored: StoredTrials) -> Self {
        let StoredTrials { products, answers, is_reported } = stored;
        let product = |(id, trial): (String, Trial)| Some((ProductId::new(id).ok()?, trial));
        Self {
            products: products.into_iter().filter_map(product).collect(),
            order: answers.iter().map(|(id, _)| id.clone()).collect(),
            answers: answers.into_iter().collect(),
            is_reported,
        }
    }
}
