//! The seam between the API and the ranking engine.

use cartwheel_events::{ProductId, UserId};
use cartwheel_sessions::Session;
use cartwheel_stream::Pending;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema::Id;

/// What answers from the current release. Every call pins one release from start
/// to end and never fails: what cannot be had is left out, and the answer says
/// `degraded`.
pub trait Engine: Send + Sync {
    /// What serves now.
    fn status(&self) -> EngineStatus;

    /// The feature set whose user records every [`Query`] has to bring; none where
    /// the release holds them.
    fn foreign_records(&self) -> Option<String> {
        None
    }

    /// Products for a shopper, best first, at most `query.limit`. Waits only where
    /// another machine scores.
    fn recommend<'a>(&'a self, query: Query<'a>) -> Pending<'a, Answer>;

    /// Products bought with `product_id`, best first; none for an unknown product.
    fn similar(&self, product_id: &str, limit: usize) -> Option<Vec<Recommendation>>;

    /// Products most bought, best first.
    fn popular(&self, limit: usize, filters: &Filters) -> Vec<Recommendation>;

    /// Products that fit, the most bought first.
    fn products(&self, wanted: &Wanted, offset: usize, limit: usize) -> Products;

    /// Departments with their aisles, the most bought first.
    fn departments(&self) -> Vec<DepartmentView>;

    /// One product; none for an unknown one.
    fn product(&self, product_id: &str) -> Option<ProductView>;

    /// Users with a history, to try the shop as.
    fn example_users(&self, limit: usize) -> Vec<UserView>;

    /// What the release knows of a user. `record` as in [`Query`].
    fn user(&self, user_id: &UserId, record: Option<StoredRecord<'_>>) -> KnownUser;

    /// How far a checkout has come: which feature set and model know of it.
    fn learned(&self, user_id: &UserId, received_at_ms: i64, event_id: &str) -> Learned;
}

/// What an engine serves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct EngineStatus {
    /// Whether it can answer at all.
    pub ready: bool,
    /// The release: a feature set with a model.
    pub release: Option<String>,
    /// The model of the release; none before the first training.
    pub model_version: Option<String>,
    /// Products of the catalogue.
    pub products: usize,
    /// Users with a history.
    pub users: usize,
    /// Whether its answers are from less than everything: without a model, or from what
    /// stands in for a release that cannot be opened.
    pub degraded: bool,
}

/// One question to the engine.
#[derive(Debug)]
pub struct Query<'a> {
    /// For whom.
    pub user_id: &'a UserId,
    /// The shopper's session; none for one not seen in seven days.
    pub session: Option<&'a Session>,
    /// The shopper's record, where the release does not hold it.
    pub record: Option<StoredRecord<'a>>,
    /// The cart to rank for, in place of the session's.
    pub cart: Option<Vec<ProductId>>,
    /// Most products of the answer, 1 to 100.
    pub limit: usize,
    /// What the answer may hold.
    pub filters: Filters,
    /// Whether to say how each feature contributed.
    pub explain: bool,
    /// Now, UTC milliseconds.
    pub now_ms: i64,
}

/// A shopper's record, as it was read ahead of the question.
#[derive(Debug, Clone, Copy)]
pub struct StoredRecord<'a> {
    /// Of which feature set.
    pub feature_set: &'a str,
    /// `UserState`, encoded; none for a user whom the set does not know.
    pub bytes: Option<&'a [u8]>,
}

/// What an answer may hold. An empty list means no restriction.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filters {
    /// Only these departments, by name.
    #[schema(max_items = 1000)]
    pub departments: Vec<String>,
    /// Only these aisles, by name.
    #[schema(max_items = 1000)]
    pub aisles: Vec<String>,
    /// Never these products.
    #[schema(value_type = Vec<Id>, max_items = 1000)]
    pub exclude_products: Vec<ProductId>,
    /// Nothing that the shopper has bought before.
    pub exclude_purchased: bool,
    /// Only products in stock.
    pub in_stock_only: bool,
}

/// An engine's answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// Products, best first.
    pub items: Vec<Recommendation>,
    /// The model that ranked them, or what stood in for one.
    pub model_version: String,
    /// The release that was pinned.
    pub release: String,
    /// Whether some part failed and the answer is from what was left.
    pub degraded: bool,
    /// How many candidates each source gave; only when explained.
    pub candidates: Vec<SourceCount>,
}

/// Candidates of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SourceCount {
    /// Which: `history`, `cart`, `taste` or `popular`.
    pub source: String,
    /// How many.
    pub candidates: usize,
}

