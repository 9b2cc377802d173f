//! Rows 19 and 20: who may do what, and where nobody gets.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::case::{Case, Shown};
use crate::journal::wait_until;
use crate::kit::{Answer, Node};
use crate::shop;
use crate::strace::{self, Strace};

/// What everybody may ask.
const OPEN: [&str; 5] =
    ["/healthz", "/readyz", "/openapi.json", "/docs", "/v1/projects/{name}/settings"];
/// It takes its key from the body alone.
const BEACON: &str = "/v1/beacon";
/// What a shop's pages may ask.
const READ: [&str; 14] = [
    "/v1/recommendations",
    "/v1/users/{id}/recommendations",
    "/v1/users/{id}/buy-again",
    "/v1/users/{id}/cart",
    "/v1/users/{id}/orders",
    "/v1/products",
    "/v1/products/{id}",
    "/v1/products/{id}/similar",
    "/v1/departments",
    "/v1/popular",
    "/v1/trending",
    "/v1/rank",
    "/v1/page",
    "/v1/search",
];

/// A signature takes the place of a key.
const WEBHOOK: &str = "/v1/shopify";
/// Where the SDKs of Segment and RudderStack send events.
const SDKS: [&str; 13] = [
    "/v1/a",
    "/v1/alias",
    "/v1/b",
    "/v1/batch",
    "/v1/g",
    "/v1/group",
    "/v1/i",
    "/v1/identify",
    "/v1/p",
    "/v1/s",
    "/v1/screen",
    "/v1/t",
    "/v1/track",
];

/// Which kind of key a route asks for: by the documents, not by the code.
fn scope_of(method: &str, path: &str) -> Option<&'static str> {
    match path {
        path if OPEN.contains(&path) => None,
        "/submit" | "/mp/collect" => Some("events:write"),
        path if SDKS.contains(&path) => Some("events:write"),
        path if path.starts_with("/v1/events") => Some("events:write"),
        path if path.starts_with("/v1/catalogue") => Some("catalogue:write"),
        path if path.starts_with("/v1/products") && method != "GET" => Some("catalogue:write"),
        "/v1/users/{id}/merge" => Some("events:write"),
        "/v1/placements/{name}" if method == "POST" => Some("recommendations:read"),
        path if READ.contains(&path) => Some("recommendations:read"),
        _ => Some("admin"),
    }
}

