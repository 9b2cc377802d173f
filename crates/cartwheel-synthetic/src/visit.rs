//! A shopper's visits to the shop: what is searched, viewed, put into the cart and bought.
//!
//! The orders come first and the visits follow from them, so that both forms of the shop have the
//! same orders. A shopper looks at things before buying them: in the visit itself, and in the
//! visits before it, which also go to the aisles of the next order.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::assortment::Assortment;
use crate::catalogue::Catalogue;
use crate::shopper::{History, Order, Origin};

/// Probability that what is bought regularly is put into the cart at once, from a list.
const AGAIN: f64 = 0.9;
/// Probability of a search before something new.
const SEARCH: f64 = 0.35;
/// Probability that a visit without an order is for the next one.
const INTENT: f64 = 0.5;
/// Probability that something is put into the cart in a visit without an order.
const IDLE_ADD: f64 = 0.15;
/// Probability that it is removed in the same visit.
const IDLE_REMOVE: f64 = 0.6;

/// What a shopper does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Searches for the kind of thing that a product is.
    Search(u32),
    View(u32),
    /// Puts products into the cart at once, each with its pieces.
    Add(Vec<(u32, u32)>),
    Remove(u32),
}

/// A product of an order, as it was bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bought {
    pub product: u32,
    pub quantity: u32,
    pub origin: Origin,
    /// The product that the shopper wanted and that was out of stock.
    pub instead_of: Option<u32>,
}

/// Draws the visits of one shopper.
pub(crate) struct Visitor<'a> {
    pub catalogue: &'a Catalogue,
    pub assortment: &'a Assortment,
    pub rng: ChaCha8Rng,
}

