//! Hostile requests: too large, too deep, encoded, or outside the root.

use std::io::Write;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};

use super::harness::{Reply, Shop};
use crate::Settings;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn encoded(shop: &Shop, coding: &str, body: impl Into<Body>) -> Reply {
    let request = Request::post("/submit").header("content-type", "application/json");
    shop.send(request.header("content-encoding", coding).body(body.into()).unwrap()).await
}

fn event() -> Value {
    json!({"user_id": "u", "event": "view", "product_ids": ["x"]})
}

#[tokio::test]
async fn a_gzip_body_is_read() {
    let shop = Shop::open().await;
    let body = gzip(event().to_string().as_bytes());
    assert_eq!(encoded(&shop, "gzip", body.clone()).await.status, 200);
    assert_eq!(encoded(&shop, "X-GZIP", body.clone()).await.status, 200);
    assert_eq!(encoded(&shop, "identity", event().to_string()).await.status, 200);
    assert_eq!(shop.stored_events().await.len(), 3);
    // Truncated, corrupt, or not gzip at all.
    encoded(&shop, "gzip", body[..body.len() - 4].to_vec()).await.problem(400, "malformed-json");
    encoded(&shop, "gzip", "{}").await.problem(400, "malformed-json");
    for coding in ["br", "deflate", "zstd", "gzip, gzip", "", "\u{e9}"] {
        let reply = encoded(&shop, coding, body.clone()).await;
        let problem = reply.problem(415, "unsupported-media-type");
        assert_eq!(problem["field"], "content-encoding");
    }
    let twice = Request::post("/submit").header("content-type", "application/json");
    let twice = twice.header("content-encoding", "gzip").header("content-encoding", "gzip");
    let reply = shop.send(twice.body(Body::from(body)).unwrap()).await;
    reply.problem(415, "unsupported-media-type");
    assert_eq!(shop.stored_events().await.len(), 3);
}

#[tokio::test]
async fn a_gzip_bomb_is_not_decompressed() {
    let shop = Shop::open().await;
    // 1 GB compressed to 1 MB, the largest compressed body within the limit.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..1000 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    let started = std::time::Instant::now();
    encoded(&shop, "gzip", bomb).await.problem(413, "payload-too-large");
    assert!(started.elapsed().as_millis() < 1000, "it ends at the limit");
    // The limit applies to the decompressed size, to the byte.
    let exactly = |bytes: usize| {
        let mut body = event().to_string();
        body.push_str(&" ".repeat(bytes - body.len()));
        gzip(body.as_bytes())
    };
    assert_eq!(encoded(&shop, "gzip", exactly(1 << 20)).await.status, 200);
    let reply = encoded(&shop, "gzip", exactly((1 << 20) + 1)).await;
    reply.problem(413, "payload-too-large");
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let shop = Shop::open().await;
    let chunk = Bytes::from(vec![b' '; 64 << 10]);
    let read = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = read.clone();
    let stream = futures::stream::repeat_with(move || {
        counter.fetch_add(64 << 10, std::sync::atomic::Ordering::Relaxed);
        Ok::<_, std::convert::Infallible>(chunk.clone())
    });
    let reply = shop.post_as("/v1/events", "application/json", Body::from_stream(stream)).await;
    reply.problem(413, "payload-too-large");
    assert!(read.load(std::sync::atomic::Ordering::Relaxed) <= (1 << 20) + (128 << 10));
    // A body that declares a size over the limit is not read at all.
    let request = Request::post("/submit").header("content-type", "application/json");
    let request = request.header("content-length", "1000000000").body(Body::empty()).unwrap();
    shop.send(request).await.problem(413, "payload-too-large");
}

#[tokio::test]
async fn a_slow_body_times_out() {
    let shop = Shop::with(|state| {
        let timeout = std::time::Duration::from_millis(250);
        state.settings = std::sync::Arc::new(Settings { timeout, ..Settings::default() });
    })
    .await;
    let drips = futures::stream::unfold((), |()| async {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Some((Ok::<_, std::convert::Infallible>("{"), ()))
    });
    let reply = shop.post_as("/submit", "application/json", Body::from_stream(drips)).await;
    reply.problem(408, "slow-body");
    assert_eq!(reply.headers["connection"], "close");
}

