use serde_json::json;

use crate::{Event, EventKind, EventRecord, Record};

#[test]
fn an_integer_id_becomes_its_decimal_text() {
    let event = Event::from_json(&json!({"user_id": 7, "event": "view", "product_ids": [42]}));
    let event = event.unwrap();
    assert_eq!(event.user_id.as_str(), "7");
    assert_eq!(event.items[0].product_id.as_str(), "42");
    assert_eq!(event.kind, EventKind::View);
}

#[test]
fn an_id_is_any_text_of_128_bytes_without_control_characters() {
    for id in ["café 1/2", "../x", "日本", " ", "#1001", &"é".repeat(64)] {
        let body = json!({"user_id": id, "event": "view", "product_ids": [id], "event_id": id});
        let event = Event::from_json(&body).expect(id);
        let record = Record::Event(EventRecord::new(event, id.to_owned(), 1));
        assert_eq!(Record::from_slice(&record.to_vec()).expect(id), record);
    }
    for id in ["", "a\0", "\u{7f}", "\u{85}", &"x".repeat(129)] {
        let body = json!({"user_id": id, "event": "view", "product_ids": ["1"]});
        assert_eq!(Event::from_json(&body).expect_err(id).field, "user_id");
    }
}

#[test]
fn an_anonymous_id_leaves_a_byte_for_the_mark_of_guests() {
    let body = |id: &str| json!({"anonymous_id": id, "event": "view", "product_ids": ["1"]});
    let event = Event::from_json(&body(&"x".repeat(127))).unwrap();
    assert_eq!(event.user_id.as_str().len(), 128);
    let error = Event::from_json(&body(&"x".repeat(128))).unwrap_err();
    assert_eq!(error.field, "anonymous_id");
    assert!(error.problem.contains("longer than 127 bytes"), "{error}");
}

#[test]
fn an_error_names_the_invalid_field() {
    let cases = [
        (json!([]), ""),
        (json!({"event": "view"}), "user_id"),
        (json!({"user_id": "a\nb", "event": "view"}), "user_id"),
        (json!({"user_id": 1.5, "event": "view"}), "user_id"),
        (json!({"user_id": "u"}), "event"),
        (json!({"user_id": "u", "event": "buy"}), "event"),
        (json!({"user_id": "u", "event": "view"}), "product_ids"),
        (json!({"user_id": "u", "event": "impression", "recommendation_id": "r"}), "product_ids"),
        (json!({"user_id": "u", "event": "impression", "product_ids": ["x"]}), "recommendation_id"),
        (json!({"user_id": "u", "event": "view", "product_ids": "x"}), "product_ids"),
        (json!({"user_id": "u", "event": "view", "product_ids": ["ok", ""]}), "product_ids[1]"),
        (json!({"user_id": "u", "event": "view", "product_ids": vec!["x"; 201]}), "product_ids"),
        (
            json!({"user_id": "u", "event": "view", "items": [{"product_id": "x", "quantity": 0}]}),
            "items[0].quantity",
        ),
        (
            json!({"user_id": "u", "event": "view", "items": [{"product_id": "x", "price": -1}]}),
            "items[0].price",
        ),
        (json!({"user_id": "u", "event": "view", "items": [], "product_ids": []}), "items"),
        (
            json!({"user_id": "u", "event": "view", "product_ids": ["x"], "timestamp": "now"}),
            "timestamp",
        ),
        (json!({"user_id": "u", "event": "view", "product_ids": ["x"], "admin": true}), "admin"),
        (json!({"user_id": "é".repeat(65), "event": "view"}), "user_id"),
        (json!({"user_id": "~g", "event": "view", "product_ids": ["x"]}), "user_id"),
        (json!({"anonymous_id": "", "event": "view", "product_ids": ["x"]}), "anonymous_id"),
        (json!({"anonymous_id": "g".repeat(128), "event": "view"}), "anonymous_id"),
    ];
    for (body, field) in cases {
        let error = Event::from_json(&body).expect_err(&body.to_string());
        assert_eq!(error.field, field, "{body}");
    }
}

#[test]
fn a_repeated_product_becomes_one_item() {
    let body = json!({"user_id": "u", "event": "add_to_cart",
                      "items": [{"product_id": "x", "quantity": 2}, {"product_id": "x"}]});
    let event = Event::from_json(&body).unwrap();
    assert_eq!(event.items.len(), 1);
    assert_eq!(event.items[0].quantity, 3);
}

#[test]
fn a_record_round_trips() {
    let body = json!({"user_id": "u", "event": "checkout", "source": "web",
                      "items": [{"product_id": "x", "price": 1.25}]});
    let event = Event::from_json(&body).unwrap();
    let record = Record::Event(EventRecord::new(event, "e-1".into(), 1_700_000_000_000));
    assert_eq!(Record::from_slice(&record.to_vec()).unwrap(), record);
}

