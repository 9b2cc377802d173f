//! The console's data through the real binary.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, request_as, request_with, shop, wait_for_delivery};

/// Polls until `found` returns a value, for at most 30 seconds.
fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn models_are_shown_with_evaluation_and_training() {
    let data = shop();
    std::fs::write(data.path().join("cartwheel.toml"), "[gate]\nmin_users = 5\n").unwrap();
    let run = cartwheel(data.path(), &["--json", "pipeline", "run", "--set", "num_round=20"]);
    let run: Value = serde_json::from_str(&run.unwrap()).unwrap();
    let server = Server::start(data.path());
    let (_, models) = server.get("/v1/models").unwrap();
    let version = run["output"]["model"].as_str().unwrap();
    let models = models["models"].as_array().unwrap();
    let model = models.iter().find(|model| model["version"] == version).unwrap();
    let verdict = model["verdict"].as_str().unwrap();
    assert!(verdict.contains("the strongest baseline"), "{verdict}");
    let report = &model["evaluation"]["report"];
    assert_eq!(report["methods"].as_array().unwrap().len(), 8, "{report}");
    let bins = report["calibration"].as_array().unwrap();
    let rows: f64 = bins.iter().map(|bin| bin["rows"].as_f64().unwrap()).sum();
    let error = |bin: &Value| {
        let (predicted, observed) = (bin["predicted"].as_f64(), bin["observed"].as_f64());
        (predicted.unwrap() - observed.unwrap()).abs() * bin["rows"].as_f64().unwrap()
    };
    let expected = bins.iter().map(error).sum::<f64>() / rows;
    assert!((expected - report["calibration_error"].as_f64().unwrap()).abs() < 1e-9);

    let (_, detail) = server.get(&format!("/v1/models/{version}")).unwrap();
    assert_eq!(detail["parameters"]["num_round"], "20");
    let curves = detail["learning"].as_array().unwrap();
    let names: Vec<_> = curves.iter().map(|curve| curve["metric"].as_str().unwrap()).collect();
    assert_eq!(names, ["logloss"]);
    let rounds = curves[0]["train"].as_array().unwrap().len();
    assert!(rounds > 0 && curves.iter().all(|c| c["valid"].as_array().unwrap().len() == rounds));
    let importance = detail["importance"].as_array().unwrap();
    assert!(
        importance[0]["gain"].as_f64().unwrap() > 0.0
            && importance.len() == cartwheel_recommend::FEATURES.len()
    );
    assert_eq!(server.get("/v1/models/none").unwrap().0, 404);

    let name = run["name"].as_str().unwrap();
    let (_, log) = server.get(&format!("/v1/pipeline/executions/{name}/logs")).unwrap();
    let lines = log["lines"].as_array().unwrap();
    let says = |text: &str| lines.iter().any(|line| line["text"].as_str().unwrap().contains(text));
    assert!(says("cartwheel train") && says("ended with exit status: 0"), "{log}");
    server.stop();
}

