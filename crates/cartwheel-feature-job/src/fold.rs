//! The fold phase: each user's history is folded once, in order.

use std::io;

use cartwheel_feature_set::{Calendar, Label, UserRecords};
use cartwheel_features::{
    BottomK, Event, Example, GROUPS, HistorySamples, Partial, SHOPPER_ORDERS, SampleSizes,
    UserState, example_key, fold_of, group_of, heaviest, visits,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ahead::Ahead;
use crate::history::{History, PastOrder};
use crate::later;
use crate::options::JobOptions;
use crate::purchases::purchases;
use crate::questions::{Asked, Asking, Questions, Samples};
use crate::rows::{BasketRow, CheckoutRow, LineRow, OrderRow, Rows, SearchRow, TouchRow, split};

/// The result of folding some users, besides their records.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Folded {
    /// Product statistics by group of users, over every order that is not marked `test`.
    pub groups: [Partial; GROUPS],
    /// Questions after the next basket.
    pub baskets: Samples,
    /// Questions after the next product that the user turns to.
    pub interactions: Samples,
    /// Questions after the rest of the visit; empty unless the label asks for it.
    pub rests: Samples,
    /// The first order of each user after the set ends.
    pub later: BottomK<Example>,
    /// Histories for the baselines of evaluation.
    pub histories: HistorySamples,
    /// Time of the newest checkout, UTC milliseconds.
    pub watermark_ms: i64,
    /// Users with a record.
    pub users: u64,
}

/// One user's rows: orders by number, lines by order and position, and the others by time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UserRows<'a> {
    pub orders: &'a [OrderRow],
    pub lines: &'a [LineRow],
    pub checkouts: &'a [CheckoutRow],
    pub touches: &'a [TouchRow],
    pub searches: &'a [SearchRow],
}

impl Folded {
    /// The result over no users. `products` is the size of the catalogue.
    pub(crate) fn new(products: usize, options: &JobOptions) -> Self {
        let sizes = SampleSizes {
            baskets: options.max_baskets,
            shoppers: options.max_shoppers,
            visits: options.max_visits,
        };
        Self {
            groups: std::array::from_fn(|_| Partial::new(products, sizes)),
            baskets: Samples::new(options.max_examples),
            interactions: Samples::new(options.max_examples),
            rests: Samples::new(options.max_examples),
            later: BottomK::new(Samples::held_out(options.max_examples)),
            // Evaluation asks the users of all groups but one.
            histories: HistorySamples::new(
                options.max_shoppers.div_ceil(GROUPS - 1),
                Samples::held_out(options.max_examples),
            ),
            watermark_ms: 0,
            users: 0,
        }
    }

    /// Number of products of the catalogue.
    pub(crate) fn products(&self) -> usize {
        self.groups[0].products.len()
    }

    /// Adds the result over other users, folded with the same products.
    pub(crate) fn merge(&mut self, other: Self) {
        let groups = self.groups.par_iter_mut().zip(other.groups);
        groups.for_each(|(mine, theirs)| mine.merge(theirs));
        self.baskets.merge(other.baskets);
        self.interactions.merge(other.interactions);
        self.rests.merge(other.rests);
        self.later.merge(other.later);
        self.histories.merge(other.histories);
        self.watermark_ms = self.watermark_ms.max(other.watermark_ms);
        self.users += other.users;
    }

