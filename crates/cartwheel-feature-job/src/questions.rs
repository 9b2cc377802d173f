//! The questions of a user's history: at which moments a recommender is asked, and what the user did
//! next.
//!
//! A question after the next basket is asked at the order's moment; if a visit led to the order, at
//! a random moment of the visit, with the cart of that moment; and now and then right after the
//! order before. A question after the next interaction is asked after every touch or search of a visit that
//! a touch follows, and one after the rest of the visit after each of them, whatever follows.

use cartwheel_feature_set::{Calendar, EventWeights};
use cartwheel_features::{
    BottomK, Context, Example, Fold, Order, Touch, UserState, VISIT_GAP_MS, example_key,
    stable_hash,
};
use serde::{Deserialize, Serialize};

use crate::ahead::{Ahead, positives};
use crate::step::{Step, first_touch, last_visit};

/// One in this many baskets is asked for right after the order before.
const AFTER_CHECKOUT: u64 = 10;

/// Bounded samples of questions, by their use.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Samples {
    pub train: BottomK<Example>,
    pub valid: BottomK<Example>,
    pub gate: BottomK<Example>,
}

impl Samples {
    /// Samples of at most `most` training examples, and an eighth of that for each other use.
    pub(crate) fn new(most: usize) -> Self {
        let held_out = Self::held_out(most);
        Self {
            train: BottomK::new(most),
            valid: BottomK::new(held_out),
            gate: BottomK::new(held_out),
        }
    }

    /// The most examples of each held-out use, given the most training examples.
    pub(crate) fn held_out(most: usize) -> usize {
        (most / 8).max(1)
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.train.merge(other.train);
        self.valid.merge(other.valid);
        self.gate.merge(other.gate);
    }

    /// The sample for a question to a user of `fold`. Only the newest one of a gate user is for the
    /// gate.
    fn of(&mut self, fold: Fold, is_last: bool) -> &mut BottomK<Example> {
        match fold {
            Fold::Valid => &mut self.valid,
            Fold::Gate if is_last => &mut self.gate,
            _ => &mut self.train,
        }
    }
}

/// The user who is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub user_id: &'a str,
    pub fold: Fold,
    pub seed: u64,
}

/// An order to ask for.
pub(crate) struct Asking<'a> {
    pub order: &'a Order,
    /// The order before.
    pub previous: Option<&'a Order>,
    /// Whether it is the user's newest.
    pub is_last: bool,
}

/// Folds a user's history, and asks questions on the way.
pub(crate) struct Questions<'a> {
    pub user: Asked<'a>,
    pub baskets: &'a mut Samples,
    pub interactions: &'a mut Samples,
    /// Where to ask for the rest of visits, and by which weights.
    pub rests: Option<(&'a mut Samples, EventWeights)>,
    /// What the user does later.
    pub ahead: Ahead<'a>,
    /// The state so far.
    pub state: UserState,
    /// Touches and searches so far.
    pub done: u32,
}

