//! The fold over one user's orders.

use serde::{Deserialize, Serialize};

/// Weight of a purchase one order older: the within-user decay of TIFU-KNN
/// (Hu et al., SIGIR 2020), tuned on validation users.
pub const DECAY: f32 = 0.9;
/// Weight of a purchase one order older, for habits of the last few orders.
pub const FAST_DECAY: f32 = 0.6;
/// Days in which a purchase loses all but 1/e of its weight.
pub const DECAY_DAYS: f32 = 45.0;
/// Weight of the newest order in the moving averages of a user.
const NEWEST: f32 = 0.3;

/// One line of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Index of the product in the catalogue.
    pub product: u32,
    /// Place in the cart, 1 = put in first.
    pub position: u32,
    /// The shop's own flag, where it gives one; else history tells.
    pub reordered: Option<bool>,
}

/// When an order is placed: all that is known before its products are.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Context {
    /// Day of the week, 0–6, as the shop counts.
    pub dow: Option<u8>,
    /// Local hour, 0–23.
    pub hour: Option<u8>,
    /// Days since the user's previous order, capped at 30; none for a first order.
    pub days_since_prior: Option<f32>,
}

/// One order of a user.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Order {
    /// 1 = the user's first.
    pub number: u32,
    /// When it was placed.
    pub context: Context,
    /// Its products; one that is named twice counts once, at its first place.
    pub lines: Vec<Line>,
    /// UTC milliseconds, where known.
    pub ordered_at_ms: Option<i64>,
}

/// What a user's orders say of one product.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UserProduct {
    /// Index of the product in the catalogue.
    pub product: u32,
    /// Orders that hold it: `up_order_count`.
    pub orders: u32,
    /// `up_first_order_number`.
    pub first: u32,
    /// `up_last_order_number`.
    pub last: u32,
    /// Sum of its places in the cart; over `orders` it is `up_avg_cart_position`.
    pub position_sum: u32,
    /// Day of the first purchase on the user's own calendar (sum of gaps).
    pub first_day: f32,
    /// Day of the last purchase.
    pub last_day: f32,
    /// Sum of `DECAY^(last - n)` over the orders `n` that hold it.
    pub weight: f32,
    /// The same with [`FAST_DECAY`].
    pub fast_weight: f32,
    /// Sum of `exp(-days / DECAY_DAYS)`, as of `last_day`.
    pub day_weight: f32,
    /// Number of the order before `last` that holds it, 0 without one.
    pub previous: u32,
}

/// The state of one user's fold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct UserState {
    /// Largest order number: `user_orders`.
    pub orders: u32,
    /// Orders applied.
    pub applied: u32,
    /// Sum of days since the prior order, empty as 0: `user_periods`.
    pub days: f32,
    /// Lines: `user_products`.
    pub lines: u32,
    /// Lines of orders after the first.
    pub later_lines: u32,
    /// Reordered lines.
    pub reordered: u32,
    /// Moving average of the lines of an order.
    pub recent_lines: f32,
    /// Moving average of the reordered share of an order.
    pub recent_reordered: f32,
    /// Products, by catalogue index; its length is `user_distinct_products`.
    pub products: Vec<UserProduct>,
    /// Time of the newest order, UTC milliseconds.
    pub last_order_ms: Option<i64>,
    /// Newest checkout of the event stream in this state.
    pub last_checkout: Option<(i64, String)>,
    /// The moment to predict for, where the history ends in a `test` order.
    pub next: Option<Context>,
}

impl UserState {
    /// Folds the next order in.
    pub fn apply(&mut self, order: &Order) {
        self.orders = self.orders.max(order.number);
        self.applied += 1;
        self.days += order.context.days_since_prior.unwrap_or(0.0);
        self.last_order_ms = order.ordered_at_ms.or(self.last_order_ms);
        let before = (self.lines, self.reordered);
        for (index, line) in order.lines.iter().enumerate() {
            // A basket is a set. Looking back beats a hash set at basket sizes.
            if order.lines[..index].iter().any(|earlier| earlier.product == line.product) {
                continue;
            }
            let known = self.products.binary_search_by_key(&line.product, |p| p.product);
            let reordered = line.reordered.unwrap_or(known.is_ok());
            self.lines += 1;
            self.later_lines += u32::from(order.number > 1);
            self.reordered += u32::from(reordered);
            match known {
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

    /// The product's record, if the user has bought it.
    pub fn product(&self, product: u32) -> Option<&UserProduct> {
        let at = self.products.binary_search_by_key(&product, |p| p.product).ok()?;
        self.products.get(at)
    }

    /// `user_mean_days_since_prior`, in days.
    pub fn mean_days_since_prior(&self) -> f32 {
        ratio(self.days, self.applied as f32)
    }

    /// `user_reorder_ratio`: reordered lines over lines of orders after the first.
    pub fn reorder_ratio(&self) -> f32 {
        ratio(self.reordered as f32, self.later_lines as f32)
    }
}

impl UserProduct {
    /// `up_avg_cart_position`.
    pub fn mean_position(&self) -> f32 {
        ratio(self.position_sum as f32, self.orders as f32)
    }

    /// Recency-weighted frequency seen from order number `next`.
    pub fn recency(&self, next: u32) -> f32 {
        self.weight * DECAY.powi(next.saturating_sub(self.last) as i32)
    }

    /// Frequency in the last few orders seen from order number `next`.
    pub fn fast_recency(&self, next: u32) -> f32 {
        self.fast_weight * FAST_DECAY.powi(next.saturating_sub(self.last) as i32)
    }

    /// Frequency in the last weeks seen from `day` of the user's calendar.
    pub fn day_recency(&self, day: f32) -> f32 {
        self.day_weight * (-(day - self.last_day).max(0.0) / DECAY_DAYS).exp()
    }
}

/// `a / b`, and 0 for 0/0.
pub(crate) fn ratio(a: f32, b: f32) -> f32 {
    if b == 0.0 { 0.0 } else { a / b }
}

/// A moment of a user's history with what was bought next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// Whose.
    pub user_id: String,
    /// Number of the label order.
    pub order_number: u32,
    /// The user's fold before the label order.
    pub state: UserState,
    /// When the label order was placed.
    pub context: Context,
    /// The label order's products, in order of adding.
    pub basket: Vec<u32>,
}
