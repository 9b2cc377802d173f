//! The live catalogue behind several instances of the function `api`.

use std::time::{Duration, Instant};

use cartwheel_testkit::Function;
use serde_json::{Value, json};

use crate::cloud::{Account, call, gateway};
use crate::learned::Learned;
use crate::shop::products;

/// Far above the interval at which instances look for changes.
const LIMIT: Duration = Duration::from_secs(60);
/// A journal of this many entries is shortened.
const ENTRIES: usize = 128;

async fn ask(api: &Function, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    call(api, &gateway(method, path, body.as_ref(), None)).await
}

async fn patch(api: &Function, product: &str, fields: Value, tag: Option<&Value>) -> (u16, Value) {
    let path = format!("/v1/products/{product}");
    let mut event = gateway("PATCH", &path, Some(&fields), None);
    if let Some(tag) = tag {
        event["headers"]["if-match"] = tag.clone();
    }
    call(api, &event).await
}

async fn etag(api: &Function, product: &str) -> Value {
    let (status, entry) = ask(api, "GET", &format!("/v1/catalogue/products/{product}"), None).await;
    assert_eq!(status, 200, "{entry}");
    entry["etag"].clone()
}

pub async fn changes(learned: &Learned) {
    let account = Account::open().await;
    account.run_pipeline(learned, "run-1", true).await;
    let (one, other) = (account.function("api", &[]).await, account.function("api", &[]).await);
    let list = format!("/v1/users/{}/recommendations", learned.users[0]);
    let recommended = async |api: &Function| products(&ask(api, "GET", &list, None).await.1);

    // Sold out: the instance that took the change no longer recommends it, the other one soon.
    let before = recommended(&one).await;
    assert!(recommended(&other).await.contains(&before[0]));
    let top = before[0].as_str();
    let (status, stored) = patch(&one, top, json!({"stock": 0}), None).await;
    assert_eq!((status, &stored["stock"]), (200, &json!(0)), "{stored}");
    let after = recommended(&one).await;
    assert!(!after.contains(&before[0]), "{after:?}");
    let start = Instant::now();
    while recommended(&other).await.contains(&before[0]) {
        assert!(start.elapsed() < LIMIT, "the other instance follows");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    // A condition holds for all instances.
    let tag = etag(&one, top).await;
    let (status, _) = patch(&other, top, json!({"stock": 5}), Some(&tag)).await;
    assert_eq!(status, 200, "it knows the tag of the other instance");
    assert!(recommended(&other).await.contains(&before[0]), "it is back");
    let (status, refused) = patch(&one, top, json!({"stock": 6}), Some(&tag)).await;
    assert_eq!((status, &refused["status"]), (412, &json!(412)), "{refused}");

    // Two writers of one product: both changes are in it.
    let write = async |api: &Function, field: &str| {
        for n in 1..=10 {
            let (status, answer) = patch(api, top, json!({"attributes": {field: n}}), None).await;
            assert_eq!(status, 200, "{answer}");
        }
    };
    tokio::join!(write(&one, "left"), write(&other, "right"));
    let (_, stored) = patch(&one, top, json!({"brand": "Both"}), None).await;
    let attributes = &stored["attributes"];
    assert_eq!((&attributes["left"], &attributes["right"]), (&json!(10), &json!(10)), "{stored}");

    // Products of a request succeed or fail one by one, within the bounds of a server.
    let batch = json!([{"product_id": "new", "name": "New"}, {"product_id": "bad", "price": "x"}]);
    let (status, answer) = ask(&one, "POST", "/v1/products", Some(batch)).await;
    assert_eq!((status, &answer["failed_count"]), (200, &json!(1)), "{answer}");
    assert_eq!(answer["products"][0]["outcome"], "created");
    let many: Vec<Value> = (0..1_001).map(|n| json!({"product_id": n})).collect();
    assert_eq!(ask(&one, "POST", "/v1/products", Some(many.into())).await.0, 400);
    assert_eq!(patch(&one, "nothing", json!({"stock": 1}), None).await.0, 404);
    assert_eq!(patch(&one, top, json!({"stock": -1}), None).await.0, 400);
    assert_eq!(ask(&other, "DELETE", "/v1/products/new", None).await.0, 204);
    assert_eq!(ask(&other, "DELETE", "/v1/products/new", None).await.0, 404);

    // After many changes there is a snapshot, from which the next instance starts.
    for n in 0..ENTRIES {
        assert_eq!(patch(&one, top, json!({"stock": n}), None).await.0, 200);
    }
    assert_eq!(account.keys("snapshots").await, ["snapshots/catalogue.zst"]);
    let started = account.function("api", &[]).await;
    assert_eq!(etag(&started, top).await, etag(&one, top).await);
    assert_eq!(ask(&started, "GET", "/v1/products/new", None).await.0, 404);
}
