//! Folds one user's events into a state.

use serde::{Deserialize, Serialize};

use crate::search::{MAX_SEARCHES, Search};
use crate::touch::{Action, MAX_TOUCHES, Touch, cart_of};

/// Decay of a purchase's weight per later order: the within-user decay of TIFU-KNN
/// (Hu et al., SIGIR 2020), tuned on validation users.
pub const DECAY: f32 = 0.9;
/// A faster decay per later order, for habits of the last few orders.
pub const FAST_DECAY: f32 = 0.6;
/// Days after which a purchase's weight has decayed to 1/e.
pub const DECAY_DAYS: f32 = 45.0;
/// Weight of the newest order in a user's moving averages.
const NEWEST: f32 = 0.3;

/// One line of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Catalogue index of the product.
    pub product: u32,
    /// Position in the cart; 1 was added first.
    pub position: u32,
    /// The shop's own reorder flag; `None` derives it from the history.
    pub reordered: Option<bool>,
}

/// What is known of an order before its products: when it is placed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Context {
    /// Day of the week, 0–6, as the shop counts them.
    pub dow: Option<u8>,
    /// Local hour, 0–23.
    pub hour: Option<u8>,
    /// Days since the user's previous order, capped at 30; `None` for the first order.
    pub days_since_prior: Option<f32>,
    /// Time of the order in UTC milliseconds, if known.
    pub at_ms: Option<i64>,
}

/// One order of a user.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Order {
    /// Position in the user's history; the first order is 1.
    pub number: u32,
    /// When the order was placed.
    pub context: Context,
    /// Its lines. A repeated product counts once, at its first position.
    pub lines: Vec<Line>,
}

/// An event of a user, as the fold takes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'a> {
    /// A purchase.
    Order(&'a Order),
    /// Any other action on a product.
    Touch(Touch),
    /// A search.
    Search(&'a Search),
}

/// A user's purchases of one product.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UserProduct {
    /// Catalogue index of the product.
    pub product: u32,
    /// Number of orders with the product: `up_order_count`.
    pub orders: u32,
    /// Number of the first such order: `up_first_order_number`.
    pub first: u32,
    /// Number of the last such order: `up_last_order_number`.
    pub last: u32,
    /// Sum of its cart positions; divided by `orders` it is `up_avg_cart_position`.
    pub position_sum: u32,
    /// Day of the first purchase: the sum of `days_since_prior` up to it.
    pub first_day: f32,
    /// Day of the last purchase, counted in the same way.
    pub last_day: f32,
    /// Sum of `DECAY^(last - n)` over the order numbers `n` with the product.
    pub weight: f32,
    /// The same sum with `FAST_DECAY`.
    pub fast_weight: f32,
    /// Sum of `exp(-days / DECAY_DAYS)` over its purchases, as of `last_day`.
    pub day_weight: f32,
    /// Number of the last order with the product before `last`; 0 if there is none.
    pub previous: u32,
}

/// The newest checkout of the event stream that a state contains. Ordered by time, then id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LastCheckout {
    /// The server's time of the event, UTC milliseconds.
    pub at_ms: i64,
    /// The event's id.
    pub event_id: String,
}

/// One user's features, folded from the user's events.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct UserState {
    /// Largest order number: `user_orders`.
    pub orders: u32,
    /// Number of orders applied.
    pub applied: u32,
    /// Sum of the days between orders: `user_periods`.
    pub days: f32,
    /// Number of lines: `user_products`.
    pub lines: u32,
    /// Number of lines in orders after the first.
    pub later_lines: u32,
    /// Number of reordered lines.
    pub reordered: u32,
    /// Moving average of the lines per order.
    pub recent_lines: f32,
    /// Moving average of the reordered share per order.
    pub recent_reordered: f32,
    /// Products in the order of their catalogue index; the length is
    /// `user_distinct_products`.
    pub products: Vec<UserProduct>,
    /// Time of the newest order, UTC milliseconds.
    pub last_order_ms: Option<i64>,
    /// Time of the oldest order, UTC milliseconds.
    pub first_order_ms: Option<i64>,
    /// Newest checkout of the event stream in this state.
    pub last_checkout: Option<LastCheckout>,
    /// Context of the order to predict, if the history ends in a `test` order.
    pub next: Option<Context>,
    /// The newest touches, oldest first; at most [`MAX_TOUCHES`].
    pub touches: Vec<Touch>,
    /// The newest searches for different words, oldest first; at most [`MAX_SEARCHES`].
    pub searches: Vec<Search>,
}

impl UserState {
    /// Folds the next event into the state. Events come by rising time.
    pub fn apply(&mut self, event: Event<'_>) {
        match event {
            Event::Order(order) => self.order(order),
            Event::Touch(touch) => {
                if self.touches.len() >= MAX_TOUCHES {
                    self.touches.remove(0);
                }
                self.touches.push(touch);
            }
            Event::Search(search) => {
                self.searches.retain(|other| other.words() != search.words());
                if self.searches.len() >= MAX_SEARCHES {
                    self.searches.remove(0);
                }
                self.searches.push(search.clone());
            }
        }
    }

