//! What a search of the shop finds.

use cartwheel_catalogue::Money;
use cartwheel_search::{Facet, Facets};
use serde::Serialize;

use crate::views::ProductView;

/// What a search finds.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SearchResults {
    /// Products, best first.
    pub products: Vec<ProductView>,
    /// The number of products on all pages.
    pub total: usize,
    /// Send it as `cursor` for the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// The query that was searched for, if words of `q` were taken for typos.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrected_query: Option<String>,
    /// Queries that find something, if `q` does not: what was probably meant.
    pub did_you_mean: Vec<SuggestionView>,
    /// Counts of the products on all pages.
    pub facets: FacetsView,
}

/// A query that finds something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Suggestion))]
pub struct SuggestionView {
    /// The query.
    pub query: String,
    /// The number of products that it finds.
    pub total: usize,
}

/// Counts of what a search finds. Each facet counts the products that pass all filters but its own,
/// so that it shows what another choice would give.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Facets))]
pub struct FacetsView {
    /// Departments, most products first; at most 50, as below.
    pub departments: Vec<FacetView>,
    /// Aisles, most products first.
    pub aisles: Vec<FacetView>,
    /// Brands, most products first.
    pub brands: Vec<FacetView>,
    /// Up to four price ranges with about as many products each, lowest first.
    pub prices: Vec<PriceRangeView>,
    /// Products that the shop states to be in stock.
    pub in_stock: usize,
}

/// A value of a facet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Facet))]
pub struct FacetView {
    /// The value.
    pub name: String,
    /// The number of products that have it.
    pub count: usize,
}

/// Products of similar prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PriceRange))]
pub struct PriceRangeView {
    /// The lowest price of the products in it.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "1.90"))]
    pub min_price: Money,
    /// The highest price of the products in it.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "4.50"))]
    pub max_price: Money,
    /// The number of products in it.
    pub count: usize,
}

impl From<Facets> for FacetsView {
    fn from(facets: Facets) -> Self {
        let views = |facets: Vec<Facet>| {
            let view = |Facet { name, count }| FacetView { name, count };
            facets.into_iter().map(view).collect()
        };
        let prices = facets.prices.into_iter().map(|range| PriceRangeView {
            min_price: range.min,
            max_price: range.max,
            count: range.count,
        });
        Self {
            departments: views(facets.departments),
            aisles: views(facets.aisles),
            brands: views(facets.brands),
            prices: prices.collect(),
            in_stock: facets.in_stock,
        }
    }
}
