//! Schemas of bodies that are parsed by hand.
#![allow(dead_code)]

use std::borrow::Cow;

use cartwheel_events::MAX_ID;
use serde::Deserialize;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::contract::document::ID_PATTERN;

/// An id as clients write it: a string, or an integer that is kept as its decimal text.
pub(crate) struct Id;

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(ID_PATTERN))
            .min_length(Some(1))
            .max_length(Some(MAX_ID));
        let number = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::Custom("int64".to_owned())))
            .minimum(Some(isize::MIN))
            .maximum(Some(usize::MAX));
        let description = "An id: 1 to 128 bytes of UTF-8 without control characters; an integer \
                           is kept as its decimal text.";
        AnyOfBuilder::new().description(Some(description)).item(text).item(number).into()
    }
}

impl ToSchema for Id {
    fn name() -> Cow<'static, str> {
        "Id".into()
    }
}

/// A file as the body of a request.
pub(crate) struct File;

impl PartialSchema for File {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(format))
            .min_length(Some(1))
            .into()
    }
}

impl ToSchema for File {
    fn name() -> Cow<'static, str> {
        "File".into()
    }
}

/// A shopper's action.
#[derive(ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventBody {
    /// The client's id for this event. An event that is sent again within 24 hours is stored
    /// once.
    event_id: Option<Id>,
    /// The shopper, unless it is a guest; an integer is kept as its decimal text.
    user_id: Option<Id>,
    /// The guest, by an id that the browser or app has drawn. At least one of `user_id` and
    /// `anonymous_id` is required. Both together tie the guest to the user.
    anonymous_id: Option<Id>,
    /// The client's session.
    session_id: Option<Id>,
    /// The kind of event.
    event: EventName,
    /// Up to 200 products with a quantity of 1 each. Excludes `items`.
    #[schema(max_items = 200)]
    product_ids: Option<Vec<Id>>,
    /// Up to 200 products with quantities and prices. Excludes `product_ids`.
    #[schema(max_items = 200)]
    items: Option<Vec<ItemBody>>,
    /// The text of a search; required for `search`, and for no other kind.
    #[schema(min_length = 1, max_length = 200)]
    query: Option<String>,
    /// The shopper's country, two letters as in ISO 3166-1, if the client knows it.
    #[schema(pattern = "^[A-Za-z]{2}$")]
    country: Option<String>,
    /// The client's time, UTC milliseconds since 1970. The server orders by it only with
    /// `backfill`, and warns about one that is older than an hour without it.
    #[schema(minimum = 0, maximum = 253_402_300_799_999_isize)]
    timestamp: Option<i64>,
    /// The origin of the event.
    source: Option<Id>,
    /// The answer that this event results from; required for `impression`, which reports the products of
    /// the answer that were visible.
    recommendation_id: Option<Id>,
}

/// A product in an event.
#[derive(ToSchema)]
#[schema(as = Item)]
pub(crate) struct ItemBody {
    /// The product; an integer is kept as its decimal text.
    product_id: Id,
    /// The quantity; 1 by default.
    #[schema(minimum = 1, maximum = 100_000)]
    quantity: Option<u32>,
    /// The price of one piece in the shop's currency.
    #[schema(minimum = 0, maximum = 1e9)]
    price: Option<f64>,
}

/// Kinds of events.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum EventName {
    View,
    Search,
    AddToCart,
    RemoveFromCart,
    UpdateCart,
    Checkout,
    Return,
    Identify,
    GetRecommendations,
    Impression,
}

/// A body of GA4's Measurement Protocol. Other fields are ignored.
#[derive(ToSchema)]
#[schema(as = Ga4Request)]
pub(crate) struct Ga4Body {
    /// The shopper's id on the site.
    user_id: Option<Id>,
    /// The browser's id: the guest.
    client_id: Option<Id>,
    /// The app's id, used without `client_id`.
    app_instance_id: Option<Id>,
    /// The time of events that have none, UTC microseconds since 1970.
    #[schema(minimum = 0, maximum = 253_402_300_799_999_999_isize)]
    timestamp_micros: Option<i64>,
    /// The events.
    #[schema(min_items = 1, max_items = 500)]
    events: Vec<Ga4Event>,
}

/// A GA4 event. Names other than `view_item`, `add_to_cart`, `remove_from_cart` and `purchase`
/// are ignored.
#[derive(ToSchema)]
#[schema(as = Ga4Event)]
pub(crate) struct Ga4Event {
    /// The event's name.
    name: String,
    /// Parameters: `items` with `item_id`, `quantity` and `price`; `transaction_id` of a
    /// purchase.
    #[schema(value_type = Option<Object>)]
    params: Option<()>,
    /// The time of the event, UTC microseconds since 1970.
    #[schema(minimum = 0, maximum = 253_402_300_799_999_999_isize)]
    timestamp_micros: Option<i64>,
}

/// A call of Segment's tracking API. Other fields are ignored, as are calls other than `track`
/// and events other than `Product Viewed`, `Product Added`, `Product Removed` and
/// `Order Completed`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SegmentCall {
    /// The kind of call; `track` by default.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The call's id. A call that is sent again within 24 hours is stored once.
    message_id: Option<String>,
    /// The shopper's id on the site.
    #[schema(value_type = Option<Id>)]
    user_id: Option<String>,
    /// The browser's id: the guest.
    #[schema(value_type = Option<Id>)]
    anonymous_id: Option<String>,
    /// The kind of event.
    event: Option<String>,
    /// Properties: `product_id` or `sku`, `quantity` and `price`, or a list of `products`.
    #[schema(value_type = Option<Object>)]
    properties: Option<()>,
    /// The time of the event, ISO 8601.
    timestamp: Option<String>,
}

/// Several calls of Segment's tracking API.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SegmentBatch {
    /// The calls.
    #[schema(min_items = 1, max_items = 500)]
    batch: Vec<SegmentCall>,
}

/// A body that Segment sends: one call or several.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum SegmentRequest {
    /// Several calls.
    Batch(SegmentBatch),
    /// One call.
    Call(SegmentCall),
}
