//! Rules on the command line and in the answers of a server.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, shop};

fn pin(id: &str) -> Value {
    json!({"rules": [{"id": "pin", "products": {"ids": [id]}, "action": {"kind": "pin", "place": 1}}]})
}

#[test]
fn rules_are_checked_applied_listed_and_undone() {
    let dir = shop();
    let file = dir.path().join("rules.json");
    let run = |args: &[&str]| cartwheel(dir.path(), &[&["rules"], args].concat());
    let path = file.to_str().unwrap();
    assert!(run(&["list"]).unwrap().contains("There are no rules"));
    let block = json!({"id": "no", "products": {"ids": ["7"]}, "action": {"kind": "block"}});
    let mut document = pin("7");
    document["rules"].as_array_mut().unwrap().push(block);
    std::fs::write(&file, document.to_string()).unwrap();
    let checked = run(&["check", path]).unwrap();
    assert!(checked.starts_with("2 rules are valid\nConflict of no, pin: "), "{checked}");
    assert!(checked.trim_end().ends_with("no wins."), "{checked}");
    assert!(run(&["list"]).unwrap().contains("There are no rules"), "nothing is stored");
    assert!(run(&["apply", path]).unwrap().starts_with("Version 1 with 2 rules is in effect"));
    assert!(run(&["list"]).unwrap().contains("block"));
    let shown: Value = serde_json::from_str(&run(&["show", "pin"]).unwrap()).unwrap();
    assert_eq!(shown["action"], json!({"kind": "pin", "place": 1}));
    assert!(run(&["show", "nix"]).unwrap_err().contains("the rules are: pin, no"));
    assert!(run(&["undo"]).unwrap().starts_with("Version 2 with 0 rules is in effect"));
    let history = cartwheel(dir.path(), &["--json", "rules", "history"]).unwrap();
    let history: Value = serde_json::from_str(&history).unwrap();
    assert_eq!((&history[0]["version"], &history[1]["by"]), (&json!(2), &json!("cli")));

    let mut wrong = pin("7");
    wrong["rules"][0]["products"] = json!({"select": "price < 3 and brnd = 'Uji'"});
    std::fs::write(&file, wrong.to_string()).unwrap();
    let error = run(&["apply", path]).unwrap_err();
    assert!(error.contains("Did you mean brand?") && error.contains("^^^^"), "{error}");
    assert!(run(&["check", path]).is_err());
}

#[test]
fn a_running_server_follows_the_rules_that_the_command_line_stores() {
    let data = shop();
    let server = Server::start(data.path());
    let ask = |path: &str| {
        let body = json!({"user_id": "1", "cart": []});
        let (status, answer) = server.post(path, &body).unwrap();
        assert_eq!(status, 200, "{answer}");
        answer["recommendations"].as_array().unwrap().clone()
    };
    let plain = ask("/v1/recommendations");
    let last = plain.last().unwrap()["product_id"].as_str().unwrap().to_owned();
    let draft = json!({"user_id": "1", "cart": [], "rules": pin(&last)["rules"]});
    let (status, preview) = server.post("/v1/placements/home/preview", &draft).unwrap();
    assert_eq!(status, 200, "{preview}");
    assert_ne!(preview["before"][0]["product_id"], json!(last));
    assert_eq!(preview["after"][0]["product_id"], json!(last));
    assert_eq!(preview["after"][0]["moved_by"]["rule"], "pin");
    assert_eq!(ask("/v1/recommendations"), plain, "a preview changes nothing");

    let file = data.path().join("rules.json");
    std::fs::write(&file, pin(&last).to_string()).unwrap();
    cartwheel(data.path(), &["rules", "apply", file.to_str().unwrap()]).unwrap();
    let start = Instant::now();
    let moved = json!({"rule": "pin", "from": plain.len(), "to": 1});
    while ask("/v1/recommendations")[0]["moved_by"] != moved {
        assert!(start.elapsed() < Duration::from_secs(20), "the server does not follow the rules");
    }
    for path in ["/v1/recommendations", "/v1/placements/home"] {
        assert_eq!(ask(path)[0]["product_id"], json!(last), "{path}");
    }
    let (_, rules) = server.get("/v1/rules").unwrap();
    assert_eq!((&rules["version"], &rules["by"]), (&json!(1), &json!("cli")));
}
