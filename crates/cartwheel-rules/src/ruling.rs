//! The rules that hold for one request.

use std::fmt;

use cartwheel_filter::{Context, Shopper};
use jiff::civil::Date;

use crate::checked::{Checked, Selector};
use crate::document::{Action, Per};
use crate::rule_set::RuleSet;

/// A request as scopes see it.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The name of the placement.
    pub placement: &'a str,
    /// The departments and aisles that the request is about, by name.
    pub categories: &'a [String],
    /// The shopper, with the cart.
    pub shopper: &'a Shopper<'a>,
    /// The values that the request gives.
    pub context: &'a Context,
    /// The day in the shop's time zone.
    pub today: Date,
    /// The current time, UTC milliseconds.
    pub now_ms: i64,
}

/// Whether a selector names a product, by the number that the caller has given the product.
pub type Selects<'a> = Box<dyn Fn(u32) -> bool + Send + Sync + 'a>;

/// What a rule does to its products for a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Effect {
    Pin {
        place: usize,
    },
    /// Multiplies the odds.
    Odds {
        factor: f64,
    },
    Block,
    AtMost {
        count: usize,
        per: Option<Per>,
    },
    AtLeast {
        count: usize,
    },
}

/// A rule that holds.
pub(crate) struct Held<'a> {
    pub(crate) id: &'a str,
    pub(crate) effect: Effect,
    /// `None` is about all products.
    selector: Option<&'a Selector>,
    selects: Option<Selects<'a>>,
}

impl Held<'_> {
    /// Whether it is about a product.
    pub(crate) fn is_about(&self, product: u32) -> bool {
        self.selects.as_ref().is_none_or(|selects| selects(product))
    }
}

impl fmt::Debug for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("id", &self.id).field("effect", &self.effect).finish()
    }
}

/// Products that a list needs for a rule to hold.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'r, 'a> {
    /// Which products.
    pub selector: &'a Selector,
    /// How many of them.
    pub count: usize,
    held: &'r Held<'a>,
}

impl Demand<'_, '_> {
    /// Whether a product is one of them.
    pub fn is_about(&self, product: u32) -> bool {
        self.held.is_about(product)
    }
}

/// The rules that hold for one request. The default has none.
#[derive(Debug, Default)]
pub struct Ruling<'a> {
    /// By precedence.
    pub(crate) rules: Vec<Held<'a>>,
}

impl RuleSet {
    /// The rules that hold on an occasion. `selects` is asked once for each selector of them, and
    /// tells which products it names.
    pub fn ruling<'a>(
        &'a self,
        occasion: &Occasion<'_>,
        selects: impl Fn(&'a Selector) -> Selects<'a>,
    ) -> Ruling<'a> {
        let held = |checked: &'a Checked| {
            let effect = checked.holds(occasion).then(|| checked.effect(occasion)).flatten()?;
            let selector = checked.products.as_ref();
            Some(Held { id: &checked.rule.id, effect, selector, selects: selector.map(&selects) })
        };
        Ruling { rules: self.rules.iter().filter_map(held).collect() }
    }
}

impl Checked {
    /// Whether an occasion is in the rule's scope.
    fn holds(&self, occasion: &Occasion<'_>) -> bool {
        let scope = &self.rule.scope;
        let is_placed = scope.placements.is_empty()
            || scope.placements.iter().any(|name| name == occasion.placement);
        is_placed
            && scope.contains_day(occasion.today)
            && scope.category.as_ref().is_none_or(|name| occasion.categories.contains(name))
            && self.segment.as_ref().is_none_or(|s| s.holds(occasion.shopper, occasion.context))
    }

    /// What the rule does; `None` if it does nothing with this cart.
    fn effect(&self, occasion: &Occasion<'_>) -> Option<Effect> {
        let in_cart = || {
            let mut items = occasion.shopper.cart.iter().map(|(item, _)| item);
            let names = |selector: &Selector, item| selector.matches(item, occasion.now_ms);
            self.cart.as_ref().is_some_and(|cart| items.any(|item| names(cart, item)))
        };
        match self.rule.action {
            Action::Pin { place } => Some(Effect::Pin { place: place as usize }),
            Action::Boost { factor } => Some(Effect::Odds { factor }),
            Action::Bury { factor } => Some(Effect::Odds { factor: 1.0 / factor }),
            Action::Block {} => Some(Effect::Block),
            Action::AtMost { count, per } => Some(Effect::AtMost { count: count as usize, per }),
            Action::AtLeast { count } => Some(Effect::AtLeast { count: count as usize }),
            Action::OnlyWith { .. } => (!in_cart()).then_some(Effect::Block),
            Action::NeverWith { .. } => in_cart().then_some(Effect::Block),
        }
    }
}

impl<'a> Ruling<'a> {
    /// Whether no rule holds.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a product may be a candidate: no rule blocks it, or a pin takes precedence over
    /// each rule that does. [`Ruling::arrange`] drops such a product again unless it gets the
    /// pin's place.
    pub fn admits(&self, product: u32) -> bool {
        let Some(block) = self.block(product) else { return true };
        let mut before = self.rules[..block].iter();
        before.any(|held| matches!(held.effect, Effect::Pin { .. }) && held.is_about(product))
    }

    /// The place of the first rule that blocks a product.
    pub(crate) fn block(&self, product: u32) -> Option<usize> {
        let blocks = |held: &Held<'_>| held.effect == Effect::Block && held.is_about(product);
        self.rules.iter().position(blocks)
    }

    /// The ids of the rules that [`Ruling::admits`] asks: with the same ones, it gives the same answers.
    pub fn guards(&self) -> impl Iterator<Item = &'a str> + '_ {
        let guards = self.rules.iter();
        let guards = guards.filter(|h| matches!(h.effect, Effect::Block | Effect::Pin { .. }));
        guards.map(|held| held.id)
    }

    /// Products that have to be candidates for the rules to hold.
    pub fn demands(&self) -> impl Iterator<Item = Demand<'_, 'a>> {
        self.rules.iter().filter_map(|held| {
            let count = match held.effect {
                Effect::Pin { .. } => 1,
                Effect::AtLeast { count } => count,
                _ => return None,
            };
            Some(Demand { selector: held.selector?, count, held })
        })
    }
}
