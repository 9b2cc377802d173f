//! Shopper tokens and publishable keys: a browser acts for its own shopper only.

use axum::body::Body;
use axum::http::Request;
use cartwheel_ambient::Clock;
use cartwheel_events::UserId;
use serde_json::{Value, json};

use super::harness::{Reply, START, Shop};
use crate::access::scope::{Access, Audience};
use crate::router::routes;
use crate::{ApiKey, AppState, Claims, KeyHash, PublishableKey, Scope, Settings, SigningSecret};

const GUEST: &str = "9b1c3d2e-77aa-4c55-8f3e-2a6b4c8d0e1f";
const BOTH: &str = "events:write recommendations:read";

fn signing() -> SigningSecret {
    SigningSecret::new([7; 32])
}

fn publishable() -> String {
    PublishableKey::new([5; 16]).as_str().to_owned()
}

/// One key of a shop, with both halves, under a clock that stands still.
fn web_key(state: &mut AppState) {
    state.clock = Clock::fixed(START);
    state.keys.replace(vec![ApiKey {
        name: "web".into(),
        hash: KeyHash::of("secret"),
        scopes: vec![Scope::EventsWrite, Scope::RecommendationsRead],
        publishable: Some(PublishableKey::new([5; 16])),
        signing: Some(signing()),
    }]);
}

fn token(sub: &str, scope: &str, seconds: i64) -> String {
    let claims =
        Claims { sub: UserId::new(sub).unwrap(), exp: START / 1000 + seconds, scope: scope.into() };
    claims.sign(&signing())
}

/// Headers of a request with a token.
fn bearer(token: &str) -> Vec<(&'static str, String)> {
    vec![("authorization", format!("Bearer {token}"))]
}

/// Headers of a request with the publishable key alone.
fn published() -> Vec<(&'static str, String)> {
    vec![("x-api-key", publishable())]
}

