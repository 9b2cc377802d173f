//! The catalogue through the router: changes, conditions, batches, full feeds.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use cartwheel_engine::{Opened, ServingEngine};
use cartwheel_events::Record;
use cartwheel_sessions::{LiveCatalogue, consume_products};
use cartwheel_stream::Stream;
use serde_json::{Value, json};

use super::harness::{Reply, Shop};
use super::streams::Faults;
use crate::AppState;

/// Lets the server keep this catalogue, without any release.
pub(super) fn keep(state: &mut AppState, live: &Arc<LiveCatalogue>) {
    let engine = ServingEngine::new(Opened::nothing("UTC").unwrap());
    state.engine = Arc::new(engine.with_catalogue(live.clone(), false));
    state.catalogue = Some(live.clone());
}

async fn shop() -> Shop {
    Shop::with(|state| keep(state, &Arc::new(LiveCatalogue::in_memory()))).await
}

impl Shop {
    async fn change(
        &self,
        method: &str,
        id: &str,
        body: Option<&Value>,
        header: Option<(&str, &str)>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("/v1/products/{id}"));
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).unwrap()).await
    }

    async fn put_product(&self, id: &str, body: Value) -> Reply {
        self.change("PUT", id, Some(&body), None).await
    }

    async fn recommended(&self) -> Vec<String> {
        self.post("/v1/recommendations", &json!({"user_id": "u", "limit": 100})).await.products()
    }

    async fn changes(&self) -> usize {
        let records = self.stored(0).await.into_iter();
        records.filter(|record| matches!(record, Record::Product(_))).count()
    }
}

