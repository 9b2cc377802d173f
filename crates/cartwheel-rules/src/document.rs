//! The document of rules, as it is stored and sent.

use cartwheel_events::ProductId;
use serde::{Deserialize, Serialize};

use crate::scope::Scope;

/// The rules of a shop.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// At most 200 rules.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// A rule: an action on some products, where and when it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its id: 1 to 64 of `a-z`, `0-9`, `-` and `_`.
    #[cfg_attr(feature = "schema", schema(example = "overstocked-tea"))]
    pub id: String,
    /// A title for people, at most 200 characters.
    #[serde(default)]
    pub name: String,
    /// Whether it is in effect.
    #[serde(default = "active")]
    #[cfg_attr(feature = "schema", schema(default = true))]
    pub active: bool,
    /// Of rules that contradict one another, the one with the higher priority wins; -1,000 to
    /// 1,000.
    #[serde(default)]
    pub priority: i32,
    /// The products that it is about. Every action needs them, except for `at_most` with `per`,
    /// which is about all products without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub products: Option<Products>,
    /// What is done with them.
    pub action: Action,
    /// Where and when it holds; always, if empty.
    #[serde(default, skip_serializing_if = "Scope::is_everywhere")]
    pub scope: Scope,
}

/// Rules are active unless they say otherwise.
fn active() -> bool {
    true
}

/// Products, by id or by a condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = RuleProducts))]
#[serde(rename_all = "snake_case")]
pub enum Products {
    /// 1 to 200 ids.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<String>))]
    Ids(Vec<ProductId>),
    /// A filter expression over fields of products.
    #[cfg_attr(feature = "schema", schema(example = "department = \"Tea\""))]
    Select(String),
}

/// A group of products that `at_most` counts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = RulePer))]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// The widest category.
    Department,
    /// The narrowest category.
    Aisle,
    /// The brand.
    Brand,
}

/// What a rule does with its products.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = RuleAction))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Puts the best ranked of the products at a place.
    Pin {
        /// The place, from 1 to 100.
        place: u32,
    },
    /// Multiplies the odds of each of the products by a factor.
    Boost {
        /// More than 1, at most 1,000.
        factor: f64,
    },
    /// Divides the odds of each of the products by a factor.
    Bury {
        /// More than 1, at most 1,000.
        factor: f64,
    },
    /// Never shows the products.
    Block {},
    /// Shows at most so many of the products.
    AtMost {
        /// 1 to 100.
        count: u32,
        /// Counts each category or brand by itself. A product without one is not counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        per: Option<Per>,
    },
    /// Shows at least so many of the products, while so many qualify.
    AtLeast {
        /// 1 to 100.
        count: u32,
    },
    /// Shows the products only if one of `cart` is in the cart.
    OnlyWith {
        /// The products of the cart.
        cart: Products,
    },
    /// Does not show the products if one of `cart` is in the cart.
    NeverWith {
        /// The products of the cart.
        cart: Products,
    },
}
