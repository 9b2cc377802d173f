//! A shopper's history with dates: visits, orders and returns, as rows of events.csv.

use rand::RngExt;

use crate::assortment::{Assortment, DAY_MS};
use crate::catalogue::Catalogue;
use crate::rows::{By, EventRows, Row, anonymous_id};
use crate::shopper::{History, Order, rng};
use crate::visit::{Action, Bought, Visitor};

/// Probability that the visits before the first order are those of a guest, and that the
/// shopper logs in while ordering for the first time.
const GUEST_FIRST: f64 = 0.5;
/// Probability that a later visit begins before the login.
const LOGGED_OUT: f64 = 0.12;
/// Probability that an order is followed by a return.
const RETURNS: f64 = 0.06;
/// Probability that somebody passes by who never logs in, per shopper.
const PASSERS_BY: f64 = 0.15;
/// Visits are recorded for so long before the end; orders go back further.
const RECORDED_MS: i64 = 30 * DAY_MS;
/// Before the first order, a shopper looked around for so long.
const BEFORE_FIRST_MS: i64 = 5 * DAY_MS;
/// Least time between two visits.
const PAUSE_MS: i64 = 600_000;
/// Time that an action of a visit takes.
const ACTION_MS: i64 = 40_000;

/// The shop of which histories are written.
pub(crate) struct Shop<'a> {
    pub catalogue: &'a Catalogue,
    pub assortment: &'a Assortment,
    pub seed: u64,
}

/// When the shopper of a visit logs in.
#[derive(Clone, Copy)]
enum Login {
    /// Before the visit.
    Before,
    /// With the action of this number.
    With(usize),
    /// Not in this visit.
    Never,
}

impl Login {
    /// The ids of an action.
    fn by(self, action: usize) -> By {
        match self {
            Self::With(login) if action == login => By::Both,
            Self::With(login) if action < login => By::Guest,
            Self::Before | Self::With(_) => By::User,
            Self::Never => By::Guest,
        }
    }
}

/// Writes one shopper's history.
struct Writer<'a> {
    shop: &'a Shop<'a>,
    visitor: Visitor<'a>,
    rows: EventRows,
    /// Number of visits.
    visits: u32,
}

/// Writes the history of one shopper. Order ids start at `first_order`.
pub(crate) fn rows(shop: &Shop<'_>, history: &History, first_order: u64) -> EventRows {
    let mut own = rng(shop.seed, history.user, 3);
    let device = anonymous_id(&mut own);
    let is_guest_first = own.random_bool(GUEST_FIRST);
    let end_ms = shop.assortment.end_ms();
    let first_day = first_day(history, end_ms / DAY_MS, own.random());
    let Shop { catalogue, assortment, .. } = *shop;
    let mut writer = Writer {
        shop,
        visitor: Visitor { catalogue, assortment, rng: own },
        rows: EventRows::new(history.user, device),
        visits: 0,
    };
    let mut before: Option<(&Order, i64)> = None;
    for (number, order) in history.orders.iter().enumerate() {
        let day_ms = (first_day + i64::from(order.day)) * DAY_MS;
        let mut at_ms = day_ms + i64::from(order.hour) * 3_600_000 + writer.up_to(3_600_000);
        if let Some((_, before_ms)) = before {
            // Two orders of a day do not overlap.
            at_ms = at_ms.max(before_ms + PAUSE_MS + writer.up_to(PAUSE_MS));
        }
        let from_ms = before.map_or(at_ms - BEFORE_FIRST_MS, |(_, before_ms)| before_ms);
        let is_guest = is_guest_first && before.is_none();
        let around = [before.map(|(order, _)| order), Some(order)];
        writer.browse(history, around, [from_ms, at_ms], is_guest);
        let order_id = first_order + number as u64;
        let bought = writer.order(order, order_id, [from_ms, at_ms], is_guest);
        writer.give_back(&bought, &history.orders[number + 1..], order_id, at_ms);
        before = Some((order, at_ms));
    }
    if let Some((order, at_ms)) = before {
        writer.browse(history, [Some(order), None], [at_ms, end_ms], false);
    }
    writer.pass_by();
    writer.rows
}

/// The day since 1970 of the first order. The newest order is `lag`, a share of one usual gap,
/// before the end, or up to six days earlier, on its day of the week.
fn first_day(history: &History, end_day: i64, lag: f64) -> i64 {
    let Some(last) = history.orders.last() else { return end_day };
    let latest = end_day - 1 - (lag * history.mean_gap) as i64;
    // The first of January 1970 was a Thursday.
    let back = (latest + 4 - i64::from(last.dow)).rem_euclid(7);
    latest - back - i64::from(last.day)
}

