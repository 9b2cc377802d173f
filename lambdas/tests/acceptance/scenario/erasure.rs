//! A shopper is erased.

use arrow_array::cast::AsArray;
use axum::body::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::scenario::{ATTEMPTS, PAUSE};
use crate::shop::{Shop, products, ranks};

/// The tables of the lake with rows of shoppers.
const TABLES: [&str; 4] = ["orders", "order_products", "events", "impressions"];

/// How many rows of each table name a shopper.
async fn rows(shop: &impl Shop, user: &str) -> [usize; 4] {
    let mut rows = [0; 4];
    for (path, content) in shop.lake_files().await {
        let Some(at) = TABLES.iter().position(|table| path.split('/').next() == Some(table)) else {
            continue;
        };
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(content)).unwrap();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let users = batch.column_by_name("user_id").unwrap().as_string::<i32>();
            rows[at] += users.iter().filter(|found| *found == Some(user)).count();
        }
    }
    rows
}

/// The rows of an export by table.
fn exported(export: &Value) -> [usize; 3] {
    let rows = |table: &str| export["stored"][table].as_array().unwrap().len();
    ["orders", "events", "impressions"].map(rows)
}

/// The step of the only erasure that is listed.
async fn step(shop: &impl Shop, user: &str) -> Value {
    let (status, listed) = shop.call("GET", "/v1/erasures", None).await;
    let [erasure] = listed["erasures"].as_array().unwrap().as_slice() else {
        panic!("{status}: {listed}");
    };
    assert_eq!(erasure["user_id"], user, "{listed}");
    assert_eq!(erasure["unreadable"].as_array().map_or(0, Vec::len), 0, "{listed}");
    erasure["step"].clone()
}

/// A shopper with history, session and cart is erased. Returns lists of recommendations.
pub async fn erases(shop: &mut impl Shop) -> Vec<Value> {
    let [user, other] = shop.learned().users.clone();
    let path = format!("/v1/users/{user}");
    let (list, export) = (format!("{path}/recommendations"), format!("{path}/export"));
    let add = json!({"user_id": user, "event": "add_to_cart", "product_ids": ["1"]});
    assert_eq!(shop.call("POST", "/submit", Some(add.clone())).await.0, 200);
    shop.catch_up().await;
    let (_, known) = shop.call("GET", &export, None).await;
    assert!(known["record"].is_object() && known["session"]["cart"].is_array(), "{known}");
    let (_, own) = shop.call("GET", &list, None).await;

    // Every table has rows of the shopper once all is delivered, and the export shows them.
    for n in 0.. {
        shop.deliver().await;
        if rows(shop, &user).await.iter().all(|rows| *rows > 0) {
            break;
        }
        assert!(n < ATTEMPTS, "nothing is delivered: {:?}", rows(shop, &user).await);
        tokio::time::sleep(PAUSE).await;
    }
    let (status, known) = shop.call("GET", &export, None).await;
    assert_eq!(status, 200, "{known}");
    assert!(exported(&known).iter().all(|rows| *rows > 0), "{known}");
    let [orders, lines, ..] = rows(shop, &other).await;

    // From the answer on, nothing is known of the shopper: neither session nor history.
    let (status, erased) = shop.call("DELETE", &path, None).await;
    assert_eq!((status, &erased["step"]), (202, &json!("lake")), "{erased}");
    assert_eq!(step(shop, &user).await, "lake");
    let (_, gone) = shop.call("GET", &path, None).await;
    assert_eq!((&gone["session"], &gone["record"]), (&Value::Null, &Value::Null), "{gone}");
    let (_, answer) = shop.call("GET", &list, None).await;
    let (_, stranger) = shop.call("GET", "/v1/users/nobody/recommendations", None).await;
    assert_eq!(ranks(&answer), ranks(&stranger));
    assert_ne!(products(&answer), products(&own));

    // The lake follows: no table has a row of the shopper, and those of others are as they were.
    for n in 0.. {
        shop.deliver().await;
        shop.erase_from_lake().await;
        if step(shop, &user).await == "features" {
            break;
        }
        assert!(n < ATTEMPTS, "the lake does not forget the shopper");
        tokio::time::sleep(PAUSE).await;
    }
    // But the answer since then: it has begun a new history.
    let of_user = rows(shop, &user).await;
    assert_eq!(of_user[..3], [0; 3], "{of_user:?}");
    assert_eq!(rows(shop, &other).await[..2], [orders, lines]);
    let (_, empty) = shop.call("GET", &export, None).await;
    assert_eq!((&empty["session"], &empty["record"]), (&Value::Null, &Value::Null), "{empty}");
    assert_eq!(exported(&empty), [0, 0, of_user[3]], "{empty}");
    let since = empty["stored"]["impressions"].as_array().unwrap().iter();
    let is_new = |row: &Value| row["received_at_ms"].as_i64() > erased["erased_at_ms"].as_i64();
    assert!(since.clone().count() < 2 && since.clone().all(is_new), "{empty}");

    // And so does a new event.
    assert_eq!(shop.call("POST", "/submit", Some(add)).await.0, 200);
    shop.catch_up().await;
    let (_, anew) = shop.call("GET", &path, None).await;
    assert_eq!((&anew["session"]["events"], &anew["record"]), (&json!(1), &Value::Null), "{anew}");
    [&own, &answer].map(ranks).into()
}
