//! Products and users as the engine reports them.

use cartwheel_catalogue::{Currency, Money};
use cartwheel_events::{ProductId, UserId};
use serde::Serialize;

/// A page of products.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Products {
    /// Products, best sellers first.
    pub products: Vec<ProductView>,
    /// The number of matches on all pages.
    pub total: usize,
    /// Send it as `cursor` for the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub next_cursor: Option<ProductId>,
}

/// A product of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Product))]
pub struct ProductView {
    /// The product.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub product_id: ProductId,
    /// The product's name.
    pub product_name: String,
    /// The name of its aisle.
    pub aisle: String,
    /// The name of its department.
    pub department: String,
    /// The number of orders that contain it.
    pub orders: u64,
    /// Whether it can be bought: the shop does not state that it is out of stock.
    pub in_stock: bool,
    /// Whether it may be shown now: not hidden, in stock, and within its dates.
    pub shown: bool,
    /// Whether the shop hides it. Such a product is shown to nobody but the shop.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schema(ignore))]
    pub hidden: bool,
    /// The brand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
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
}

/// A product of which only orders tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnnamedProduct {
    /// The product.
    pub product_id: ProductId,
    /// The number of orders that contain it.
    pub orders: u64,
}

/// The names of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProductLabel {
    /// The product.
    pub product_id: String,
    /// The product's name, or its id if the catalogue does not contain it.
    pub product_name: String,
    /// The name of its aisle.
    pub aisle: String,
    /// The name of its department.
    pub department: String,
}

/// A department.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Department))]
pub struct DepartmentView {
    /// The department's name.
    pub department: String,
    /// The number of its products.
    pub products: usize,
    /// Its aisles, best selling first.
    pub aisles: Vec<AisleView>,
}

/// An aisle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Aisle))]
pub struct AisleView {
    /// The aisle's name.
    pub aisle: String,
    /// The number of its products.
    pub products: usize,
}

/// A user with a purchase history.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = UserSummary))]
pub struct UserView {
    /// The user.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub user_id: UserId,
    /// The number of orders.
    pub orders: u32,
    /// The number of distinct products bought.
    pub products: u32,
    /// The names of up to three products, most bought first.
    pub favourites: Vec<String>,
    /// Mean days between orders; null with a single order.
    pub mean_days: Option<f32>,
}

/// The result of looking a user up in the serving release.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UserLookup {
    /// The serving feature set.
    pub feature_set: String,
    /// The user's record in it, if any.
    pub record: Option<UserRecord>,
}

/// A user's record in the feature set.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UserRecord {
    /// The number of orders.
    pub orders: u32,
    /// The number of distinct products bought.
    pub products: usize,
    /// The number of lines in all orders.
    pub lines: u32,
    /// Mean days between orders.
    pub mean_days_since_prior: f32,
    /// The share of lines after the first order that repeat an earlier purchase.
    pub reorder_ratio: f32,
    /// The time of the newest order, UTC milliseconds, if known.
    pub last_order_ms: Option<i64>,
    /// Products bought, most bought first, at most 100.
    pub bought: Vec<BoughtProduct>,
}

/// A product that a user has bought.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BoughtProduct {
    /// The product.
    #[serde(flatten)]
    pub product: ProductLabel,
    /// The number of the user's orders that contain it.
    pub orders: u32,
    /// The number of the user's last order that contains it.
    pub last_order_number: u32,
    /// Mean position in the cart, from 1.
    pub mean_position: f32,
}

/// How far a checkout has travelled towards the model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckoutProgress {
    /// The serving feature set, if it contains the checkout.
    pub feature_set: Option<String>,
    /// The serving model, if it was trained on that feature set.
    pub model_version: Option<String>,
}

/// What exploration has learned about a product.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ExploredProduct {
    /// The product.
    pub product_id: String,
    /// The product's name.
    pub product_name: String,
    /// How often exploration chose it and a shopper saw it; how often it was sent, while no page has
    /// reported what is visible.
    pub trials: u64,
    /// Of these, how often it was viewed, added to the cart or bought.
    pub clicks: u64,
    /// The expected click rate, 0 to 1.
    pub mean: f64,
    /// The beginning of the interval that contains the click rate with a probability of 90 %.
    pub low: f64,
    /// The end of that interval.
    pub high: f64,
}
