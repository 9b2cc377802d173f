//! Order histories of some users: what the baselines of evaluation know of other users.

use serde::{Deserialize, Serialize};

use crate::holdout::{Fold, GROUPS, example_key, fold_of, group_of};
use crate::sample::BottomK;
use crate::user::Order;

/// Most order lines that are kept of a user, those of the newest orders.
const HISTORY_LINES: usize = 400;
/// Most validation users by whom the parameters of baselines are chosen.
const TUNING_USERS: usize = 300;

/// The orders of a user one by one, bounded to the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderHistory {
    /// The user's id.
    pub user_id: String,
    /// Number of each order and the end of its products, oldest first.
    orders: Box<[(u32, u32)]>,
    /// Products of all orders, without repeats in an order.
    products: Box<[u32]>,
}

impl OrderHistory {
    /// Keeps the newest of a user's orders, which come oldest first. Orders without products are
    /// left out.
    pub fn new<'a>(user_id: &str, orders: impl DoubleEndedIterator<Item = &'a Order>) -> Self {
        let mut kept: Vec<(u32, Vec<u32>)> = Vec::new();
        let mut lines = 0;
        for order in orders.rev() {
            let mut basket: Vec<u32> = order.lines.iter().map(|line| line.product).collect();
            basket.sort_unstable();
            basket.dedup();
            if kept.is_empty() {
                basket.truncate(HISTORY_LINES);
            }
            lines += basket.len();
            if lines > HISTORY_LINES {
                break;
            }
            if !basket.is_empty() {
                kept.push((order.number, basket));
            }
        }
        kept.reverse();
        let mut end = 0;
        let end_of = |(number, basket): &(u32, Vec<u32>)| {
            end += basket.len() as u32;
            (*number, end)
        };
        let orders = kept.iter().map(end_of).collect();
        let products = kept.into_iter().flat_map(|(_, basket)| basket).collect();
        Self { user_id: user_id.to_owned(), orders, products }
    }

    /// The products of each order before order `number`, oldest first.
    pub fn before(&self, number: u32) -> Vec<&[u32]> {
        self.numbered().take_while(|(of, _)| *of < number).map(|(_, basket)| basket).collect()
    }

    /// The products of each order, oldest first.
    pub fn baskets(&self) -> Vec<&[u32]> {
        self.numbered().map(|(_, basket)| basket).collect()
    }

    fn numbered(&self) -> impl Iterator<Item = (u32, &[u32])> {
        let mut begin = 0;
        self.orders.iter().map(move |&(number, end)| {
            // A damaged file must not panic.
            let basket = self.products.get(begin..end as usize).unwrap_or_default();
            begin = end as usize;
            (number, basket)
        })
    }
}

/// The histories of a feature set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Histories {
    /// Reference users by group: see [`group_of`].
    pub groups: [Vec<OrderHistory>; GROUPS],
    /// Validation users, by whose newest orders parameters are chosen.
    pub tuning: Vec<OrderHistory>,
    /// Users who are judged: those of the gate, or those with an order after a date.
    pub judged: Vec<OrderHistory>,
}

/// Samples of histories over some users, which merge in any order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HistorySamples {
    groups: [BottomK<OrderHistory>; GROUPS],
    tuning: BottomK<OrderHistory>,
    gate: BottomK<OrderHistory>,
    later: BottomK<OrderHistory>,
}

impl HistorySamples {
    /// Creates empty samples of at most `references` users in each group and `judged` users who
    /// are judged.
    pub fn new(references: usize, judged: usize) -> Self {
        Self {
            groups: std::array::from_fn(|_| BottomK::new(references)),
            tuning: BottomK::new(TUNING_USERS),
            gate: BottomK::new(judged),
            later: BottomK::new(judged),
        }
    }