#[test]
fn a_shop_is_generated_and_imported_beside_the_server() {
    let data = shop();
    let earlier = data.path().join("earlier.csv");
    std::fs::write(&earlier, "order_id,user_id,sku,time\na,u,p,2026-01-05\n").unwrap();
    let earlier = earlier.to_str().unwrap();
    cartwheel(data.path(), &["import", "orders", earlier, "--append"]).unwrap();
    let server = Server::start(data.path());
    let rows = |table: &str| {
        let (_, lake) = server.get("/v1/lake").unwrap();
        let tables = lake["tables"].as_array().unwrap().iter();
        tables.filter(|t| t["name"] == table).filter_map(|t| t["rows"].as_u64()).sum::<u64>()
    };
    assert_eq!((rows("orders"), rows("events")), (1_500, 1));
    let (status, problem) = server
        .post(
            "/v1/lake/job",
            &json!({"kind": "generate", "users": 1, "products": 100,
                                      "orders": 100, "seed": 1}),
        )
        .unwrap();
    assert_eq!((status, problem["field"].as_str()), (400, Some("users")), "{problem}");
    let ended = |body: Value| {
        let (status, job) = server.post("/v1/lake/job", &body).unwrap();
        assert_eq!((status, job["state"].as_str()), (202, Some("running")), "{job}");
        eventually("the job ends", || {
            let (_, last) = server.get("/v1/lake/job").unwrap();
            (last["job"]["state"] != "running").then(|| last["job"].clone())
        })
    };
    let job = ended(json!({"kind": "import", "directory": "/nowhere"}));
    assert_eq!(job["state"], "failed");
    assert!(job["message"].as_str().unwrap().contains("/nowhere"), "{job}");
    let job = ended(json!({"kind": "generate", "users": 60, "products": 100, "orders": 600,
                           "seed": 3}));
    assert_eq!(job["state"], "done", "{job}");
    assert!(job["message"].as_str().unwrap().starts_with("Imported: 600 orders"), "{job}");
    assert_eq!((rows("orders"), rows("events")), (600, 0), "it replaces what was imported before");
    let (_, lake) = server.get("/v1/lake").unwrap();
    assert_eq!(lake["feature_sets"][0]["serving"], true);
    let (_, table) = server.get("/v1/lake/tables/products").unwrap();
    assert_eq!(table["sample"]["rows"].as_array().unwrap().len(), 20);
    assert_eq!(server.get("/v1/lake/tables/nothing").unwrap().0, 404);
    server.stop();
}

#[test]
fn engagement_with_recommendations_is_counted() {
    let data = shop();
    let server = Server::start(data.path());
    let (_, first) = server.post("/v1/recommendations", &json!({"user_id": "someone"})).unwrap();
    let answer = first["recommendation_id"].as_str().unwrap();
    let product = first["recommendations"][2]["product_id"].as_str().unwrap();
    for event in ["view", "add_to_cart"] {
        server.submit(&json!({"user_id": "someone", "event": event, "product_ids": [product],
                              "recommendation_id": answer}));
    }
    server.submit(&json!({"user_id": "someone", "event": "checkout"}));
    let seen = &first["recommendations"][0]["product_id"];
    let seen = json!({"user_id": "someone", "event": "impression", "product_ids": [seen],
                      "recommendation_id": answer});
    assert_eq!(server.post("/v1/events", &seen).unwrap().0, 200);
    wait_for_delivery(data.path(), 4);
    let quality = eventually("the answers are counted", || {
        let (_, quality) = server.get("/v1/quality?days=2").unwrap();
        let total = &quality["total"];
        (quality["answers"] == 4 && total["bought"] == 1 && total["shown"] == 2).then_some(quality)
    });
    let of_model = &quality["models"][0];
    assert!(of_model["name"].as_str().unwrap().starts_with("m-"), "{quality}");
    assert_eq!(of_model["positions"].as_array().unwrap().len(), 10);
    let third = json!({"sent": 4, "shown": 1, "viewed": 1, "added": 1, "bought": 1,
                       "revenue": 0.0});
    assert_eq!((&of_model["positions"][2], &quality["positions"][2]), (&third, &third));
    assert_eq!(quality["days"].as_array().unwrap().len(), 1);
    server.stop();
}

