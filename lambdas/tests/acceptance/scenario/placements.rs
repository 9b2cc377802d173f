//! The shop arranges a placement of its page.

use serde_json::{Value, json};

use crate::scenario::{ATTEMPTS, PAUSE};
use crate::shop::{Shop, products, ranks};

/// A placement is added, and rules pin a product to it and block another. Returns its lists.
pub async fn change(shop: &mut impl Shop) -> Vec<Value> {
    let body = Some(json!({"user_id": shop.learned().users[1]}));
    let shelf = "/v1/placements/shelf";
    assert_eq!(shop.call("POST", shelf, body.clone()).await.0, 404, "there is none");
    let popular = products(&shop.call("GET", "/v1/popular?limit=100", None).await.1);

    // A mistake changes nothing.
    let wrong = json!({"kind": "popular", "filter": "prise < 5"});
    let (status, refused) = shop.operate("PUT", shelf, Some(wrong)).await;
    assert_eq!((status, &refused["field"]), (400, &json!("filter")), "{refused}");
    let placement = json!({"kind": "popular", "limit": 5});
    let (status, stored) = shop.operate("PUT", shelf, Some(placement.clone())).await;
    assert_eq!((status, &stored["kind"]), (201, &placement["kind"]), "{stored}");
    let plain = until(shop, shelf, &body, |list| !list.is_empty()).await;
    assert_eq!(products(&plain), popular[..5], "the best sellers");

    // The rules hold for it: one product leads, another is in no list of it.
    let (pinned, blocked) = (&popular[20], &popular[0]);
    let rules = [
        ("lead", pinned, json!({"kind": "pin", "place": 1})),
        ("recalled", blocked, json!({"kind": "block"})),
    ];
    for (id, product, action) in rules {
        let rule = json!({"id": id, "products": {"ids": [product]}, "action": action,
                          "scope": {"placements": ["shelf"]}});
        let (status, stored) = shop.operate("PUT", &format!("/v1/rules/{id}"), Some(rule)).await;
        assert!(status < 300, "{stored}");
    }
    let ruled =
        until(shop, shelf, &body, |list| list.first() == Some(pinned) && !list.contains(blocked));
    let ruled = ruled.await;
    let expected = [&popular[20..21], &popular[1..5]].concat();
    assert_eq!(products(&ruled), expected);
    assert_eq!(ruled["recommendations"][0]["moved_by"]["rule"], "lead", "{ruled}");
    let (_, elsewhere) = shop.call("GET", "/v1/popular?limit=5", None).await;
    assert_eq!(products(&elsewhere), popular[..5], "public lists follow no rules");
    [&plain, &ruled].map(ranks).into()
}

/// Asks for a placement until its list is as it has to become: changes reach a shop in the background.
async fn until(
    shop: &impl Shop,
    path: &str,
    body: &Option<Value>,
    is_there: impl Fn(&[String]) -> bool,
) -> Value {
    for _ in 0..ATTEMPTS {
        let (_, answer) = shop.call("POST", path, body.clone()).await;
        if is_there(&products(&answer)) {
            return answer;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("the shop does not follow the change of {path}");
}
