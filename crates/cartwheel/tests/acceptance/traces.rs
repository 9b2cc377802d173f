//! Traces and metrics as a collector receives them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::shop::{Server, request_with, shop, wait_until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// What a collector has received.
#[derive(Default)]
struct Received {
    spans: Vec<Value>,
    /// Each push, with its head in lower case.
    metrics: Vec<(String, Value)>,
}

/// A collector that keeps everything. It ends with the test's process.
fn collector() -> (String, Arc<Mutex<Received>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let received = Arc::new(Mutex::new(Received::default()));
    let kept = received.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(socket);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
            }
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.unwrap().parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let mut body: Value = serde_json::from_slice(&body).unwrap();
            let is_spans = head.starts_with("post /v1/traces http/1.1");
            let mut of = body[if is_spans { "resourceSpans" } else { "resourceMetrics" }][0].take();
            assert_eq!(of["resource"]["attributes"][0]["value"]["stringValue"], "cartwheel");
            let mut received = kept.lock().unwrap();
            if is_spans {
                let found = of["scopeSpans"][0]["spans"].as_array().unwrap();
                received.spans.extend(found.iter().cloned());
            } else {
                assert!(head.starts_with("post /v1/metrics http/1.1"), "{head}");
                received.metrics.push((head, of["scopeMetrics"][0]["metrics"].take()));
            }
            drop(received);
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    (address, received)
}

fn submit(server: &Server, trace: &str, flags: &str) {
    let event = json!({"user_id": "1", "event": "add_to_cart", "product_ids": ["1"]});
    let header = format!("traceparent: 00-{trace}-{PARENT}-{flags}\r\n");
    let answer =
        request_with(&server.address, "POST", "/submit", Some(&event.to_string()), &header);
    assert_eq!(answer.unwrap().0, 200);
}

#[test]
fn one_trace_leads_from_the_request_into_the_lake() {
    let (address, received) = collector();
    let data = shop();
    let server = Server::spawn_with(
        data.path(),
        &["serve"],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str())],
    );
    wait_until("the server is ready", || server.get("/readyz").is_some_and(|(s, _)| s == 200));
    let unsampled = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    submit(&server, unsampled, "00");
    submit(&server, TRACE, "01");
    let of_trace = |id: &str| -> BTreeMap<String, Value> {
        let received = received.lock().unwrap();
        let found = received.spans.iter().filter(|span| span["traceId"] == id);
        found.map(|span| (span["name"].as_str().unwrap().to_owned(), span.clone())).collect()
    };
    wait_until("the whole trace is sent", || of_trace(TRACE).len() == 4);
    let trace = of_trace(TRACE);
    let names: Vec<&str> = trace.keys().map(String::as_str).collect();
    assert_eq!(names, ["/submit", "deliver", "rank", "store"]);
    let request = &trace["/submit"];
    assert_eq!(
        (request["parentSpanId"].as_str(), request["kind"].as_u64()),
        (Some(PARENT), Some(2))
    );
    let attributes = request["attributes"].as_array().unwrap();
    assert!(attributes.contains(&json!({"key": "status", "value": {"intValue": "200"}})));
    let time = |span: &Value, at: &str| span[at].as_str().unwrap().parse::<u64>().unwrap();
    for name in ["store", "rank", "deliver"] {
        let span = &trace[name];
        assert_eq!(span["parentSpanId"], request["spanId"], "{name}");
        assert!(time(span, "startTimeUnixNano") >= time(request, "startTimeUnixNano"), "{name}");
        assert!(time(span, "endTimeUnixNano") >= time(span, "startTimeUnixNano"), "{name}");
    }
    // Its end is that of its work, although it was sent with the end of the delivery.
    assert!(time(request, "endTimeUnixNano") >= time(&trace["rank"], "endTimeUnixNano"));
    assert!(of_trace(unsampled).is_empty(), "the client did not want this trace");
    // Requests without a trace begin one.
    let is_own = |span: &Value| span["name"] == "/readyz" && span["parentSpanId"] == "";
    wait_until("a trace of its own", || received.lock().unwrap().spans.iter().any(is_own));
    server.stop();
    let metrics = &received.lock().unwrap().metrics;
    assert!(!metrics.is_empty(), "the last ones are sent although a minute is not over");
}

/// A value of a metric by the text of its first attribute, and the numbers' sum.
fn sum(metrics: &Value, name: &str, label: &str) -> Option<f64> {
    let metric = metrics.as_array()?.iter().find(|metric| metric["name"] == name)?;
    let points = metric["sum"]["dataPoints"].as_array()?.iter();
    let of_label = points.filter(|point| point["attributes"][0]["value"]["stringValue"] == label);
    Some(of_label.filter_map(|point| point["asDouble"].as_f64()).sum())
}

#[test]
fn a_collector_gets_the_metrics_at_an_interval_and_at_the_end() {
    let (address, received) = collector();
    let data = shop();
    let server = Server::spawn_with(
        data.path(),
        &["serve"],
        &[
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &format!("{address}/v1/metrics")),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20secret"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
        ],
    );
    wait_until("the server is ready", || server.get("/readyz").is_some_and(|(s, _)| s == 200));
    let accepted = || {
        let received = received.lock().unwrap();
        received.metrics.last().and_then(|(_, m)| sum(m, "cartwheel_events_total", "accepted"))
    };
    wait_until("metrics are pushed", || accepted() == Some(0.0));
    submit(&server, TRACE, "01");
    wait_until("the event is counted", || accepted() == Some(1.0));
    submit(&server, TRACE, "01");
    server.stop();
    assert_eq!(accepted(), Some(2.0), "the last push has what came before the end");
    let received = received.lock().unwrap();
    assert!(received.spans.is_empty(), "no collector of traces is named");
    let (head, metrics) = received.metrics.last().unwrap();
    assert!(head.contains("authorization: bearer secret"), "{head}");
    let names: Vec<&str> =
        metrics.as_array().unwrap().iter().map(|metric| metric["name"].as_str().unwrap()).collect();
    for name in
        ["cartwheel_build_info", "cartwheel_http_request_duration_seconds", "cartwheel_models"]
    {
        assert_eq!(names.iter().filter(|found| **found == name).count(), 1, "{name}: {names:?}");
    }
}

#[test]
fn a_collector_that_is_away_or_refuses_does_not_disturb_the_server() {
    let data = shop();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    // It takes connections and never answers, and is gone in the end.
    let address = format!("http://{}", nobody.local_addr().unwrap());
    let server = Server::spawn_with(
        data.path(),
        &["serve"],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &address), ("OTEL_METRIC_EXPORT_INTERVAL", "100")],
    );
    wait_until("the server is ready", || server.get("/readyz").is_some_and(|(s, _)| s == 200));
    nobody.accept().unwrap();
    for _ in 0..20 {
        submit(&server, TRACE, "01");
    }
    let (_, ready) = server.get("/readyz").unwrap();
    let tasks = ready["tasks"].as_array().unwrap();
    let export = tasks.iter().find(|task| task["name"] == "export").unwrap();
    assert_eq!((&export["state"], &export["failures"]), (&json!("running"), &json!(0)));
    drop(nobody);
    server.stop();
}
