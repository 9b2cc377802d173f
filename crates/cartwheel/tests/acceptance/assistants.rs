//! `mcp`: an assistant over standard input and output or over HTTP, and a person who decides.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, request_as, request_with, shop};

const WAIT: Duration = Duration::from_secs(60);

/// A session, as an assistant holds it.
struct Assistant {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<String>,
    next: u64,
}

impl Assistant {
    fn start(data: &Path, key: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cartwheel"));
        command.arg("--data-dir").arg(data).arg("mcp");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.envs(key.map(|key| ("CARTWHEEL_API_KEY", key)));
        let mut child = command.spawn().unwrap();
        let (sender, answers) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            output.lines().for_each(|line| sender.send(line.unwrap()).unwrap_or(()))
        });
        let input = child.stdin.take();
        let mut session = Self { child, input, answers, next: 1 };
        let begun = session.ask(
            "initialize",
            json!({"protocolVersion": "2025-06-18",
            "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}),
        );
        assert_eq!(begun["result"]["serverInfo"]["name"], "cartwheel", "{begun}");
        assert!(begun["result"]["instructions"].as_str().unwrap().contains("not instructions"));
        session.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        session
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{message}").unwrap();
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.next;
        self.next += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let answer = self.answers.recv_timeout(WAIT).expect("no answer");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// Calls a tool and returns its answer, or the text of its error.
    fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, String> {
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": arguments}));
        let result = &answer["result"];
        match result["isError"].as_bool() {
            Some(true) => Err(result["content"][0]["text"].as_str().unwrap().to_owned()),
            _ => Ok(result["structuredContent"].clone()),
        }
    }

    /// Closes standard input, upon which the command ends.
    fn end(mut self) {
        self.input = None;
        assert!(self.child.wait().unwrap().success());
    }
}

fn rule(product: &str) -> Value {
    json!({"id": "first", "products": {"ids": [product]}, "action": {"kind": "pin", "place": 1}})
}

#[test]
fn an_assistant_reads_and_proposes_and_a_person_decides() {
    let data = shop();
    let created =
        cartwheel(data.path(), &["--json", "keys", "create", "operator", "--scope", "admin"]);
    let created: Value = serde_json::from_str(&created.unwrap()).unwrap();
    let key = created["key"].as_str().unwrap();
    let server = Server::start(data.path());
    let mut session = Assistant::start(data.path(), Some(key));

    let listed = session.ask("tools/list", json!({}));
    let tools = listed["result"]["tools"].as_array().unwrap();
    for tool in tools {
        let proposes = tool["name"].as_str().unwrap().starts_with("propose_");
        assert_eq!(tool["annotations"]["readOnlyHint"], !proposes, "{tool}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
    }
    assert!(tools.len() >= 14, "{listed}");

    for (tool, arguments, field) in [
        ("health", json!({}), "ready"),
        ("quality", json!({"days": 3}), "days"),
        ("models", json!({}), "models"),
        ("rules", json!({}), "rules"),
        ("placements", json!({}), "placements"),
        ("searches", json!({}), "queries"),
    ] {
        let answer = session.call(tool, arguments).unwrap();
        assert!(!answer[field].is_null(), "{tool}: {answer}");
    }
    let explained = session.call("explain", json!({"shopper": "1", "limit": 3})).unwrap();
    let items = explained["recommendations"].as_array().unwrap();
    assert!(items.len() == 3 && items[0]["reasons"].is_array(), "{explained}");
    let product = items[2]["product_id"].as_str().unwrap();
    session.call("product_quality", json!({"product": product})).unwrap();
    let why = session.call("why_not_shown", json!({"product": product, "shopper": "1"})).unwrap();
    assert_eq!(why["place_in_first_100"], 3, "{why}");
    let why = session.call("why_not_shown", json!({"product": "no such"})).unwrap();
    assert_eq!(
        (&why["unranked_because"], &why["place_in_first_100"]),
        (&json!("unknown"), &Value::Null)
    );

    // What does not fit is said, and nothing else happens.
    let wrong = session.call("explain", json!({"shopper": "1", "depth": 3})).unwrap_err();
    assert!(wrong.contains("depth"), "{wrong}");
    session.call("quality", json!({"days": 1000})).unwrap_err();
    let unknown = session.ask("tools/call", json!({"name": "erase_user", "arguments": {}}));
    assert!(unknown["error"]["message"].as_str().unwrap().contains("erase_user"), "{unknown}");

    // A rule is tried, proposed, and confirmed by a person.
    let tried = json!({"rule": rule(product), "placement": "home", "shopper": "1"});
    let tried = session.call("simulate_rule", tried).unwrap();
    assert_eq!(tried["after"][0]["product_id"], product, "{tried}");
    let broken = json!({"rule": {"id": "first", "products": {"select": "price <"},
        "action": {"kind": "block"}}, "why": "a test"});
    assert!(session.call("propose_rule", broken).unwrap_err().contains("not valid"));
    let proposed = json!({"rule": rule(product), "why": "a test"});
    let proposed = session.call("propose_rule", proposed).unwrap();
    let id = proposed["proposal"]["id"].as_str().unwrap();
    let command = format!("proposals confirm {id}");
    assert!(proposed["confirm"].as_str().unwrap().ends_with(&command), "{proposed}");
    let rules = || {
        let rules = request_as(&server.address, "GET", "/v1/rules", None, Some(key)).unwrap().1;
        rules["rules"].as_array().unwrap().len()
    };
    assert_eq!(rules(), 0, "nothing has changed yet");
    let shown = cartwheel(data.path(), &["proposals", "list"]).unwrap();
    assert!(shown.contains(id) && shown.contains("Why: a test"), "{shown}");
    let refused = cartwheel(data.path(), &["proposals", "confirm", id]).unwrap_err();
    assert!(refused.contains("CARTWHEEL_API_KEY"), "{refused}");
    let confirm = |id: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cartwheel"));
        command.arg("--data-dir").arg(data.path()).args(["proposals", "confirm", id]);
        command.env("CARTWHEEL_API_KEY", key).status().unwrap().success()
    };
    assert!(confirm(id) && rules() == 1);
    assert!(!confirm(id), "a proposal is confirmed once");
    let audit = cartwheel(data.path(), &["audit"]).unwrap();
    assert!(audit.contains("/v1/rules/{id}") && audit.contains("operator"), "{audit}");

    // Or rejected.
    let removal = json!({"id": "first", "why": "it was a test"});
    let proposed = session.call("propose_rule_removal", removal).unwrap();
    let id = proposed["proposal"]["id"].as_str().unwrap();
    assert_eq!(session.call("proposals", json!({})).unwrap()["proposals"][0]["id"], id);
    cartwheel(data.path(), &["proposals", "reject", id]).unwrap();
    assert_eq!(session.call("proposals", json!({})).unwrap()["proposals"], json!([]));
    assert_eq!(rules(), 1);
    session.end();
}

#[test]
fn an_assistant_may_do_no_more_than_its_key() {
    let data = shop();
    let created = ["--json", "keys", "create", "page", "--scope", "recommendations:read"];
    let created: Value = serde_json::from_str(&cartwheel(data.path(), &created).unwrap()).unwrap();
    let server = Server::start(data.path());
    let mut session = Assistant::start(data.path(), created["key"].as_str());
    assert_eq!(session.call("health", json!({})).unwrap()["ready"], true);
    for tool in ["quality", "models", "rules"] {
        let refused = session.call(tool, json!({})).unwrap_err();
        assert!(refused.contains("lacks the scope admin"), "{tool}: {refused}");
    }
    session.end();
    drop(server);
    let mut session = Assistant::start(data.path(), None);
    let refused = session.call("models", json!({})).unwrap_err();
    assert!(refused.contains("server"), "{refused}");
    session.end();
}

/// Calls a tool over HTTP and returns its answer, or the text of its error.
fn call_over_http(
    server: &Server,
    key: &str,
    tool: &str,
    arguments: Value,
) -> Result<Value, String> {
    let asked = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": {"name": tool, "arguments": arguments}});
    let (status, answer) =
        request_as(&server.address, "POST", "/mcp", Some(&asked.to_string()), Some(key)).unwrap();
    assert_eq!((status, &answer["id"]), (200, &json!(7)), "{answer}");
    let result = &answer["result"];
    match result["isError"].as_bool() {
        Some(true) => Err(result["content"][0]["text"].as_str().unwrap().to_owned()),
        _ => Ok(result["structuredContent"].clone()),
    }
}

#[test]
fn an_assistant_over_http_uses_the_same_tools_by_the_key_of_its_requests() {
    let data = shop();
    let create = |name: &str, scope: &str| {
        let created = cartwheel(data.path(), &["--json", "keys", "create", name, "--scope", scope]);
        let created: Value = serde_json::from_str(&created.unwrap()).unwrap();
        created["key"].as_str().unwrap().to_owned()
    };
    let (operator, page) = (create("operator", "admin"), create("page", "recommendations:read"));
    let server = Server::start(data.path());
    assert_eq!(call_over_http(&server, &operator, "health", json!({})).unwrap()["ready"], true);
    let models = call_over_http(&server, &operator, "models", json!({})).unwrap();
    assert!(models["models"].is_array(), "{models}");
    let wrong = call_over_http(&server, &operator, "explain", json!({"shopper": 1})).unwrap_err();
    assert!(wrong.contains("do not fit"), "{wrong}");
    let explained = json!({"shopper": "1", "limit": 3});
    let explained = call_over_http(&server, &operator, "explain", explained).unwrap();
    let product = explained["recommendations"][2]["product_id"].as_str().unwrap().to_owned();
    let tried = json!({"rule": rule(&product), "placement": "home", "shopper": "1"});
    let tried = call_over_http(&server, &operator, "simulate_rule", tried).unwrap();
    assert_eq!(tried["after"][0]["product_id"], product, "{tried}");
    let proposed = json!({"rule": rule(&product), "why": "a test"});
    let proposed = call_over_http(&server, &operator, "propose_rule", proposed).unwrap();
    let id = proposed["proposal"]["id"].as_str().unwrap();
    let shown = cartwheel(data.path(), &["proposals", "list"]).unwrap();
    assert!(shown.contains(id), "{shown}");

    // Only an operator's key opens the door, and each message is in the audit log.
    let asked = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    for (key, status) in [(None, 401), (Some(page.as_str()), 403)] {
        let (found, _) = request_as(&server.address, "POST", "/mcp", Some(&asked), key).unwrap();
        assert_eq!(found, status);
    }
    let audit = cartwheel(data.path(), &["audit"]).unwrap();
    assert!(audit.contains("/mcp") && audit.contains("operator"), "{audit}");
    // Nor does a page of another site, whatever name it gives the server.
    let headers = format!("x-api-key: {operator}\r\norigin: http://evil.example\r\n");
    let asked = request_with(&server.address, "POST", "/mcp", Some(&asked), &headers);
    assert_eq!(asked.unwrap().0, 403);
    server.stop();
}
