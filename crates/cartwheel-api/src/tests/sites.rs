//! Pages of other sites, foreign names of the server, and proxies in front of it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use serde_json::{Value, json};

use super::harness::{Reply, Shop};
use crate::http::peer::Peer;
use crate::{ApiKey, AppState, KeyHash, Scope, Settings};

const OWN: &str = "localhost:8080";
const EVIL: &str = "evil.example";
const SHOP: &str = "https://shop.example";

fn admin(state: &mut AppState) {
    let scopes = vec![Scope::Admin];
    let (name, hash) = ("boss".into(), KeyHash::of("boss"));
    state.keys.replace(vec![ApiKey { name, hash, scopes, publishable: None, signing: None }]);
}

fn settings() -> Settings {
    Settings { cors_origins: vec![HeaderValue::from_static(SHOP)], ..Settings::default() }
}

async fn shop(keyed: bool, settings: Settings) -> Shop {
    Shop::with(|state| {
        state.settings = Arc::new(settings);
        if keyed {
            admin(state);
        }
    })
    .await
}

fn asking(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let body = json!({"user_id": "u", "event": "view", "product_ids": ["x"]}).to_string();
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/json");
    let all = headers.iter().filter(|(_, value)| !value.is_empty());
    let request = all.fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::from(body)).unwrap()
}

async fn ask(shop: &Shop, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    shop.send(asking(method, path, headers)).await
}

/// The end of the problem's type, if the answer is a problem.
fn kind(reply: &Reply) -> Option<String> {
    let body: Value = serde_json::from_slice(&reply.bytes).ok()?;
    Some(body["type"].as_str()?.rsplit(':').next()?.to_owned())
}