#[tokio::test]
async fn deep_json_and_numbers_out_of_range_are_refused() {
    let shop = Shop::open().await;
    for deep in ["[".repeat(100_000), "{\"a\":".repeat(100_000)] {
        for path in ["/submit", "/v1/events", "/v1/recommendations"] {
            let reply = shop.post_as(path, "application/json", deep.clone()).await;
            assert_eq!((reply.status.as_u16(), reply.bytes.len() < 1000), (400, true), "{path}");
        }
    }
    for (field, number) in [
        ("user_id", "18446744073709551616"),
        ("user_id", "1.5"),
        ("user_id", "1e400"),
        ("timestamp", "18446744073709551616"),
        ("timestamp", "-1"),
    ] {
        let mut event = event();
        event[field] = json!(0);
        let (zero, other) = (format!("\"{field}\":0"), format!("\"{field}\":{number}"));
        let text = event.to_string().replace(&zero, &other);
        let reply = shop.post_as("/submit", "application/json", text).await;
        assert_eq!(reply.status, 400, "{field}: {number}");
    }
    for (field, number) in [
        ("quantity", "18446744073709551616"),
        ("quantity", "0"),
        ("quantity", "1.5"),
        ("price", "1e400"),
        ("price", "1e10"),
        ("price", "-1"),
    ] {
        let text = format!(
            r#"{{"user_id":"u","event":"view","items":[{{"product_id":"x","{field}":{number}}}]}}"#
        );
        let reply = shop.post_as("/submit", "application/json", text).await;
        assert_eq!(reply.status, 400, "{field}: {number}");
    }
    assert!(shop.stored_events().await.is_empty());
}

#[tokio::test]
async fn paths_stay_in_their_root() {
    let shop = Shop::with(|state| {
        state.assets = Some(|path| {
            // The server never looks for a file outside the root.
            assert!(!path.contains("..") && !path.contains('\0'), "{path:?}");
            None
        });
    })
    .await;
    for path in [
        "/../etc/passwd",
        "/assets/../../etc/passwd",
        "/assets/..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/assets/%00",
        "/v1/products/%00",
        "/v1/products/..%2F..%2Fx",
        "/v1/products/%2e%2e",
        "/v1/products/%ff%fe",
        "/v1/products/http:%2f%2fexample.com%2f",
        "/v1/users/%0d%0aset-cookie:x/cart",
        "/v1/models/%2e%2e%2f%2e%2e%2fetc",
        "/v1/models/%ff",
        "/v1/lake/tables/..%2f..%2fkeys.json",
        "/v1/pipeline/executions/..%2f..%2fx",
        "/v1/pipeline/executions/%00/logs",
    ] {
        let reply = shop.get(path).await;
        let status = reply.status.as_u16();
        assert!([400, 404].contains(&status), "{path}: {status}");
        assert_eq!(reply.headers["content-type"], "application/problem+json", "{path}");
    }
}

#[tokio::test]
async fn unused_methods_are_refused() {
    let shop = Shop::open().await;
    for method in ["TRACE", "CONNECT", "PROPFIND", "X"] {
        for path in ["/submit", "/healthz", "/", "/nothing"] {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            let status = shop.send(request).await.status.as_u16();
            assert!([404, 405].contains(&status), "{method} {path}: {status}");
        }
    }
}