fn etag(reply: &Reply) -> String {
    reply.headers["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_next_recommendation_sees_each_change() {
    let shop = shop().await;
    assert_eq!(shop.recommended().await, Vec::<String>::new());
    let tea = json!({"name": "Tea", "categories": ["Drinks", "Tea"], "price": "2.50",
                     "currency": "EUR", "stock": 3});
    let reply = shop.put_product("tea", tea).await;
    assert_eq!((reply.status.as_u16(), reply.json()["price"].clone()), (201, json!("2.50")));
    let answer = shop.post("/v1/recommendations", &json!({"user_id": "u"})).await.json();
    let item = &answer["recommendations"][0];
    assert_eq!(item["product_name"], "Tea");
    assert_eq!((&item["department"], &item["aisle"]), (&json!("Drinks"), &json!("Tea")));
    assert_eq!((&item["price"], &item["currency"]), (&json!("2.50"), &json!("EUR")));

    let sold_out = shop.change("PATCH", "tea", Some(&json!({"stock": 0})), None).await;
    assert_eq!((sold_out.status.as_u16(), &sold_out.json()["stock"]), (200, &json!(0)));
    assert!(shop.recommended().await.is_empty());
    let shown = shop.get("/v1/products/tea").await.json();
    assert_eq!((&shown["in_stock"], &shown["shown"]), (&json!(false), &json!(false)));
    shop.change("PATCH", "tea", Some(&json!({"stock": null})), None).await;
    assert_eq!(shop.recommended().await, ["tea"]);

    assert_eq!(shop.change("DELETE", "tea", None, None).await.status, 204);
    assert!(shop.recommended().await.is_empty());
    shop.get("/v1/products/tea").await.problem(404, "not-found");
    shop.change("DELETE", "tea", None, None).await.problem(404, "not-found");
    shop.change("PATCH", "tea", Some(&json!({})), None).await.problem(404, "not-found");
    assert_eq!(shop.put_product("tea", json!({})).await.status, 201);
    assert_eq!(shop.recommended().await, ["tea"]);
}

#[tokio::test]
async fn a_hidden_product_exists_for_the_shop_alone() {
    let shop = shop().await;
    shop.put_product("p", json!({"name": "Secret", "hidden": true, "cost": "1.00"})).await;
    shop.get("/v1/products/p").await.problem(404, "not-found");
    assert_eq!(shop.get("/v1/products").await.json()["total"], 0);
    let own = shop.get("/v1/catalogue/products/p").await;
    assert_eq!(own.json()["product"]["cost"], "1.00");
    assert_eq!(own.json()["etag"], etag(&own));
    let listed = shop.get("/v1/catalogue/products?visibility=hidden").await.json();
    assert_eq!(listed["products"][0]["product"]["name"], "Secret");
    assert_eq!(shop.get("/v1/catalogue/products?visibility=shown").await.json()["total"], 0);
}

#[tokio::test]
async fn a_condition_protects_from_overwriting() {
    let shop = shop().await;
    let first = etag(&shop.put_product("p", json!({"name": "1"})).await);
    let change = json!({"name": "2"});
    let second = shop.change("PATCH", "p", Some(&change), Some(("if-match", &first))).await;
    assert_ne!(etag(&second), first);
    let late = json!({"name": "3"});
    for (method, header) in [
        ("PUT", ("if-match", &*first)),
        ("PUT", ("if-none-match", "*")),
        ("PATCH", ("if-match", "x")),
    ] {
        let reply = shop.change(method, "p", Some(&late), Some(header)).await;
        reply.problem(412, "precondition-failed");
    }
    let refused = shop.change("DELETE", "p", None, Some(("if-match", &first))).await;
    refused.problem(412, "precondition-failed");
    assert_eq!(shop.get("/v1/products/p").await.json()["product_name"], "2");
    let reply = shop.change("PUT", "new", Some(&late), Some(("if-none-match", "*"))).await;
    assert_eq!(reply.status, 201);
    let any = shop.change("PUT", "p", Some(&late), Some(("if-match", "*"))).await;
    assert_eq!(any.status, 200);
    let absent = shop.change("PUT", "absent", Some(&late), Some(("if-match", "*"))).await;
    absent.problem(412, "precondition-failed");
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_not_stored() {
    let shop = shop().await;
    let tag = etag(&shop.put_product("p", json!({"name": "Tea", "price": 1.5})).await);
    let again = shop.put_product("p", json!({"name": "Tea", "price": "1.50"})).await;
    assert_eq!((again.status.as_u16(), etag(&again)), (200, tag));
    assert_eq!(shop.changes().await, 1);
}

#[tokio::test]
async fn a_mistake_names_its_field_and_changes_nothing() {
    let shop = shop().await;
    let cases = [
        (json!({"price": "cheap"}), "price"),
        (json!({"product_id": "other"}), "product_id"),
        (json!({"colour": "red"}), "colour"),
        (json!([]), ""),
    ];
    for (body, field) in cases {
        let problem = shop.put_product("p", body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field);
    }
    let reply = shop.change("PUT", "p", None, None).await;
    reply.problem(415, "unsupported-media-type");
    assert_eq!(shop.changes().await, 0);
}

#[tokio::test]
async fn a_batch_has_a_result_for_each_product() {
    let shop = shop().await;
    let body = json!([
        {"product_id": "a", "name": "A"}, {"product_id": "b", "stock": -1}, {"name": "nameless"},
        {"product_id": "a", "name": "again"}, {"product_id": 7, "name": "Seven"},
    ]);
    let answer = shop.post("/v1/products", &body).await.json();
    assert_eq!(answer["failed_count"], 3);
    let of = |at: usize, field: &str| answer["products"][at][field].clone();
    assert_eq!([of(0, "outcome"), of(4, "outcome")], [json!("created"), json!("created")]);
    assert_eq!(of(4, "product_id"), "7");
    let fields: Vec<Value> = (1..4).map(|at| of(at, "error")["field"].clone()).collect();
    assert_eq!(fields, ["stock", "product_id", "product_id"]);
    assert!(answer.get("hidden_count").is_none());

    let lines =
        "{\"product_id\":\"a\",\"stock\":0}\n\n{\"product_id\":\"c\",\"brand\":\"B\"}\nnot json\n";
    let merged =
        shop.post_as("/v1/products?mode=merge", "application/x-ndjson", lines).await.json();
    let outcomes: Vec<&Value> =
        merged["products"].as_array().unwrap().iter().map(|p| &p["outcome"]).collect();
    assert_eq!(outcomes, [&json!("updated"), &json!("created"), &Value::Null]);
    let a = shop.get("/v1/catalogue/products/a").await.json();
    assert_eq!((&a["product"]["name"], &a["product"]["stock"]), (&json!("A"), &json!(0)));
    assert_eq!(shop.recommended().await.len(), 2, "c and 7");

    for (body, mode) in [(json!([]), "replace"), (json!(vec![json!({}); 1001]), "merge")] {
        let reply = shop.post(&format!("/v1/products?mode={mode}"), &body).await;
        reply.problem(400, "invalid-field");
    }
    let reply = shop.post("/v1/products?mode=some", &json!([{"product_id": "a"}])).await;
    assert_eq!(reply.problem(400, "invalid-field")["field"], "mode");
}

#[tokio::test]
async fn a_full_feed_hides_what_it_lacks() {
    let shop = shop().await;
    let feed = |ids: std::ops::Range<usize>| {
        json!(ids.map(|n| json!({"product_id": format!("p{n}"), "name": "P"})).collect::<Vec<_>>())
    };
    let first = shop.post("/v1/products?mode=full", &feed(0..10)).await.json();
    assert_eq!(first["hidden_count"], 0);
    let second = shop.post("/v1/products?mode=full", &feed(0..8)).await.json();
    assert_eq!(second["hidden_count"], 2);
    assert_eq!(shop.recommended().await.len(), 8);

    let refused = shop.post("/v1/products?mode=full", &feed(0..6)).await.problem(409, "conflict");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("2 of the 8") && detail.contains("confirm=true"), "{detail}");
    assert_eq!(shop.recommended().await.len(), 8, "nothing was changed");
    let confirmed = shop.post("/v1/products?mode=full&confirm=true", &feed(0..6)).await.json();
    assert_eq!(confirmed["hidden_count"], 2);
    assert_eq!(shop.recommended().await.len(), 6);

    // A feed with a mistake hides nothing: the product may only be spelled wrong.
    let mut wrong = feed(0..5);
    wrong.as_array_mut().unwrap().push(json!({"product_id": "p5", "price": "?"}));
    let answer = shop.post("/v1/products?mode=full", &wrong).await.json();
    assert_eq!((&answer["failed_count"], answer.get("hidden_count")), (&json!(1), None));
    assert_eq!(shop.recommended().await.len(), 6);

    // What comes back is shown again.
    let all = shop.post("/v1/products?mode=full", &feed(0..10)).await.json();
    assert_eq!(all["hidden_count"], 0);
    assert_eq!(shop.recommended().await.len(), 10);
}

#[tokio::test]
async fn products_are_paged_and_filtered() {
    let shop = shop().await;
    let products: Vec<Value> = (0..25)
        .map(|n| {
            json!({"product_id": format!("p{n}"), "name": format!("Cup {n}"),
                        "brand": if n % 2 == 0 { "Even" } else { "Odd" }, "price": n})
        })
        .collect();
    shop.post("/v1/products", &json!(products)).await;
    let mut path = "/v1/products?limit=10".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = shop.get(&path).await.json();
        assert_eq!(page["total"], 25);
        for product in page["products"].as_array().unwrap() {
            seen.push(product["product_id"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/products?limit=10&cursor={cursor}");
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 25);
    let total = async |query: &str| {
        shop.get(&format!("/v1/products?{query}")).await.json()["total"].clone()
    };
    assert_eq!(total("brand=Even").await, 13);
    assert_eq!(total("min_price=10&max_price=12.00").await, 3);
    assert_eq!(total("search=cup%207").await, 1);
    assert_eq!(total("search=evn%20cup").await, 13);
    assert_eq!(
        shop.get("/v1/products?offset=20").await.json()["products"].as_array().unwrap().len(),
        5
    );
    for (query, field) in [
        ("min_price=free", "min_price"),
        ("cursor=gone", "cursor"),
        ("cursor=p1&offset=3", "offset"),
        ("colour=red", "colour"),
    ] {
        let reply = shop.get(&format!("/v1/products?{query}")).await;
        assert_eq!(reply.problem(400, "invalid-field")["field"], field);
    }
}

#[tokio::test]
async fn unknown_products_are_listed_until_they_are_named_or_ignored() {
    let live = Arc::new(LiveCatalogue::in_memory());
    let shop = Shop::with(|state| keep(state, &live)).await;
    for products in [["x", "y"], ["x", "z"]] {
        let event = json!({"user_id": "u", "event": "view", "product_ids": products});
        assert_eq!(shop.post("/v1/events", &event).await.status, 200);
    }
    let stream: Arc<dyn Stream> = shop.log.clone();
    consume_products(stream, live, |_| false, |_| (), async {}).await.unwrap();
    let unknown = async || {
        let answer = shop.get("/v1/catalogue/unknown").await.json();
        let list = answer["products"].as_array().unwrap().iter();
        let view = |p: &Value| (p["product_id"].as_str().unwrap().to_owned(), p["events"].clone());
        list.map(view).collect::<Vec<_>>()
    };
    let expected = [("x", 2), ("y", 1), ("z", 1)].map(|(id, n)| (id.to_owned(), json!(n)));
    assert_eq!(unknown().await, expected);
    assert_eq!(shop.put_product("x", json!({"name": "X"})).await.status, 201);
    assert_eq!(shop.change("DELETE", "y", None, None).await.status, 204);
    assert_eq!(unknown().await, expected[2..]);
}

#[tokio::test]
async fn a_server_without_a_live_catalogue_says_so() {
    let shop = Shop::open().await;
    for reply in [
        shop.put_product("p", json!({})).await,
        shop.change("DELETE", "p", None, None).await,
        shop.post("/v1/products", &json!([{"product_id": "p"}])).await,
        shop.get("/v1/catalogue/products").await,
        shop.get("/v1/catalogue/unknown").await,
    ] {
        let problem = reply.problem(404, "not-found");
        assert!(problem["detail"].as_str().unwrap().contains("no live catalogue"), "{problem}");
    }
}

#[tokio::test]
async fn a_change_that_is_not_durable_is_not_visible() {
    let folder = tempfile::tempdir().unwrap();
    let live = Arc::new(LiveCatalogue::in_memory());
    let failing = Arc::new(Faults::Failed);
    let shop = Shop::over(folder, failing, |state| keep(state, &live)).await;
    let reply = shop.put_product("p", json!({"name": "P"})).await;
    reply.problem(503, "unavailable");
    assert!(live.is_empty());
}

#[tokio::test]
async fn concurrent_patches_of_a_product_all_count() {
    let shop = Arc::new(shop().await);
    shop.put_product("p", json!({"name": "P"})).await;
    let tasks = (0..20).map(|n| {
        let shop = Arc::clone(&shop);
        tokio::spawn(async move {
            let patch = json!({"attributes": {format!("a{n}"): n}});
            assert_eq!(shop.change("PATCH", "p", Some(&patch), None).await.status, 200);
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let product = shop.get("/v1/catalogue/products/p").await.json();
    assert_eq!(product["product"]["attributes"].as_object().unwrap().len(), 20);
}

#[tokio::test]
async fn cart_and_orders_show_what_the_shop_offers_now() {
    let shop = shop().await;
    for id in ["tea", "salt", "secret"] {
        let body = json!({"name": id, "price": "2.50", "currency": "EUR", "image_url": "/a.svg"});
        assert_eq!(shop.put_product(id, body).await.status, 201);
    }
    let ids = ["tea", "salt", "secret"];
    let event = |kind: &str| json!({"user_id": "u1", "event": kind, "product_ids": ids});
    shop.post("/submit", &event("add_to_cart")).await;
    for (id, patch) in
        [("salt", json!({"stock": 0, "price": "3.00"})), ("secret", json!({"hidden": true}))]
    {
        assert_eq!(shop.change("PATCH", id, Some(&patch), None).await.status, 200);
    }

    let seen = |items: &Value| -> Vec<Value> {
        let fields = ["product_id", "in_stock", "shown", "price"];
        let items = items.as_array().unwrap().iter();
        items.map(|item| json!(fields.map(|field| &item[field]))).collect()
    };
    let expected = [
        json!(["tea", true, true, "2.50"]),
        json!(["salt", false, false, "3.00"]),
        json!(["secret", true, false, null]),
    ];
    let cart = shop.get("/v1/users/u1/cart").await.json();
    assert_eq!(seen(&cart["items"]), expected);
    assert_eq!(cart["items"][0]["currency"], "EUR");
    assert_eq!(cart["items"][0]["image_url"], "/a.svg");

    let none = shop.get("/v1/users/u1/orders").await.json();
    assert_eq!(none["orders"], json!([]));
    shop.post("/submit", &event("checkout")).await;
    shop.post("/submit", &json!({"user_id": "u1", "event": "add_to_cart", "product_ids": ["tea"]}))
        .await;
    let second = json!({"user_id": "u1", "event": "checkout", "event_id": "second"});
    shop.post("/submit", &second).await;
    let orders = shop.get("/v1/users/u1/orders").await.json();
    assert_eq!(orders["orders"].as_array().unwrap().len(), 2);
    assert_eq!(orders["orders"][0]["order_id"], "second");
    assert_eq!(seen(&orders["orders"][0]["items"]), expected[..1]);
    assert_eq!(seen(&orders["orders"][1]["items"]), expected);
    assert_eq!(shop.get("/v1/users/nobody/orders").await.json()["orders"], json!([]));
    shop.get("/v1/users/u1/orders?limit=1").await.problem(400, "invalid-field");
}

#[tokio::test]
async fn a_full_feed_of_several_parts_hides_what_none_of_them_names() {
    let shop = shop().await;
    let feed = |ids: std::ops::Range<usize>| {
        json!(ids.map(|n| json!({"product_id": format!("p{n}"), "name": "P"})).collect::<Vec<_>>())
    };
    shop.post("/v1/products", &feed(0..20)).await;
    let part = |id: &str, number: usize, more: &str| {
        format!("/v1/products?mode=full&feed={id}&part={number}{more}")
    };
    let first = shop.post(&part("monday", 0, ""), &feed(0..10)).await.json();
    assert_eq!((first.get("hidden_count"), shop.recommended().await.len()), (None, 20));
    // A part whose answer was lost is sent again; another feed does not disturb this one.
    shop.post(&part("monday", 0, ""), &feed(0..10)).await.json();
    shop.post(&part("other", 0, ""), &feed(0..1)).await.json();
    let skipped = shop.post(&part("monday", 2, "&last=true"), &feed(10..17)).await;
    assert!(skipped.problem(409, "conflict")["detail"].as_str().unwrap().contains("Part 1"));
    let last = shop.post(&part("monday", 1, "&last=true"), &feed(10..17)).await.json();
    assert_eq!((&last["hidden_count"], shop.recommended().await.len()), (&json!(3), 17));

    // A feed that lacks too much changes nothing, until it is confirmed.
    shop.post("/v1/products?mode=merge&feed=tuesday&part=0", &feed(0..5)).await.json();
    let closing = "/v1/products?mode=merge&feed=tuesday&part=1&last=true";
    let refused = shop.post(closing, &feed(5..10)).await.problem(409, "conflict");
    assert!(refused["detail"].as_str().unwrap().contains("7 of the 17"), "{refused}");
    assert_eq!(shop.recommended().await.len(), 17);
    let last = shop.post(&format!("{closing}&confirm=true"), &feed(5..10)).await.json();
    assert_eq!((&last["hidden_count"], shop.recommended().await.len()), (&json!(7), 10));

    // A product that failed is not taken for one that is gone, and may come in another part.
    let wrong = json!([{"product_id": "p9", "price": "?"}]);
    shop.post(&part("wednesday", 0, ""), &wrong).await.json();
    let last = shop.post(&part("wednesday", 1, "&last=true"), &feed(0..9)).await.json();
    assert_eq!((last.get("hidden_count"), shop.recommended().await.len()), (None, 10));
    let last = shop.post(&part("wednesday", 2, "&last=true"), &feed(9..10)).await.json();
    assert_eq!(last["hidden_count"], 0);
    // One without an id is corrected with its part.
    let unnamed = json!([{"name": "P"}]);
    shop.post(&part("friday", 0, ""), &feed(0..9)).await.json();
    let last = shop.post(&part("friday", 1, "&last=true"), &unnamed).await.json();
    assert_eq!((last.get("hidden_count"), last["products"].as_array().unwrap().len()), (None, 1));
    let last = shop.post(&part("friday", 1, "&last=true"), &feed(9..10)).await.json();
    assert_eq!(last["hidden_count"], 0);

    // A server that does not know the earlier parts hides nothing.
    for other in ["x", "y"] {
        shop.post(&part(other, 0, ""), &feed(0..1)).await.json();
    }
    let lost = shop.post(&part("friday", 2, "&last=true"), &feed(0..1)).await;
    assert!(lost.problem(409, "conflict")["detail"].as_str().unwrap().contains("part 0"));
    for (query, field) in [("feed=f", "part"), ("part=0", "feed"), ("last=true", "feed")] {
        let reply = shop.post(&format!("/v1/products?{query}"), &feed(0..1)).await;
        assert_eq!(reply.problem(400, "invalid-field")["field"], field);
    }
}
