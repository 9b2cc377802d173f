//! Routes for shoppers: examples, carts, orders, records.

use axum::Json;
use axum::extract::State;
use cartwheel_catalogue::{Currency, Money};
use cartwheel_events::{ProductId, UserId};
use cartwheel_sessions::{CartItem, Session, SessionCheckout};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::caller::{Caller, Permitted};
use crate::access::scope::Scope;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{Params, UserPath};
use crate::routes::Routes;
use crate::shop::known::Known;
use crate::shop::recommendations::known;
use crate::state::{AppState, Shared};
use cartwheel_engine::{Engine, ProductLabel, StoredRecord, UserLookup, UserRecord, UserView};

/// Viewed products in a cart's answer.
const VIEWED: usize = 12;

/// The routes for shoppers.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .scoped(Scope::Admin, routes!(users))
        .scoped(Scope::Admin, routes!(user))
        .for_tokens(Scope::RecommendationsRead, routes!(cart))
        .for_tokens(Scope::RecommendationsRead, routes!(orders))
}

/// Users.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Users {
    /// Users with a purchase history.
    users: Vec<UserView>,
}

/// A product of a cart or an order, as the shop offers it now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OfferedProduct)]
pub(crate) struct Offered {
    /// Its names.
    #[serde(flatten)]
    label: ProductLabel,
    /// False if it is out of stock.
    in_stock: bool,
    /// Whether it may be shown and bought now: not hidden, in stock, and within its dates.
    shown: bool,
    /// The price of a piece, if the shop has given one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "12.90")]
    price: Option<Money>,
    /// The price before a reduction.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "14.90")]
    list_price: Option<Money>,
    /// The currency of the prices, a code of ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "EUR")]
    currency: Option<Currency>,
    /// A picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<String>,
}

/// A product in a cart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CartItem)]
pub(crate) struct CartLine {
    /// The product.
    #[serde(flatten)]
    product: Offered,
    /// The quantity.
    quantity: u32,
}

/// A shopper's cart.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cart {
    /// The shopper.
    #[schema(value_type = String)]
    user_id: cartwheel_events::UserId,
    /// Products in the order of adding.
    items: Vec<CartLine>,
    /// Products viewed, newest first, without repetition, at most 12.
    viewed: Vec<ProductLabel>,
}

/// A shopper's orders.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Orders {
    /// The shopper.
    #[schema(value_type = String)]
    user_id: UserId,
    /// Orders of the last seven days, newest first, at most 64.
    orders: Vec<Order>,
    /// The orders of the serving feature set together; null without any.
    history: Option<OrderHistory>,
}

/// An order of the last seven days.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Order {
    /// The order: the id of its event.
    order_id: String,
    /// When it was accepted, UTC milliseconds.
    ordered_at_ms: i64,
    /// The products bought.
    items: Vec<Offered>,
}

/// A shopper's orders of the serving feature set.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderHistory {
    /// The number of orders.
    orders: u32,
    /// The time of the newest order, UTC milliseconds, if known.
    last_order_ms: Option<i64>,
    /// Products bought, most bought first, at most 100.
    products: Vec<Bought>,
}

/// A product that the shopper has bought before.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BoughtBefore)]
pub(crate) struct Bought {
    /// The product.
    #[serde(flatten)]
    product: Offered,
    /// The number of the shopper's orders that contain it.
    orders: u32,
}

/// A viewed product.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProductSeen {
    /// The product.
    product: ProductLabel,
    /// The time of the view, UTC milliseconds.
    at_ms: i64,
}

/// A product that was put into the cart or taken out of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CartChangeSeen {
    /// The product.
    product: ProductLabel,
    /// Whether it was put into the cart.
    is_added: bool,
    /// The time of the change, UTC milliseconds.
    at_ms: i64,
}

/// A search.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SearchSeen {
    /// Its text.
    query: String,
    /// The time of the search, UTC milliseconds.
    at_ms: i64,
}

/// A purchase of the session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckoutSeen {
    /// The event, which becomes the order's id.
    event_id: String,
    /// The time of acceptance, UTC milliseconds.
    received_at_ms: i64,
    /// The products bought.
    items: Vec<ProductLabel>,
}

/// A shopper's activity of the last seven days.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionView {
    /// Products in the order of adding.
    cart: Vec<CartLine>,
    /// Views, newest first, at most 50.
    views: Vec<ProductSeen>,
    /// Changes of the cart, newest first, at most 16.
    cart_changes: Vec<CartChangeSeen>,
    /// Searches, newest first, at most 8.
    searches: Vec<SearchSeen>,
    /// Checkouts, newest first, at most 64.
    checkouts: Vec<CheckoutSeen>,
    /// The number of events.
    events: u64,
    /// The time of the newest event, UTC milliseconds.
    updated_ms: i64,
}

