//! Placements on the command line and in a running server.

use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, request, wait_until};

fn answer(server: &Server, path: &str, body: &Value) -> Value {
    let (status, answer) = server.post(path, body).expect("an answer");
    assert_eq!(status, 200, "{answer}");
    answer
}

#[test]
fn a_merchandiser_changes_a_page_and_takes_it_back() {
    let data = tempfile::tempdir().unwrap();
    let command = |args: &[&str]| cartwheel(data.path(), &[&["placements"], args].concat());
    let mut server = Server::start(data.path());
    let product =
        |n: u32| json!({"product_id": format!("p{n}"), "name": format!("Product {n}"), "price": n});
    let products: Vec<Value> = (1..=30).map(product).collect();
    assert_eq!(server.post("/v1/products", &json!(products)).unwrap().0, 200);

    // A page of a shop without orders: no product twice, and full lists.
    let lists = ["home", "home_trending", "mail"].map(|name| json!({"name": name, "limit": 5}));
    let page = answer(&server, "/v1/page", &json!({"user_id": "u", "placements": lists}));
    let lists = page["placements"].as_array().unwrap();
    let all = lists.iter().flat_map(|list| list["recommendations"].as_array().unwrap());
    let all: Vec<&str> = all.map(|item| item["product_id"].as_str().unwrap()).collect();
    let different: std::collections::BTreeSet<&str> = all.iter().copied().collect();
    assert_eq!((all.len(), different.len()), (15, 15), "{page}");

    // The command line changes what a running server answers.
    assert!(command(&["list"]).unwrap().contains("home_buy_again"));
    assert!(command(&["undo"]).unwrap_err().contains("no change to undo"));
    let mut document: Value = serde_json::from_str(&command(&["show"]).unwrap()).unwrap();
    document["placements"]["home"] = json!({"kind": "popular", "limit": 3, "filter": "price > 27"});
    let file = data.path().join("placements.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let applied = command(&["apply", file.to_str().unwrap(), "--json"]).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&applied).unwrap()["version"], 1);
    let home = |server: &Server| answer(server, "/v1/placements/home", &json!({"user_id": "u"}));
    let found = |server: &Server| home(server)["recommendations"].as_array().unwrap().len();
    wait_until("the server sees the change", || found(&server) == 3);
    assert_eq!(home(&server)["recommendations"][0]["kind"], "popular");

    // It is there after a kill, and a mistake changes nothing.
    server.kill();
    let server = Server::start(data.path());
    assert_eq!(found(&server), 3);
    document["placements"]["home"]["filter"] = json!("prise > 27");
    std::fs::write(&file, document.to_string()).unwrap();
    let refused = command(&["apply", file.to_str().unwrap()]).unwrap_err();
    assert!(refused.contains("placements.home.filter"), "{refused}");
    assert!(refused.contains("Did you mean price?"), "{refused}");

    // Over HTTP too; both are in the history and in the audit log.
    let path = "/v1/placements/home";
    let body = json!({"kind": "popular", "limit": 2}).to_string();
    let (status, _) = request(&server.address, "PUT", path, Some(&body)).unwrap();
    assert_eq!((status, found(&server)), (200, 2));
    let history = command(&["history"]).unwrap();
    let by: Vec<&str> =
        history.lines().skip(1).filter_map(|line| line.split_whitespace().nth(3)).collect();
    assert_eq!(by, ["anonymous", "cli"], "{history}");
    assert!(command(&["undo"]).unwrap().contains("Version 3"));
    wait_until("the server sees the version before", || found(&server) == 3);
    command(&["undo", "0"]).unwrap();
    wait_until("the server sees the start", || found(&server) == 20);
    assert!(command(&["undo", "99"]).unwrap_err().contains("version 99 is not kept"));
    let audit = cartwheel(data.path(), &["audit"]).unwrap();
    for action in ["placements apply", "PUT /v1/placements/{name} name=home", "placements undo"] {
        assert!(audit.contains(action), "{action}: {audit}");
    }
    server.stop();
}