    /// Folds the users of a partition and returns their records.
    ///
    /// # Errors
    /// When two users share a 64-bit hash: their histories cannot be told apart.
    pub(crate) fn partition(
        &mut self,
        mut rows: Rows,
        options: &JobOptions,
        calendar: &Calendar,
    ) -> io::Result<UserRecords> {
        rows.orders.sort_by_key(|o| (o.hash, o.number));
        rows.lines.sort_unstable_by_key(LineRow::place);
        rows.baskets.sort_unstable();
        rows.baskets.dedup_by_key(|basket| basket.hash);
        for basket in std::mem::take(&mut rows.baskets) {
            self.basket(basket, options);
        }
        rows.checkouts
            .sort_by(|a, b| (a.hash, a.at_ms, &a.event_id).cmp(&(b.hash, b.at_ms, &b.event_id)));
        rows.touches.sort_unstable();
        rows.searches.sort_unstable();
        let mut users: Vec<(u64, UserRows<'_>)> = Vec::new();
        let (mut orders, mut lines) = (&rows.orders[..], &rows.lines[..]);
        let (mut checkouts, mut touches) = (&rows.checkouts[..], &rows.touches[..]);
        let mut searches = &rows.searches[..];
        loop {
            let [order, checkout] =
                [orders.first().map(|o| o.hash), checkouts.first().map(|c| c.hash)];
            let [touch, search] =
                [touches.first().map(|t| t.hash), searches.first().map(|s| s.hash)];
            let next = [order, checkout, touch, search];
            let Some(hash) = next.into_iter().flatten().min() else { break };
            lines = &lines[lines.partition_point(|l| l.hash < hash)..];
            let user = UserRows {
                orders: split(&mut orders, |o| o.hash == hash),
                lines: split(&mut lines, |l| l.hash == hash),
                checkouts: split(&mut checkouts, |c| c.hash == hash),
                touches: split(&mut touches, |t| t.hash == hash),
                searches: split(&mut searches, |s| s.hash == hash),
            };
            users.push((hash, user));
        }
        // One group after another, since the counts of all of them do not fit into a processor's cache.
        users.sort_by_key(|(hash, _)| group_of(*hash));
        let mut records = UserRecords::default();
        for (hash, user) in users {
            let ids = user.orders.iter().map(|o| &o.user_id);
            let ids = ids.chain(user.checkouts.iter().map(|c| &c.user_id));
            let ids = ids.chain(user.touches.iter().map(|t| &t.user_id));
            let mut ids = ids.chain(user.searches.iter().map(|s| &s.user_id));
            let Some(user_id) = ids.next() else { break };
            if let Some(other) = ids.find(|&id| id != user_id) {
                return Err(io::Error::other(format!(
                    "users {user_id} and {other} have the same 64-bit hash"
                )));
            }
            let state = self.user(user_id, hash, user, options, calendar);
            records.push(user_id, &state);
        }
        Ok(records.sorted())
    }

    /// Counts the purchase of an unknown customer.
    pub(crate) fn basket(&mut self, row: BasketRow, options: &JobOptions) {
        if options.until_ms.is_some_and(|until_ms| row.at_ms >= until_ms) {
            return;
        }
        self.groups[group_of(row.hash)].basket(row.products, row.at_ms, row.hash);
    }

    /// Folds one user, whose rows are in order, and returns the user's state.
    pub(crate) fn user(
        &mut self,
        user_id: &str,
        hash: u64,
        rows: UserRows<'_>,
        options: &JobOptions,
        calendar: &Calendar,
    ) -> UserState {
        let mut history = History::new(rows.orders, rows.lines, rows.touches, rows.searches);
        for purchase in purchases(rows.checkouts) {
            history.purchase(calendar, &purchase);
            self.watermark_ms = self.watermark_ms.max(purchase.row.at_ms);
        }
        let later = options.until_ms.and_then(|until_ms| history.cut(until_ms));
        self.users += 1;
        self.histories.add(user_id, hash, history.orders.iter().map(|past| &past.order));
        let group = &mut self.groups[group_of(hash)];
        let timeline = history.timeline();
        for visit in visits(&timeline) {
            group.visit(visit, hash);
        }
        let n = history.orders.len();
        let newest_orders = n.saturating_sub(SHOPPER_ORDERS);
        let mut questions = Questions {
            user: Asked { user_id, fold: fold_of(user_id), seed: options.seed },
            baskets: &mut self.baskets,
            interactions: &mut self.interactions,
            rests: match options.label {
                Some(Label::RestOfVisit(weights)) => Some((&mut self.rests, weights)),
                _ => None,
            },
            ahead: Ahead::new(&timeline),
            state: UserState::default(),
            done: 0,
        };
        let mut steps = &history.steps[..];
        for (at, PastOrder { order, marked_train }) in history.orders.iter().enumerate() {
            let at_ms = order.context.at_ms;
            let before = split(&mut steps, |step| at_ms.is_some_and(|ms| step.at_ms() <= ms));
            let is_label = at + options.label_orders >= n || *marked_train;
            let previous = at.checked_sub(1).map(|at| &history.orders[at].order);
            if is_label {
                let is_last = at + 1 == n;
                questions.before_order(before, &Asking { order, previous, is_last }, calendar);
            } else {
                questions.steps(before, calendar);
            }
            let state = &mut questions.state;
            group.order(state, order, hash);
            if at == newest_orders && n > 1 {
                let orders = history.orders[at..].iter().map(|past| &past.order);
                group.shopper(heaviest(state), orders, hash);
            }
            state.apply(Event::Order(order));
        }
        questions.steps(steps, calendar);
        let mut state = questions.state;
        if let Some(order) = later.filter(|order| !order.lines.is_empty()) {
            let key = example_key(user_id, order.number);
            let orders = history.orders.iter().map(|past| &past.order);
            self.histories.add_judged(user_id, key, orders);
            if self.later.wants(key) {
                self.later.push(key, later::example(user_id, &state, &order));
            }
        }
        state.last_checkout = history.last_checkout;
        state.next = history.next;
        state
    }
}
