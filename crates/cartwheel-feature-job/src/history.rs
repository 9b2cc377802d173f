//! One user's history: orders, the purchases of the event stream among them, touches and searches.

use cartwheel_feature_set::Calendar;
use cartwheel_features::{Action, Context, LastCheckout, Line, Order, Touch, UserState};

use crate::purchases::Purchase;
use crate::rows::{CheckoutRow, EvalSet, LineRow, OrderRow, SearchRow, TouchRow, split};
use crate::step::{Step, steps};

/// An order of a user's history.
pub(crate) struct PastOrder {
    pub order: Order,
    /// Whether the imported data marks it as a training label.
    pub marked_train: bool,
}

/// A user's orders without the `test` order.
pub(crate) struct History {
    pub orders: Vec<PastOrder>,
    /// Number and time of the last order: the numbers of checkouts continue from it.
    tail: UserState,
    /// Context of the `test` order.
    pub next: Option<Context>,
    /// The newest checkout.
    pub last_checkout: Option<LastCheckout>,
    /// What the user did besides, oldest first.
    pub steps: Vec<Step>,
}

impl History {
    /// Takes rows that are in order.
    pub(crate) fn new(
        orders: &[OrderRow],
        mut lines: &[LineRow],
        touches: &[TouchRow],
        searches: &[SearchRow],
    ) -> Self {
        let mut history = Self {
            orders: Vec::with_capacity(orders.len()),
            tail: UserState::default(),
            next: None,
            last_checkout: None,
            steps: steps(touches, searches),
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

    /// Removes what happened from a time on, and returns the first order of it. Orders without a
    /// time are earlier ones.
    pub(crate) fn cut(&mut self, until_ms: i64) -> Option<Order> {
        self.steps.truncate(self.steps.partition_point(|step| step.at_ms() < until_ms));
        let is_later = |past: &PastOrder| past.order.context.at_ms.is_some_and(|at| at >= until_ms);
        let at = self.orders.iter().position(is_later)?;
        self.orders.drain(at..).next().map(|past| past.order)
    }

    pub(crate) fn purchase(&mut self, calendar: &Calendar, purchase: &Purchase<'_>) {
        let CheckoutRow { at_ms, event_id, .. } = purchase.row;
        if !purchase.is_undone() {
            self.push(calendar.order(&self.tail, *at_ms, &purchase.kept), false);
        }
        self.last_checkout = Some(LastCheckout { at_ms: *at_ms, event_id: event_id.clone() });
        self.next = None;
    }

    /// Everything that the user did with products, oldest first, purchases among it. Empty if the
    /// user did nothing but buy: then there are no visits.
    pub(crate) fn timeline(&self) -> Vec<Touch> {
        let mut all: Vec<Touch> = self.steps.iter().filter_map(Step::touch).collect();
        if all.is_empty() {
            return all;
        }
        for PastOrder { order, .. } in &self.orders {
            let Some(at_ms) = order.context.at_ms else { continue };
            let bought = order.lines.iter().map(|line| line.product);
            all.extend(bought.map(|product| Touch { product, action: Action::Buy, at_ms }));
        }
        all.sort_by_key(|touch| touch.at_ms);
        all
    }
}
