//! The interface between whatever asks for recommendations and a release.

use cartwheel_catalogue::Product;
use cartwheel_events::{ProductId, UserId};
use cartwheel_rules::{Conflict, RuleSet};
use cartwheel_stream::Pending;
use serde::Serialize;

use crate::answer::{Answer, Ranking, Recommendation};
use crate::page::{Page, Slot};
use crate::question::{
    Filters, PageStart, ProductSearch, Query, Similarity, StoredRecord, TextSearch,
};
use crate::search_results::SearchResults;
use crate::trends::Trend;
use crate::views::{
    CheckoutProgress, DepartmentView, ExploredProduct, ProductView, Products, UnnamedProduct,
    UserLookup, UserView,
};

/// Answers from the serving release. Every call uses one release from start to end. No call
/// fails: if a part is unavailable, the answer is made without it and marked `degraded`.
pub trait Engine: Send + Sync {
    /// The state of the engine.
    fn status(&self) -> EngineStatus;

    /// The feature set whose user records every [`Query`] must bring along. `None` if the
    /// release holds them itself.
    fn external_records(&self) -> Option<String> {
        None
    }

    /// Recommends at most `query.limit` products to a shopper, best first. Waits only when
    /// another machine scores.
    fn recommend<'a>(&'a self, query: Query<'a>) -> Pending<'a, Answer>;

    /// Orders given products for a shopper, and returns the best `query.limit` of them; the query's
    /// `explain` has no effect. Waits as `recommend` does.
    fn rank<'a>(&'a self, query: Query<'a>, products: &'a [ProductId]) -> Pending<'a, Ranking>;

    /// Fills the lists of a page, in order: none shows a product that an earlier one shows, that is
    /// in the cart (unless it is to be ranked), or to which the page compares others. The shopper is
    /// ranked for once. The query's limit and expression have no effect; its other filters hold for
    /// every list. Waits as `recommend` does.
    fn page<'a>(&'a self, query: Query<'a>, slots: &'a [Slot]) -> Pending<'a, Page>;

    /// Lists the products of the shopper's history that are due to be bought again: the longest overdue
    /// first, and behind the others those that the shopper has probably abandoned. The query's
    /// `explain` has no effect.
    fn buy_again(&self, query: &Query<'_>) -> Answer;

    /// Rules that contradict one another from today on, in the shop's time zone.
    fn conflicts(&self, rules: &RuleSet, now_ms: i64) -> Vec<Conflict>;

    /// Products similar to `product_id`, best first: in the given sense, or those bought together
    /// with it and then others like it. `None` for an unknown product. `now_ms` is the current
    /// time, here and below, UTC milliseconds: only products that may be shown now are in the
    /// answers.
    fn similar(
        &self,
        product_id: &ProductId,
        similarity: Option<Similarity>,
        filters: &Filters,
        limit: usize,
        now_ms: i64,
    ) -> Option<Vec<Recommendation>>;

    /// The best-selling products, then the newest.
    fn popular(&self, limit: usize, filters: &Filters, now_ms: i64) -> Vec<Recommendation>;

    /// The products that shoppers turn to more than usual, then the best-selling ones.
    fn trending(
        &self,
        trend: Trend,
        limit: usize,
        filters: &Filters,
        now_ms: i64,
    ) -> Vec<Recommendation>;

    /// The products that exploration has tried most often, at most `limit`.
    fn explored(&self, _limit: usize) -> Vec<ExploredProduct> {
        Vec::new()
    }

    /// The products that match `search`, best sellers first. `None` if the page begins after a
    /// product that does not exist.
    fn products(
        &self,
        search: &ProductSearch<'_>,
        start: &PageStart,
        limit: usize,
        now_ms: i64,
    ) -> Option<Products>;

    /// The products that fit a text and may be shown.
    fn search(&self, search: &TextSearch<'_>) -> SearchResults;

    /// Departments with their aisles, best selling first.
    fn departments(&self, now_ms: i64) -> Vec<DepartmentView>;

    /// A product, whether it may be shown or not. `None` if it is deleted or unknown.
    fn product(&self, product_id: &ProductId, now_ms: i64) -> Option<ProductView>;

    /// Whether an import or a change has described a product, and it is not deleted.
    fn describes(&self, product_id: &ProductId) -> bool;

    /// A product as the release alone describes it, without later changes.
    fn released(&self, product_id: &ProductId) -> Option<Product>;

    /// The products that are described, and neither deleted nor hidden.
    fn offered(&self) -> Vec<ProductId>;

    /// The products of which only orders tell, best selling first.
    fn unnamed(&self) -> Vec<UnnamedProduct>;

    /// Users with a purchase history, as examples.
    fn example_users(&self, limit: usize) -> Vec<UserView>;

    /// The user's record in the release. `record` as in [`Query`].
    fn user(&self, user_id: &UserId, record: Option<StoredRecord<'_>>) -> UserLookup;

    /// Reports which feature set and model already include a checkout.
    fn checkout_progress(
        &self,
        user_id: &UserId,
        received_at_ms: i64,
        event_id: &str,
    ) -> CheckoutProgress;
}

/// The state of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EngineStatus {
    /// Whether it can answer.
    pub ready: bool,
    /// The release: feature set and model.
    pub release: Option<String>,
    /// The model of the release; null before the first training.
    pub model_version: Option<String>,
    /// The number of products in the catalogue.
    pub products: usize,
    /// The number of users with a purchase history.
    pub users: usize,
    /// Whether its answers lack a part, because the release cannot be opened as a whole. A
    /// release without a model lacks none: it ranks by rules.
    pub degraded: bool,
}