/// Every method and path of the running server's own document.
fn routes(node: &Node) -> Result<Vec<(String, String)>> {
    let document = node.get("/openapi.json")?.json();
    let paths = document["paths"].as_object().context("a document without paths")?;
    let mut routes = Vec::new();
    for (path, item) in paths {
        let methods = item.as_object().context("a path without methods")?.keys();
        routes.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    ensure!(routes.len() > 20, "only {} routes are documented", routes.len());
    Ok(routes)
}

/// A new key with one right.
pub fn key(data: &Path, name: &str, scope: &str) -> Result<String> {
    let made = shop::cartwheel(data, &["--json", "keys", "create", name, "--scope", scope]);
    let made: Value = serde_json::from_str(&made.map_err(anyhow::Error::msg)?)?;
    Ok(made["key"].as_str().context("a key")?.to_owned())
}

/// Whoever brings many wrong keys is told to wait, which lets nobody in either.
fn guessed(answer: &Answer) -> bool {
    answer.status == 429 && answer.header("retry-after").is_some()
}

/// Row 19.
pub fn keys(case: &Case) -> Result<Shown> {
    let data = case.shop()?;
    let scopes = ["events:write", "recommendations:read", "admin", "catalogue:write"];
    let keys: Vec<String> = scopes
        .iter()
        .map(|scope| key(&data, &scope.replace(':', "-"), scope))
        .collect::<Result<_>>()?;
    let secret = data.join("shopify.secret");
    std::fs::write(&secret, "signs webhooks of Shopify")?;
    let secret = secret.to_str().context("a path")?;
    let node = Node::start(&data, &[("CARTWHEEL_SERVER_SHOPIFY_SECRET", secret)])?;
    let (mut tried, mut unknown) = (0, 0);
    let mut last = keys[2].clone();
    last.replace_range(last.len() - 1.., if last.ends_with('0') { "1" } else { "0" });
    let wrong = ["", "cw_", "null", "' OR 1=1 --", &keys[0][..20], last.as_str(), "\u{e9}"];
    for (method, path) in routes(&node)? {
        if path == BEACON {
            for key in &keys {
                let body = json!({"key": key, "events": []}).to_string();
                for (headers, body) in [(&[("x-api-key", key.as_str())][..], "{}"), (&[], &body)] {
                    let answer = node.client()?.send(&method, &path, headers, body.as_bytes())?;
                    let status = answer.status;
                    ensure!(
                        matches!(status, 400 | 401 | 403),
                        "{path}: {status} {}",
                        answer.text()
                    );
                    tried += 1;
                }
            }
            continue;
        }
        if path == WEBHOOK {
            for key in keys.iter().map(String::as_str).chain(wrong) {
                let headers = [("x-api-key", key), ("x-shopify-hmac-sha256", key)];
                let answer = node.client()?.send(&method, &path, &headers, b"{}")?;
                let refused = answer.status == 401 || guessed(&answer);
                ensure!(refused, "{path}: {} {}", answer.status, answer.text());
                tried += 1;
            }
            continue;
        }
        let scope = scope_of(&method, &path);
        let path = path.replace("{id}", "1").replace("{version}", "m-1").replace("{name}", "one");
        let path = path.replace(['{', '}'], "");
        let body: &[u8] = if matches!(&*method, "POST" | "PUT" | "PATCH") { b"{}" } else { b"" };
        let ask = |headers: &[(&str, &str)], path: &str| -> Result<Answer> {
            Ok(node.client()?.send(&method, path, headers, body)?)
        };
        let Some(scope) = scope else {
            ensure!(ask(&[], &path)?.status == 200, "{method} {path} is for everybody");
            tried += 1;
            continue;
        };
        let expect = |answer: Answer, status: u16, with: &str| {
            let its = answer.status;
            ensure!(its == status, "{method} {path} with {with}: {its} {}", answer.text());
            Ok(())
        };
        expect(ask(&[], &path)?, 401, "no key")?;
        for wrong in wrong {
            let bearer = format!("Bearer {wrong}");
            for headers in [("x-api-key", wrong), ("authorization", bearer.as_str())] {
                let answer = ask(&[headers], &path)?;
                unknown += u64::from(answer.status == 401);
                if !guessed(&answer) {
                    expect(answer, 401, wrong)?;
                }
            }
        }
        // Where keys end up in logs of others, none is looked for.
        let query = format!("{path}?api_key={0}&x-api-key={0}", keys[2]);
        expect(ask(&[], &query)?, 401, "a key in the query")?;
        let cookie = format!("x-api-key={}", keys[2]);
        expect(ask(&[("cookie", &cookie)], &path)?, 401, "a key in a cookie")?;
        tried += 4 + wrong.len() as u64;
        for (its, key) in scopes.iter().zip(&keys) {
            if *its == scope || *its == "admin" {
                continue;
            }
            expect(ask(&[("x-api-key", key)], &path)?, 403, its)?;
            tried += 1;
        }
        // Its own key lets it in; what is asked for is another matter. A stream has no end.
        let ends = !path.ends_with("/events") || path == "/v1/events";
        if ends && scope != "admin" {
            let at = scopes.iter().position(|its| *its == scope).context("a scope")?;
            let answer = ask(&[("x-api-key", &keys[at])], &path)?;
            let refused = matches!(answer.status, 401 | 403 | 500);
            ensure!(!refused, "{method} {path}: {}", answer.text());
            tried += 1;
        }
    }
    ensure!(unknown >= 20, "only {unknown} wrong keys are called that");
    tried += fields(&node, &keys[0], &keys[1])?;
    shop::cartwheel(&data, &["keys", "revoke", "events-write"]).map_err(anyhow::Error::msg)?;
    wait_until("a revoked key does nothing more", Duration::from_secs(5), || {
        let event = json!({"user_id": "1", "event": "view", "product_ids": ["1"]}).to_string();
        let headers = [("x-api-key", keys[0].as_str())];
        let answer = node.client()?.send("POST", "/submit", &headers, event.as_bytes())?;
        Ok(answer.status == 401 || guessed(&answer))
    })?;
    node.stop()?;
    Shown::all(tried + 1, "each route of /openapi.json")
}

/// Fields that only a server or an operator may set are refused by name.
fn fields(node: &Node, write: &str, read: &str) -> Result<u64> {
    let admin = [
        "received_at_ms",
        "record_id",
        "shard",
        "sequence",
        "schema_version",
        "admin",
        "scopes",
        "api_key",
        "tenant",
        "__proto__",
        "constructor",
        "is_admin",
    ];
    for field in admin {
        let mut event = json!({"user_id": "1", "event": "view", "product_ids": ["1"]});
        event[field] = json!(1);
        let mut question = json!({"user_id": "1"});
        question[field] = json!(1);
        for (path, key, body) in [
            ("/submit", write, event.clone()),
            ("/v1/events", write, event),
            ("/v1/recommendations", read, question),
        ] {
            let body = body.to_string();
            let answer =
                node.client()?.send("POST", path, &[("x-api-key", key)], body.as_bytes())?;
            ensure!(answer.status == 400, "{field} to {path}: {} {}", answer.status, answer.text());
            ensure!(answer.text().contains(field), "{field} is not named: {}", answer.text());
        }
    }
    Ok(3 * admin.len() as u64)
}

/// All files and folders below, without those that a server writes on its own.
fn tree(root: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path.clone());
            }
            found.insert(path);
        }
    }
    found
}

