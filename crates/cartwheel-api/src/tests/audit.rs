//! The audit log records administrative changes before they happen.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use axum::{Router, middleware};
use tower::ServiceExt;

use super::harness::{Reply, Shop};
use crate::access::admit::{Gate, admit};
use crate::access::scope::AccessTable;
use crate::http::peer::Peer;
use crate::{ActionEnd, AdminAction, ApiKey, AuditKey, AuditLog, KeyHash, Scope, Settings};

type Actions = Arc<Mutex<Vec<(AdminAction, Option<u16>)>>>;

/// An audit log that keeps actions and statuses in memory, or fails.
#[derive(Default)]
struct Kept {
    actions: Actions,
    full: bool,
}

impl AuditLog for Kept {
    fn begin(&self, action: &AdminAction) -> io::Result<ActionEnd> {
        if self.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let actions = self.actions.clone();
        let at = actions.lock().unwrap().len();
        actions.lock().unwrap().push((action.clone(), None));
        Ok(Box::new(move |status| {
            actions.lock().unwrap()[at].1 = Some(status);
            Ok(())
        }))
    }

    fn pseudonym(&self, user_id: &str) -> io::Result<String> {
        Ok(AuditKey::new("secret of the log").pseudonym(user_id))
    }
}

async fn shop(full: bool) -> (Shop, Actions) {
    let kept = Kept { full, ..Kept::default() };
    let actions = kept.actions.clone();
    let shop = Shop::with(|state| {
        let key = |name: &str, scope| ApiKey {
            name: name.into(),
            hash: KeyHash::of(&format!("secret-{name}")),
            scopes: vec![scope],
            publishable: None,
            signing: None,
        };
        state.keys.replace(vec![key("boss", Scope::Admin), key("shop", Scope::EventsWrite)]);
        state.audit = Some(Arc::new(kept));
    })
    .await;
    (shop, actions)
}

async fn ask(shop: &Shop, method: &str, path: &str, key: &str) -> Reply {
    let request = Request::builder().method(method).uri(path).header("x-api-key", key);
    let request = request.header("x-request-id", "r-1").header("content-type", "application/json");
    let mut request = request.body(Body::from("{}")).unwrap();
    request.extensions_mut().insert(Peer("192.0.2.1".parse().unwrap()));
    shop.send(request).await
}

#[tokio::test]
async fn an_admin_action_is_recorded_with_actor_and_target() {
    let (shop, actions) = shop(false).await;
    // The shop has no models: the log records that the action failed.
    ask(&shop, "POST", "/v1/models/m%2d1/deploy", "secret-boss").await.problem(404, "not-found");
    let written = actions.lock().unwrap().clone();
    let (action, status) = &written[0];
    assert_eq!(written.len(), 1);
    assert_eq!(*status, Some(404));
    assert_eq!((&*action.actor, &*action.method), ("boss", "POST"));
    assert_eq!(action.route, "/v1/models/{version}/deploy");
    assert_eq!(action.target["version"], "m-1");
    assert_eq!(action.address.as_deref(), Some("192.0.2.1"));
    assert_eq!(action.request_id.as_deref(), Some("r-1"));
    assert!(action.time_ms >= super::harness::START);
    let line = serde_json::to_string(action).unwrap();
    assert!(!line.contains("secret"), "{line}");
}

#[tokio::test]
async fn reads_and_refused_requests_are_not_recorded() {
    let (shop, actions) = shop(false).await;
    for (method, path, key) in [
        ("GET", "/v1/models", "secret-boss"),
        ("GET", "/v1/users/u", "secret-boss"),
        ("POST", "/submit", "secret-shop"),
        ("POST", "/v1/models/rollback", "secret-shop"),
        ("POST", "/v1/models/rollback", "wrong"),
        ("POST", "/v1/nothing", "secret-boss"),
    ] {
        ask(&shop, method, path, key).await;
        assert!(actions.lock().unwrap().is_empty(), "{method} {path}");
    }
}

#[tokio::test]
async fn a_user_is_recorded_as_a_keyed_hash() {
    let (shop, actions) = shop(false).await;
    // Whatever the outcome, the path names a user.
    ask(&shop, "DELETE", "/v1/users/someone%40shop.example", "secret-boss").await;
    let written = actions.lock().unwrap().clone();
    let target = &written[0].0.target["id"];
    assert_eq!(*target, AuditKey::new("secret of the log").pseudonym("someone@shop.example"));
    assert_ne!(*target, AuditKey::new("another secret").pseudonym("someone@shop.example"));
    assert!(target.starts_with("hmac:") && target.len() == 5 + 16, "{target}");
    assert!(!serde_json::to_string(&written[0].0).unwrap().contains("someone"));
}

#[tokio::test]
async fn an_action_that_cannot_be_recorded_is_not_run() {
    let (shop, _) = shop(true).await;
    let reply = ask(&shop, "POST", "/v1/models/rollback", "secret-boss").await;
    reply.problem(503, "unavailable");
    // Reads are still answered.
    assert_eq!(ask(&shop, "GET", "/v1/users", "secret-boss").await.status, 200);
}

/// An action that the client did not wait for has happened all the same.
#[tokio::test]
async fn an_action_that_outlives_the_time_limit_is_recorded_as_it_ended() {
    let kept = Kept::default();
    let actions = kept.actions.clone();
    let mut state = None;
    let _shop = Shop::with(|shop| {
        shop.audit = Some(Arc::new(kept));
        let timeout = Duration::from_millis(50);
        shop.settings = Arc::new(Settings { timeout, ..Settings::default() });
        state = Some(shop.clone());
    })
    .await;
    let gate = Arc::new(Gate {
        state: Arc::new(state.unwrap()),
        access: AccessTable::default(),
        uploads: HashSet::new(),
    });
    let slow = || async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        StatusCode::CREATED
    };
    let router = Router::new()
        .route("/v1/models/rollback", post(slow))
        .layer(middleware::from_fn_with_state(gate, admit));
    let request = Request::post("/v1/models/rollback").body(Body::empty()).unwrap();
    assert_eq!(router.oneshot(request).await.unwrap().status(), 503);
    assert_eq!(actions.lock().unwrap()[0].1, None, "it goes on");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(actions.lock().unwrap()[0].1, Some(201));
}