    /// Adds a user with two orders or more. `hash` is the stable hash of the user's id.
    pub fn add<'a>(
        &mut self,
        user_id: &str,
        hash: u64,
        orders: impl DoubleEndedIterator<Item = &'a Order> + Clone,
    ) {
        let mut newest = orders.clone().rev();
        let (Some(last), Some(_)) = (newest.next(), newest.next()) else { return };
        // The same users as in the sample of gate examples.
        let key = example_key(user_id, last.number);
        let fold = fold_of(user_id);
        let uses = [
            (true, &mut self.groups[group_of(hash)], hash),
            (fold == Fold::Valid, &mut self.tuning, hash),
            (fold == Fold::Gate && !last.lines.is_empty(), &mut self.gate, key),
        ];
        for (is_used, sample, key) in uses {
            if is_used && sample.wants(key) {
                sample.push(key, OrderHistory::new(user_id, orders.clone()));
            }
        }
    }

    /// Adds a user who is judged by a later order, by whose key the example is sampled.
    pub fn add_judged<'a>(
        &mut self,
        user_id: &str,
        key: u64,
        orders: impl DoubleEndedIterator<Item = &'a Order>,
    ) {
        if self.later.wants(key) {
            self.later.push(key, OrderHistory::new(user_id, orders));
        }
    }

    /// Merges other samples into these; associative and commutative.
    pub fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.groups.iter_mut().zip(other.groups) {
            mine.merge(theirs);
        }
        self.tuning.merge(other.tuning);
        self.gate.merge(other.gate);
        self.later.merge(other.later);
    }

    /// Ends the sampling. Only where users of all groups are judged, the held-out users are
    /// needed as references.
    pub fn finish(self, all_are_judged: bool) -> Histories {
        let mut groups = self.groups.map(BottomK::into_sorted);
        if !all_are_judged {
            groups[0].clear();
        }
        let mut judged = self.gate.into_sorted();
        judged.extend(self.later.into_sorted());
        Histories { groups, tuning: self.tuning.into_sorted(), judged }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::{Context, Line};

    fn order(number: u32, products: impl IntoIterator<Item = u32>) -> Order {
        let line = |product| Line { product, position: 1, reordered: None };
        let lines = products.into_iter().map(line).collect();
        Order { number, context: Context::default(), lines }
    }

    #[test]
    fn a_history_holds_the_newest_orders_without_repeats() {
        let orders = [order(1, [5, 3, 5]), order(2, []), order(4, [9]), order(5, [1, 2])];
        let history = OrderHistory::new("u", orders.iter());
        assert_eq!(history.baskets(), [&[3, 5][..], &[9], &[1, 2]]);
        assert_eq!(history.before(5), [&[3, 5][..], &[9]]);
        assert_eq!(history.before(4), [&[3, 5][..]]);
        assert!(history.before(1).is_empty());
        let long = [order(1, [1]), order(2, 0..399), order(3, [7])];
        assert_eq!(OrderHistory::new("u", long.iter()).baskets().len(), 2);
        let huge = [order(1, 0..9000)];
        assert_eq!(OrderHistory::new("u", huge.iter()).baskets()[0].len(), HISTORY_LINES);
    }

    #[test]
    fn users_have_the_uses_of_their_folds() {
        let orders = [order(1, [1]), order(2, [2])];
        let mut samples = [HistorySamples::new(45, 50), HistorySamples::new(45, 50)];
        for user in 0..200 {
            let id = format!("u{user}");
            let hash = crate::holdout::stable_hash(id.as_bytes());
            samples[user % 2].add(&id, hash, orders.iter());
            samples[user % 2].add(&format!("one-order-{user}"), hash, orders[..1].iter());
        }
        let [mut all, other] = samples;
        all.merge(other);
        let histories = all.clone().finish(false);
        assert!(histories.groups[0].is_empty());
        assert_eq!(histories.groups[1].len(), 45);
        let folds = |kept: &[OrderHistory], fold| kept.iter().all(|h| fold_of(&h.user_id) == fold);
        assert!(folds(&histories.judged, Fold::Gate) && !histories.judged.is_empty());
        assert!(folds(&histories.tuning, Fold::Valid) && !histories.tuning.is_empty());
        assert!(folds(&histories.groups[2], Fold::Train));
        let held_out = histories.judged.len() + histories.tuning.len();
        assert_eq!(all.finish(true).groups[0].len(), held_out);
    }
}
