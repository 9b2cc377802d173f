//! Answers with recommendations.

use cartwheel_catalogue::{Currency, Money};
use cartwheel_events::ProductId;
use serde::Serialize;

use crate::basis::Basis;

/// The answer to a [`Query`](crate::Query).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// Products, best first.
    pub items: Vec<Recommendation>,
    /// The version of the model that ranked them, or `none`.
    pub model_version: String,
    /// The release that answered: feature set and model.
    pub release: String,
    /// Whether a part failed and the answer was made from the rest.
    pub degraded: bool,
    /// The number of candidates by source. Empty unless the query asked for explanations.
    pub candidates: Vec<SourceCount>,
    /// What it was made from.
    pub basis: Basis,
}

/// Given products in the order in which the shopper is likely to want them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ranking {
    /// The products that may be shown and pass the filters, best first.
    pub items: Vec<RankedProduct>,
    /// The other products.
    pub unranked: Vec<Unranked>,
    /// The version of the model that ranked them, or `none`.
    pub model_version: String,
    /// The release that answered: feature set and model.
    pub release: String,
    /// Whether a part failed and the answer was made from the rest.
    pub degraded: bool,
}

/// A product with its place in a ranking.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RankedProduct {
    /// The product.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub product_id: ProductId,
    /// The probability of the event that the model predicts, such as being in the shopper's next
    /// purchase, 0 to 1.
    pub probability: f32,
}

/// A product without a place in a ranking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Unranked {
    /// The product.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub product_id: ProductId,
    /// Why it has none.
    pub reason: UnrankedReason,
}

/// Why a product has no place in a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum UnrankedReason {
    /// There is no such product.
    Unknown,
    /// It may not be shown now: hidden, out of stock, or outside its dates.
    NotShown,
    /// It does not pass the filter.
    Filtered,
}

/// The number of candidates from one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SourceCount {
    /// The source: `history`, `cart`, `taste`, `popular` or `new`.
    pub source: String,
    /// The number of candidates.
    pub candidates: usize,
}

/// A recommended product.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Recommendation {
    /// The product.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub product_id: ProductId,
    /// The product's name.
    pub product_name: String,
    /// The name of its aisle.
    pub aisle: String,
    /// The name of its department.
    pub department: String,
    /// The price of a piece, if the shop has given one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, example = "12.90"))]
    pub price: Option<Money>,
    /// The price before a reduction.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, example = "14.90"))]
    pub list_price: Option<Money>,
    /// The currency of the prices, a code of ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, example = "EUR"))]
    pub currency: Option<Currency>,
    /// The product's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// True if the shop states that it is in stock. Products out of stock are not recommended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_stock: Option<bool>,
    /// The probability of the event that the model predicts, such as being in the shopper's next
    /// purchase, 0 to 1. It does not depend on the product's value. In a list of what to buy again: the
    /// probability that the shopper still buys it.
    pub probability: f32,
    /// Reasons to show the shopper.
    pub reasons: Vec<String>,
    /// When the shopper is expected to buy the product again: the time in RFC 3339 before which the next
    /// purchase is as likely as after it. It lies in the past for a product that is overdue. Only for
    /// products that the shopper has bought, and that shoppers buy again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(format = DateTime, example = "2026-03-14T09:00:00Z"))]
    pub due_at: Option<String>,
    /// The beginning of the interval that contains the next purchase with a probability of 80 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(format = DateTime, example = "2026-03-09T09:00:00Z"))]
    pub due_earliest: Option<String>,
    /// The end of that interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(format = DateTime, example = "2026-03-22T09:00:00Z"))]
    pub due_latest: Option<String>,
    /// The source that made it a candidate; recorded in the impression.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schema(ignore))]
    pub source: Option<String>,
    /// The rule that has put it at its place, if one has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_by: Option<MovedBy>,
    /// The probability with which exploration put it at its place, given the places and lists before.
    /// Absent from products that exploration did not choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 1))]
    pub propensity: Option<f64>,
    /// Present only on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

/// A product's move by a rule. Products that only make room for others have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MovedBy {
    /// The id of the rule.
    pub rule: String,
    /// Its place in the ranking without rules, from 1.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub from: usize,
    /// Its place in the list, from 1.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub to: usize,
}

/// The numbers behind a recommendation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The source that made it a candidate: `history`, `cart`, `taste`, `popular` or `new`.
    pub source: String,
    /// The product's value, by which its place follows from the probability; null if answers are in the
    /// order of the probabilities.
    pub value: Option<ValueShare>,
    /// Log-odds before any feature is known; null without a model.
    pub base: Option<f32>,
    /// The contribution of each feature. Together with `base` they sum to the log-odds of
    /// the probability.
    pub features: Vec<FeatureContribution>,
}

/// The part of a product's value in its place: answers are ordered by probability times value. The
/// amount is not shown, since a margin tells the cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ValueShare {
    /// The value: `price` or `margin`.
    pub by: String,
    /// Whether the catalogue has it. If not, it counts as the median of the answer's candidates.
    pub is_known: bool,
}

/// The contribution of one feature (SHAP: Lundberg et al., Nature Machine Intelligence 2020).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FeatureContribution {
    /// The feature.
    pub name: String,
    /// The feature in plain words.
    pub label: String,
    /// The unit of its values.
    pub unit: String,
    /// The subject that it belongs to, such as `habit` or `cart`.
    pub subject: String,
    /// Its value before scaling; null if missing.
    pub value: Option<f32>,
    /// Its contribution to the log-odds; 0 without a model.
    pub contribution: f32,
}