/// A user's record and session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserDetail {
    /// The user.
    #[schema(value_type = String)]
    user_id: UserId,
    /// The serving feature set.
    feature_set: String,
    /// Null without a history in the feature set.
    pub(crate) record: Option<UserRecord>,
    /// Null without activity in the last seven days.
    pub(crate) session: Option<SessionView>,
}

fn label(engine: &dyn Engine, id: &ProductId) -> ProductLabel {
    // Names do not depend on the time.
    match engine.product(id, 0) {
        Some(view) => ProductLabel {
            product_id: view.product_id.to_string(),
            product_name: view.product_name,
            aisle: view.aisle,
            department: view.department,
        },
        None => ProductLabel {
            product_id: id.to_string(),
            product_name: id.to_string(),
            aisle: String::new(),
            department: String::new(),
        },
    }
}

/// Returns the product as it is offered at `now_ms`. A hidden product has a name and no price.
fn offered(engine: &dyn Engine, id: &ProductId, now_ms: i64) -> Offered {
    let view = engine.product(id, now_ms);
    let in_stock = view.as_ref().is_none_or(|view| view.in_stock);
    let view = view.filter(|view| !view.hidden);
    Offered {
        label: label(engine, id),
        in_stock,
        shown: view.as_ref().is_some_and(|view| view.shown),
        price: view.as_ref().and_then(|view| view.price),
        list_price: view.as_ref().and_then(|view| view.list_price),
        currency: view.as_ref().and_then(|view| view.currency),
        image_url: view.and_then(|view| view.image_url),
    }
}

fn lines(engine: &dyn Engine, cart: &[CartItem], now_ms: i64) -> Vec<CartLine> {
    let line = |item: &CartItem| CartLine {
        product: offered(engine, &item.product_id, now_ms),
        quantity: item.quantity,
    };
    cart.iter().map(line).collect()
}

/// The session, if it has any event.
fn session(known: &Known) -> Option<&Session> {
    let session = known.shopper.as_ref()?.session.as_deref()?;
    (session.events > 0).then_some(session)
}

/// Looks up the shopper's record in the serving feature set.
fn record(engine: &dyn Engine, known: &Known, user: &Permitted) -> Result<UserLookup, Problem> {
    let shopper = known.shopper.as_ref().ok_or_else(unread)?;
    let feature_set = known.feature_set.as_deref();
    let record = feature_set
        .map(|feature_set| StoredRecord { feature_set, bytes: shopper.record.as_deref() });
    Ok(engine.user(user.id(), record))
}

fn unread() -> Problem {
    Problem::new(Kind::Unavailable, "The shopper's session cannot be read at the moment.")
}

/// Lists users to try the shop with
#[utoipa::path(get, path = "/v1/users", tag = "recommendations", params(
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 100, description = "Maximum number of users, 1 to 100; 10 by default"),
), responses(
    (status = 200, description = "Users with a history", body = Users),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn users(
    State(state): State<Shared>,
    mut params: Params,
) -> Result<Json<Users>, Problem> {
    let limit = params.number("limit", 10, 1..=100)?;
    params.end("limit")?;
    Ok(Json(Users { users: state.engine.example_users(limit) }))
}

/// Shows a shopper's cart
#[utoipa::path(get, path = "/v1/users/{id}/cart", tag = "recommendations", params(
    ("id" = String, Path, description = "The shopper"),
), responses(
    (status = 200, description = "The cart; empty for an unknown shopper", body = Cart),
    (status = 400, description = "The id is not valid", body = Problem),
    (status = 503, description = "The session cannot be read now", body = Problem),
))]
pub(crate) async fn cart(
    State(state): State<Shared>,
    caller: Caller,
    UserPath(user_id): UserPath,
    params: Params,
) -> Result<Json<Cart>, Problem> {
    params.end("none")?;
    let shopper = caller.permit(user_id)?;
    let known = known(&state, &shopper).await;
    if known.shopper.is_none() {
        return Err(unread());
    }
    let (engine, now_ms) = (&*state.engine, state.clock.now_ms());
    let mut viewed: Vec<&ProductId> = Vec::new();
    for view in session(&known).iter().flat_map(|s| s.views.iter().rev()) {
        if viewed.len() < VIEWED && !viewed.contains(&&view.product_id) {
            viewed.push(&view.product_id);
        }
    }
    Ok(Json(Cart {
        user_id: shopper.into_id(),
        items: session(&known).map(|s| lines(engine, &s.cart, now_ms)).unwrap_or_default(),
        viewed: viewed.into_iter().map(|id| label(engine, id)).collect(),
    }))
}

