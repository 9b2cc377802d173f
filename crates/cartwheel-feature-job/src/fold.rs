//! The fold phase: each user's history is folded once, in order.

use std::io;

use cartwheel_feature_set::{Calendar, UserRecords};
use cartwheel_features::{
    BottomK, Context, Example, Fold, GROUPS, LastCheckout, Line, Order, Partial, SHOPPER_ORDERS,
    UserState, fold_of, group_of, heaviest, stable_hash,
};
use serde::{Deserialize, Serialize};

use crate::options::JobOptions;
use crate::purchases::{Purchase, purchases};
use crate::rows::{BasketRow, CheckoutRow, EvalSet, LineRow, OrderRow, Rows};

/// The result of folding some users, besides their records.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Folded {
    /// Product statistics by group of users, over every order that is not marked `test`.
    pub groups: [Partial; GROUPS],
    /// Samples of examples, by their use.
    pub train: BottomK<Example>,
    pub valid: BottomK<Example>,
    pub gate: BottomK<Example>,
    /// Time of the newest checkout, UTC milliseconds.
    pub watermark_ms: i64,
    /// Users with a record.
    pub users: u64,
}

/// One user's rows: orders by number, lines by order and position, checkouts by time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UserRows<'a> {
    pub orders: &'a [OrderRow],
    pub lines: &'a [LineRow],
    pub checkouts: &'a [CheckoutRow],
}

