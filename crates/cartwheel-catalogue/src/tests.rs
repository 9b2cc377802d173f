use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{Money, Product, ProductPatch};

fn product(value: Value) -> Product {
    Product::from_json(value).unwrap()
}

fn full() -> Value {
    json!({
        "product_id": "tea-1", "name": "Green tea", "description": "Loose leaves.\nFrom Uji.",
        "categories": ["Drinks", "Hot drinks", "Tea"], "brand": "Uji", "price": "12.90",
        "list_price": 14.9, "cost": 7, "currency": "eur", "url": "https://shop.example/tea",
        "image_url": "/images/tea.jpg", "in_stock": true, "stock": 12, "hidden": false,
        "available_from": "2026-01-01T01:00:00+01:00", "available_until": 1_800_000_000_000_i64,
        "created_at": "2025-12-01T00:00:00Z", "tags": ["organic"],
        "attributes": {"caffeine": true, "grams": 250, "origin": "Japan", "notes": ["a", "b"]},
    })
}

#[test]
fn every_field_is_read_and_written_back() {
    let tea = product(full());
    let expected = json!({
        "product_id": "tea-1", "name": "Green tea", "description": "Loose leaves.\nFrom Uji.",
        "categories": ["Drinks", "Hot drinks", "Tea"], "brand": "Uji", "price": "12.90",
        "list_price": "14.9", "cost": "7", "currency": "EUR", "url": "https://shop.example/tea",
        "image_url": "/images/tea.jpg", "in_stock": true, "stock": 12,
        "available_from": "2026-01-01T00:00:00Z", "available_until": "2027-01-15T08:00:00Z",
        "created_at": "2025-12-01T00:00:00Z", "tags": ["organic"],
        "attributes": {"caffeine": true, "grams": 250, "origin": "Japan", "notes": ["a", "b"]},
    });
    assert_eq!(tea.to_json(), expected);
    assert_eq!((tea.department(), tea.aisle()), (Some("Drinks"), Some("Tea")));
    assert_eq!(product(tea.to_json()), tea);
    let mut stored = tea.to_json();
    stored["of_a_newer_version"] = json!(1);
    let stored: Product = serde_json::from_value(stored).unwrap();
    assert_eq!(stored, tea, "a stored product may have fields of a newer version");
}

#[test]
fn an_error_names_the_invalid_field() {
    let long = "x".repeat(501);
    let many: Map<String, Value> = (0..101).map(|n| (n.to_string(), json!(n))).collect();
    let cases = [
        (json!({}), "product_id"),
        (json!({"product_id": ""}), "product_id"),
        (json!({"product_id": 1.5}), "product_id"),
        (json!({"product_id": "p", "colour": "red"}), "colour"),
        (json!({"product_id": "p", "name": "  "}), "name"),
        (json!({"product_id": "p", "name": long}), "name"),
        (json!({"product_id": "p", "name": "a\u{7}"}), "name"),
        (json!({"product_id": "p", "categories": "a"}), "categories"),
        (json!({"product_id": "p", "categories": vec!["a"; 11]}), "categories"),
        (json!({"product_id": "p", "categories": ["a", 1]}), "categories[1]"),
        (json!({"product_id": "p", "price": "1,5"}), "price"),
        (json!({"product_id": "p", "price": -1}), "price"),
        (json!({"product_id": "p", "price": 0.1 + 0.2}), "price"),
        (json!({"product_id": "p", "price": [1]}), "price"),
        (json!({"product_id": "p", "currency": "EURO"}), "currency"),
        (json!({"product_id": "p", "currency": "XXX"}), "currency"),
        (json!({"product_id": "p", "url": "javascript:alert(1)"}), "url"),
        (json!({"product_id": "p", "url": "//elsewhere.example/p"}), "url"),
        (json!({"product_id": "p", "image_url": "https://a b"}), "image_url"),
        (json!({"product_id": "p", "in_stock": "yes"}), "in_stock"),
        (json!({"product_id": "p", "stock": -1}), "stock"),
        (json!({"product_id": "p", "stock": 1_000_000_001}), "stock"),
        (json!({"product_id": "p", "available_from": "tomorrow"}), "available_from"),
        (
            json!({"product_id": "p", "available_from": 2000, "available_until": 2000}),
            "available_until",
        ),
        (json!({"product_id": "p", "tags": vec!["t"; 101]}), "tags"),
        (json!({"product_id": "p", "attributes": []}), "attributes"),
        (json!({"product_id": "p", "attributes": many}), "attributes"),
        (json!({"product_id": "p", "attributes": {"": 1}}), "attributes"),
        (json!({"product_id": "p", "attributes": {"size": {"eu": 42}}}), "attributes.size"),
        (json!({"product_id": "p", "attributes": {"s": vec!["x"; 51]}}), "attributes.s"),
        (json!([]), ""),
    ];
    for (value, field) in cases {
        let error = Product::from_json(value.clone()).expect_err(&value.to_string());
        assert_eq!(error.field, field, "{value}: {error}");
    }
}

#[test]
fn a_product_is_bounded_as_a_whole() {
    let list = json!(vec!["x".repeat(200); 50]);
    let attributes: Map<String, Value> = (0..10).map(|n| (n.to_string(), list.clone())).collect();
    let error = Product::from_json(json!({"product_id": "p", "attributes": attributes}));
    assert!(error.unwrap_err().to_string().contains("bytes of JSON"));
}