impl Visitor<'_> {
    /// The basket of an order, as the assortment of that time allows. It is never empty.
    pub(crate) fn buy(&mut self, order: &Order, at_ms: i64) -> Vec<Bought> {
        let mut bought: Vec<Bought> = Vec::with_capacity(order.basket.len());
        for pick in &order.basket {
            let is_bought = |product| bought.iter().any(|other| other.product == product);
            let is_free =
                |product| self.assortment.is_on_offer(product, at_ms) && !is_bought(product);
            let wanted = pick.product;
            let product = if is_free(wanted) {
                Some(wanted)
            } else {
                let mut others = (0..8).map(|_| self.catalogue.draw_beside(wanted, &mut self.rng));
                others.find(|&product| is_free(product))
            };
            let Some(product) = product else { continue };
            let is_out = product != wanted && self.assortment.is_listed(wanted, at_ms);
            bought.push(Bought {
                product,
                quantity: self.quantity(),
                origin: pick.origin,
                instead_of: is_out.then_some(wanted),
            });
        }
        if bought.is_empty() {
            let mut all = 0..self.catalogue.products.len() as u32;
            let product = all.find(|&product| self.assortment.is_on_offer(product, at_ms));
            let anything = product.map(|product| Bought {
                product,
                quantity: 1,
                origin: Origin::Found,
                instead_of: None,
            });
            bought.extend(anything);
        }
        bought
    }

    fn quantity(&mut self) -> u32 {
        match self.rng.random_range(0..100) {
            0..80 => 1,
            80..94 => 2,
            _ => self.rng.random_range(3..7),
        }
    }

    /// The visit that ends with an order.
    pub(crate) fn order(&mut self, bought: &[Bought], at_ms: i64) -> Vec<Action> {
        let mut actions = Vec::new();
        let is_usual = |b: &&Bought| b.origin != Origin::Found && b.instead_of.is_none();
        let usual: Vec<(u32, u32)> =
            bought.iter().filter(is_usual).map(|b| (b.product, b.quantity)).collect();
        let at_once = usual.len() > 1 && self.rng.random_bool(AGAIN);
        for one in bought.iter().filter(|b| !at_once || !is_usual(b)) {
            match one.origin {
                Origin::Found => self.discover(one.product, at_ms, &mut actions),
                Origin::Staple | Origin::Companion => {
                    if self.rng.random_bool(0.3) {
                        actions.push(Action::View(one.product));
                    }
                }
            }
            if let Some(missed) = one.instead_of {
                actions.push(Action::View(missed));
            }
            actions.push(Action::Add(vec![(one.product, one.quantity)]));
        }
        if self.rng.random_bool(0.08)
            && let Some(one) = bought.choose(&mut self.rng)
        {
            let other = self.catalogue.draw_beside(one.product, &mut self.rng);
            let is_bought = bought.iter().any(|b| b.product == other);
            if !is_bought && self.assortment.is_on_offer(other, at_ms) {
                actions.extend([Action::Add(vec![(other, 1)]), Action::Remove(other)]);
            }
        }
        if at_once {
            actions.push(Action::Add(usual));
        }
        actions
    }

    /// Looks around before taking something new.
    fn discover(&mut self, product: u32, at_ms: i64, actions: &mut Vec<Action>) {
        if self.rng.random_bool(SEARCH) {
            actions.push(Action::Search(product));
        }
        for _ in 0..self.rng.random_range(0..3) {
            let other = self.catalogue.draw_beside(product, &mut self.rng);
            self.view(other, at_ms, actions);
        }
        if self.rng.random_bool(0.9) {
            self.view(product, at_ms, actions);
        }
    }

    /// Views a product that the shop has, once in a row.
    fn view(&self, product: u32, at_ms: i64, actions: &mut Vec<Action>) {
        let view = Action::View(product);
        if self.assortment.is_listed(product, at_ms) && actions.last() != Some(&view) {
            actions.push(view);
        }
    }

    /// A visit without an order. `next` is the order that follows, `before` the one before.
    pub(crate) fn browse(
        &mut self,
        history: &History,
        [before, next]: [Option<&Order>; 2],
        at_ms: i64,
    ) -> Vec<Action> {
        let found = |order: &Order| -> Vec<u32> {
            let found = order.basket.iter().filter(|pick| pick.origin == Origin::Found);
            found.map(|pick| pick.product).collect()
        };
        let wanted = next.map(found).unwrap_or_default();
        let owned: Vec<u32> =
            before.map_or(Vec::new(), |order| order.basket.iter().map(|p| p.product).collect());
        let mut actions = Vec::new();
        for _ in 0..self.rng.random_range(2..6) {
            let kind: f64 = self.rng.random();
            let product = match (wanted.choose(&mut self.rng), owned.choose(&mut self.rng)) {
                (Some(&product), _) if kind < INTENT => match self.rng.random_bool(0.5) {
                    true => product,
                    false => self.catalogue.draw_beside(product, &mut self.rng),
                },
                (_, Some(&product)) if kind < INTENT + 0.15 => product,
                _ => self.liked(&history.tastes),
            };
            if self.rng.random_bool(0.12) {
                actions.push(Action::Search(product));
            }
            self.view(product, at_ms, &mut actions);
        }
        let viewed = actions.iter().rev().find_map(|action| match action {
            Action::View(product) => Some(*product),
            _ => None,
        });
        if let Some(product) = viewed
            && self.rng.random_bool(IDLE_ADD)
            && self.assortment.is_on_offer(product, at_ms)
        {
            actions.push(Action::Add(vec![(product, 1)]));
            if self.rng.random_bool(IDLE_REMOVE) {
                actions.push(Action::Remove(product));
            }
        }
        actions
    }

    /// Draws a product to the shopper's taste.
    fn liked(&mut self, tastes: &[f64]) -> u32 {
        let mut product = self.catalogue.draw(&mut self.rng);
        for _ in 0..12 {
            let taste = tastes[self.catalogue.products[product as usize].aisle];
            if self.rng.random::<f64>() < taste {
                break;
            }
            product = self.catalogue.draw(&mut self.rng);
        }
        product
    }

    /// Views of somebody who never logs in.
    pub(crate) fn pass_by(&mut self, at_ms: i64) -> Vec<Action> {
        let mut actions = Vec::new();
        for _ in 0..self.rng.random_range(1..5) {
            let product = self.catalogue.draw(&mut self.rng);
            self.view(product, at_ms, &mut actions);
        }
        actions
    }

    /// What is given back of an order: things that the shopper tried and never buys again, and
    /// never all of it.
    pub(crate) fn give_back(&mut self, bought: &[Bought], later: &[Order]) -> Vec<(u32, u32)> {
        let is_tried = |b: &&Bought| {
            b.origin != Origin::Staple
                && !later.iter().any(|o| o.basket.iter().any(|pick| pick.product == b.product))
        };
        let tried: Vec<&Bought> = bought.iter().filter(is_tried).collect();
        let most = tried.len().min(2).min(bought.len().saturating_sub(1));
        let count = if most > 0 { self.rng.random_range(1..=most) } else { 0 };
        let given = tried.into_iter().take(count);
        given.map(|b| (b.product, self.rng.random_range(1..=b.quantity))).collect()
    }
}
