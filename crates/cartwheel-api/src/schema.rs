//! Shapes of bodies that are read by hand, for the documentation.
#![allow(dead_code)]

use utoipa::ToSchema;

/// A shopper's action.
#[derive(ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventBody {
    /// The client's id for this event, 1 to 64 of `A-Z a-z 0-9 . _ : @ -`. Sent
    /// again within 24 hours, the event is stored once.
    event_id: Option<String>,
    /// Who acted; an integer is kept as its decimal text.
    user_id: String,
    /// The client's session.
    session_id: Option<String>,
    /// What was done.
    event: EventName,
    /// Products, at most 200; each counts as one piece. Not beside `items`.
    #[schema(max_items = 200)]
    product_ids: Option<Vec<String>>,
    /// Products with quantities and prices, at most 200. Not beside `product_ids`.
    #[schema(max_items = 200)]
    items: Option<Vec<ItemBody>>,
    /// The client's clock, UTC milliseconds since 1970. Never orders events.
    timestamp: Option<i64>,
    /// Where the event comes from.
    source: Option<String>,
    /// The answer that led to this event.
    recommendation_id: Option<String>,
}

/// A product in an event.
#[derive(ToSchema)]
#[schema(as = Item)]
pub(crate) struct ItemBody {
    /// The product; an integer is kept as its decimal text.
    product_id: String,
    /// How many pieces; 1 where it is missing.
    #[schema(minimum = 1, maximum = 100_000)]
    quantity: Option<u32>,
    /// Price of one piece in the shop's currency.
    #[schema(minimum = 0, maximum = 1e9)]
    price: Option<f64>,
}

/// Kinds of events.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum EventName {
    View,
    AddToCart,
    RemoveFromCart,
    UpdateCart,
    Checkout,
    GetRecommendations,
}
