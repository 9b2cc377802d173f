//! Questions about the lists of a page, and their answer.

use cartwheel_events::ProductId;
use cartwheel_filter::Expression;
use cartwheel_placements::Kind;
use cartwheel_recommend::Diversity;
use serde::Serialize;

use crate::answer::Recommendation;
use crate::basis::Basis;

/// A list that a page asks for.
#[derive(Debug, Clone, Default)]
pub struct Slot {
    /// The name of the placement, by which rules know the list.
    pub placement: String,
    /// Where its products come from, one after the other while it is not full.
    pub steps: Vec<SlotStep>,
    /// The maximum number of products.
    pub limit: usize,
    /// How far the list departs from the ranking.
    pub diversity: Diversity,
    /// How many of its last places are given to exploration.
    pub explore: usize,
    /// The id of its answer, which seeds what is explored. Without one, nothing is: a preview is the
    /// same each time.
    pub recommendation_id: Option<String>,
    /// The product to which others are compared. It is in no list of the page.
    pub product: Option<ProductId>,
    /// The products to order, for the kind `rank`.
    pub products: Vec<ProductId>,
}

/// One source of a slot's products.
#[derive(Debug, Clone)]
pub struct SlotStep {
    /// The kind of list.
    pub kind: Kind,
    /// Only products that fulfil this expression.
    pub expression: Option<Expression>,
}

/// The lists of a page.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// A list for each slot, best first. No product is in two of them.
    pub lists: Vec<Vec<Placed>>,
    /// The version of the model that ranked them, or `none`.
    pub model_version: String,
    /// The release that answered: feature set and model.
    pub release: String,
    /// Whether a part failed and the answer was made from the rest.
    pub degraded: bool,
    /// What it was made from.
    pub basis: Basis,
}

/// A product of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PlacedProduct))]
pub struct Placed {
    /// The kind of list that it comes from: the placement's own, or a fallback's.
    pub kind: Kind,
    /// The product. The kinds `for_you`, `cart` and `rank` give the probability that the model
    /// predicts, `buy_again` that the shopper still buys it. The others give their own score from 0 to 1; it is 0 for `new` and
    /// `recently_viewed`.
    #[serde(flatten)]
    pub recommendation: Recommendation,
}
