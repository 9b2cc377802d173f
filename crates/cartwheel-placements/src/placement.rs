//! The document of placements.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kind::Kind;

/// The limit of a placement that states none.
pub const DEFAULT_LIMIT: usize = 10;
/// Most products of a placement, unless its kind is `rank`.
pub const MAX_LIMIT: usize = 100;
/// Most products of a placement of the kind `rank`.
pub const MAX_RANKED: usize = 1000;

/// Most places of a placement that are explored.
pub const MAX_EXPLORED: usize = 10;

/// Every placement of a shop. The default is the document that exists from the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PlacementsDocument))]
#[serde(deny_unknown_fields)]
pub struct Placements {
    /// Placements by name, at most 100.
    pub placements: BTreeMap<String, Placement>,
}

/// A place of a shop that shows products.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// The kind of list.
    pub kind: Kind,
    /// The number of products; 10 by default, at most 100, or 1000 of the kind `rank`.
    #[serde(default = "default_limit")]
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 1000, default = 10))]
    pub limit: usize,
    /// Only products that fulfil this expression, such as `price < 20 and not ("alcohol" in tags)`.
    /// It may use values of the request, such as `context.brand`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 2000))]
    pub filter: Option<String>,
    /// How far the list departs from the ranking; not at all by default.
    #[serde(default, skip_serializing_if = "Dials::are_off")]
    pub diversity: Dials,
    /// Places for products of which little is known; none by default.
    #[serde(default, skip_serializing_if = "Explore::is_off")]
    pub explore: Explore,
    /// Kinds or other placements whose products follow while the list is shorter than its limit, at
    /// most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(max_items = 8))]
    pub fallback: Vec<String>,
}

fn default_limit() -> usize {
    DEFAULT_LIMIT
}

/// The dials of diversity, each from 0, which changes nothing, to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PlacementDiversity))]
#[serde(deny_unknown_fields)]
pub struct Dials {
    /// How much the departments of the list are in the proportions of the shopper's purchases.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 1, default = 0))]
    pub calibration: f32,
    /// How much a product has to be unlike those before it.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 1, default = 0))]
    pub variety: f32,
}

impl Dials {
    /// Whether they change nothing.
    pub fn are_off(&self) -> bool {
        *self == Self::default()
    }
}

/// How far a list tries products of which little is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PlacementExploration))]
#[serde(deny_unknown_fields)]
pub struct Explore {
    /// How many of the last places are drawn from new products and those below the cut: at most 10,
    /// and at most the limit. The kinds `rank`, `buy_again` and `recently_viewed` have none.
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 10))]
    pub slots: usize,
}

impl Explore {
    /// Whether nothing is explored.
    pub fn is_off(&self) -> bool {
        self.slots == 0
    }
}

impl Placement {
    /// A placement of that kind, without filter and fallbacks.
    pub fn new(kind: Kind, limit: usize) -> Self {
        Self {
            kind,
            limit,
            filter: None,
            diversity: Dials::default(),
            explore: Explore::default(),
            fallback: Vec::new(),
        }
    }

    /// The largest limit that a placement of its kind may have.
    pub fn max_limit(&self) -> usize {
        match self.kind {
            Kind::Rank => MAX_RANKED,
            _ => MAX_LIMIT,
        }
    }
}