#[test]
fn keys_restrict_the_server_to_their_holders() {
    let data = shop();
    let server = Server::start(data.path());
    assert_eq!(server.get("/v1/models").unwrap().0, 200, "without a key, nobody needs one");
    let make = |name: &str, scope: &str| -> String {
        let made = cartwheel(data.path(), &["--json", "keys", "create", name, "--scope", scope]);
        let made: Value = serde_json::from_str(&made.unwrap()).unwrap();
        made["key"].as_str().unwrap().to_owned()
    };
    let (reader, operator) = (make("shop", "recommendations:read"), make("me", "admin"));
    let kept = std::fs::read_to_string(data.path().join("keys.json")).unwrap();
    assert!(!kept.contains(&reader) && !kept.contains(&operator), "keys are kept by hashes alone");
    let status = |path: &str, key: &str| {
        request_as(&server.address, "GET", path, None, Some(key)).unwrap().0
    };
    // That a key is needed is known before the first key is.
    eventually("the keys are known", || (status("/v1/models", &operator) == 200).then_some(()));
    eventually("nobody else gets in", || (server.get("/v1/models")?.0 == 401).then_some(()));
    assert_eq!(server.get("/readyz").unwrap().0, 200);
    assert_eq!((status("/v1/popular", &reader), status("/v1/models", &reader)), (200, 403));
    assert_eq!((status("/v1/popular", &operator), status("/v1/models", &operator)), (200, 200));
    let error = cartwheel(data.path(), &["keys", "create", "me", "--scope", "admin"]).unwrap_err();
    assert!(error.contains("already"), "{error}");
    let error = cartwheel(data.path(), &["pipeline", "run"]).unwrap_err();
    assert!(error.contains("CARTWHEEL_API_KEY"), "{error}");
    // The audit log records changes with the actor, but no refusals.
    for key in [&reader, &operator] {
        request_as(&server.address, "POST", "/v1/models/rollback", None, Some(key)).unwrap();
    }
    let audit = cartwheel(data.path(), &["--json", "audit"]).unwrap();
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let told = audit.as_array().unwrap().iter().map(|entry| {
        let text = |name: &str| entry[name].as_str().unwrap().to_owned();
        (text("actor"), text("route"), entry["status"].as_u64().unwrap())
    });
    let told: Vec<_> = told.collect();
    let expected = [
        ("cli", "keys create", 200),
        ("cli", "keys create", 200),
        ("me", "/v1/models/rollback", 409),
    ];
    assert_eq!(told, expected.map(|(who, what, status)| (who.into(), what.into(), status)));
    assert!(!audit.to_string().contains(&operator), "no key is written down");
    cartwheel(data.path(), &["keys", "revoke", "shop"]).unwrap();
    eventually("the key is revoked", || (status("/v1/popular", &reader) == 401).then_some(()));
    server.stop();
}

#[test]
fn a_token_from_the_command_line_reads_its_own_cart() {
    let data = shop();
    let created = ["--json", "keys", "create", "web", "--publishable"];
    let scopes = ["--scope", "events:write", "--scope", "recommendations:read"];
    let made = cartwheel(data.path(), &[&created[..], &scopes[..]].concat()).unwrap();
    let made: Value = serde_json::from_str(&made).unwrap();
    let part = |name: &str| made[name].as_str().unwrap().to_owned();
    let (secret, signing, publishable) = (part("key"), part("signing"), part("publishable"));
    let listed = cartwheel(data.path(), &["--json", "keys", "list"]).unwrap();
    assert!(listed.contains(&publishable) && !listed.contains(&signing), "{listed}");

    let server = Server::start(data.path());
    let status = |path: &str, header: String| {
        let headers = format!("{header}\r\n");
        request_with(&server.address, "GET", path, None, &headers).unwrap().0
    };
    let token = cartwheel(data.path(), &["keys", "token", "7", "--key", "web"]).unwrap();
    let token = || format!("authorization: Bearer {}", token.trim());
    assert_eq!(status("/v1/users/7/cart", token()), 200);
    assert_eq!(status("/v1/users/8/cart", token()), 403);
    assert_eq!(status("/v1/users/8/cart", format!("x-api-key: {secret}")), 200);
    assert_eq!(status("/v1/users/8/cart", format!("x-api-key: {publishable}")), 403);
    let read = ["keys", "token", "7", "--key", "web", "--scope", "admin"];
    assert!(cartwheel(data.path(), &read).unwrap_err().contains("cannot grant admin"));
    // A revoked key's tokens are refused too. Another key keeps the server closed.
    cartwheel(data.path(), &["keys", "create", "me", "--scope", "admin"]).unwrap();
    cartwheel(data.path(), &["keys", "revoke", "web"]).unwrap();
    let is_refused = || (status("/v1/users/7/cart", token()) == 401).then_some(());
    eventually("the token is refused", is_refused);
    server.stop();
}
