//! What the data directory holds, who may call, and what the running server says of itself.

use std::net::TcpListener;

use anyhow::Result;
use cartwheel_feature_set::FeatureSet;
use cartwheel_node::{DataDir, KEY_VARIABLE, KeyFile, check_reach};
use cartwheel_settings::{Server, Settings};
use serde_json::Value;

use super::finding::Finding;
use crate::client;

/// Records that wait for a consumer from which on it is behind: seconds of a busy shop.
const BEHIND: f64 = 10_000.0;

/// Checks the data directory alone: nothing else is looked at if it is another program's.
pub(super) fn directory(data_dir: &DataDir) -> Vec<Finding> {
    const CHECK: &str = "data directory";
    let name = data_dir.0.display();
    let finding = if !data_dir.0.exists() {
        let next = "`cartwheel demo` or `cartwheel import` creates it; or name another --data-dir";
        Finding::warning(CHECK, format!("{name} does not exist yet"), next)
    } else if let Err(error) = data_dir.require() {
        let next = "name another --data-dir, or use the release that has written it";
        Finding::error(CHECK, format!("{error:#}"), next)
    } else {
        Finding::ok(CHECK, format!("{name}, of a format that this release reads"))
    };
    vec![finding]
}

pub(super) fn checks(data_dir: &DataDir, settings: &Settings) -> Result<Vec<Finding>> {
    let mut findings = vec![access(data_dir, &settings.server)];
    findings.extend(certificate(&settings.server));
    findings.extend(release(data_dir));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    findings.extend(runtime.block_on(server(data_dir, &settings.server)));
    Ok(findings)
}

fn access(data_dir: &DataDir, server: &Server) -> Finding {
    const CHECK: &str = "access";
    let keys = KeyFile::new(data_dir);
    let needed = keys.is_required().and_then(|needed| Ok((needed, keys.read()?.len())));
    let (needed, count) = match needed {
        Ok(found) => found,
        Err(error) => {
            let next = "restore keys.json from a backup";
            return Finding::error(CHECK, format!("{error:#}"), next);
        }
    };
    let create = "`cartwheel keys create operator --scope admin`";
    if needed && count == 0 {
        return Finding::error(CHECK, "every call needs a key, and there is none", create);
    }
    if needed {
        return Finding::ok(CHECK, format!("every call needs one of {count} keys"));
    }
    let listen = server.listen;
    if check_reach(listen, false, false).is_ok() {
        return Finding::ok(CHECK, format!("no key is needed, on this machine alone ({listen})"));
    }
    let found = format!("no key is needed, and other machines can reach {listen}");
    match server.open_to_everyone {
        true => Finding::warning(CHECK, found, create),
        false => Finding::error(CHECK, found + ": the server does not start", create),
    }
}

fn certificate(server: &Server) -> Vec<Finding> {
    const CHECK: &str = "TLS";
    let files = [&server.tls_cert, &server.tls_key];
    let unreadable = files.into_iter().flatten().find_map(|path| {
        let error = std::fs::read(path).err()?;
        let found = format!("{}: {error}", path.display());
        let next = "correct server.tls_cert and server.tls_key, or let this user read the files";
        Some(Finding::error(CHECK, found, next))
    });
    match unreadable {
        None if server.tls_cert.is_some() => {
            vec![Finding::ok(CHECK, "certificate and key are readable")]
        }
        unreadable => Vec::from_iter(unreadable),
    }
}

