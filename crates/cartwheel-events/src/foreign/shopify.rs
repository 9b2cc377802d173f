//! An order of Shopify, as the webhook `orders/create` sends it.
//!
//! ```json
//! {"id": 820982911946154508, "created_at": "2023-11-14T17:13:20-05:00",
//!  "customer": {"id": 115310627314723954},
//!  "line_items": [{"product_id": 632910392, "quantity": 1, "price": "199.00"}],
//!  "note_attributes": [{"name": "anonymous_id", "value": "9b1c3d2e-77aa-4c55-8f3e-2a6b4c8d0e1f"}]}
//! ```

use serde_json::{Map, Value};

use super::mapping::{Envelope, Mapped, Mapping, Products, Table, given, object, shopper, time};
use crate::event::{EventKind, Invalid, invalid};

const ORDER: Mapping = Mapping {
    name: "orders/create",
    kind: EventKind::Checkout,
    products: Products::List("line_items"),
    event_id: &[],
};

const TABLE: Table = Table {
    source: "shopify",
    mappings: &[ORDER],
    product_id: &["product_id"],
    quantity: "quantity",
    price: "price",
    session_id: None,
    recommendation_id: "recommendation_id",
};

/// Fields of the shopper, named so that an error says where the value comes from.
const USER: &str = "customer.id";
const GUEST: &str = "note_attributes.anonymous_id";

/// Reads an order as a checkout of its customer. An order without one is that of the guest in its note
/// attribute `anonymous_id`, or of a guest who buys nothing else. Lines of no product of the shop are left
/// out; an order of such lines alone, or a test, is ignored.
///
/// # Errors
/// The field that is not valid.
pub fn shopify_order(body: &Value) -> Mapped {
    let order = object(body, "")?;
    let id = order.get("id").and_then(Value::as_u64);
    let id = id.ok_or_else(|| invalid("id", "is missing or no number", "the order's id"))?;
    let event_id = format!("shopify-{id}");
    let lines = order.get("line_items").and_then(Value::as_array).into_iter().flatten();
    let lines: Vec<Value> = lines.filter(|line| is_of_product(line)).cloned().collect();
    if lines.is_empty() || order.get("test") == Some(&Value::Bool(true)) {
        return Ok(None);
    }
    let mut who = Map::new();
    let customer = order.get("customer").and_then(Value::as_object);
    if let Some(customer) = customer.and_then(|customer| given(customer, "id")) {
        who.insert(USER.to_owned(), customer.clone());
    }
    let guest = note(order, "anonymous_id").cloned();
    if let Some(guest) = guest.or_else(|| who.is_empty().then(|| event_id.clone().into())) {
        who.insert(GUEST.to_owned(), guest);
    }
    let mut fields = Map::new();
    fields.insert("line_items".to_owned(), lines.into());
    if let Some(answer) = note(order, "recommendation_id") {
        fields.insert("recommendation_id".to_owned(), answer.clone());
    }
    let envelope = Envelope {
        shopper: shopper(&who, "", USER, &[GUEST])?,
        event_id: Some(event_id),
        timestamp_ms: created_at(order)?,
        fields: &fields,
        path: String::new(),
    };
    TABLE.event(&ORDER, envelope).map(Some)
}

/// Whether a line sells a product of the shop, and some of it.
fn is_of_product(line: &Value) -> bool {
    line.as_object().is_some_and(|line| {
        given(line, "product_id").is_some() && line.get("quantity") != Some(&Value::from(0))
    })
}

/// The value of a note attribute, which the shop's pages can set on the cart.
fn note<'a>(order: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let notes = order.get("note_attributes")?.as_array()?;
    let mut notes = notes.iter().filter_map(Value::as_object);
    given(notes.find(|note| note.get("name").and_then(Value::as_str) == Some(name))?, "value")
}

