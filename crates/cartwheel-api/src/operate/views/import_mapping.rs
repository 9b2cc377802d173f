//! What a caller says about an uploaded file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the caller says about a file; the rest is recognised. For products, only `columns`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ImportMapping {
    /// The columns of a field; the first one with a value counts. A field without columns is not
    /// used. A field that is left out is recognised.
    pub columns: BTreeMap<String, Vec<String>>,
    /// A mapping that comes with the program, such as `shopify-orders`.
    pub preset: Option<String>,
    /// Customers who stand for unknown ones, such as `0` or `guest`, beside those of the preset.
    #[schema(max_items = 100)]
    pub no_customer: Vec<String>,
    /// The IANA time zone of times without a zone.
    pub timezone: Option<String>,
    /// The order of day and month in dates such as `3/4/2026`: `dmy` or `mdy`.
    pub date_order: Option<DateOrderView>,
    /// What makes an order of a customer's lines without an order id.
    pub order_by: Option<OrderByView>,
    /// The names of the columns of a file whose first line is not a header.
    #[schema(max_items = 1000)]
    pub header: Vec<String>,
}

/// The order of day and month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DateOrder)]
pub enum DateOrderView {
    /// Day, month, year.
    Dmy,
    /// Month, day, year.
    Mdy,
}

/// What makes an order of a customer's lines without an order id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrderBy)]
pub enum OrderByView {
    /// The same local day.
    Day,
    /// The same time.
    Time,
}