/// The model and the catalogue of the current release.
fn release(data_dir: &DataDir) -> Vec<Finding> {
    if !data_dir.lake().exists() {
        return Vec::new();
    }
    let release = match cartwheel_registry::current(&data_dir.releases()) {
        Ok(Some(release)) => release,
        Ok(None) => {
            let next = "`cartwheel pipeline run` learns from what was imported and releases it";
            return vec![Finding::warning("model", "nothing is released yet", next)];
        }
        Err(error) => {
            let next = "restore a backup, or release again with `cartwheel models deploy`";
            return vec![Finding::error("model", error.to_string(), next)];
        }
    };
    let model = match &release.model {
        None => {
            let next = "`cartwheel models list` says why the gate released none";
            Finding::warning("model", "the release ranks by rules, without a model", next)
        }
        Some(version) => match cartwheel_registry::read(&data_dir.models(), version) {
            Ok(_) => Finding::ok("model", format!("{version} is intact")),
            Err(error) => {
                let next = "`cartwheel models rollback`, or `cartwheel pipeline run` for a new one";
                Finding::error("model", error.to_string(), next)
            }
        },
    };
    let set = FeatureSet::open(&data_dir.features().join(&release.feature_set));
    let catalogue = match set.map(|set| set.manifest.products) {
        Ok(0) => {
            let next = "import products with `cartwheel import products`, then run the pipeline";
            Finding::warning("catalogue", "the released catalogue has no product", next)
        }
        Ok(products) => Finding::ok("catalogue", format!("{products} products are released")),
        Err(error) => {
            let next = "`cartwheel pipeline run` builds the features anew";
            Finding::error("catalogue", error.to_string(), next)
        }
    };
    vec![model, catalogue]
}

/// What the running server says; without one, whether it could listen.
async fn server(data_dir: &DataDir, server: &Server) -> Vec<Finding> {
    const CHECK: &str = "server";
    let Ok((_, body)) = client::get(data_dir, "/readyz").await else {
        let listen = server.listen;
        return vec![match TcpListener::bind(listen) {
            Ok(_) => Finding::ok(CHECK, format!("it does not run, and {listen} is free")),
            Err(error) => {
                let next = "stop the program that uses the port (`ss -ltnp`), or set server.listen";
                Finding::error(CHECK, format!("{listen}: {error}"), next)
            }
        }];
    };
    let state: Value = serde_json::from_str(&body).unwrap_or_default();
    let log = "its log says why; /readyz with an admin key names the part";
    let mut findings = vec![if state["ready"] != true {
        Finding::error(CHECK, format!("it runs and is not ready: {}", faults(&state)), log)
    } else if state["degraded"] == true {
        Finding::warning(CHECK, format!("answers lack a part: {}", faults(&state)), log)
    } else {
        Finding::ok(CHECK, "it runs and is ready")
    }];
    let waiting = match client::get(data_dir, "/metrics").await {
        Ok((200, text)) => waiting(&text),
        Ok((401 | 403, _)) => {
            let next = format!("set {KEY_VARIABLE} to an admin key");
            findings.push(Finding::warning("stream lag", "only an admin may see it", next));
            return findings;
        }
        _ => None,
    };
    findings.extend(waiting.map(|records| {
        let found = format!("{records} records wait");
        match records < BEHIND {
            true => Finding::ok("stream lag", found),
            false => Finding::warning(
                "stream lag",
                found,
                "the server's log says what sessions and lake wait for; `cartwheel capacity` \
                 computes what the load needs",
            ),
        }
    }));
    findings
}

/// The parts that are not as they should be.
fn faults(state: &Value) -> String {
    let mut faults = Vec::new();
    if let Some(stream) = state["stream"].as_str().filter(|state| *state != "ready") {
        faults.push(format!("the stream is {stream}"));
    }
    if state["sessions"] == false {
        faults.push("sessions have not caught up".to_owned());
    }
    for task in state["tasks"].as_array().into_iter().flatten() {
        if let (Some(name), Some(now)) = (task["name"].as_str(), task["state"].as_str())
            && now != "running"
        {
            faults.push(format!("the task {name} is {now}"));
        }
    }
    if state["engine"]["degraded"] == true {
        faults.push("the release cannot be opened as a whole".to_owned());
    }
    if faults.is_empty() { "it does not say why".to_owned() } else { faults.join(", ") }
}

/// The most records that wait for a consumer, from the text of `/metrics`.
fn waiting(metrics: &str) -> Option<f64> {
    let lines = metrics.lines().filter(|line| line.starts_with("cartwheel_stream_records_waiting"));
    let values = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    values.max_by(f64::total_cmp)
}
