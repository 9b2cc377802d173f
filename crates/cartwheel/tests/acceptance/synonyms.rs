//! Synonyms on the command line and in the searches of a server.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, shop};

#[test]
fn synonyms_are_applied_shown_undone_and_followed_by_a_running_server() {
    let data = shop();
    let server = Server::start(data.path());
    let total = |query: &str| -> Value {
        let (status, found) = server.get(&format!("/v1/search?q={query}")).unwrap();
        assert_eq!(status, 200, "{found}");
        found["total"].clone()
    };
    let follows = |query: &str, expected: &Value| {
        let start = Instant::now();
        while total(query) != *expected {
            let is_early = start.elapsed() < Duration::from_secs(20);
            assert!(is_early, "the server does not follow the synonyms");
        }
    };
    let (_, listed) = server.get("/v1/products?limit=1").unwrap();
    let name = listed["products"][0]["product_name"].as_str().unwrap();
    let word = name.split(' ').next_back().unwrap();
    let expected = total(word);
    assert_ne!(expected, json!(0), "{word}");
    assert_eq!(total("qqxxzz"), json!(0));

    let file = data.path().join("synonyms.txt");
    let path = file.to_str().unwrap();
    let run = |args: &[&str]| cartwheel(data.path(), &[&["synonyms"], args].concat());
    std::fs::write(&file, "soda, pop\n# a direction\nalone\n").unwrap();
    let error = run(&["apply", path]).unwrap_err();
    assert!(error.contains("synonyms.txt: line 3: "), "{error}");
    std::fs::write(&file, format!("# a direction\nqqxxzz => {word}\n")).unwrap();
    assert!(run(&["apply", path]).unwrap().starts_with("Version 1 with 1 groups is in effect"));
    follows("qqxxzz", &expected);
    assert_eq!(run(&["show"]).unwrap().trim(), format!("qqxxzz => {word}"));
    let (_, synonyms) = server.get("/v1/synonyms").unwrap();
    assert_eq!((&synonyms["version"], &synonyms["by"]), (&json!(1), &json!("cli")));
    assert!(run(&["undo"]).unwrap().starts_with("Version 2 with 0 groups is in effect"));
    follows("qqxxzz", &json!(0));
    assert!(run(&["history"]).unwrap().contains("cli"));
}