#[test]
fn a_product_is_shown_while_it_is_offered() {
    let tea = |more: Value| {
        let mut fields = json!({"product_id": "tea"});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        product(fields)
    };
    let shown = [
        json!({}),
        json!({"stock": 3}),
        json!({"in_stock": true}),
        json!({"available_from": 1000, "available_until": 1001}),
    ];
    for fields in shown {
        assert!(tea(fields.clone()).is_shown(1000), "{fields}");
    }
    let not_shown = [
        json!({"hidden": true}),
        json!({"stock": 0}),
        json!({"in_stock": true, "stock": 0}),
        json!({"in_stock": false, "stock": 3}),
        json!({"available_from": 1001}),
        json!({"available_until": 1000}),
    ];
    for fields in not_shown {
        assert!(!tea(fields.clone()).is_shown(1000), "{fields}");
    }
}

#[test]
fn a_patch_changes_only_the_fields_that_it_names() {
    let patch = json!({
        "price": 9.5, "stock": null, "tags": null, "attributes": {"grams": 500, "notes": null}
    });
    let patched = ProductPatch::from_json(patch).unwrap().apply(&product(full())).unwrap();
    let mut expected = product(full());
    expected.price = Some("9.5".parse().unwrap());
    expected.stock = None;
    expected.tags.clear();
    expected.attributes.remove("notes");
    let grams = product(json!({"product_id": "p", "attributes": {"grams": 500}}));
    expected.attributes.extend(grams.attributes);
    assert_eq!(patched, expected);
}

#[test]
fn a_patch_is_checked_like_a_product() {
    let refused = |patch: Value| {
        let patch = ProductPatch::from_json(patch);
        patch.and_then(|patch| patch.apply(&product(full()))).unwrap_err().field
    };
    assert_eq!(refused(json!({"colour": "red"})), "colour");
    assert_eq!(refused(json!({"price": "free"})), "price");
    assert_eq!(refused(json!({"product_id": "other"})), "product_id");
    assert_eq!(refused(json!({"tags": {"a": 1}})), "tags");
    assert_eq!(refused(json!({"available_until": "2025-01-01T00:00:00Z"})), "available_until");
    assert_eq!(refused(json!("price")), "");
}

#[test]
fn an_amount_is_exact() {
    let kept = ["0", "12", "12.9", "12.90", "0.0001", "999999999999.9999", "1200"];
    for text in kept {
        assert_eq!(text.parse::<Money>().unwrap().to_string(), text);
    }
    for (text, written) in [("007.50", "7.50"), ("1.500000", "1.5000"), ("-0.0", "0.0")] {
        assert_eq!(text.parse::<Money>().unwrap().to_string(), written);
    }
    for text in ["", ".", "1.", ".5", "1e3", "+1", "1_000", "1.23456", "-1", "1000000000000", "١"]
    {
        assert!(text.parse::<Money>().is_err(), "{text}");
    }
    let (a, b): (Money, Money) = ("12.9".parse().unwrap(), "12.90".parse().unwrap());
    assert_eq!(a, b);
    assert!(a < "12.91".parse().unwrap());
}

/// A JSON value that may occur in a product or not.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_field() -> impl Strategy<Value = String> {
    let names: Vec<String> = full().as_object().unwrap().keys().cloned().collect();
    prop::sample::select(names)
}

proptest! {
    #[test]
    fn money_survives_text_and_json(units in 0_u64..10_u64.pow(16), decimals in 0_usize..=4) {
        let text = format!("{}.{:04}", units / 10_000, units % 10_000);
        let cut = match decimals {
            0 => text.len() - 5,
            n => text.len() - 4 + n,
        };
        let text = &text[..cut];
        let money: Money = text.parse().unwrap();
        prop_assert_eq!(money.to_string(), text);
        let json = serde_json::to_string(&money).unwrap();
        let again: Money = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(again.to_string(), text);
    }

    #[test]
    fn a_json_number_is_the_amount_that_was_written(cents in 0_u64..10_u64.pow(12)) {
        let text = format!("{}.{:02}", cents / 100, cents % 100);
        let number: Money = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(number, text.parse::<Money>().unwrap());
    }

    #[test]
    fn any_json_is_a_valid_product_or_an_error(
        fields in prop::collection::hash_map(any_field(), any_json(), 0..6),
    ) {
        let mut object: Map<String, Value> = fields.into_iter().collect();
        object.insert("product_id".to_owned(), json!("p"));
        if let Ok(product) = Product::from_json(Value::Object(object)) {
            prop_assert_eq!(&Product::from_json(product.to_json()).unwrap(), &product);
        }
    }

    /// The laws of RFC 7396: a patch applied twice changes nothing more; an empty patch
    /// changes nothing; a product patched with another's fields is the other.
    #[test]
    fn patches_obey_their_laws(
        fields in prop::collection::hash_map(any_field(), any_json(), 0..4),
    ) {
        let before = product(full());
        let none = ProductPatch::from_json(json!({})).unwrap();
        prop_assert_eq!(&none.apply(&before).unwrap(), &before);
        let patch = ProductPatch::from_json(Value::Object(fields.into_iter().collect())).unwrap();
        if let Ok(after) = patch.apply(&before) {
            prop_assert_eq!(&patch.apply(&after).unwrap(), &after);
        }
        let mut whole: Map<String, Value> =
            full().as_object().unwrap().keys().map(|name| (name.clone(), Value::Null)).collect();
        whole.remove("product_id");
        whole.insert("name".to_owned(), json!("Other"));
        let other = ProductPatch::from_json(Value::Object(whole)).unwrap().apply(&before).unwrap();
        prop_assert_eq!(other, product(json!({"product_id": "tea-1", "name": "Other"})));
    }
}
