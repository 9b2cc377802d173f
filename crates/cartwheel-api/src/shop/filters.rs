//! The restrictions of a request for recommendations.

use cartwheel_engine::Filters;
use cartwheel_events::ProductId;
use cartwheel_filter::Expression;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::contract::schema::Id;
use crate::http::problem::Problem;

const MAX_FILTER: usize = 1000;

/// Restrictions on an answer. An empty list restricts nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = Filters)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FiltersBody {
    /// Only these departments, by name.
    #[schema(max_items = 1000)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    departments: Vec<String>,
    /// Only these aisles, by name.
    #[schema(max_items = 1000)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aisles: Vec<String>,
    /// None of these products.
    #[schema(value_type = Vec<Id>, max_items = 1000)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exclude_products: Vec<ProductId>,
    /// No product that the shopper has bought before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    exclude_purchased: bool,
    /// Only products that the shop states to be in stock. Products that are out of stock are
    /// never recommended; without this filter, those of unknown stock are.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    in_stock_only: bool,
}

impl FiltersBody {
    /// Checks the lengths of the lists.
    pub(crate) fn checked(self, expression: Option<Expression>) -> Result<Filters, Problem> {
        for (field, len) in [
            ("filters.departments", self.departments.len()),
            ("filters.aisles", self.aisles.len()),
            ("filters.exclude_products", self.exclude_products.len()),
        ] {
            if len > MAX_FILTER {
                return Err(Problem::field(field, format!("{field} is too long."), "at most 1000"));
            }
        }
        let Self { departments, aisles, exclude_products, exclude_purchased, in_stock_only } = self;
        Ok(Filters {
            departments,
            aisles,
            exclude_products,
            exclude_purchased,
            in_stock_only,
            expression,
        })
    }
}