impl Folded {
    /// The result over no users. `products` is the size of the catalogue.
    pub(crate) fn new(products: usize, options: &JobOptions) -> Self {
        let held_out = (options.max_examples / 4).max(1);
        Self {
            groups: std::array::from_fn(|_| {
                Partial::new(products, options.max_baskets, options.max_shoppers)
            }),
            train: BottomK::new(options.max_examples),
            valid: BottomK::new(held_out),
            gate: BottomK::new(held_out),
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
        for (mine, theirs) in self.groups.iter_mut().zip(other.groups) {
            mine.merge(theirs);
        }
        self.train.merge(other.train);
        self.valid.merge(other.valid);
        self.gate.merge(other.gate);
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
        rows.lines.sort_unstable_by_key(|l| (l.hash, l.number, l.position, l.product));
        rows.baskets.sort_unstable();
        rows.baskets.dedup_by_key(|basket| basket.hash);
        for basket in std::mem::take(&mut rows.baskets) {
            self.basket(basket);
        }
        rows.checkouts
            .sort_by(|a, b| (a.hash, a.at_ms, &a.event_id).cmp(&(b.hash, b.at_ms, &b.event_id)));
        let mut records = UserRecords::default();
        let (mut orders, mut lines, mut checkouts) =
            (&rows.orders[..], &rows.lines[..], &rows.checkouts[..]);
        loop {
            let next = [orders.first().map(|o| o.hash), checkouts.first().map(|c| c.hash)];
            let Some(hash) = next.into_iter().flatten().min() else { break };
            lines = &lines[lines.partition_point(|l| l.hash < hash)..];
            let user = UserRows {
                orders: split(&mut orders, |o| o.hash == hash),
                lines: split(&mut lines, |l| l.hash == hash),
                checkouts: split(&mut checkouts, |c| c.hash == hash),
            };
            let ids = user.orders.iter().map(|o| &o.user_id);
            let mut ids = ids.chain(user.checkouts.iter().map(|c| &c.user_id));
            let Some(user_id) = ids.next() else { break };
            if let Some(other) = ids.find(|&id| id != user_id) {
                return Err(io::Error::other(format!(
                    "users {user_id} and {other} have the same 64-bit hash"
                )));
            }
            let state = self.user(user_id, hash, user, options, calendar);
            records.push(user_id, &state);
        }
        Ok(records)
    }

    /// Counts the purchase of an unknown customer.
    pub(crate) fn basket(&mut self, row: BasketRow) {
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
        let mut history = History::new(rows.orders, rows.lines);
        for purchase in purchases(rows.checkouts) {
            history.purchase(calendar, &purchase);
            self.watermark_ms = self.watermark_ms.max(purchase.row.at_ms);
        }
        self.users += 1;
        let fold = fold_of(user_id);
        let n = history.orders.len();
        let newest_orders = n.saturating_sub(SHOPPER_ORDERS);
        let group = &mut self.groups[group_of(hash)];
        let mut state = UserState::default();
        for (at, PastOrder { order, marked_train }) in history.orders.iter().enumerate() {
            let last = at + 1 == n;
            let label = at > 0 && (at + options.label_orders >= n || *marked_train);
            group.order(&state, order, hash);
            if at == newest_orders && n > 1 {
                let orders = history.orders[at..].iter().map(|past| &past.order);
                group.shopper(heaviest(&state), orders, hash);
            }
            if label {
                let key = stable_hash(format!("{user_id}/{}", order.number).as_bytes());
                let sample = match fold {
                    Fold::Valid => &mut self.valid,
                    Fold::Gate if last => &mut self.gate,
                    _ => &mut self.train,
                };
                if sample.wants(key) && !order.lines.is_empty() {
                    sample.push(key, example(user_id, &state, order));
                }
            }
            state.apply(order);
        }
        state.last_checkout = history.last_checkout;
        state.next = history.next;
        state
    }
}

fn example(user_id: &str, state: &UserState, order: &Order) -> Example {
    let mut basket: Vec<u32> = Vec::with_capacity(order.lines.len());
    for line in &order.lines {
        if !basket.contains(&line.product) {
            basket.push(line.product);
        }
    }
    Example {
        user_id: user_id.to_owned(),
        order_number: order.number,
        state: state.clone(),
        context: order.context,
        basket,
    }
}

/// An order of a user's history.
struct PastOrder {
    order: Order,
    /// Whether the imported data marks it as a training label.
    marked_train: bool,
}

/// A user's orders without the `test` order.
struct History {
    orders: Vec<PastOrder>,
    /// Number and time of the last order: the numbers of checkouts continue from it.
    tail: UserState,
    /// Context of the `test` order.
    next: Option<Context>,
    /// The newest checkout.
    last_checkout: Option<LastCheckout>,
}

impl History {
    fn new(orders: &[OrderRow], mut lines: &[LineRow]) -> Self {
        let mut history = Self {
            orders: Vec::with_capacity(orders.len()),
            tail: UserState::default(),
            next: None,
            last_checkout: None,
        };
        for row in orders {
            let context = Context {
                dow: row.dow,
                hour: row.hour,
                days_since_prior: row.days,
                at_ms: row.at_ms,
            };
            lines = &lines[lines.partition_point(|l| l.number < row.number)..];
            let own_lines = split(&mut lines, |l| l.number == row.number);
            if row.eval_set == EvalSet::Test {
                history.next = Some(context);
                continue;
            }
            let line = |l: &LineRow| Line {
                product: l.product,
                position: l.position,
                reordered: l.reordered,
            };
            let order =
                Order { number: row.number, context, lines: own_lines.iter().map(line).collect() };
            history.push(order, row.eval_set == EvalSet::Train);
        }
        history
    }

    fn push(&mut self, order: Order, marked_train: bool) {
        self.tail.orders = self.tail.orders.max(order.number);
        self.tail.last_order_ms = order.context.at_ms.or(self.tail.last_order_ms);
        self.orders.push(PastOrder { order, marked_train });
    }

    fn purchase(&mut self, calendar: &Calendar, purchase: &Purchase<'_>) {
        let CheckoutRow { at_ms, event_id, .. } = purchase.row;
        if !purchase.is_undone() {
            self.push(calendar.order(&self.tail, *at_ms, &purchase.kept), false);
        }
        self.last_checkout = Some(LastCheckout { at_ms: *at_ms, event_id: event_id.clone() });
        self.next = None;
    }
}

/// Splits the rows that match off the front of a sorted slice.
fn split<'a, T>(rows: &mut &'a [T], matches: impl Fn(&T) -> bool) -> &'a [T] {
    let (head, tail) = rows.split_at(rows.partition_point(matches));
    *rows = tail;
    head
}
