//! The fold phase: one partition's users, each folded once.

use std::io;

use serde::{Deserialize, Serialize};

use cartwheel_features::{
    BottomK, Context, Example, Fold, LastCheckout, Line, Order, Partial, UserState, fold_of,
    stable_hash,
};

use crate::run::JobOptions;
use crate::shuffle::{CheckoutRow, EvalSet, LineRow, OrderRow, Rows};
use cartwheel_feature_set::Calendar;
use cartwheel_feature_set::push_record;

/// What one or more partitions fold into.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Folded {
    /// Over every order that is not marked `test`.
    pub whole: Partial,
    /// Without label orders.
    pub cut: Partial,
    pub train: BottomK<Example>,
    pub valid: BottomK<Example>,
    pub gate: BottomK<Example>,
    pub watermark_ms: i64,
    /// Users with a record.
    pub users: u64,
}

/// One user's rows: orders by number, lines by order and place, checkouts by time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UserRows<'a> {
    pub orders: &'a [OrderRow],
    pub lines: &'a [LineRow],
    pub checkouts: &'a [CheckoutRow],
}

/// The records of one partition, by hash, with their places in `bytes`.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub bytes: Vec<u8>,
    pub index: Vec<(u64, u64)>,
}

impl Folded {
    pub(crate) fn new(products: usize, options: &JobOptions) -> Self {
        let held_out = (options.max_examples / 4).max(1);
        Self {
            whole: Partial::new(products, options.max_baskets),
            cut: Partial::new(products, options.max_baskets),
            train: BottomK::new(options.max_examples),
            valid: BottomK::new(held_out),
            gate: BottomK::new(held_out),
            watermark_ms: 0,
            users: 0,
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.whole.merge(other.whole);
        self.cut.merge(other.cut);
        self.train.merge(other.train);
        self.valid.merge(other.valid);
        self.gate.merge(other.gate);
        self.watermark_ms = self.watermark_ms.max(other.watermark_ms);
        self.users += other.users;
    }

    /// Folds one partition.
    ///
    /// # Errors
    /// When two users share a 64-bit hash, which no history survives unmixed.
    pub(crate) fn partition(
        &mut self,
        mut rows: Rows,
        options: &JobOptions,
        calendar: &Calendar,
    ) -> io::Result<Records> {
        rows.orders.sort_by_key(|o| (o.hash, o.number));
        rows.lines.sort_unstable_by_key(|l| (l.hash, l.number, l.position, l.product));
        rows.checkouts
            .sort_by(|a, b| (a.hash, a.at_ms, &a.event_id).cmp(&(b.hash, b.at_ms, &b.event_id)));
        let mut records = Records::default();
        let (mut orders, mut lines, mut checkouts) =
            (&rows.orders[..], &rows.lines[..], &rows.checkouts[..]);
        loop {
            let next = [orders.first().map(|o| o.hash), checkouts.first().map(|c| c.hash)];
            let Some(hash) = next.into_iter().flatten().min() else { break };
            lines = &lines[lines.partition_point(|l| l.hash < hash)..];
            let mine = split(&mut orders, |o| o.hash == hash);
            let bought = split(&mut checkouts, |c| c.hash == hash);
            let my_lines = split(&mut lines, |l| l.hash == hash);
            let user_id = mine.first().map(|o| &o.user_id).or(bought.first().map(|c| &c.user_id));
            let Some(user_id) = user_id.cloned() else { break };
            if mine.iter().any(|o| o.user_id != user_id)
                || bought.iter().any(|c| c.user_id != user_id)
            {
                return Err(io::Error::other(format!("the hash of user {user_id} is not unique")));
            }
            let rows = UserRows { orders: mine, lines: my_lines, checkouts: bought };
            let state = self.user(&user_id, hash, rows, options, calendar);
            records.index.push((hash, records.bytes.len() as u64));
            push_record(&mut records.bytes, &user_id, &state);
        }
        Ok(records)
    }

    /// Folds one user, whose rows are in order, and gives the record.
    pub(crate) fn user(
        &mut self,
        user_id: &str,
        hash: u64,
        rows: UserRows<'_>,
        options: &JobOptions,
        calendar: &Calendar,
    ) -> UserState {
        let mut history = History::new(rows.orders, rows.lines);
        for checkout in rows.checkouts {
            history.checkout(calendar, checkout.at_ms, &checkout.event_id, &checkout.products);
            self.watermark_ms = self.watermark_ms.max(checkout.at_ms);
        }
        self.users += 1;
        let fold = fold_of(user_id);
        let n = history.orders.len();
        // At least half of a history stays ahead of its labels.
        let newest = options.label_orders.min(n / 2);
        let mut state = UserState::default();
        for (at, (order, marked)) in history.orders.iter().enumerate() {
            let last = at + 1 == n;
            let label = at > 0 && (at + newest >= n || *marked);
            self.whole.order(&state, order, hash);
            if label {
                let key = stable_hash(format!("{user_id}/{}", order.number).as_bytes());
                let sample = match fold {
                    Fold::Valid if last => &mut self.valid,
                    Fold::Gate if last => &mut self.gate,
                    _ => &mut self.train,
                };
                if sample.wants(key) && !order.lines.is_empty() {
                    sample.push(key, example(user_id, &state, order));
                }
            } else {
                self.cut.order(&state, order, hash);
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

/// A user's orders but the `test` one, each with whether it is marked `train`.
struct History {
    orders: Vec<(Order, bool)>,
    /// Follows the orders, so that checkouts number on from them.
    tail: UserState,
    next: Option<Context>,
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
            let context = Context { dow: row.dow, hour: row.hour, days_since_prior: row.days };
            lines = &lines[lines.partition_point(|l| l.number < row.number)..];
            let mine = split(&mut lines, |l| l.number == row.number);
            if row.eval_set == EvalSet::Test {
                history.next = Some(context);
                continue;
            }
            let line = |l: &LineRow| Line {
                product: l.product,
                position: l.position,
                reordered: l.reordered,
            };
            let order = Order {
                number: row.number,
                context,
                lines: mine.iter().map(line).collect(),
                ordered_at_ms: row.at_ms,
            };
            history.push(order, row.eval_set == EvalSet::Train);
        }
        history
    }

    fn push(&mut self, order: Order, marked: bool) {
        self.tail.orders = self.tail.orders.max(order.number);
        self.tail.last_order_ms = order.ordered_at_ms.or(self.tail.last_order_ms);
        self.orders.push((order, marked));
    }

    fn checkout(&mut self, calendar: &Calendar, at_ms: i64, event_id: &str, products: &[u32]) {
        let order = calendar.order(&self.tail, at_ms, products);
        self.push(order, false);
        self.last_checkout = Some(LastCheckout { at_ms, event_id: event_id.to_owned() });
        self.next = None;
    }
}

/// Takes the head of a sorted slice that belongs together.
fn split<'a, T>(rows: &mut &'a [T], belongs: impl Fn(&T) -> bool) -> &'a [T] {
    let (head, tail) = rows.split_at(rows.partition_point(belongs));
    *rows = tail;
    head
}