impl Questions<'_> {
    /// Folds the steps before an order, and asks for the order once.
    pub(crate) fn before_order(
        &mut self,
        steps: &[Step],
        asking: &Asking<'_>,
        calendar: &Calendar,
    ) {
        let Asking { order, previous, is_last } = asking;
        let led = visit_before(steps, order);
        let draw = self.draw("moment", order.number);
        let is_held_out = self.user.fold == Fold::Gate && *is_last;
        if let (Some(previous), 0, 0, false) = (previous, led, draw % AFTER_CHECKOUT, is_held_out) {
            let at_once = Context { days_since_prior: Some(0.0), ..previous.context };
            self.ask_basket(asking, at_once, Some(Vec::new()));
            self.steps(steps, calendar);
            return;
        }
        // The first order tells nothing of a user who has done nothing before.
        if previous.is_none() && led == 0 {
            self.steps(steps, calendar);
            return;
        }
        let left = (draw % (led as u64 + 1)) as usize;
        let (before, after) = steps.split_at(steps.len() - left);
        self.steps(before, calendar);
        let context = match after.first() {
            None => order.context,
            // At the beginning of a visit, the step before belongs to another day.
            Some(next) => {
                let newest = before.last().filter(|_| left < led).unwrap_or(next);
                calendar.context(&self.state, newest.at_ms())
            }
        };
        let cart = self.state.cart();
        self.ask_basket(asking, context, cart);
        self.steps(after, calendar);
    }

    /// Folds touches and searches, and asks within each visit what the user turns to next.
    pub(crate) fn steps(&mut self, steps: &[Step], calendar: &Calendar) {
        for (at, step) in steps.iter().enumerate() {
            let last_ms = self.state.last_touch_ms().max(self.state.last_search_ms());
            let last_ms = last_ms.filter(|last| step.at_ms().saturating_sub(*last) <= VISIT_GAP_MS);
            if let (Some(last_ms), Some(next)) = (last_ms, first_touch(&steps[at..])) {
                self.ask_interaction(&next, last_ms, calendar);
            }
            self.state.apply(step.event());
            self.done += 1;
            if let Step::Touch(_) = step {
                self.ahead.pass_touch();
            }
            self.ask_rest(step.at_ms(), calendar);
        }
    }

    fn ask_basket(&mut self, asking: &Asking<'_>, context: Context, cart: Option<Vec<u32>>) {
        let Asking { order, is_last, .. } = asking;
        let Asked { user_id, fold, .. } = self.user;
        let key = example_key(user_id, order.number);
        let sample = self.baskets.of(fold, *is_last);
        if !sample.wants(key) {
            return;
        }
        let held = cart.as_deref().unwrap_or_default();
        let mut basket: Vec<u32> = Vec::with_capacity(order.lines.len());
        for line in &order.lines {
            if !basket.contains(&line.product) && !held.contains(&line.product) {
                basket.push(line.product);
            }
        }
        if basket.is_empty() {
            return;
        }
        sample.push(
            key,
            Example {
                user_id: user_id.to_owned(),
                order_number: order.number,
                state: self.state.clone(),
                context,
                cart,
                basket,
            },
        );
    }

    fn ask_interaction(&mut self, next: &Touch, at_ms: i64, calendar: &Calendar) {
        let Asked { user_id, fold, .. } = self.user;
        let number = self.done;
        let key = stable_hash(format!("{user_id}/touch/{number}").as_bytes());
        // Every interaction of a gate user is for the gate.
        let sample = self.interactions.of(fold, true);
        if !sample.wants(key) {
            return;
        }
        let cart = self.state.cart().unwrap_or_default();
        if cart.contains(&next.product) {
            return;
        }
        sample.push(
            key,
            Example {
                user_id: user_id.to_owned(),
                order_number: number,
                state: self.state.clone(),
                context: calendar.context(&self.state, at_ms),
                cart: Some(cart),
                basket: vec![next.product],
            },
        );
    }

    /// Asks for the rest of the visit in which the user has just done something.
    fn ask_rest(&mut self, at_ms: i64, calendar: &Calendar) {
        let Asked { user_id, fold, seed } = self.user;
        let number = self.done;
        let Some((samples, weights)) = &mut self.rests else { return };
        let key = stable_hash(format!("{user_id}/rest/{number}").as_bytes());
        // Every visit of a gate user is for the gate.
        let sample = samples.of(fold, true);
        if !sample.wants(key) {
            return;
        }
        let cart = self.state.cart().unwrap_or_default();
        let draw = |product: u32| {
            let key = format!("weight/{seed}/{user_id}/{number}/{product}");
            (stable_hash(key.as_bytes()) >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut basket = positives(self.ahead.rest(at_ms), weights, draw);
        basket.retain(|product| !cart.contains(product));
        sample.push(
            key,
            Example {
                user_id: user_id.to_owned(),
                order_number: number,
                state: self.state.clone(),
                context: calendar.context(&self.state, at_ms),
                cart: Some(cart),
                basket,
            },
        );
    }

    /// A number that depends on the user, the order and the seed alone.
    fn draw(&self, purpose: &str, number: u32) -> u64 {
        let Asked { user_id, seed, .. } = self.user;
        stable_hash(format!("{purpose}/{seed}/{user_id}/{number}").as_bytes())
    }
}

/// Number of the last steps that belong to the visit in which an order was placed.
fn visit_before(steps: &[Step], order: &Order) -> usize {
    let (Some(at_ms), Some(last)) = (order.context.at_ms, steps.last()) else { return 0 };
    match at_ms.saturating_sub(last.at_ms()) <= VISIT_GAP_MS {
        true => last_visit(steps).len(),
        false => 0,
    }
}

#[cfg(test)]
mod tests {
    use cartwheel_features::{Action, Line};

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn a_question_during_a_visit_is_asked_at_a_moment_of_that_visit() {
        let calendar = Calendar::new("UTC").unwrap();
        let view = |at_ms| Step::Touch(Touch { product: 1, action: Action::View, at_ms });
        let (begin, end) = (10 * DAY_MS, 10 * DAY_MS + 600_000);
        let steps = [view(0), view(begin), view(begin + 60_000)];
        let mut moments = Vec::new();
        for seed in 0..40 {
            let mut samples = [Samples::new(80), Samples::new(80)];
            let [baskets, interactions] = &mut samples;
            let mut questions = Questions {
                user: Asked { user_id: "u", fold: Fold::Train, seed },
                baskets,
                interactions,
                rests: None,
                ahead: Ahead::new(&[]),
                state: UserState::default(),
                done: 0,
            };
            let lines = vec![Line { product: 2, position: 1, reordered: None }];
            let context = Context { at_ms: Some(end), ..Context::default() };
            let order = Order { number: 1, context, lines };
            let asking = Asking { order: &order, previous: None, is_last: true };
            questions.before_order(&steps, &asking, &calendar);
            assert_eq!(questions.state.touches.len(), steps.len());
            let [baskets, _] = samples;
            moments.extend(baskets.train.into_sorted().iter().map(|e| e.context.at_ms.unwrap()));
        }
        assert_eq!(moments.len(), 40);
        moments.sort_unstable();
        moments.dedup();
        assert_eq!(moments, [begin, end], "its beginning, after the first touch, and the order");
    }
}
