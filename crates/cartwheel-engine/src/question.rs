//! Questions to the engine.

use cartwheel_catalogue::Money;
use cartwheel_events::{ProductId, UserId};
use cartwheel_filter::{Context, Expression};
use cartwheel_rules::RuleSet;
use cartwheel_search::{FacetFilters, Synonyms};
use cartwheel_sessions::Session;

/// A request for recommendations.
#[derive(Debug)]
pub struct Query<'a> {
    /// The shopper.
    pub user_id: &'a UserId,
    /// The shopper's session. `None` without activity in the last seven days.
    pub session: Option<&'a Session>,
    /// The shopper's record, when the release does not hold it.
    pub record: Option<StoredRecord<'a>>,
    /// A cart that overrides the session's.
    pub cart: Option<Vec<ProductId>>,
    /// Maximum number of products in the answer, 1 to 100.
    pub limit: usize,
    /// Restrictions on the answer.
    pub filters: Filters,
    /// The rules that lists have to follow.
    pub rules: Option<Ruled<'a>>,
    /// Whether to report how each feature contributed.
    pub explain: bool,
    /// The current time, UTC milliseconds.
    pub now_ms: i64,
}

impl Query<'_> {
    /// The cart to rank for: the query's own if it has one, otherwise the session's.
    pub fn cart_products(&self) -> Vec<ProductId> {
        match (&self.cart, self.session) {
            (Some(cart), _) => cart.clone(),
            (None, Some(session)) => session.cart_products(),
            (None, None) => Vec::new(),
        }
    }

    /// The same products, each once and with its pieces.
    pub(crate) fn cart_pieces(&self) -> Vec<(&ProductId, u32)> {
        let Some(cart) = &self.cart else {
            let items = self.session.into_iter().flat_map(|session| &session.cart);
            return items.map(|item| (&item.product_id, item.quantity)).collect();
        };
        let mut pieces: Vec<(&ProductId, u32)> = Vec::with_capacity(cart.len());
        for id in cart {
            match pieces.iter_mut().find(|(known, _)| *known == id) {
                Some((_, count)) => *count += 1,
                None => pieces.push((id, 1)),
            }
        }
        pieces
    }
}

/// The rules of the shop, and the values of a request that their scopes may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Ruled<'a> {
    /// The rules.
    pub rules: &'a RuleSet,
    /// The values.
    pub context: &'a Context,
}

/// A shopper's record that was read before the query.
#[derive(Debug, Clone, Copy)]
pub struct StoredRecord<'a> {
    /// The feature set that the record belongs to.
    pub feature_set: &'a str,
    /// The encoded `UserState`. `None` if the feature set has no such user.
    pub bytes: Option<&'a [u8]>,
}

/// Restrictions on an answer. An empty list restricts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filters {
    /// Only these departments, by name.
    pub departments: Vec<String>,
    /// Only these aisles, by name.
    pub aisles: Vec<String>,
    /// None of these products.
    pub exclude_products: Vec<ProductId>,
    /// No product that the shopper has bought before.
    pub exclude_purchased: bool,
    /// Only products that the shop states to be in stock. Without it, products of whose stock
    /// nothing is known are shown too.
    pub in_stock_only: bool,
    /// Only products that fulfil this expression.
    pub expression: Option<Expression>,
}

/// A search of the catalogue. The default matches every product that may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProductSearch<'a> {
    /// Words as of a [`TextSearch`], the last one perhaps unfinished, or the id.
    pub text: Option<String>,
    /// Words that mean the same.
    pub synonyms: Option<&'a Synonyms>,
    /// Only this department, by name.
    pub department: Option<String>,
    /// Only this aisle, by name.
    pub aisle: Option<String>,
    /// Only this brand, by name.
    pub brand: Option<String>,
    /// Only products of at least this price.
    pub min_price: Option<Money>,
    /// Only products of at most this price.
    pub max_price: Option<Money>,
    /// Which products, by whether they may be shown.
    pub visibility: Visibility,
}

/// A full-text search for products that may be shown.
#[derive(Debug)]
pub struct TextSearch<'a> {
    /// What the shopper has written.
    pub text: &'a str,
    /// Whether the shopper is still writing: the last word may be the beginning of another although
    /// it is a word.
    pub is_typing: bool,
    /// Words that mean the same.
    pub synonyms: Option<&'a Synonyms>,
    /// Restrictions on the products.
    pub filters: FacetFilters,
    /// Only products that fulfil this expression. It may ask for user and cart if there is a shopper.
    pub expression: Option<Expression>,
    /// The order of the products.
    pub order: SearchOrder,
    /// The shopper in whose order the most relevant products are put, with the limit and the
    /// filters of the search and not of the query.
    pub shopper: Option<Query<'a>>,
    /// The number of products to skip.
    pub offset: usize,
    /// The maximum number of products, 1 to 100.
    pub limit: usize,
    /// The current time, UTC milliseconds.
    pub now_ms: i64,
}

/// The order of what a search finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SearchOrder {
    /// By how well products fit the words, then by popularity and by the shopper's taste.
    #[default]
    Relevance,
    /// The lowest price first, and products without a price last.
    Cheapest,
    /// The highest price first, and products without a price last.
    Dearest,
    /// The products that the shop offers since the shortest time first.
    Newest,
    /// Best sellers first.
    Popular,
}

impl SearchOrder {
    /// Every order with its name in requests.
    pub const NAMES: [(&str, Self); 5] = [
        ("relevance", Self::Relevance),
        ("price", Self::Cheapest),
        ("-price", Self::Dearest),
        ("newest", Self::Newest),
        ("popular", Self::Popular),
    ];
}

/// Which products a search considers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Visibility {
    /// Those that may be shown now.
    #[default]
    Shown,
    /// Those that may not: hidden, out of stock, outside their dates, or never described.
    Hidden,
    /// All of them.
    All,
}

/// In which sense a product is similar to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Similarity {
    /// It is in the same baskets, and more often than popular products are by chance.
    BoughtTogether,
    /// It is alike by category, brand, words and visits, and not bought together with the other.
    Substitutes,
    /// It is in the same visits; after those products come others that are alike.
    AlsoViewed,
}

impl Similarity {
    /// Every similarity with its name in requests.
    pub const NAMES: [(&str, Self); 3] = [
        ("bought_together", Self::BoughtTogether),
        ("substitutes", Self::Substitutes),
        ("also_viewed", Self::AlsoViewed),
    ];
}

/// The beginning of a page of products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageStart {
    /// After this many matches.
    Offset(usize),
    /// After the matches up to this product.
    After(ProductId),
}