    fn order(&mut self, order: &Order) {
        self.orders = self.orders.max(order.number);
        self.applied += 1;
        self.days += order.context.days_since_prior.unwrap_or(0.0);
        self.first_order_ms = self.first_order_ms.or(order.context.at_ms);
        self.last_order_ms = order.context.at_ms.or(self.last_order_ms);
        let before = (self.lines, self.reordered);
        for (index, line) in order.lines.iter().enumerate() {
            // A basket is a set. At basket sizes a linear scan is faster than a hash set.
            if order.lines[..index].iter().any(|earlier| earlier.product == line.product) {
                continue;
            }
            let found = self.products.binary_search_by_key(&line.product, |p| p.product);
            let reordered = line.reordered.unwrap_or(found.is_ok());
            self.lines += 1;
            self.later_lines += u32::from(order.number > 1);
            self.reordered += u32::from(reordered);
            match found {
                Ok(at) => {
                    let product = &mut self.products[at];
                    let gap = order.number.saturating_sub(product.last);
                    product.weight = product.weight * DECAY.powi(gap as i32) + 1.0;
                    product.fast_weight = product.fast_weight * FAST_DECAY.powi(gap as i32) + 1.0;
                    let days = self.days - product.last_day;
                    product.day_weight = product.day_weight * (-days / DECAY_DAYS).exp() + 1.0;
                    product.previous = product.last;
                    product.orders += 1;
                    product.last = product.last.max(order.number);
                    product.position_sum = product.position_sum.saturating_add(line.position);
                    product.last_day = self.days;
                }
                Err(at) => self.products.insert(
                    at,
                    UserProduct {
                        product: line.product,
                        orders: 1,
                        first: order.number,
                        last: order.number,
                        position_sum: line.position,
                        first_day: self.days,
                        last_day: self.days,
                        weight: 1.0,
                        fast_weight: 1.0,
                        day_weight: 1.0,
                        previous: 0,
                    },
                ),
            }
        }
        let lines = (self.lines - before.0) as f32;
        let reordered = ratio((self.reordered - before.1) as f32, lines);
        let newest = if self.applied == 1 { 1.0 } else { NEWEST };
        self.recent_lines += newest * (lines - self.recent_lines);
        self.recent_reordered += newest * (reordered - self.recent_reordered);
    }

    /// The state of a guest who did the same without having bought anything.
    pub fn as_guest(&self) -> Self {
        let (touches, searches) = (self.touches.clone(), self.searches.clone());
        Self { touches, searches, ..Self::default() }
    }

    /// When the newest touch happened, UTC milliseconds.
    pub fn last_touch_ms(&self) -> Option<i64> {
        self.touches.last().map(|touch| touch.at_ms)
    }

    /// When the newest search was made, UTC milliseconds.
    pub fn last_search_ms(&self) -> Option<i64> {
        self.searches.last().map(|search| search.at_ms)
    }

    /// The products in the cart, as far as the touches since the last order tell. `None` if they tell
    /// nothing of a cart.
    pub fn cart(&self) -> Option<Vec<u32>> {
        let is_later = |touch: &Touch| self.last_order_ms.is_none_or(|last| touch.at_ms > last);
        let from = self.touches.partition_point(|touch| !is_later(touch));
        let since = &self.touches[from..];
        let tells = since.iter().any(|touch| matches!(touch.action, Action::Add | Action::Remove));
        tells.then(|| cart_of(since))
    }

    /// The newest touched products without repeats, in the order in which they were last touched;
    /// at most `most`. What was taken out of the cart is not among them.
    pub fn touched(&self, most: usize) -> Vec<u32> {
        let mut seen = Vec::with_capacity(most);
        let mut newest = Vec::with_capacity(most);
        for touch in self.touches.iter().rev() {
            if newest.len() >= most {
                break;
            }
            if !seen.contains(&touch.product) {
                seen.push(touch.product);
                if touch.action != Action::Remove {
                    newest.push(touch.product);
                }
            }
        }
        newest.reverse();
        newest
    }

    /// Returns the user's purchases of a product, if there are any.
    pub fn product(&self, product: u32) -> Option<&UserProduct> {
        let at = self.products.binary_search_by_key(&product, |p| p.product).ok()?;
        self.products.get(at)
    }

    /// `user_mean_days_since_prior`, in days.
    pub fn mean_days_since_prior(&self) -> f32 {
        ratio(self.days, self.applied as f32)
    }

    /// `user_reorder_ratio`: reordered lines divided by lines of orders after the first.
    pub fn reorder_ratio(&self) -> f32 {
        ratio(self.reordered as f32, self.later_lines as f32)
    }
}

impl UserProduct {
    /// `up_avg_cart_position`.
    pub fn mean_position(&self) -> f32 {
        ratio(self.position_sum as f32, self.orders as f32)
    }

    /// Recency-weighted purchase frequency as of order number `next`.
    pub fn recency(&self, next: u32) -> f32 {
        self.weight * DECAY.powi(next.saturating_sub(self.last) as i32)
    }

    /// Purchase frequency in the last few orders as of order number `next`.
    pub fn fast_recency(&self, next: u32) -> f32 {
        self.fast_weight * FAST_DECAY.powi(next.saturating_sub(self.last) as i32)
    }

    /// Purchase frequency in the last weeks as of `day`, on the scale of `last_day`.
    pub fn day_recency(&self, day: f32) -> f32 {
        self.day_weight * (-(day - self.last_day).max(0.0) / DECAY_DAYS).exp()
    }
}

/// Returns `a / b`, or 0 if `b` is 0.
pub(crate) fn ratio(a: f32, b: f32) -> f32 {
    if b == 0.0 { 0.0 } else { a / b }
}

/// A training example: a user's state at the moment of a question, and what followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The user's id.
    pub user_id: String,
    /// Number of the question among the user's: of a basket the number of the order, of an
    /// interaction its place among the user's touches.
    pub order_number: u32,
    /// The user's state at the moment of the question.
    pub state: UserState,
    /// The moment of the question.
    pub context: Context,
    /// The products in the cart at that moment. `None` if nothing is known of the cart: then the
    /// basket may be cut anywhere.
    pub cart: Option<Vec<u32>>,
    /// What the user did next: the products of the label order that are not in the cart, in the
    /// order in which they were added, or the product touched next.
    pub basket: Vec<u32>,
}
