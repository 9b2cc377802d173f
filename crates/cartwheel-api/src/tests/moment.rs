//! What impressions record so that their answers can be made again.

use std::sync::Arc;

use cartwheel_events::Record;
use serde_json::{Value, json};

use super::harness::Shop;
use crate::{AnswerSettings, Recording};

/// The moments of the impressions that some requests leave, in their order.
async fn moments(shop: &Shop, requests: &[(&str, Value)]) -> Vec<Option<Value>> {
    for (count, (path, body)) in requests.iter().enumerate() {
        let reply = shop.post(path, body).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
        // Impressions are stored in the background.
        shop.stored(count + 1).await;
    }
    let moment = |record: Record| match record {
        Record::Impression(impression) => impression.moment,
        other => panic!("{other:?}"),
    };
    let found = shop.stored(requests.len()).await.into_iter().map(moment);
    found.map(|text| text.map(|text| serde_json::from_str(&text).unwrap())).collect()
}

#[tokio::test]
async fn an_impression_records_its_request_within_bounds() {
    let settings = AnswerSettings { timezone: "UTC".to_owned(), ..AnswerSettings::default() };
    let recording = Recording { settings, ..Recording::default() };
    let shop = Shop::with(|state| state.recording = Some(Arc::new(recording))).await;
    let excluded: Vec<String> = (0..900).map(|n| format!("product-{n}")).collect();
    let found = moments(
        &shop,
        &[
            (
                "/v1/recommendations",
                json!({"user_id": "u1", "limit": 3, "cart": ["tea"],
                "filter": "brand = context.brand", "context": {"brand": "Uji"}}),
            ),
            ("/v1/placements/product", json!({"user_id": "u1", "product_id": "p9"})),
            (
                "/v1/recommendations",
                json!({"user_id": "u1",
                "filters": {"exclude_products": excluded}}),
            ),
            ("/v1/rank", json!({"user_id": "u1", "products": ["p1"]})),
        ],
    )
    .await;
    let request = |at: usize| found[at].as_ref().unwrap()["request"].clone();
    let expected = json!({"shopper": {"limit": 3, "own_cart": true,
        "filter": "brand = context.brand", "context": {"brand": "Uji"}}});
    assert_eq!(request(0), expected);
    let expected = json!({"lists": {"lists": [{"name": "product", "product_id": "p9"}]}});
    assert_eq!(request(1), expected);
    assert_eq!((&found[2], &found[3]), (&None, &None), "too long; a route that records nothing");
}

#[tokio::test]
async fn a_host_that_cannot_answer_again_records_nothing() {
    let shop = Shop::open().await;
    let body = json!({"user_id": "u1"});
    assert_eq!(moments(&shop, &[("/v1/recommendations", body)]).await, [None]);
}