fn created_at(order: &Map<String, Value>) -> Result<Option<i64>, Invalid> {
    let Some(value) = given(order, "created_at") else { return Ok(None) };
    let parsed = value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let ms = parsed.map(jiff::Timestamp::as_millisecond);
    time(ms, || "created_at".to_owned(), "an ISO 8601 time such as 2023-11-14T22:13:20Z").map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An order that the tests modify.
    fn order() -> Value {
        json!({
            "id": 820_982_911_946_154_508_i64, "name": "#9999", "email": "jon@example.com",
            "created_at": "2023-11-14T17:13:20-05:00", "currency": "USD", "total_price": "404.95",
            "test": false, "financial_status": "paid", "note_attributes": [],
            "customer": {"id": 115_310_627_314_723_954_i64, "first_name": "John"},
            "line_items": [
                {"id": 1, "product_id": 632_910_392, "variant_id": 808_950_810, "quantity": 1,
                 "price": "199.00", "title": "IPod Nano - 8GB", "sku": "IPOD2008PINK"},
                {"id": 2, "product_id": 632_910_392, "quantity": 2, "price": "199.00"},
                {"id": 3, "product_id": null, "quantity": 1, "price": "6.95", "title": "Gift wrap"},
                {"id": 4, "product_id": 7, "quantity": 0, "price": "1.00"},
            ],
        })
    }

    #[test]
    fn an_order_becomes_its_customers_checkout() {
        let event = shopify_order(&order()).unwrap().unwrap();
        assert_eq!(event.kind, EventKind::Checkout);
        assert_eq!(event.user_id.as_str(), "115310627314723954");
        assert_eq!(event.guest, None);
        assert_eq!(event.event_id.as_deref(), Some("shopify-820982911946154508"));
        assert_eq!(event.timestamp_ms, Some(1_700_000_000_000));
        assert_eq!(event.source.as_deref(), Some("shopify"));
        let [item] = &event.items[..] else { panic!("{:?}", event.items) };
        assert_eq!((item.product_id.as_str(), item.quantity), ("632910392", 3));
        assert_eq!(item.price, Some(199.0));
    }

    #[test]
    fn an_order_without_a_customer_is_a_guests() {
        let mut body = order();
        body["customer"] = Value::Null;
        let event = shopify_order(&body).unwrap().unwrap();
        assert_eq!(event.user_id.anonymous_id(), Some("shopify-820982911946154508"));
        body["note_attributes"] = json!([{"name": "gift", "value": "yes"},
            {"name": "anonymous_id", "value": "9b1c3d2e-77aa-4c55-8f3e-2a6b4c8d0e1f"},
            {"name": "recommendation_id", "value": "r-1"}]);
        let event = shopify_order(&body).unwrap().unwrap();
        assert_eq!(event.user_id.anonymous_id(), Some("9b1c3d2e-77aa-4c55-8f3e-2a6b4c8d0e1f"));
        assert_eq!(event.recommendation_id.as_deref(), Some("r-1"));
        // With both, the order ties them.
        body["customer"] = json!({"id": 5});
        let event = shopify_order(&body).unwrap().unwrap();
        assert_eq!(event.user_id.as_str(), "5");
        assert!(event.guest.is_some());
    }

    #[test]
    fn what_sells_no_product_is_ignored() {
        for (field, value) in [
            ("line_items", json!([])),
            ("line_items", json!([{"product_id": null, "quantity": 1}])),
            ("line_items", Value::Null),
            ("test", json!(true)),
        ] {
            let mut body = order();
            body[field] = value;
            assert_eq!(shopify_order(&body), Ok(None), "{field}");
        }
    }

    #[test]
    fn a_field_that_is_not_valid_is_named() {
        for (field, value, named) in [
            ("id", Value::Null, "id"),
            ("created_at", json!("yesterday"), "created_at"),
            ("customer", json!({"id": {}}), "customer.id"),
            ("line_items", json!([{"product_id": 1, "quantity": -1}]), "line_items[0].quantity"),
            ("line_items", json!([{"product_id": [], "quantity": 1}]), "line_items[0].product_id"),
        ] {
            let mut body = order();
            body[field] = value;
            assert_eq!(shopify_order(&body).unwrap_err().field, named);
        }
        assert!(shopify_order(&json!([])).is_err());
    }
}
