//! Shapes of bodies that are read by hand, for the documentation.
#![allow(dead_code)]

use std::borrow::Cow;

use serde::Deserialize;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::contract::document::ID_PATTERN;

/// An id as a client may write it: a text, or an integer kept as its decimal text.
pub(crate) struct Id;

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(ID_PATTERN))
            .min_length(Some(1))
            .max_length(Some(64));
        let number = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::Custom("int64".to_owned())))
            .minimum(Some(isize::MIN))
            .maximum(Some(usize::MAX));
        let description = "An id: 1 to 64 of `A-Z a-z 0-9 . _ : @ -`; an integer is kept as its \
                           decimal text.";
        AnyOfBuilder::new().description(Some(description)).item(text).item(number).into()
    }
}

impl ToSchema for Id {
    fn name() -> Cow<'static, str> {
        "Id".into()
    }
}

/// A shopper's action.
#[derive(ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventBody {
    /// The client's id for this event, 1 to 64 of `A-Z a-z 0-9 . _ : @ -`. Sent
    /// again within 24 hours, the event is stored once.
    event_id: Option<Id>,
    /// Who acted; an integer is kept as its decimal text.
    user_id: Id,
    /// The client's session.
    session_id: Option<Id>,
    /// What was done.
    event: EventName,
    /// Products, at most 200; each counts as one piece. Not beside `items`.
    #[schema(max_items = 200)]
    product_ids: Option<Vec<Id>>,
    /// Products with quantities and prices, at most 200. Not beside `product_ids`.
    #[schema(max_items = 200)]
    items: Option<Vec<ItemBody>>,
    /// The client's clock, UTC milliseconds since 1970. Never orders events.
    #[schema(minimum = 0, maximum = 253_402_300_799_999_isize)]
    timestamp: Option<i64>,
    /// Where the event comes from.
    source: Option<Id>,
    /// The answer that led to this event.
    recommendation_id: Option<Id>,
}

/// A product in an event.
#[derive(ToSchema)]
#[schema(as = Item)]
pub(crate) struct ItemBody {
    /// The product; an integer is kept as its decimal text.
    product_id: Id,
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

/// A body of GA4's Measurement Protocol; fields that are not named here are passed over.
#[derive(ToSchema)]
#[schema(as = Ga4Request)]
pub(crate) struct Ga4Body {
    /// Who acted, as the site knows them.
    user_id: Option<Id>,
    /// Who acted, as the browser knows them; counts without `user_id`.
    client_id: Option<Id>,
    /// Who acted, as the app knows them; counts without the others.
    app_instance_id: Option<Id>,
    /// When, UTC microseconds since 1970, for events that do not say it themselves.
    #[schema(minimum = 0, maximum = 253_402_300_799_999_999_isize)]
    timestamp_micros: Option<i64>,
    /// What was done.
    #[schema(min_items = 1, max_items = 500)]
    events: Vec<Ga4Event>,
}

/// An event of GA4. Other names than `view_item`, `add_to_cart`, `remove_from_cart` and
/// `purchase` are ignored.
#[derive(ToSchema)]
#[schema(as = Ga4Event)]
pub(crate) struct Ga4Event {
    /// What was done.
    name: String,
    /// With what: `items` with `item_id`, `quantity` and `price`; `transaction_id` of a
    /// purchase.
    #[schema(value_type = Option<Object>)]
    params: Option<()>,
    /// When, UTC microseconds since 1970.
    #[schema(minimum = 0, maximum = 253_402_300_799_999_999_isize)]
    timestamp_micros: Option<i64>,
}

/// A call of Segment's tracking API; fields that are not named here are passed over.
/// Other calls than `track` are ignored, and so are other events than `Product Viewed`,
/// `Product Added`, `Product Removed` and `Order Completed`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SegmentCall {
    /// The kind of call; `track` where it is missing.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The call's id. Sent again within 24 hours, it is stored once.
    message_id: Option<String>,
    /// Who acted, as the site knows them.
    #[schema(value_type = Option<Id>)]
    user_id: Option<String>,
    /// Who acted, as the browser knows them; counts without `userId`.
    #[schema(value_type = Option<Id>)]
    anonymous_id: Option<String>,
    /// What was done.
    event: Option<String>,
    /// With what: `product_id` or `sku`, `quantity` and `price`, or a list of `products`.
    #[schema(value_type = Option<Object>)]
    properties: Option<()>,
    /// When, ISO 8601.
    timestamp: Option<String>,
}

/// Several calls of Segment's tracking API.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SegmentBatch {
    /// The calls.
    #[schema(min_items = 1, max_items = 500)]
    batch: Vec<SegmentCall>,
}

/// What Segment sends: one call, or several.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum SegmentRequest {
    /// Several calls.
    Batch(SegmentBatch),
    /// One call.
    Call(SegmentCall),
}