#[tokio::test]
async fn only_configured_origins_may_call() {
    let named = HeaderValue::from_static("https://shop.example");
    let shop = Shop::with(|state| {
        let key = crate::KeyHash::of("k").to_string().parse().unwrap();
        state.keys.replace(vec![key]);
        let cors_origins = vec![named.clone()];
        state.settings = std::sync::Arc::new(Settings { cors_origins, ..Settings::default() });
    })
    .await;
    let ask = |method: &str, origin: &str| {
        let request = Request::builder().method(method).uri("/v1/popular").header("origin", origin);
        let request = request.header("access-control-request-method", "GET");
        shop.send(request.body(Body::empty()).unwrap())
    };
    let reply = ask("OPTIONS", "https://shop.example").await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["access-control-allow-origin"]),
        (200, &named)
    );
    let reply = ask("GET", "https://shop.example").await;
    reply.problem(401, "unauthorized");
    assert_eq!(reply.headers["access-control-allow-origin"], named, "a page may read why");
    let reply = ask("OPTIONS", "https://evil.example").await;
    assert!(!reply.headers.contains_key("access-control-allow-origin"));
    let closed = Shop::open().await;
    let request = Request::get("/v1/popular").header("origin", "https://shop.example");
    let reply = closed.send(request.body(Body::empty()).unwrap()).await;
    assert!(!reply.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn strict_transport_security_is_sent_with_tls_only() {
    let shop = Shop::with(|state| {
        let settings = Settings { strict_transport: true, ..Settings::default() };
        state.settings = std::sync::Arc::new(settings);
    })
    .await;
    let headers = shop.get("/healthz").await.headers;
    assert!(headers["strict-transport-security"].to_str().unwrap().starts_with("max-age="));
    assert!(headers["permissions-policy"].to_str().unwrap().contains("camera=()"));
    let headers = Shop::open().await.get("/healthz").await.headers;
    assert!(!headers.contains_key("strict-transport-security"));
}

#[tokio::test]
async fn pictures_come_from_the_hosts_of_the_settings() {
    let shop = Shop::with(|state| {
        let image_hosts = ["https://cdn.example", "https://img.example:8443"];
        let image_hosts = image_hosts.map(HeaderValue::from_static).to_vec();
        state.settings = std::sync::Arc::new(Settings { image_hosts, ..Settings::default() });
    })
    .await;
    let policy = |reply: &Reply| {
        let policy = reply.headers["content-security-policy"].to_str().unwrap().to_owned();
        policy.split("; ").map(str::to_owned).collect::<Vec<_>>()
    };
    let named = policy(&shop.get("/healthz").await);
    let images = "img-src 'self' data: https://cdn.example https://img.example:8443";
    assert!(named.contains(&images.to_owned()), "{named:?}");
    let closed = policy(&Shop::open().await.get("/healthz").await);
    assert!(closed.contains(&"img-src 'self' data:".to_owned()), "{closed:?}");
}

#[tokio::test]
async fn large_bodies_share_a_budget() {
    let shop = Shop::open().await;
    let spaces = Bytes::from(vec![b' '; 100 << 10]);
    let event = Bytes::from(event().to_string());
    // Bodies that may grow to 1 MiB, of which 100 KiB have arrived.
    let mut ends = Vec::new();
    let mut unended = || {
        let (end, rest) = tokio::sync::oneshot::channel::<Bytes>();
        ends.push(end);
        let start = futures::stream::iter([Ok(spaces.clone())]);
        let rest = futures::stream::once(async { rest.await.map_err(std::io::Error::other) });
        shop.post_as("/submit", "application/json", Body::from_stream(start.chain(rest)))
    };
    let mut open: FuturesUnordered<_> = (0..64).map(|_| unended()).collect();
    assert!(open.next().now_or_never().is_none());
    // The budget has no room for another body, compressed or not.
    let large = [&spaces[..], &event[..]].concat();
    let late = unended().await;
    late.problem(429, "throttled");
    assert_eq!(late.headers["retry-after"], "1");
    encoded(&shop, "gzip", gzip(&large)).await.problem(429, "throttled");
    // Small bodies need no budget.
    assert_eq!(encoded(&shop, "identity", event.clone()).await.status, 200);
    // The next body takes the budget that a finished body returns: more than 64 KiB.
    ends.swap_remove(10).send(event.clone()).unwrap();
    assert_eq!(open.next().await.unwrap().status, 200);
    assert_eq!(encoded(&shop, "gzip", gzip(&large)).await.status, 200);
    // An abandoned body returns all of its share.
    drop(open);
    let all =
        (0..64).map(|_| encoded(&shop, "gzip", gzip(&large))).collect::<FuturesUnordered<_>>();
    assert!(all.all(|reply| async move { reply.status == 200 }).await);
}