/// Shows a shopper's orders, and the products bought before
///
/// Products are named and priced as the shop offers them now.
#[utoipa::path(get, path = "/v1/users/{id}/orders", tag = "recommendations", params(
    ("id" = String, Path, description = "The shopper"),
), responses(
    (status = 200, description = "The orders; empty for an unknown shopper", body = Orders),
    (status = 400, description = "The id is not valid", body = Problem),
    (status = 503, description = "The session cannot be read now", body = Problem),
))]
pub(crate) async fn orders(
    State(state): State<Shared>,
    caller: Caller,
    UserPath(user_id): UserPath,
    params: Params,
) -> Result<Json<Orders>, Problem> {
    params.end("none")?;
    let shopper = caller.permit(user_id)?;
    let known = known(&state, &shopper).await;
    let (engine, now_ms) = (&*state.engine, state.clock.now_ms());
    let record = record(engine, &known, &shopper)?.record;
    let products = |ids: &[ProductId]| ids.iter().map(|id| offered(engine, id, now_ms)).collect();
    let order = |checkout: &SessionCheckout| Order {
        order_id: checkout.event_id.clone(),
        ordered_at_ms: checkout.received_at_ms,
        items: products(&checkout.items),
    };
    let history = record.map(|record| OrderHistory {
        orders: record.orders,
        last_order_ms: record.last_order_ms,
        products: record
            .bought
            .iter()
            .filter_map(|bought| Some((ProductId::new(&*bought.product.product_id).ok()?, bought)))
            .map(|(id, b)| Bought { product: offered(engine, &id, now_ms), orders: b.orders })
            .collect(),
    });
    let checkouts = session(&known).into_iter().flat_map(|s| s.checkouts.iter().rev());
    let orders = checkouts.map(order).collect();
    Ok(Json(Orders { user_id: shopper.into_id(), orders, history }))
}

/// Shows a user's record and session
#[utoipa::path(get, path = "/v1/users/{id}", tag = "recommendations", params(
    ("id" = String, Path, description = "The user"),
), responses(
    (status = 200, description = "Record and session; both null for an unknown user", body = UserDetail),
    (status = 400, description = "The id is not valid", body = Problem),
    (status = 503, description = "The session cannot be read now", body = Problem),
))]
pub(crate) async fn user(
    State(state): State<Shared>,
    caller: Caller,
    UserPath(user_id): UserPath,
    params: Params,
) -> Result<Json<UserDetail>, Problem> {
    params.end("none")?;
    Ok(Json(read(&state, &caller.permit(user_id)?).await?))
}

/// Reads record and session of a user.
pub(crate) async fn read(state: &AppState, user: &Permitted) -> Result<UserDetail, Problem> {
    let known = known(state, user).await;
    let engine = &*state.engine;
    let found = record(engine, &known, user)?;
    Ok(UserDetail {
        user_id: user.id().clone(),
        feature_set: found.feature_set,
        record: found.record,
        session: session(&known).map(|s| view(engine, s, state.clock.now_ms())),
    })
}

fn view(engine: &dyn Engine, session: &Session, now_ms: i64) -> SessionView {
    let seen = session.views.iter().rev();
    let changed = session.cart_changes.iter().rev();
    let searched = session.searches.iter().rev();
    let bought = session.checkouts.iter().rev();
    SessionView {
        cart: lines(engine, &session.cart, now_ms),
        views: seen
            .map(|view| ProductSeen { product: label(engine, &view.product_id), at_ms: view.at_ms })
            .collect(),
        cart_changes: changed
            .map(|change| CartChangeSeen {
                product: label(engine, &change.product_id),
                is_added: change.is_added,
                at_ms: change.at_ms,
            })
            .collect(),
        searches: searched
            .map(|search| SearchSeen { query: search.query.clone(), at_ms: search.at_ms })
            .collect(),
        checkouts: bought
            .map(|checkout| CheckoutSeen {
                event_id: checkout.event_id.clone(),
                received_at_ms: checkout.received_at_ms,
                items: checkout.items.iter().map(|id| label(engine, id)).collect(),
            })
            .collect(),
        events: session.events,
        updated_ms: session.updated_ms,
    }
}
