//! Checks a rule and compiles its expressions.

use std::collections::BTreeSet;

use cartwheel_events::ProductId;
use cartwheel_filter::{Context, Expression, Segment, Shopper, Source};

use crate::checked::{Checked, Selector};
use crate::document::{Action, Products, Rule};
use crate::problem::Problem;

/// Most rules of a document.
pub const MAX_RULES: usize = 200;
/// Most ids of products in one place of a rule.
pub const MAX_IDS: usize = 200;
/// The last place of a pin, and the largest number of products that a rule counts.
pub const MAX_PLACE: u32 = 100;
/// The largest factor on the odds.
pub const MAX_FACTOR: f64 = 1_000.0;
/// Longest id of a rule and name of a placement, in characters.
const MAX_NAME: usize = 64;
/// Longest title of a rule and name of a category, in characters.
const MAX_TEXT: usize = 200;
/// Most placements of a scope.
const MAX_PLACEMENTS: usize = 50;
/// The largest priority.
const MAX_PRIORITY: i32 = 1_000;

/// Ids that are paths of the API.
const RESERVED: [&str; 2] = ["history", "undo"];

const PLAIN: &str = "1 to 64 of a-z, 0-9, - and _, and neither history nor undo";
const PLACEMENTS: &str = "at most 50 names, each 1 to 64 of a-z, 0-9, - and _";
const TEXT: &str = "at most 200 characters on one line";
const COUNT: &str = "a whole number from 1 to 100";

/// Checks every part of a rule and compiles it.
///
/// # Errors
/// Every mistake.
pub(crate) fn check(rule: &Rule) -> Result<Checked, Vec<Problem>> {
    let mut found = Found::default();
    let Rule { id, name, active: _, priority, products, action, scope } = rule;
    let is_free = is_plain(id) && !RESERVED.contains(&id.as_str());
    found.demand(is_free, "id", "The id is no plain name.", PLAIN);
    found.demand(is_line(name), "name", "The name is too long.", TEXT);
    let in_range = (-MAX_PRIORITY..=MAX_PRIORITY).contains(priority);
    found.demand(in_range, "priority", "The priority is out of range.", "-1000 to 1000");
    found.action(action);
    let products = match (products, action) {
        (Some(products), _) => found.selector("products", products),
        (None, Action::AtMost { per: Some(_), .. }) => None,
        (None, _) => {
            let expected = "{\"ids\": [\"…\"]} or {\"select\": \"…\"}";
            found.add("products", "The rule does not say which products it is about.", expected);
            None
        }
    };
    if let (Action::AtLeast { count }, Some(Selector::Ids(ids))) = (action, &products)
        && ids.len() < *count as usize
    {
        let problem = format!("The rule demands {count} of {} products.", ids.len());
        found.add("action.count", problem, "at most as many as there are ids");
    }
    let cart = match action {
        Action::OnlyWith { cart } | Action::NeverWith { cart } => {
            found.selector("action.cart", cart)
        }
        _ => None,
    };
    let plain = scope.placements.iter().all(|name| is_plain(name));
    let plain = plain && scope.placements.len() <= MAX_PLACEMENTS;
    found.demand(plain, "scope.placements", "A name is no plain name.", PLACEMENTS);
    let category = scope.category.as_deref();
    let is_named = category.is_none_or(|name| !name.is_empty() && is_line(name));
    found.demand(is_named, "scope.category", "The category is empty or too long.", TEXT);
    let segment = scope.segment.as_ref().and_then(|text| match Segment::parse(text) {
        Ok(segment) => Some(segment),
        Err(error) => {
            found.0.push(Problem::of_expression("scope.segment", &error));
            None
        }
    });
    if found.0.is_empty() {
        return Ok(Checked { rule: rule.clone(), products, cart, segment });
    }
    let id: String = id.chars().take(MAX_NAME).collect();
    Err(found.0.into_iter().map(|problem| Problem { rule: id.clone(), ..problem }).collect())
}

/// The mistakes of a rule.
#[derive(Default)]
struct Found(Vec<Problem>);

impl Found {
    fn add(&mut self, field: &str, problem: impl Into<String>, expected: &str) {
        self.0.push(Problem::new(field, problem, expected));
    }

    fn demand(&mut self, holds: bool, field: &str, problem: &str, expected: &str) {
        if !holds {
            self.add(field, problem, expected);
        }
    }

    fn action(&mut self, action: &Action) {
        let counts = |count: u32| (1..=MAX_PLACE).contains(&count);
        match *action {
            Action::Pin { place } => {
                self.demand(counts(place), "action.place", "There is no such place.", COUNT);
            }
            Action::Boost { factor } | Action::Bury { factor } => {
                let in_range = factor > 1.0 && factor <= MAX_FACTOR;
                let expected = "more than 1 and at most 1000: bury divides by its factor";
                let problem = "The factor is out of range.";
                self.demand(in_range, "action.factor", problem, expected);
            }
            Action::AtMost { count, .. } | Action::AtLeast { count } => {
                self.demand(counts(count), "action.count", "The number is out of range.", COUNT);
            }
            Action::Block {} | Action::OnlyWith { .. } | Action::NeverWith { .. } => {}
        }
    }

    /// Compiles what names products.
    fn selector(&mut self, field: &str, products: &Products) -> Option<Selector> {
        match products {
            Products::Ids(ids) => {
                let in_range = (1..=MAX_IDS).contains(&ids.len());
                let problem = "There are no ids, or too many.";
                self.demand(in_range, &format!("{field}.ids"), problem, "1 to 200 ids");
                let ids: BTreeSet<ProductId> = ids.iter().cloned().collect();
                Some(Selector::Ids(ids))
            }
            Products::Select(text) => {
                match Expression::parse(text, Context::default(), Source::Everybody) {
                    Ok(expression) => {
                        Some(Selector::Condition(expression.bind(&Shopper::default())))
                    }
                    Err(error) => {
                        let field = format!("{field}.select");
                        self.0.push(Problem::of_expression(&field, &error));
                        None
                    }
                }
            }
        }
    }
}

/// Whether a text is the plain name of a rule or a placement.
pub(crate) fn is_plain(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (1..=MAX_NAME).contains(&name.len()) && name.chars().all(is_plain)
}

fn is_line(text: &str) -> bool {
    text.chars().count() <= MAX_TEXT && !text.chars().any(char::is_control)
}
