//! What followed from recommendations, as the API shows it.

use cartwheel_engine::ExploredProduct;
use serde::Serialize;
use utoipa::ToSchema;

/// What followed from recommended products. An event counts if it carries the answer's
/// recommendation_id and the product, within the window after the answer. A purchase counts if it
/// does so itself, or if it follows such an addition to the cart: once, for the newest of them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, ToSchema)]
pub struct Funnel {
    /// Products sent to pages.
    pub sent: u64,
    /// Products that shoppers saw: the page has reported it by an impression event, or another
    /// event tells.
    pub shown: u64,
    /// Products viewed.
    pub viewed: u64,
    /// Products added to the cart.
    pub added: u64,
    /// Products bought.
    pub bought: u64,
    /// What shoppers paid for the products bought, as far as checkouts have prices, in the shop's
    /// currency.
    pub revenue: f64,
}

/// What followed from a part of the recommendations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct QualityPart {
    /// The model, placement, source or rule; `none` for answers of no model, and empty for no
    /// placement or no rule.
    pub name: String,
    /// The number of answers; absent for sources and rules, of which an answer has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<u64>,
    /// All positions together.
    #[serde(flatten)]
    pub funnel: Funnel,
    /// By position, from the first; of models and placements.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<Funnel>,
}

/// What followed from the recommendations of one day.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct DayQuality {
    /// The day in the shop's time zone, such as `2026-01-31`.
    pub day: String,
    /// All positions together.
    #[serde(flatten)]
    pub funnel: Funnel,
}

/// What followed from the recommendations of a product.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct ProductFunnel {
    /// The product.
    pub product_id: String,
    /// The figures.
    #[serde(flatten)]
    pub funnel: Funnel,
}

/// What followed from recommendations by product. Of each day, the 20,000 combinations of product,
/// placement and source count that were shown most often.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct ProductsQuality {
    /// The first day in the shop's time zone.
    pub from: String,
    /// The last day, which is today.
    pub to: String,
    /// As of `Quality`.
    pub one_in: u32,
    /// Products in the order that was asked for.
    pub products: Vec<ProductFunnel>,
}

/// What followed from the recommendations of one product. Of each day, the 20,000 combinations of
/// product, placement and source count that were shown most often.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct ProductQuality {
    /// The product.
    pub product_id: String,
    /// The first day in the shop's time zone.
    pub from: String,
    /// The last day, which is today.
    pub to: String,
    /// As of `Quality`.
    pub one_in: u32,
    /// All placements and sources together.
    pub total: Funnel,
    /// By placement, most sent first.
    pub placements: Vec<QualityPart>,
    /// By source, most sent first.
    pub sources: Vec<QualityPart>,
    /// By day, oldest first; only days on which the product was sent.
    pub days: Vec<DayQuality>,
}

/// By what products are ordered, the highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FunnelOrder {
    /// How often they were shown.
    #[default]
    Shown,
    /// How often they were viewed.
    Viewed,
    /// How often they were added to the cart.
    Added,
    /// How often they were bought.
    Bought,
    /// What shoppers paid for them.
    Revenue,
}

impl FunnelOrder {
    /// The orders by name.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("shown", Self::Shown),
        ("viewed", Self::Viewed),
        ("added", Self::Added),
        ("bought", Self::Bought),
        ("revenue", Self::Revenue),
    ];
}

/// What exploration cost in a period, and what it has learned so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct ExplorationQuality {
    /// Products that exploration chose.
    pub explored: Funnel,
    /// The other products of the placements that explored.
    pub others: Funnel,
    /// Products viewed that exploration cost, an estimate: each explored product shown, times the view
    /// rate of products that were not explored at the same position of the placement, or at the
    /// nearest position above of which at least 100 were shown; less the explored products viewed.
    /// Positions above are viewed more often, so that the cost is rather smaller.
    pub lost_views: f64,
    /// Revenue that it cost, estimated in the same way.
    pub lost_revenue: f64,
    /// The explored products shown for which there was such a position; both estimates are of these.
    pub compared: u64,
    /// The products that exploration has tried most often since counting began, at most 20.
    pub products: Vec<ExploredProduct>,
}

/// What followed from recommendations in a period.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct Quality {
    /// The first day in the shop's time zone.
    pub from: String,
    /// The last day, which is today.
    pub to: String,
    /// How long after an answer an event counts for it, in hours.
    pub window_hours: u32,
    /// On the day with the most answers, the figures are those of one in this many shoppers; 1
    /// unless there were too many answers.
    pub one_in: u32,
    /// The number of answers with products.
    pub answers: u64,
    /// All positions together.
    pub total: Funnel,
    /// By model, most answers first.
    pub models: Vec<QualityPart>,
    /// By placement, most answers first.
    pub placements: Vec<QualityPart>,
    /// By source, most products first.
    pub sources: Vec<QualityPart>,
    /// By rule that moved the product, most products first.
    pub rules: Vec<QualityPart>,
    /// What exploration cost and learned.
    pub exploration: ExplorationQuality,
    /// By position, from the first.
    pub positions: Vec<Funnel>,
    /// By day, oldest first; only days with answers.
    pub days: Vec<DayQuality>,
}
