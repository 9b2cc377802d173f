//! Every background task of a server panics in turn.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cartwheel_settings::Settings;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::data_dir::DataDir;
use crate::export::MetricsExport;
use crate::host::Extras;
use crate::serve::{ServeOptions, serve};
use crate::supervision::doom;

/// Tasks that own checkpoints: the server ends with them.
const FATAL: [&str; 3] = ["catalogue", "delivery", "sessions"];
/// Tasks that are started again.
const RESTARTING: [&str; 14] = [
    "backups",
    "certificate",
    "export",
    "feedback",
    "imports",
    "keys",
    "metrics",
    "placements",
    "releases",
    "rules",
    "schedule",
    "synonyms",
    "trends",
    "upkeep",
];
/// Longest wait for anything.
const LIMIT: Duration = Duration::from_secs(60);

/// Serves an empty data directory with TLS while `work` runs with its address for commands, which is
/// plain HTTP, or until the server ends; its result is then an error.
fn serving<F: Future<Output = ()>>(work: impl FnOnce(String) -> F) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data_dir = DataDir(dir.path().join("data"));
    let settings = Settings::default();
    let mut server = settings.server.clone();
    server.listen = "127.0.0.1:0".parse()?;
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, certified.cert.pem())?;
    std::fs::write(&key, certified.signing_key.serialize_pem())?;
    (server.tls_cert, server.tls_key) = (Some(cert), Some(key));
    let address = data_dir.server();
    let options = ServeOptions {
        data_dir: &data_dir,
        settings: &settings,
        server,
        config: None,
        extras: Extras {
            metrics: Some(MetricsExport { every: LIMIT, push: Arc::new(|_| {}) }),
            ..Extras::default()
        },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let work = async move {
            let address = loop {
                match std::fs::read_to_string(&address) {
                    Ok(text) if text.contains(':') => break text,
                    _ => sleep(Duration::from_millis(10)).await,
                }
            };
            work(address).await;
        };
        tokio::select! {
            served = timeout(LIMIT, serve(options)) => served?,
            () = work => Ok(()),
        }
    });
    runtime.shutdown_background();
    served
}

/// What `/readyz` says of each task: its state, and how often it has failed.
async fn tasks(address: &str) -> BTreeMap<String, (String, u64)> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /readyz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let task = |task: &Value| {
        let text = |field: &str| task[field].as_str().unwrap().to_owned();
        (text("name"), (text("state"), task["failures"].as_u64().unwrap()))
    };
    body["tasks"].as_array().unwrap().iter().map(task).collect()
}

#[test]
fn every_task_that_panics_is_told_by_readyz_and_restarted_or_ends_the_server() {
    serving(|address| async move {
        let known: Vec<String> = tasks(&address).await.into_keys().collect();
        let mut expected = [&FATAL[..], &RESTARTING[..]].concat();
        expected.sort_unstable();
        assert_eq!(known, expected, "this test has to know every task");
        for name in RESTARTING {
            doom::panics(name);
            let told = async {
                while tasks(&address).await[name] != ("running".to_owned(), 1) {
                    sleep(Duration::from_millis(10)).await;
                }
            };
            assert!(timeout(LIMIT, told).await.is_ok(), "{name} was not restarted");
        }
        let after = tasks(&address).await;
        let fine = after.iter().filter(|(_, (state, _))| state == "running").count();
        assert_eq!(fine, expected.len(), "{after:?}");
    })
    .unwrap();
    for name in FATAL {
        let ended = serving(|_| async {
            doom::panics(name);
            sleep(LIMIT).await;
        });
        let error = format!("{:#}", ended.unwrap_err());
        assert_eq!(error, format!("the background task {name} failed: panic: as planned"));
    }
}
