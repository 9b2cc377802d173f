//! The seam between the API and the ranking engine.

use cartwheel_events::{ProductId, UserId};
use cartwheel_store::Session;
use cartwheel_stream::Pending;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

    /// Products in catalogue order, or those whose name matches `search`.
    fn products(&self, search: Option<&str>, offset: usize, limit: usize) -> Vec<ProductView>;

    /// One product; none for an unknown one.
    fn product(&self, product_id: &str) -> Option<ProductView>;

    /// Users with a history, to try the shop as.
    fn example_users(&self, limit: usize) -> Vec<UserView>;
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
    pub departments: Vec<String>,
    /// Only these aisles, by name.
    pub aisles: Vec<String>,
    /// Never these products.
    #[schema(value_type = Vec<String>)]
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
    /// Which source made it a candidate; shown when explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Each feature's value before scaling; only when explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<(String, f32)>>)]
    pub features: Option<Vec<(String, f32)>>,
}

/// A product of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UserView {
    /// The user.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// Orders of the history.
    pub orders: u32,
    /// Distinct products bought.
    pub products: u32,
}
