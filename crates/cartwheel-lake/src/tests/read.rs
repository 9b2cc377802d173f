use super::*;
use crate::{Inspector, read_rejects};

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
