//! Measures the functions: size of the archive, start, first answer, warm answers, memory. The
//! services are emulators on this machine, so that the figures exclude network latency.
//!
//! `CARTWHEEL_FUNCTIONS=target/lambda/x86_64` measures the binaries of `scripts/package`.

#![allow(clippy::disallowed_methods, reason = "real programs are measured in real time")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs, dead_code)]

#[path = "../tests/acceptance/cloud.rs"]
mod cloud;
#[path = "../tests/acceptance/learned.rs"]
mod learned;
#[path = "../tests/acceptance/shop.rs"]
mod shop;

use std::time::{Duration, Instant};

use cartwheel_testkit::Function;
use serde_json::{Value, json};

const STARTS: usize = 7;

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    ms(times[times.len() / 2])
}

async fn warm(function: &Function, event: &Value, count: usize) -> (f64, f64) {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        function.invoke(event).await.unwrap();
        times.push(start.elapsed());
    }
    times.sort_unstable();
    (ms(times[count / 2]), ms(times[count * 99 / 100]))
}

#[tokio::main]
async fn main() {
    let learned = learned::Learned::make();
    let account = cloud::Account::unheard().await;
    account.run_pipeline(&learned, "run-1", true).await;
    let user = &learned.users[0];
    let path = format!("/v1/users/{user}/recommendations");
    let recommend = cloud::gateway("GET", &path, None, None);
    let view = json!({"user_id": user, "event": "view", "product_ids": ["1"]});
    let submit = cloud::gateway("POST", "/submit", Some(&view), None);
    let records: Vec<Value> =
        (0..100).map(|n| cloud::kinesis_record(n, &format!("u{n}"))).collect();
    let batch = json!({"Records": records});
    let set = &learned.set.manifest.version;
    let list = json!({"action": "list", "lake": cloud::LAKE, "run": "run-1"});
    let part = format!("features/{set}/users/part-00000.parquet");
    let load = json!({"action": "load", "lake": cloud::LAKE, "feature_set": set, "part": part});
    let judge = json!({
        "lake": cloud::LAKE, "run": "run-1", "feature_set": set, "job": "run-1",
        "artifacts": format!("{}/models/training/run-1/output/model.tar.gz", cloud::LAKE),
    });
    let publish = json!({"action": "publish", "lake": cloud::LAKE, "feature_set": set,
                         "model": learned.model});
    let notify = json!({"run": "run-1", "outcome": "released"});

    println!(
        "| function | work | start, ms | first answer, ms | warm p50, ms | p99, ms | memory, MB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (name, what, event, count) in [
        ("api", "recommendations", &recommend, 2000),
        ("api", "/submit", &submit, 1000),
        ("consume", "100 events of 100 users", &batch, 200),
        ("load", "list parts", &list, 100),
        ("load", "a part of 100 users", &load, 50),
        ("evaluate", "judge a model", &judge, 20),
        ("publish", "publish", &publish, 50),
        ("notify", "a notice", &notify, 100),
    ] {
        let (mut starts, mut firsts) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            let function = account.function(name, &[]).await;
            let start = Instant::now();
            function.invoke(event).await.unwrap();
            firsts.push(function.started_in() + start.elapsed());
            starts.push(function.started_in());
        }
        let function = account.function(name, &[]).await;
        let (p50, p99) = warm(&function, event, count).await;
        let memory = function.peak_memory() as f64 / 1e6;
        let (start, first) = (median(starts), median(firsts));
        println!(
            "| {name} | {what} | {start:.1} | {first:.1} | {p50:.2} | {p99:.2} | {memory:.0} |"
        );
    }
}
