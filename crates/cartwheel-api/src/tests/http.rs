use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::harness::Shop;
use super::streams::Faults;
use crate::{Asset, otlp_metrics};

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let shop = Shop::open().await;
    shop.get("/nothing").await.problem(404, "not-found");
    let reply = shop.get("/submit").await;
    reply.problem(405, "method-not-allowed");
    assert_eq!(reply.headers["allow"], "POST");
    shop.send(Request::post("/nothing").body(Body::empty()).unwrap())
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn a_panic_is_a_problem() {
    let shop = Shop::open().await;
    let reply = shop.get("/v1/users/panic/recommendations").await;
    let problem = reply.problem(500, "internal");
    assert!(!problem["detail"].as_str().unwrap().contains("told to panic"));
    assert!(reply.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn slow_requests_time_out() {
    let shop = Shop::failing(Faults::Hanging).await;
    let body = json!({"user_id": "u", "event": "view", "product_ids": ["x"]});
    let reply = shop.post("/submit", &body).await;
    reply.problem(503, "timeout");
    assert_eq!(reply.headers["retry-after"], "1");
}

#[tokio::test]
async fn every_response_has_an_id_and_security_headers() {
    let shop = Shop::open().await;
    for path in ["/healthz", "/nothing", "/docs"] {
        let reply = shop.get(path).await;
        assert!(reply.headers["x-request-id"].to_str().unwrap().starts_with("id-"));
        let csp = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(csp.starts_with("default-src 'self';"));
        assert!(!csp.contains("unsafe"));
        assert_eq!(reply.headers["x-content-type-options"], "nosniff");
    }
    let ask = |id: &str| Request::get("/healthz").header("x-request-id", id).body(Body::empty());
    let reply = shop.send(ask("from-the-client").unwrap()).await;
    assert_eq!(reply.headers["x-request-id"], "from-the-client");
    let reply = shop.send(ask("not an id").unwrap()).await;
    assert!(reply.headers["x-request-id"].to_str().unwrap().starts_with("id-"));
}

#[tokio::test]
async fn the_trace_of_the_client_is_kept() {
    let shop = Shop::open().await;
    let ask = |trace: &str| {
        let request = Request::get("/v1/popular").header("traceparent", trace);
        shop.send(request.body(Body::empty()).unwrap())
    };
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(ask(trace).await.headers["traceparent"], trace);
    assert!(!ask("not a trace").await.headers.contains_key("traceparent"));
    assert!(!shop.get("/healthz").await.headers.contains_key("traceparent"));
}

#[tokio::test]
async fn metrics_count() {
    let shop = Shop::open().await;
    let body = json!({"user_id": "u", "event": "view", "product_ids": ["x"]});
    shop.post("/submit", &body).await;
    let text = String::from_utf8(shop.get("/metrics").await.bytes).unwrap();
    for line in [
        "cartwheel_events_total{result=\"accepted\"}",
        "cartwheel_events_total{result=\"failed\"}",
        "cartwheel_impressions_dropped_total",
        "cartwheel_http_requests_total{method=\"POST\",route=\"/submit\",status=\"200\"}",
        "cartwheel_http_request_duration_seconds_bucket{route=\"/submit\",le=\"0.005\"}",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_collector_gets_every_series_of_the_metrics_once() {
    let mut state = None;
    let shop = Shop::with(|of| state = Some(of.clone())).await;
    let body = json!({"user_id": "u", "event": "view", "product_ids": ["x"]});
    shop.post("/submit", &body).await;
    let text = String::from_utf8(shop.get("/metrics").await.bytes).unwrap();
    let sent = otlp_metrics(&state.unwrap()).await.unwrap();
    let names: Vec<&str> = sent.iter().map(|metric| metric["name"].as_str().unwrap()).collect();
    let different: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(different.len(), names.len(), "{names:?}");
    // Other tests of the process count too, but never remove a family.
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family =
            ["_bucket", "_sum", "_count"].into_iter().find_map(|end| name.strip_suffix(end));
        assert!(
            different.contains(name) || different.contains(family.unwrap_or_default()),
            "{line}"
        );
    }
    let of = |name: &str| sent.iter().find(|metric| metric["name"] == name).unwrap();
    let accepted = json!([{"key": "result", "value": {"stringValue": "accepted"}}]);
    let points = of("cartwheel_events_total")["sum"]["dataPoints"].as_array().unwrap();
    let point = points.iter().find(|point| point["attributes"] == accepted).unwrap();
    assert!(point["asDouble"].as_f64().unwrap() >= 1.0, "{point}");
    let time = |at: &str| point[at].as_str().unwrap().parse::<u64>().unwrap();
    assert!(time("startTimeUnixNano") > 0);
    for point in
        of("cartwheel_http_request_duration_seconds")["histogram"]["dataPoints"].as_array().unwrap()
    {
        let counts = point["bucketCounts"].as_array().unwrap();
        assert_eq!(counts.len(), point["explicitBounds"].as_array().unwrap().len() + 1);
        let number = |count: &Value| count.as_str().unwrap().parse::<u64>().unwrap();
        assert_eq!(counts.iter().map(number).sum::<u64>(), number(&point["count"]), "{point}");
    }
}

fn files(path: &str) -> Option<Asset> {
    let (body, mime) = match path {
        "index.html" => ("<html>", "text/html"),
        "assets/app-1a2b.js" => ("js", "text/javascript"),
        "cartwheel.js" => ("tag", "text/javascript"),
        _ => return None,
    };
    Some(Asset { body: body.as_bytes().into(), mime: mime.into() })
}

#[tokio::test]
async fn the_web_app_is_served() {
    let shop = Shop::with(|state| state.assets = Some(files)).await;
    for path in ["/", "/send", "/index.html", "/console/pipeline/run-1", "/product/p.1"] {
        let reply = shop.get(path).await;
        assert_eq!((reply.status.as_u16(), &*reply.bytes), (200, &b"<html>"[..]), "{path}");
        assert_eq!(reply.headers["content-type"], "text/html");
        assert_eq!(reply.headers["cache-control"], "no-cache");
    }
    let reply = shop.get("/assets/app-1a2b.js").await;
    assert!(reply.headers["cache-control"].to_str().unwrap().contains("immutable"));
    shop.get("/assets/other.js").await.problem(404, "not-found");
    assert_eq!(shop.get("/healthz").await.headers["cache-control"], "no-store");
}

/// A file whose name stays is fetched again only after a change, and the tag is there for pages of
/// other sites.
#[tokio::test]
async fn files_have_tags_of_their_content() {
    let shop = Shop::with(|state| {
        state.assets = Some(files);
        // Files need no key.
        state.keys.require();
    })
    .await;
    let first = shop.get("/cartwheel.js").await;
    assert_eq!((first.status.as_u16(), &*first.bytes), (200, &b"tag"[..]));
    assert_eq!(first.headers["cache-control"], "public, max-age=3600");
    assert_eq!(first.headers["access-control-allow-origin"], "*");
    assert_eq!(first.headers["cross-origin-resource-policy"], "cross-origin");
    let tag = first.headers["etag"].to_str().unwrap();
    for (path, given, status) in [
        ("/cartwheel.js", tag, 304),
        ("/cartwheel.js", &*format!("\"other\", W/{tag}"), 304),
        ("/cartwheel.js", "*", 304),
        ("/cartwheel.js", "\"other\"", 200),
        ("/", tag, 200),
        ("/nothing", "*", 404),
    ] {
        let request =
            Request::get(path).header("if-none-match", given).header("accept", "text/html");
        let reply = shop.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, status, "{path} {given}");
        assert_eq!(reply.bytes.is_empty(), status == 304, "{path} {given}");
        assert_eq!(reply.headers.contains_key("etag"), status != 404, "{path} {given}");
    }
    assert!(!shop.get("/").await.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn browsers_get_the_apps_not_found_page() {
    const BROWSER: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";
    let shop = Shop::with(|state| state.assets = Some(files)).await;
    let ask = |method: &str, path: &str, accept: &'static str| {
        let request = Request::builder().method(method).uri(path).header("accept", accept);
        shop.send(request.body(Body::empty()).unwrap())
    };
    for path in ["/nothing", "/nothing/below.html", "/caf%C3%A9", "/v10"] {
        let reply = ask("GET", path, BROWSER).await;
        assert_eq!((reply.status.as_u16(), &*reply.bytes), (404, &b"<html>"[..]), "{path}");
        assert_eq!(reply.headers["content-type"], "text/html");
        assert_eq!(reply.headers["cache-control"], "no-cache");
    }
    let reply = ask("HEAD", "/nothing", BROWSER).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["content-type"]),
        (404, &"text/html".parse().unwrap())
    );
    // API clients, the API's own paths and other methods get a problem document.
    for accept in ["*/*", "application/json", "text/*", "text/htmlx"] {
        ask("GET", "/nothing", accept).await.problem(404, "not-found");
    }
    for path in ["/v1", "/v1/", "/v1/nothing", "/v1/products/nothing"] {
        ask("GET", path, BROWSER).await.problem(404, "not-found");
    }
    ask("POST", "/nothing", BROWSER).await.problem(404, "not-found");
    ask("GET", "/submit", BROWSER).await.problem(405, "method-not-allowed");
    // A server without the web app has no page to show.
    let bare = Shop::open().await;
    let request = Request::get("/nothing").header("accept", BROWSER).body(Body::empty()).unwrap();
    bare.send(request).await.problem(404, "not-found");
}

#[tokio::test]
async fn the_document_lists_every_route() {
    let shop = Shop::open().await;
    let document = shop.get("/openapi.json").await.json();
    let (mut routes, mut ids) = (Vec::new(), std::collections::BTreeSet::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id), "two operations are called {id}");
            let statuses: Vec<&str> =
                operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
            routes.push(format!("{method} {path} {}", statuses.join(" ")));
        }
    }
    routes.sort();
    let expected = [
        "delete /v1/imports/{id} 204 401 403 404 421 429 503",
        "delete /v1/placements/{name} 204 400 401 403 404 409 412 421 429 503",
        "delete /v1/products/{id} 204 400 401 403 404 412 421 429 503",
        "delete /v1/rules/{id} 204 401 403 404 409 412 421 429 503",
        "delete /v1/users/{id} 202 400 401 403 404 421 429 503",
        "get /healthz 200 403 421 429 503",
        "get /metrics 200 401 403 421 429 503",
        "get /readyz 200 403 421 429 503",
        "get /v1/catalogue/products 200 400 401 403 404 421 429 503",
        "get /v1/catalogue/products/{id} 200 400 401 403 404 421 429 503",
        "get /v1/catalogue/unknown 200 400 401 403 404 421 429 503",
        "get /v1/departments 200 400 401 403 421 429 503",
        "get /v1/erasures 200 400 401 403 404 421 429 503",
        "get /v1/imports 200 401 403 404 421 429 503",
        "get /v1/imports/{id} 200 401 403 404 421 429 503",
        "get /v1/lake 200 401 403 404 421 429 503",
        "get /v1/lake/job 200 401 403 404 421 429 503",
        "get /v1/lake/tables/{name} 200 401 403 404 421 429 503",
        "get /v1/live 200 401 403 404 421 429 503",
        "get /v1/models 200 401 403 404 421 429 503",
        "get /v1/models/{version} 200 401 403 404 421 429 503",
        "get /v1/pipeline/definition 200 401 403 404 421 429 503",
        "get /v1/pipeline/executions 200 401 403 404 421 429 503",
        "get /v1/pipeline/executions/{name} 200 401 403 404 421 429 503",
        "get /v1/pipeline/executions/{name}/events 200 401 403 404 421 429 503",
        "get /v1/pipeline/executions/{name}/logs 200 401 403 404 421 429 503",
        "get /v1/placements 200 400 401 403 421 429 503",
        "get /v1/placements/history 200 400 401 403 421 429 503",
        "get /v1/placements/{name} 200 400 401 403 404 421 429 503",
        "get /v1/popular 200 400 401 403 421 429 503",
        "get /v1/products 200 400 401 403 421 429 503",
        "get /v1/products/{id} 200 400 401 403 404 421 429 503",
        "get /v1/products/{id}/similar 200 400 401 403 404 421 429 503",
        "get /v1/projects/{name}/settings 200 403 404 421 429 503",
        "get /v1/quality 200 400 401 403 404 421 429 503",
        "get /v1/quality/products 200 400 401 403 404 421 429 503",
        "get /v1/quality/products/{id} 200 400 401 403 404 421 429 503",
        "get /v1/recommendations/{id}/replay 200 400 401 403 404 421 429 503",
        "get /v1/rules 200 400 401 403 421 429 503",
        "get /v1/rules/history 200 400 401 403 421 429 503",
        "get /v1/search 200 400 401 403 421 429 503",
        "get /v1/search/queries 200 400 401 403 404 421 429 503",
        "get /v1/synonyms 200 400 401 403 421 429 503",
        "get /v1/synonyms/history 200 400 401 403 421 429 503",
        "get /v1/trending 200 400 401 403 421 429 503",
        "get /v1/users 200 400 401 403 421 429 503",
        "get /v1/users/{id} 200 400 401 403 421 429 503",
        "get /v1/users/{id}/buy-again 200 400 401 403 421 429 503",
        "get /v1/users/{id}/cart 200 400 401 403 421 429 503",
        "get /v1/users/{id}/export 200 400 401 403 404 421 429 503",
        "get /v1/users/{id}/orders 200 400 401 403 421 429 503",
        "get /v1/users/{id}/recommendations 200 400 401 403 421 429 503",
        "patch /v1/products/{id} 200 400 401 403 404 408 412 413 415 421 429 503",
        "post /mcp 200 202 400 401 403 404 408 413 415 421 429 503",
        "post /mp/collect 200 400 401 403 408 413 415 421 422 429 503",
        "post /submit 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/a 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/alias 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/b 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/batch 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/beacon 200 400 401 403 408 413 415 421 429 503",
        "post /v1/events 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/events/ga4 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/events/segment 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/g 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/group 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/i 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/identify 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/imports 201 400 401 403 404 408 409 413 415 421 429 503",
        "post /v1/imports/{id}/preview 200 400 401 403 404 408 409 413 415 421 429 503",
        "post /v1/imports/{id}/start 202 400 401 403 404 408 409 413 415 421 429 503",
        "post /v1/lake/job 202 400 401 403 404 408 409 413 415 421 429 503",
        "post /v1/models/rollback 200 401 403 404 409 421 429 503",
        "post /v1/models/{version}/deploy 200 401 403 404 409 421 429 503",
        "post /v1/p 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/page 200 400 401 403 404 408 413 415 421 429 503",
        "post /v1/pipeline/executions 201 400 401 403 404 408 409 413 415 421 429 503",
        "post /v1/pipeline/executions/{name}/redrive 200 401 403 404 409 421 429 503",
        "post /v1/pipeline/executions/{name}/stop 200 401 403 404 409 421 429 503",
        "post /v1/placements/undo 200 400 401 403 404 408 409 412 413 415 421 429 503",
        "post /v1/placements/{name} 200 400 401 403 404 408 413 415 421 429 503",
        "post /v1/placements/{name}/preview 200 400 401 403 404 408 413 415 421 429 503",
        "post /v1/products 200 400 401 403 404 408 409 413 415 421 429 503",
        "post /v1/rank 200 400 401 403 408 413 415 421 429 503",
        "post /v1/recommendations 200 400 401 403 408 413 415 421 429 503",
        "post /v1/rules/undo 200 400 401 403 404 408 409 412 413 415 421 429 503",
        "post /v1/s 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/screen 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/shopify 200 400 401 403 404 408 413 415 421 429 503",
        "post /v1/synonyms/undo 200 400 401 403 404 408 409 412 413 415 421 429 503",
        "post /v1/t 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/track 200 400 401 403 408 413 415 421 422 429 503",
        "post /v1/users/{id}/merge 200 400 401 403 408 413 415 421 429 503",
        "put /v1/placements 200 400 401 403 404 408 409 412 413 415 421 429 503",
        "put /v1/placements/{name} 200 201 400 401 403 404 408 409 412 413 415 421 429 503",
        "put /v1/products/{id} 200 201 400 401 403 404 408 412 413 415 421 429 503",
        "put /v1/rules/{id} 200 201 400 401 403 404 408 409 412 413 415 421 429 503",
        "put /v1/synonyms 200 400 401 403 404 408 409 412 413 415 421 429 503",
    ];
    assert_eq!(routes, expected);
    assert_eq!(serde_json::from_str::<Value>(&crate::openapi()).unwrap(), document);
    // The web app's types are generated from this file, so it must match the document.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../webapp/openapi.json");
    let text = crate::openapi() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(file).is_ok_and(|kept| kept == text),
        "webapp/openapi.json is not what the API says: run `make types`"
    );
    // Every reference resolves.
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(!document["components"]["schemas"][name].is_null(), "{name}");
    }
}

#[tokio::test]
async fn the_reference_shows_each_operation_with_a_call_to_try() {
    let shop = Shop::open().await;
    let page = String::from_utf8(shop.get("/docs").await.bytes).unwrap();
    for part in
        ["/v1/products/{id}/similar", "urn:cartwheel:problem:empty-cart", "id=\"shape-Event\""]
    {
        assert!(page.contains(part), "{part}");
    }
    let script = "<script src=\"/docs.js\" defer></script>";
    assert!(page.contains(script) && page.matches("<script").count() == 1);
    assert!(!page.contains("style=") && !page.contains("onclick"));
    assert!(!page.contains('`'), "a backtick near {:?}", page.split('`').nth(1));
    let submit = page.split("data-path=\"/submit\"").nth(1).unwrap();
    assert!(submit.split("</form>").next().unwrap().contains("&quot;user_id&quot;: &quot;7&quot;"));
    let links = page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap());
    for link in links {
        assert!(page.contains(&format!("id=\"{link}\"")), "{link} leads nowhere");
    }
    for file in ["/docs.css", "/docs.js"] {
        assert_eq!(shop.get(file).await.status, 200, "{file}");
    }
}
