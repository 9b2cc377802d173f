//! `GET /v1/users/{id}/buy-again`.

use cartwheel_events::Record;

use super::harness::Shop;

#[tokio::test]
async fn products_to_buy_again_have_dates_and_are_recorded_as_an_impression() {
    let shop = Shop::open().await;
    let answer = shop.get("/v1/users/u1/buy-again?limit=2").await.json();
    let items = answer["recommendations"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["due_at"]), (2, &"2026-03-14T09:00:00Z".into()));
    assert!(items[0].get("due_latest").is_none(), "unknown dates are left out");
    let records = shop.stored(1).await;
    let Record::Impression(impression) = &records[0] else { panic!("{records:?}") };
    assert_eq!(answer["recommendation_id"], impression.recommendation_id.as_str());
    assert_eq!(impression.shown.len(), 2);
    for (path, field) in [
        ("/v1/users/u1/buy-again?limit=0", "limit"),
        ("/v1/users/u1/buy-again?filter=prize", "filter"),
        ("/v1/users/u1/buy-again?explain=true", "explain"),
    ] {
        let problem = shop.get(path).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{path} {problem}");
    }
}