/// Row 20.
pub fn paths(case: &Case) -> Result<Shown> {
    const SECRET: &str = "canary-5e1f";
    let data = case.shop()?;
    let outside = data.parent().context("a parent")?.to_owned();
    std::fs::write(outside.join("canary.txt"), SECRET)?;
    std::fs::write(data.join("canary.json"), format!("\"{SECRET}\""))?;
    let hooked = outside.join("hooked");
    std::fs::create_dir_all(&hooked)?;
    std::fs::write(hooked.join("manifest.json"), format!("{{\"version\":\"{SECRET}\"}}"))?;
    std::os::unix::fs::symlink(&hooked, data.join("lake/models/m-link"))?;
    std::os::unix::fs::symlink(outside.join("canary.txt"), data.join("pipeline.log"))?;
    let node = Node::start(&data, &[])?;
    let watch = match strace::missing() {
        None => {
            let trace = data.with_extension("trace");
            Some(Strace::attach(node.pid(), &["-e", "trace=connect"], &trace)?)
        }
        Some(_) => None,
    };
    let before = tree(&outside);
    let ups = [
        "../canary.txt",
        "../../canary.txt",
        "..%2fcanary.txt",
        "%2e%2e/canary.txt",
        "%2e%2e%2fcanary.txt",
        "..%5ccanary.txt",
        "%252e%252e%252fcanary.txt",
        "..;/canary.txt",
        "....//canary.txt",
        "%c0%ae%c0%ae/canary.txt",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "canary.json",
        "..%00",
        "a%00.json",
        "%0d%0aset-cookie:x",
        "http://127.0.0.1:9/",
        "http:%2f%2f169.254.169.254%2flatest",
        "file:%2f%2f%2fetc%2fpasswd",
        "m-link",
        "..",
        ".",
        "~root",
        "$HOME",
        "%7e",
        "*",
        "con",
        "lake%2freleases%2fcurrent.json",
    ];
    let stems = [
        "/",
        "/assets/",
        "/docs/",
        "/v1/models/",
        "/v1/users/",
        "/v1/products/",
        "/v1/lake/",
        "/v1/pipeline/executions/",
    ];
    let mut tried = 0;
    let fine = |what: &str, answer: &Answer| {
        let text = answer.text();
        ensure!(!text.contains(SECRET) && !text.contains("root:x:"), "{what} leaks: {text}");
        ensure!(answer.status < 500, "{what}: {} {text}", answer.status);
        ensure!(answer.header("set-cookie").is_none(), "{what} sets a header");
        Ok(())
    };
    for stem in stems {
        for up in ups {
            let path = format!("{stem}{up}");
            // Not every path has a form that HTTP takes; then the connection ends.
            if let Ok(answer) = node.get(&path) {
                fine(&path, &answer)?;
            }
            tried += 1;
        }
    }
    let decoded = [
        "../canary",
        "../../x",
        "/tmp/x",
        "a/b",
        "a\0b",
        "..",
        ".",
        "http://127.0.0.1:9/x",
        "file:///etc/passwd",
        "x\r\ny",
        "%2e%2e",
        "\\\\host\\share",
        "m-link",
    ];
    for id in decoded {
        let event = |field: &str| {
            let mut event = json!({"user_id": "u", "event": "view", "product_ids": ["1"]});
            event[field] = if field == "product_ids" { json!([id]) } else { json!(id) };
            event
        };
        for field in
            ["user_id", "event_id", "session_id", "source", "recommendation_id", "product_ids"]
        {
            let answer = node.post("/submit", &event(field))?;
            fine(&format!("{field} {id:?}"), &answer)?;
            // Ids are any text without control characters, and never become paths.
            let expected = if id.contains(char::is_control) { 400 } else { 200 };
            ensure!(answer.status == expected, "{field} {id:?}: {}", answer.text());
            tried += 1;
        }
        for (path, body) in [
            (
                "/v1/pipeline/executions".to_owned(),
                json!({"name": id, "hyperparameters": {"num_round": "x/../y"}}),
            ),
            ("/v1/models/m-link/deploy".to_owned(), json!({})),
            (
                "/v1/recommendations".to_owned(),
                json!({"user_id": "1", "filters": {"departments": [id]}}),
            ),
            ("/v1/lake/job".to_owned(), json!({"path": id, "dir": id, "source": id})),
        ] {
            fine(&format!("{path} {body}"), &node.post(&path, &body)?)?;
            tried += 1;
        }
    }
    // Names that are names begin runs, which write below the data directory.
    let after = tree(&outside);
    let strays: Vec<_> =
        after.difference(&before).filter(|path| !path.starts_with(&data)).collect();
    ensure!(strays.is_empty(), "written outside of the data directory: {strays:?}");
    let ready = node.get("/readyz")?;
    ensure!(ready.status == 200, "{}", ready.text());
    node.kill()?;
    let note = match watch {
        None => "whether requests go out was not watched: strace does not run here".to_owned(),
        Some(watch) => {
            let calls = watch.end()?;
            // A local socket is no request.
            let out: Vec<_> =
                calls.iter().filter(|call| call.arguments.contains("AF_INET")).collect();
            ensure!(out.is_empty(), "{} requests go out: {:?}", out.len(), out.first());
            "no connect() to anywhere".to_owned()
        }
    };
    Shown::all(tried, note)
}