async fn send(
    shop: &Shop,
    method: &str,
    path: &str,
    headers: &[(&'static str, String)],
    body: &Value,
) -> Reply {
    let mut request = Request::builder().method(method).uri(path);
    request = request.header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    shop.send(request.body(Body::from(body.to_string())).unwrap()).await
}

fn view(shopper: Value) -> Value {
    let mut body = json!({"event": "view", "product_ids": ["x"]});
    body.as_object_mut().unwrap().extend(shopper.as_object().unwrap().clone());
    body
}

/// A valid body of each route about a shopper, for the user `u`.
fn body(path: &str) -> Value {
    match path {
        "/v1/recommendations" => json!({"user_id": "u"}),
        "/v1/rank" => json!({"user_id": "u", "products": ["x"]}),
        "/v1/placements/home" => json!({"user_id": "u"}),
        "/v1/page" => json!({"user_id": "u", "placements": [{"name": "home"}]}),
        "/v1/users/u/merge" => json!({"anonymous_id": GUEST}),
        "/v1/events/ga4" | "/mp/collect" => json!({"user_id": "u",
            "events": [{"name": "view_item", "params": {"items": [{"item_id": "x"}]}}]}),
        "/v1/events/segment" | "/v1/batch" | "/v1/b" | "/v1/track" | "/v1/t" | "/v1/identify"
        | "/v1/i" | "/v1/alias" | "/v1/a" | "/v1/p" | "/v1/screen" | "/v1/s" | "/v1/group"
        | "/v1/g" => json!({"type": "track", "userId": "u", "event": "Product Viewed",
            "properties": {"product_id": "x"}}),
        _ => view(json!({"user_id": "u"})),
    }
}

/// Routes with a scope that show nothing about a shopper.
const ABOUT_NO_SHOPPER: [&str; 6] = [
    "/v1/departments",
    "/v1/popular",
    "/v1/trending",
    "/v1/products",
    "/v1/products/{id}",
    "/v1/products/{id}/similar",
];

/// Tries every route of the OpenAPI document for the shopper `u`: with a token of `u`, with a
/// token of somebody else, and with a publishable key. A new route has to refuse both of the
/// latter, or to be listed above.
#[tokio::test]
async fn every_route_refuses_browsers_that_act_for_another_shopper() {
    let shop = Shop::with(web_key).await;
    let document = shop.get("/openapi.json").await.json();
    let access = routes().access;
    let (mut tried, mut own) = (0, 0);
    for (template, item) in document["paths"].as_object().unwrap() {
        let id = if template.starts_with("/v1/users/") { "u" } else { "p1" };
        let path = match template.as_str() {
            "/v1/search" => "/v1/search?q=milk&user_id=u",
            "/v1/placements/{name}" => "/v1/placements/home",
            other => other,
        };
        let path = path.replace("{id}", id).replace("{name}", "x").replace("{version}", "x");
        for method in item.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            let access = access.needed(&method.parse().unwrap(), Some(template));
            let Access::Needs(_, audience) = access else { continue };
            let by_token = audience >= Audience::Tokens;
            let for_anybody = by_token && ABOUT_NO_SHOPPER.contains(&&**template);
            for (who, headers, allowed) in [
                ("u", bearer(&token("u", BOTH, 60)), by_token),
                ("other", bearer(&token("other", BOTH, 60)), for_anybody),
                ("guest", bearer(&token(&format!("~{GUEST}"), BOTH, 60)), for_anybody),
                ("publishable", published(), false),
            ] {
                let reply = send(&shop, &method, &path, &headers, &body(&path)).await;
                let status = reply.status.as_u16();
                let what = format!("{method} {path} with {who}: {status}");
                assert_eq!(allowed, ![401, 403].contains(&status), "{what}");
                assert!(!allowed || status < 400, "{what}");
                if !allowed {
                    let kind = match audience {
                        Audience::Keys => "forbidden",
                        Audience::Tokens if who == "publishable" => "forbidden",
                        _ => "other-shopper",
                    };
                    reply.problem(403, kind);
                }
                tried += 1;
                own += usize::from(who == "u" && allowed);
            }
        }
    }
    assert!(tried >= 31 * 4 && own == 34, "{tried} {own}");
    // Nothing was stored but the 19 events of `u`, and the guest's side of the tie.
    let stored = shop.stored_events().await;
    let own = stored.iter().filter(|event| event.user_id.as_str() == "u").count();
    assert_eq!((stored.len(), own), (20, 19));
}

/// An explanation shows figures of what a shopper has bought.
#[tokio::test]
async fn an_explanation_needs_an_admin_key() {
    let shop = Shop::with(|state| {
        web_key(state);
        let admin = ApiKey {
            name: "boss".into(),
            hash: KeyHash::of("boss"),
            scopes: vec![Scope::Admin],
            publishable: None,
            signing: None,
        };
        let secret = ApiKey {
            name: "web".into(),
            hash: KeyHash::of("secret"),
            scopes: vec![Scope::EventsWrite, Scope::RecommendationsRead],
            publishable: Some(PublishableKey::new([5; 16])),
            signing: Some(signing()),
        };
        state.keys.replace(vec![secret, admin]);
    })
    .await;
    let guest = format!("~{GUEST}");
    let key = |key: &str| vec![("x-api-key", key.to_owned())];
    for (who, headers, allowed) in [
        ("u1", bearer(&token("u1", BOTH, 60)), false),
        (&*guest, published(), false),
        ("u1", key("secret"), false),
        ("u1", key("boss"), true),
    ] {
        let path = format!("/v1/users/{who}/recommendations");
        let ask = match who.strip_prefix('~') {
            Some(anonymous_id) => json!({"anonymous_id": anonymous_id}),
            None => json!({"user_id": who}),
        };
        for explain in [false, true] {
            let mut ask = ask.clone();
            ask["explain"] = json!(explain);
            for reply in [
                send(&shop, "GET", &format!("{path}?explain={explain}"), &headers, &Value::Null)
                    .await,
                send(&shop, "POST", "/v1/recommendations", &headers, &ask).await,
            ] {
                match explain && !allowed {
                    true => drop(reply.problem(403, "forbidden")),
                    false => assert_eq!(reply.status, 200, "{who} {explain}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn a_batch_stores_the_events_of_the_tokens_shopper_only() {
    let shop = Shop::with(web_key).await;
    let batch = json!([
        view(json!({"user_id": "u"})),
        view(json!({"user_id": "v"})),
        view(json!({"anonymous_id": GUEST})),
    ]);
    let reply = send(&shop, "POST", "/v1/events", &bearer(&token("u", BOTH, 60)), &batch).await;
    let answer = reply.json();
    assert_eq!(answer["failed_count"], 2);
    for record in &answer["records"].as_array().unwrap()[1..] {
        assert_eq!(record["error"]["type"], "urn:cartwheel:problem:other-shopper", "{record}");
    }
    assert_eq!(shop.stored_events().await.len(), 1);
}

#[tokio::test]
async fn a_publishable_key_acts_for_guests_with_a_random_id() {
    let shop = Shop::with(web_key).await;
    let guest = view(json!({"anonymous_id": GUEST}));
    assert_eq!(send(&shop, "POST", "/submit", &published(), &guest).await.status, 200);
    let ask = json!({"anonymous_id": GUEST});
    assert_eq!(send(&shop, "POST", "/v1/recommendations", &published(), &ask).await.status, 200);
    let path = format!("/v1/users/~{GUEST}/recommendations");
    assert_eq!(send(&shop, "GET", &path, &published(), &Value::Null).await.status, 200);
    let stored = shop.stored_events().await;
    assert_eq!(stored[0].user_id.as_str(), format!("~{GUEST}"));

    // No cart, no id that can be guessed, no user, and no tie to one.
    let path = format!("/v1/users/~{GUEST}/cart");
    let cart = send(&shop, "GET", &path, &published(), &Value::Null).await;
    cart.problem(403, "forbidden");
    for shopper in [
        json!({"anonymous_id": "7"}),
        json!({"anonymous_id": "1032476589.1699000000"}),
        json!({"anonymous_id": "00000000-0000-0000-0000-000000000042"}),
        json!({"user_id": GUEST}),
        json!({"user_id": "u", "anonymous_id": GUEST}),
    ] {
        let reply = send(&shop, "POST", "/submit", &published(), &view(shopper.clone())).await;
        reply.problem(403, "other-shopper");
        let reply = send(&shop, "POST", "/v1/recommendations", &published(), &shopper).await;
        reply.problem(403, "other-shopper");
    }
    assert_eq!(shop.stored_events().await.len(), 1);
}

#[tokio::test]
async fn a_token_of_a_user_takes_over_unguessable_guests_only() {
    let shop = Shop::with(web_key).await;
    let own = bearer(&token("u", BOTH, 60));
    let tie = |guest: &str| view(json!({"user_id": "u", "anonymous_id": guest}));
    assert_eq!(send(&shop, "POST", "/submit", &own, &tie(GUEST)).await.status, 200);
    let reply = send(&shop, "POST", "/submit", &own, &tie("7")).await;
    assert_eq!(reply.problem(403, "other-shopper")["field"], "anonymous_id");
    let secret = [("x-api-key", "secret".to_owned())];
    assert_eq!(send(&shop, "POST", "/submit", &secret, &tie("7")).await.status, 200);
}

#[tokio::test]
async fn a_token_grants_its_scopes_until_it_expires() {
    let shop = Shop::with(web_key).await;
    let event = view(json!({"user_id": "u"}));
    let submit = async |token: &str| send(&shop, "POST", "/submit", &bearer(token), &event).await;
    let read = token("u", "recommendations:read", 60);
    submit(&read).await.problem(403, "forbidden");
    let cart = send(&shop, "GET", "/v1/users/u/cart", &bearer(&read), &Value::Null).await;
    assert_eq!(cart.status, 200);
    // The key cannot grant what it does not have.
    let admin = bearer(&token("u", "admin", 60));
    send(&shop, "GET", "/v1/users", &admin, &Value::Null).await.problem(403, "forbidden");

    let details = [
        (token("u", BOTH, 0), "expired"),
        (token("u", BOTH, -3600), "expired"),
        (token("u", BOTH, 25 * 3600), "24 hours"),
        (format!("{}A", token("u", BOTH, 60)), "changed"),
        ("v1.e30.e30".to_owned(), "CLAIMS"),
    ];
    for (token, detail) in details {
        let reply = submit(&token).await;
        assert!(reply.headers.contains_key("www-authenticate"));
        let problem = reply.problem(401, "invalid-token");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
    }
    let claims =
        Claims { sub: UserId::new("u").unwrap(), exp: START / 1000 + 60, scope: BOTH.into() };
    let foreign = claims.sign(&SigningSecret::new([8; 32]));
    submit(&foreign).await.problem(401, "invalid-token");
    assert_eq!(shop.stored_events().await.len(), 0);
    assert_eq!(submit(&token("u", BOTH, 60)).await.status, 200);
}

#[tokio::test]
async fn a_token_decides_whichever_key_stands_beside_it() {
    let shop = Shop::with(web_key).await;
    for key in [publishable(), "secret".to_owned(), "unknown".to_owned()] {
        let mut headers = bearer(&token("u", BOTH, 60));
        headers.push(("x-api-key", key));
        let own = send(&shop, "GET", "/v1/users/u/cart", &headers, &Value::Null).await;
        assert_eq!(own.status, 200);
        let other = send(&shop, "GET", "/v1/users/v/cart", &headers, &Value::Null).await;
        other.problem(403, "other-shopper");
    }
}

#[tokio::test]
async fn tokens_share_the_rate_limit_of_their_key() {
    let shop = Shop::with(|state| {
        web_key(state);
        state.limit(&Settings { rate_per_key: 1, ..Settings::default() });
    })
    .await;
    let mut seen = Vec::new();
    for user in ["a", "b", "c"] {
        let headers = bearer(&token(user, BOTH, 60));
        let path = format!("/v1/users/{user}/cart");
        seen.push(send(&shop, "GET", &path, &headers, &Value::Null).await.status.as_u16());
    }
    assert_eq!(seen, [200, 200, 429]);
}

#[tokio::test]
async fn without_keys_a_guest_needs_nothing() {
    let shop = Shop::open().await;
    let guest = json!({"anonymous_id": "g", "event": "add_to_cart", "product_ids": ["p9"]});
    let answer = shop.post("/submit", &guest).await;
    assert_eq!(answer.products()[0], "p9");
    let cart = shop.get("/v1/users/~g/cart").await.json();
    assert_eq!(cart["items"][0]["product_id"], "p9");
    let ask = json!({"anonymous_id": "g"});
    assert_eq!(shop.post("/v1/recommendations", &ask).await.products()[0], "p9");
    // A user of that name is somebody else.
    let cart = shop.get("/v1/users/g/cart").await.json();
    assert_eq!(cart["items"], json!([]));
    let reserved = json!({"user_id": "~g", "event": "view", "product_ids": ["x"]});
    let problem = shop.post("/submit", &reserved).await.problem(400, "invalid-field");
    assert_eq!(problem["field"], "user_id");
    let problem = shop.post("/v1/recommendations", &json!({})).await.problem(400, "invalid-field");
    assert_eq!(problem["field"], "user_id");
}