impl Writer<'_> {
    /// A time from 0 to `most`.
    fn up_to(&mut self, most: i64) -> i64 {
        self.visitor.rng.random_range(0..most.max(1))
    }

    /// Visits without an order between two times, which are those of the orders around them.
    fn browse(
        &mut self,
        history: &History,
        around: [Option<&Order>; 2],
        [from_ms, until_ms]: [i64; 2],
        is_guest: bool,
    ) {
        let longest = 12 * ACTION_MS;
        let room = until_ms - from_ms - 2 * (longest + PAUSE_MS);
        if room < DAY_MS / 2 {
            return;
        }
        let count = match self.visitor.rng.random_range(0..100) {
            0..50 => 0,
            50..85 => 1,
            _ => 2,
        };
        let mut starts: Vec<i64> = (0..count).map(|_| self.up_to(room)).collect();
        starts.sort_unstable();
        for start in starts {
            let start_ms = from_ms + PAUSE_MS + start;
            let actions = self.visitor.browse(history, around, start_ms);
            let is_guest = is_guest || self.visitor.rng.random_bool(LOGGED_OUT);
            let login = if is_guest { Login::Never } else { Login::Before };
            self.visit(&actions, [start_ms, start_ms + longest], login);
        }
    }

    /// An order and the visit that leads to it.
    fn order(
        &mut self,
        order: &Order,
        order_id: u64,
        [from_ms, at_ms]: [i64; 2],
        is_guest: bool,
    ) -> Vec<Bought> {
        let bought = self.visitor.buy(order, at_ms);
        let actions = self.visitor.order(&bought, at_ms);
        let start_ms = at_ms - ACTION_MS * (actions.len() as i64 + 1);
        let start_ms = start_ms.max(from_ms + PAUSE_MS / 2);
        let is_guest = is_guest || self.visitor.rng.random_bool(LOGGED_OUT);
        let login = match is_guest && self.is_recorded(start_ms) {
            true => Login::With(self.visitor.rng.random_range(0..actions.len().max(1))),
            false => Login::Before,
        };
        self.visit(&actions, [start_ms, at_ms], login);
        for one in &bought {
            self.rows.push(&Row {
                by: login.by(actions.len()),
                visit: if self.is_recorded(start_ms) { self.visits } else { 0 },
                order_id: Some(order_id),
                product: Some(one.product),
                quantity: Some(one.quantity),
                price: Some(self.shop.assortment.price(one.product, at_ms)),
                ..Row::new("checkout", at_ms)
            });
        }
        self.rows.lines += bought.len() as u64;
        bought
    }

    /// Whether a visit that begins at that time is recorded.
    fn is_recorded(&self, start_ms: i64) -> bool {
        start_ms >= self.shop.assortment.end_ms() - RECORDED_MS
    }

    /// The actions of a visit, spread over its time.
    fn visit(&mut self, actions: &[Action], [start_ms, end_ms]: [i64; 2], login: Login) {
        if !self.is_recorded(start_ms) {
            return;
        }
        self.visits += 1;
        let step = (end_ms - start_ms) / (actions.len() as i64 + 1);
        for (place, action) in actions.iter().enumerate() {
            let at_ms = start_ms + step * place as i64 + self.up_to(step);
            let row =
                |event| Row { by: login.by(place), visit: self.visits, ..Row::new(event, at_ms) };
            let number = Some(self.rows.next_event());
            match action {
                Action::Search(product) => {
                    let query = self.shop.catalogue.products[*product as usize].thing;
                    self.rows.push(&Row { number, query, ..row("search") });
                }
                Action::View(product) => {
                    let product = Some(*product);
                    self.rows.push(&Row { number, product, ..row("view") });
                }
                Action::Remove(product) => {
                    let product = Some(*product);
                    self.rows.push(&Row { number, product, ..row("remove_from_cart") });
                }
                Action::Add(items) => {
                    for &(product, quantity) in items {
                        let price = Some(self.shop.assortment.price(product, at_ms));
                        let (product, quantity) = (Some(product), Some(quantity));
                        let row = row("add_to_cart");
                        self.rows.push(&Row { number, product, quantity, price, ..row });
                    }
                }
            }
        }
    }

    /// Returns part of an order some days later.
    fn give_back(&mut self, bought: &[Bought], later: &[Order], order_id: u64, at_ms: i64) {
        if !self.visitor.rng.random_bool(RETURNS) {
            return;
        }
        let back_ms = at_ms + 2 * DAY_MS + self.up_to(4 * DAY_MS);
        let given = self.visitor.give_back(bought, later);
        if back_ms >= self.shop.assortment.end_ms() || given.is_empty() {
            return;
        }
        self.rows.events += 1;
        for (product, quantity) in given {
            self.rows.push(&Row {
                order_id: Some(order_id),
                product: Some(product),
                quantity: Some(quantity),
                ..Row::new("return", back_ms)
            });
        }
    }

    /// Somebody else looks at the shop and never logs in.
    fn pass_by(&mut self) {
        if !self.visitor.rng.random_bool(PASSERS_BY) {
            return;
        }
        self.rows.device = anonymous_id(&mut self.visitor.rng);
        let start_ms =
            self.shop.assortment.end_ms() - DAY_MS - self.up_to(RECORDED_MS - 2 * DAY_MS);
        let actions = self.visitor.pass_by(start_ms);
        let end_ms = start_ms + ACTION_MS * (actions.len() as i64 + 1);
        self.visit(&actions, [start_ms, end_ms], Login::Never);
    }
}