/// Why a product has its place, in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Explanation {
    /// Which source made it a candidate: `history`, `cart`, `taste` or `popular`.
    pub source: String,
    /// Log-odds before any feature is known; null without a model.
    pub base: Option<f32>,
    /// What each feature adds to the log-odds. With `base` they sum to the log-odds of
    /// the probability.
    pub features: Vec<FeatureContribution>,
}

/// What one feature adds (SHAP: Lundberg et al., Nature Machine Intelligence 2020).
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FeatureContribution {
    /// The feature.
    pub name: String,
    /// Its value before scaling; null where it is missing.
    pub value: Option<f32>,
    /// What it adds to the log-odds; 0 without a model.
    pub contribution: f32,
}

/// A product in its place.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Recommendation {
    /// The product.
    #[schema(value_type = String)]
    pub product_id: ProductId,
    /// Its name.
    pub product_name: String,
    /// Its aisle's name.
    pub aisle: String,
    /// Its department's name.
    pub department: String,
    /// Probability that the shopper buys it next, 0 to 1.
    pub probability: f32,
    /// Why it is here, in words for a shopper.
    pub reasons: Vec<String>,
    /// Which source made it a candidate, for the impression.
    #[serde(skip)]
    #[schema(ignore)]
    pub source: Option<String>,
    /// Only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

/// Which products to list. Without a word, all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Words of the name, or the id.
    pub search: Option<String>,
    /// Only this department, by name.
    pub department: Option<String>,
    /// Only this aisle, by name.
    pub aisle: Option<String>,
}

/// Products.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct Products {
    /// The most bought first.
    pub products: Vec<ProductView>,
    /// All that fit, on every page of the list.
    pub total: usize,
}

/// A department.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Department)]
pub struct DepartmentView {
    /// Its name.
    pub department: String,
    /// Its products.
    pub products: usize,
    /// Its aisles, the most bought first.
    pub aisles: Vec<AisleView>,
}

/// An aisle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Aisle)]
pub struct AisleView {
    /// Its name.
    pub aisle: String,
    /// Its products.
    pub products: usize,
}

/// A product of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Product)]
pub struct ProductView {
    /// The product.
    #[schema(value_type = String)]
    pub product_id: ProductId,
    /// Its name.
    pub product_name: String,
    /// Its aisle's name.
    pub aisle: String,
    /// Its department's name.
    pub department: String,
    /// Orders that hold it.
    pub orders: u64,
    /// Whether it can be bought now.
    pub in_stock: bool,
}

/// A user with a history.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = UserSummary)]
pub struct UserView {
    /// The user.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// Orders of the history.
    pub orders: u32,
    /// Distinct products bought.
    pub products: u32,
    /// Names of up to three products, the most bought first.
    pub favourites: Vec<String>,
    /// Mean days between orders; null with one order.
    pub mean_days: Option<f32>,
}

/// What a release knows of a user.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KnownUser {
    /// The serving feature set.
    pub feature_set: String,
    /// The user's record there, if there is one.
    pub record: Option<UserRecord>,
}

/// A user's record of the feature set.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UserRecord {
    /// Orders.
    pub orders: u32,
    /// Distinct products bought.
    pub products: usize,
    /// Lines of all orders.
    pub lines: u32,
    /// Mean days between orders.
    pub mean_days_since_prior: f32,
    /// Share of the lines after the first order that had been bought before.
    pub reorder_ratio: f32,
    /// When the newest order was placed, UTC milliseconds, where it is known.
    pub last_order_ms: Option<i64>,
    /// The most bought first, at most 100.
    pub bought: Vec<BoughtProduct>,
}

/// A product that a user has bought.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BoughtProduct {
    /// The product.
    #[serde(flatten)]
    pub product: ProductLabel,
    /// Orders that hold it.
    pub orders: u32,
    /// Number of the user's order that held it last.
    pub last_order_number: u32,
    /// Mean place in the cart, from 1.
    pub mean_position: f32,
}

/// What a product is called, wherever it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProductLabel {
    /// The product.
    pub product_id: String,
    /// Its name; its id where the catalogue does not know it.
    pub product_name: String,
    /// Its aisle's name.
    pub aisle: String,
    /// Its department's name.
    pub department: String,
}

/// How far a checkout has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Learned {
    /// The serving feature set, if it holds the checkout.
    pub feature_set: Option<String>,
    /// The serving model, if it was trained on that feature set.
    pub model_version: Option<String>,
}
