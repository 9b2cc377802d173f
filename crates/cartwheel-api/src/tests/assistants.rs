//! `POST /mcp` as far as the API answers it. The tools are the binary's.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};

use super::harness::{Reply, Shop};
use crate::{ApiKey, AppState, KeyHash, Scope};

/// Answers with the message and the key, or with the error that the message wants.
fn echo(state: &mut AppState) {
    state.assistants = Some(Arc::new(|message| {
        Box::pin(async move {
            assert_eq!(message.method(), Method::POST);
            let body: Value = serde_json::from_slice(message.body()).unwrap();
            let wanted = body["params"]["status"].as_u64().unwrap_or(200);
            let key = message.headers().get("x-api-key").map(|key| key.to_str().unwrap());
            let mut answer = Response::new(Bytes::from("it does not work"));
            *answer.status_mut() = StatusCode::from_u16(wanted.try_into().unwrap()).unwrap();
            if body["params"]["text"] != true {
                *answer.body_mut() = json!({"key": key, "message": body}).to_string().into();
                let media = "application/json".parse().unwrap();
                answer.headers_mut().insert("content-type", media);
            }
            answer
        })
    }));
    let key = |name: &str, scope| ApiKey {
        name: name.into(),
        hash: KeyHash::of(name),
        scopes: vec![scope],
        publishable: None,
        signing: None,
    };
    state.keys.replace(vec![key("boss", Scope::Admin), key("page", Scope::RecommendationsRead)]);
}

async fn send(shop: &Shop, key: &str, body: &Value) -> Reply {
    let request = Request::post("/mcp").header("content-type", "application/json");
    let request = request.header("x-api-key", key).body(Body::from(body.to_string()));
    shop.send(request.unwrap()).await
}

fn message(params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params})
}

#[tokio::test]
async fn an_operator_s_assistant_is_answered_with_the_key_of_its_request() {
    let shop = Shop::with(echo).await;
    let asked = message(json!({}));
    let reply = send(&shop, "boss", &asked).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json(), json!({"key": "boss", "message": asked}));
    send(&shop, "page", &asked).await.problem(403, "forbidden");
    send(&shop, "guess", &asked).await.problem(401, "unauthorized");
    let stream = Request::get("/mcp").header("x-api-key", "boss").body(Body::empty());
    shop.send(stream.unwrap()).await.problem(405, "method-not-allowed");
    let bare = Shop::open().await;
    send(&bare, "", &asked).await.problem(404, "not-found");
}

#[tokio::test]
async fn what_is_no_message_never_reaches_the_tools() {
    let shop = Shop::with(echo).await;
    for (body, field) in [
        (json!({"id": 1, "method": "ping"}), "jsonrpc"),
        (json!({"jsonrpc": "1.0", "id": 1, "method": "ping"}), "jsonrpc"),
        (json!({"jsonrpc": "2.0", "id": 1}), "method"),
        (json!({"jsonrpc": "2.0", "id": 1, "method": ""}), "method"),
        (json!({"jsonrpc": "2.0", "id": 1, "method": "x".repeat(129)}), "method"),
        (json!({"jsonrpc": "2.0", "id": {}, "method": "ping"}), "id"),
        (json!({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}), "params"),
    ] {
        let problem = send(&shop, "boss", &body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{body}");
    }
    let batch = json!([message(json!({}))]);
    assert_eq!(send(&shop, "boss", &batch).await.status, 400);
    let plain = Request::post("/mcp").header("x-api-key", "boss").body(Body::from("{}"));
    shop.send(plain.unwrap()).await.problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn errors_are_those_of_the_protocol_or_problems() {
    let shop = Shop::with(echo).await;
    let reply = send(&shop, "boss", &message(json!({"status": 404}))).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["key"]), (404, &json!("boss")));
    let text = |status: u16| message(json!({"status": status, "text": true}));
    let problem = send(&shop, "boss", &text(406)).await.problem(400, "invalid-field");
    assert_eq!(problem["detail"], "it does not work");
    send(&shop, "boss", &text(500)).await.problem(500, "internal");
}