/// API Gateway writes records of pages without a function: infra/modules/browser_ingest/event.vtl.
#[test]
fn records_that_the_mapping_template_writes_are_those_of_the_server() {
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../../infra/check/ingested.json")).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let (body, record) = (&case["event"], &case["record"]);
        let event = Event::from_json(body).unwrap();
        let id = record["event_id"].as_str().unwrap().to_owned();
        let at_ms = record["received_at_ms"].as_i64().unwrap();
        let expected = Record::Event(EventRecord::new(event, id, at_ms));
        assert_eq!(Record::from_slice(record.to_string().as_bytes()).unwrap(), expected, "{body}");
    }
}

#[test]
fn a_record_with_lists_of_different_length_is_rejected() {
    let text = br#"{"schema_version":1,"event_id":"e","user_id":"u","event":"view",
        "product_ids":["a"],"quantities":[],"prices":[null],"received_at_ms":1}"#;
    assert!(Record::from_slice(text).is_err());
}

#[test]
fn guests_and_users_have_separate_ids() {
    let read = |shopper: serde_json::Value| {
        let mut body = json!({"event": "view", "product_ids": ["x"]});
        body.as_object_mut().unwrap().extend(shopper.as_object().unwrap().clone());
        Event::from_json(&body).unwrap()
    };
    let guest = read(json!({"anonymous_id": 7, "user_id": null}));
    assert_eq!((guest.user_id.as_str(), guest.guest.as_ref()), ("~7", None));
    assert_eq!((guest.user_id.is_guest(), guest.user_id.anonymous_id()), (true, Some("7")));
    let user = read(json!({"user_id": 7}));
    assert_eq!((user.user_id.is_guest(), user.user_id.anonymous_id()), (false, None));
    assert_ne!(user.user_id, guest.user_id);
    let both = read(json!({"user_id": 7, "anonymous_id": 7}));
    assert_eq!((&both.user_id, both.guest.as_ref()), (&user.user_id, Some(&guest.user_id)));
    let record = EventRecord::new(both, "e".into(), 1);
    assert_eq!(record.anonymous_id.as_deref(), Some("7"));
    let record = Record::Event(record);
    assert_eq!(Record::from_slice(&record.to_vec()).unwrap(), record);
}

#[test]
fn a_search_has_a_text_and_no_other_event_does() {
    let search = |query: serde_json::Value| {
        Event::from_json(&json!({"user_id": "u", "event": "search", "query": query}))
    };
    let event = search(json!(" green tea ")).unwrap();
    assert_eq!((event.kind, event.query.as_deref()), (EventKind::Search, Some("green tea")));
    let record = Record::Event(EventRecord::new(event, "e".to_owned(), 1));
    assert_eq!(Record::from_slice(&record.to_vec()).unwrap(), record);
    assert!(search(json!("é".repeat(200))).is_ok());
    for query in [json!(null), json!(""), json!("  "), json!(7), json!("x".repeat(201))] {
        assert_eq!(search(query).unwrap_err().field, "query");
    }
    let view = json!({"user_id": "u", "event": "view", "product_ids": ["1"], "query": "tea"});
    assert_eq!(Event::from_json(&view).unwrap_err().field, "query");
}

#[test]
fn an_event_may_name_the_shoppers_country() {
    let view = |country: serde_json::Value| {
        let body =
            json!({"user_id": "u", "event": "view", "product_ids": ["1"], "country": country});
        Event::from_json(&body)
    };
    let record = EventRecord::new(view(json!("at")).unwrap(), "e".into(), 1);
    let stored = Record::from_slice(&Record::Event(record.clone()).to_vec()).unwrap();
    assert_eq!(stored, Record::Event(record.clone()));
    assert_eq!(record.country.unwrap().as_str(), "AT");
    assert_eq!(view(json!(null)).unwrap().country, None);
    for country in [json!(""), json!("AUT"), json!(4), json!("a1")] {
        assert_eq!(view(country).unwrap_err().field, "country");
    }
}

#[test]
fn the_last_value_of_a_field_counts() {
    let read = |text: &str| Event::from_borrowed(&serde_json::from_str(text).unwrap());
    let event = read(
        r#"{"user_id":1,"event":"view","event":"add_to_cart","product_ids":["a"],
            "product_ids":["\u00e9","\u00e9","b"],"user_id":"u"}"#,
    );
    let event = event.unwrap();
    assert_eq!((event.user_id.as_str(), event.kind), ("u", EventKind::AddToCart));
    let items: Vec<_> = event.items.iter().map(|i| (i.product_id.as_str(), i.quantity)).collect();
    assert_eq!(items, [("é", 2), ("b", 1)]);
    let error = read(r#"{"user_id":"u","event":"view","product_ids":["a"],"user_id":null}"#);
    assert_eq!(error.unwrap_err().field, "user_id");
}
