use super::*;
use crate::{Engagement, Inspector, read_rejects};

#[tokio::test]
async fn an_event_counts_for_the_impression_that_it_names() {
    let stream = Arc::new(MemoryStream::new(2));
    stream
        .put(vec![
            impression("r1", "u1", &["a", "b", "c"], 1_000),
            event("u1", "view", &["b"], Some("r1"), 2_000),
            event("u1", "add_to_cart", &["b"], Some("r1"), 3_000),
            // No recommendation, a product that it does not hold, an unknown recommendation.
            event("u1", "add_to_cart", &["a"], None, 4_000),
            event("u1", "add_to_cart", &["z"], Some("r1"), 5_000),
            event("u1", "view", &["a"], Some("other"), 6_000),
            // Another shopper buys the product first.
            event("u2", "checkout", &["b"], None, 7_000),
            impression("r2", "u2", &["b"], 8_000),
            event("u1", "checkout", &["b", "a"], None, 9_000),
            // A later hour, and an impression without products.
            impression("r3", "u1", &["c"], 7_300_000),
            event("u1", "checkout", &["c"], Some("r3"), 7_400_000),
            impression("r4", "u1", &[], 7_500_000),
        ])
        .await;
    let dir = tempfile::tempdir().unwrap();
    delivery(&stream, dir.path()).deliver().await.unwrap();
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let report = |from, to, limit| {
        let mut found = lake.engagement(from, to, limit).unwrap();
        found.impressions.sort_by_key(|impression| impression.received_at_ms);
        found
    };
    let all = report(0, 8_000_000, 100);
    let no = Engagement::default();
    let positions: Vec<_> = all.impressions.iter().map(|i| i.positions.clone()).collect();
    assert_eq!(positions[0], [no, Engagement { viewed: true, added: true, bought: true }, no]);
    assert_eq!(positions[1..], [vec![no], vec![Engagement { bought: true, ..no }]]);
    assert_eq!((all.truncated, all.impressions[0].release.as_str()), (false, "f+m"));
    assert_eq!(report(7_000_000, 8_000_000, 100).impressions.len(), 1);
    assert_eq!(report(0, 1_000, 100).impressions.len(), 0);
    let newest = report(0, 8_000_000, 1);
    assert!(newest.truncated && newest.impressions[0].received_at_ms == 7_300_000, "{newest:?}");
}

#[tokio::test]
async fn the_inspector_lists_and_samples_tables() {
    let (dir, csv) = (tempfile::tempdir().unwrap(), whole_shop());
    let lake = dir.path().join("lake");
    let inspector = Inspector::new(Lake::open(&lake).unwrap());
    assert!(inspector.tables().unwrap().iter().all(|table| table.files.is_empty()));
    let summary = import_shop(&lake, csv.path()).unwrap();
    let stream = Arc::new(MemoryStream::new(1));
    stream.put(vec![checkout("u", "e", 1_000)]).await;
    let mut delivery = delivery(&stream, dir.path());
    assert_eq!(delivery.status().now().files, 0);
    delivery.deliver().await.unwrap();
    let status = delivery.status().now();
    assert_eq!((status.files, status.error.clone()), (1, None));
    assert!(status.newest[0].path.starts_with("events/year=1970/"), "{status:?}");

    let rows = |name: &str| {
        let table = inspector.table(name).unwrap().unwrap();
        table.files.iter().map(|file| file.rows).sum::<u64>()
    };
    assert_eq!((rows("orders"), rows("order_products"), rows("products")), (3, 4, 3));
    assert_eq!((rows("events"), rows("impressions")), (1, 0));
    assert_eq!(inspector.table("../models").unwrap(), None);
    let events = inspector.table("events").unwrap().unwrap();
    let sample = inspector.sample(&events.files[0].path, 5).unwrap();
    let column = |name: &str| sample.columns.iter().position(|column| column.name == name).unwrap();
    let row = &sample.rows[0];
    assert_eq!(row[column("user_id")].as_deref(), Some("u"));
    assert_eq!(row[column("session_id")], None);
    assert!(row[column("product_ids")].as_deref().unwrap().contains("p2"), "{row:?}");

    let rejects = read_rejects(&summary.rejects.unwrap(), 2).unwrap();
    assert_eq!(rejects.len(), 2);
    assert!(rejects[0].file.ends_with(".csv") && !rejects[0].reason.is_empty(), "{rejects:?}");
}

#[tokio::test]
async fn purchases_of_a_guest_are_those_of_the_user_it_turned_out_to_be() {
    let record = |body: serde_json::Value, id: &str, at_ms| {
        let event = Event::from_json(&body).unwrap();
        Record::Event(EventRecord::new(event, id.to_owned(), at_ms))
    };
    let bought = |id: &str, at_ms| {
        let body = json!({"anonymous_id": "g", "event": "checkout", "product_ids": ["p"]});
        record(body, id, at_ms)
    };
    let tie = |user: &str, at_ms: i64| {
        let body = json!({"anonymous_id": "g", "user_id": user, "event": "identify"});
        record(body, &format!("t{at_ms}"), at_ms)
    };
    let stream = Arc::new(MemoryStream::new(4));
    let records = vec![
        bought("e1", 1_000),
        tie("ann", 2_000),
        bought("e2", 3_000),
        tie("bob", 4_000),
        bought("e3", 5_000),
        checkout("ann", "e1", 6_000),
        record(
            json!({"anonymous_id": "other", "event": "checkout", "product_ids": ["p"]}),
            "e4",
            7_000,
        ),
    ];
    stream.put(records).await;
    let dir = tempfile::tempdir().unwrap();
    delivery(&stream, dir.path()).deliver().await.unwrap();
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let found = lake.checkouts().unwrap();
    let owners = found.records.iter().map(|row| (&*row.user_id, &*row.event_id));
    assert_eq!(
        owners.collect::<Vec<_>>(),
        [("ann", "e1"), ("ann", "e2"), ("bob", "e3"), ("~other", "e4")]
    );
    assert_eq!(found.records[0].received_at_ms, 1_000, "the same event of both counts once");
}