/// Tries each route as every kind of page can call it: by the server's own name and by another
/// one that points at it, from its own page, an allowed site, another site and no page, with and
/// without `sec-fetch-site`, on servers with and without keys.
#[tokio::test]
async fn no_page_of_another_site_drives_a_server() {
    let mut tried = 0;
    for keyed in [false, true] {
        let shop = shop(keyed, settings()).await;
        let document = shop.get("/openapi.json").await.json();
        for (template, item) in document["paths"].as_object().unwrap() {
            let path = template.replace("{id}", "u1").replace("{name}", "x");
            let path = path.replace("{version}", "x");
            for method in item.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
                for host in [OWN, EVIL] {
                    let own = format!("http://{host}");
                    for origin in ["", &own, SHOP, "https://other.example", "null"] {
                        for site in ["", "same-origin", "same-site", "cross-site", "none"] {
                            let headers = [
                                ("host", host),
                                ("origin", origin),
                                ("sec-fetch-site", site),
                                ("x-api-key", if keyed { "boss" } else { "" }),
                            ];
                            let stored = shop.log.records().len();
                            let reply = ask(&shop, &method, &path, &headers).await;
                            let is_foreign = match site {
                                "" => !["", &own, SHOP].contains(&origin),
                                site => origin != SHOP && !["same-origin", "none"].contains(&site),
                            };
                            let expected = match (&*method, host) {
                                (_, EVIL) if !keyed => Some("misdirected"),
                                ("GET", _) => None,
                                _ => is_foreign.then_some("foreign-site"),
                            };
                            let found = kind(&reply);
                            let found = found
                                .as_deref()
                                .filter(|kind| ["misdirected", "foreign-site"].contains(kind));
                            let what = format!("{method} {path} {headers:?}");
                            assert_eq!(found, expected, "{what}");
                            match expected {
                                Some("misdirected") => assert_eq!(reply.status, 421, "{what}"),
                                Some(_) => assert_eq!(reply.status, 403, "{what}"),
                                None => assert!(![401, 403, 421].contains(&reply.status.as_u16())),
                            }
                            if expected.is_some() {
                                assert_eq!(shop.log.records().len(), stored, "{what}");
                            }
                            tried += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(tried >= 75 * 100, "{tried}");
}

#[tokio::test]
async fn a_server_without_keys_answers_to_its_own_names_only() {
    let hosts = vec!["shop.local".to_owned()];
    let shop = shop(false, Settings { hosts, ..Settings::default() }).await;
    let export = async |host: &str| ask(&shop, "GET", "/v1/users/u1", &[("host", host)]).await;
    for own in
        ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:8080", "192.168.1.2", "shop.local:1"]
    {
        assert_eq!(export(own).await.status, 200, "{own}");
    }
    for other in [
        EVIL,
        "localhost.evil.example",
        "127.0.0.1.evil.example:8080",
        "shop.local.",
        "a b",
        "[::1",
    ] {
        let problem = export(other).await.problem(421, "misdirected");
        assert!(problem["detail"].as_str().unwrap().contains("server.hosts"), "{problem}");
    }
    // A second name does not hide behind the first.
    let twice = [("host", OWN), ("host", EVIL)];
    ask(&shop, "GET", "/v1/users/u1", &twice).await.problem(421, "misdirected");
    let absolute = "http://evil.example/v1/users/u1";
    ask(&shop, "GET", absolute, &[("host", OWN)]).await.problem(421, "misdirected");
    // A client without a browser may name none.
    assert_eq!(shop.get("/v1/users/u1").await.status, 200);
}

#[tokio::test]
async fn a_server_with_keys_answers_to_every_name_unless_some_are_listed() {
    let headers = |host| [("host", host), ("x-api-key", "boss")];
    let open = shop(true, Settings::default()).await;
    assert_eq!(ask(&open, "GET", "/v1/users", &headers("api.example")).await.status, 200);
    let hosts = vec!["api.example".to_owned()];
    let listed = shop(true, Settings { hosts, ..Settings::default() }).await;
    for own in ["api.example", "API.example:8443", OWN, "10.0.0.7"] {
        assert_eq!(ask(&listed, "GET", "/v1/users", &headers(own)).await.status, 200, "{own}");
    }
    ask(&listed, "GET", "/v1/users", &headers(EVIL)).await.problem(421, "misdirected");
}

#[tokio::test]
async fn behind_a_gateway_the_gateway_decides() {
    let shop = shop(false, Settings { behind_gateway: true, ..Settings::default() }).await;
    let headers = [
        ("host", "abc.execute-api.eu-central-1.amazonaws.com"),
        ("x-forwarded-for", "192.0.2.7"),
        ("origin", "https://d111.cloudfront.net"),
        ("sec-fetch-site", "cross-site"),
    ];
    assert_eq!(ask(&shop, "POST", "/submit", &headers).await.status, 200);
}

async fn from(shop: &Shop, peer: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = asking("GET", path, headers);
    request.extensions_mut().insert(Peer(peer.parse().unwrap()));
    shop.send(request).await
}

#[tokio::test]
async fn a_server_without_keys_refuses_what_a_proxy_forwards() {
    let open = shop(false, Settings::default()).await;
    let keyed = shop(true, Settings::default()).await;
    for header in [("forwarded", "for=192.0.2.7"), ("x-forwarded-for", "192.0.2.7")] {
        for path in ["/v1/users", "/v1/popular", "/readyz"] {
            let reply = from(&open, "127.0.0.1", path, &[header]).await;
            let problem = reply.problem(403, "forwarded-without-keys");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("keys create") && detail.contains("server.trusted_proxies"));
        }
        let headers = [header, ("x-api-key", "boss")];
        assert_eq!(from(&keyed, "127.0.0.1", "/v1/users", &headers).await.status, 200);
    }
    let trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let trusting = shop(false, Settings { trusted_proxies, ..Settings::default() }).await;
    let headers = [("x-forwarded-for", "192.0.2.7")];
    assert_eq!(from(&trusting, "127.0.0.1", "/v1/users", &headers).await.status, 200);
    from(&trusting, "127.0.0.2", "/v1/users", &headers)
        .await
        .problem(403, "forwarded-without-keys");
}

/// Limits count clients, and only a trusted proxy says who the client is.
#[tokio::test]
async fn the_clients_address_is_taken_from_trusted_proxies_alone() {
    let trusted_proxies = vec!["127.0.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    let settings = Settings { trusted_proxies, rate_per_address: 1, ..Settings::default() };
    // Each pair of requests comes from one client; the third of it is refused.
    let cases = [
        ("127.0.0.1", ["192.0.2.1", "192.0.2.1:4711", "192.0.2.1"], true),
        (
            "127.0.0.1",
            ["6.6.6.6, 192.0.2.2", "7.7.7.7, 192.0.2.2, 10.1.2.3", "192.0.2.2,10.0.0.1"],
            true,
        ),
        ("127.0.0.1", ["192.0.2.3", "192.0.2.4", "192.0.2.5"], false),
        ("192.0.2.9", ["1.1.1.1", "1.1.1.2", "1.1.1.3"], true),
        ("10.0.0.9", ["x, ?", "?", "192.0.2.77, ?"], true),
        ("10.0.0.9", ["2001:db8::1", "[2001:db8::2]:80", "2001:db8::3"], true),
    ];
    for (peer, named, limited) in cases {
        let shop = Shop::with(|state| {
            admin(state);
            state.limit(&settings);
            state.settings = Arc::new(settings.clone());
        })
        .await;
        for (nth, named) in named.into_iter().enumerate() {
            let headers = [("x-forwarded-for", named), ("x-api-key", "boss")];
            let status = from(&shop, peer, "/v1/popular", &headers).await.status;
            let expected = if limited && nth == 2 { 429 } else { 200 };
            assert_eq!(status, expected, "{peer} {named}");
        }
    }
}
