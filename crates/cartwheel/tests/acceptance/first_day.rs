//! A shop without history: from an empty directory to a release.

use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, ids, wait_for_delivery, wait_until};

const TRENDING: &str = "Many shoppers turn to it now";

fn asked(server: &Server, user: &str) -> Value {
    let (status, answer) = server.get(&format!("/v1/users/{user}/recommendations")).unwrap();
    assert_eq!((status, &answer["degraded"]), (200, &json!(false)), "{answer}");
    answer
}

#[test]
fn a_server_on_an_empty_directory_answers_from_its_first_product_on() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path());
    assert!(ids(&asked(&server, "u")).is_empty());
    let live = server.first_event("/v1/live");
    assert_eq!(live["ready"], true, "an empty shop raises no alarm: {live}");
    let (status, refused) = server.post("/v1/pipeline/executions", &json!({})).unwrap();
    assert_eq!(status, 409, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("import orders"), "{refused}");
    let product = |n: u32| json!({"product_id": format!("p{n}"), "name": format!("Product {n}")});
    let products: Vec<Value> = (0..10).map(product).collect();
    let (status, stored) = server.post("/v1/products", &json!(products)).unwrap();
    assert_eq!(status, 200, "{stored}");
    assert_eq!(ids(&asked(&server, "u")).len(), 10);

    for user in ["a", "b"] {
        server.submit(&json!({"user_id": user, "event": "checkout", "product_ids": ["p3"]}));
    }
    // The newest products follow those that trend, so that the id alone would say nothing.
    let trends = |server: &Server| {
        let first = server.get("/v1/trending").unwrap().1["recommendations"][0].clone();
        first["product_id"] == "p3" && first["reasons"] == json!([TRENDING])
    };
    wait_until("it trends", || trends(&server));
    let answer = asked(&server, "u");
    assert_eq!(ids(&answer)[0], "p3");
    let reasons = &answer["recommendations"][0]["reasons"];
    assert_eq!(*reasons, json!([TRENDING]));
    assert_eq!(ids(&answer).len(), 10);

    server.kill();
    let server = Server::start(data.path());
    wait_until("it trends again", || trends(&server));

    // Two customers with one order each teach nothing, and the newest features serve.
    wait_until("the products are in the lake", || data.path().join("lake/catalogue").exists());
    wait_for_delivery(data.path(), 2);
    let run = cartwheel(data.path(), &["pipeline", "run", "--json"]).unwrap();
    let run: Value = serde_json::from_str(&run).unwrap();
    assert_eq!(run["output"]["outcome"], "untrained", "{}", run["output"]);
    let reason = "No user has a second order. Training asks for 10 such users.";
    assert_eq!(run["output"]["verdict"]["reason"], reason);
    wait_until("the release serves", || server.get("/readyz").unwrap().1["engine"]["users"] == 2);
    assert_eq!(ids(&asked(&server, "u")).len(), 10);
    server.stop();
}
