//! Traces as a collector receives them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::shop::{Server, request_with, shop, wait_until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A collector that keeps every span. It ends with the test's process.
fn collector() -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let spans = Arc::new(Mutex::new(Vec::new()));
    let kept = spans.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(socket);
            let mut length = 0;
            let mut first = String::new();
            reader.read_line(&mut first).unwrap();
            assert_eq!(first.trim_end(), "POST /v1/traces HTTP/1.1");
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let resource = &body["resourceSpans"][0];
            assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "cartwheel");
            let found = resource["scopeSpans"][0]["spans"].as_array().unwrap();
            kept.lock().unwrap().extend(found.iter().cloned());
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    (address, spans)
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
    let (address, spans) = collector();
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
        let spans = spans.lock().unwrap();
        let found = spans.iter().filter(|span| span["traceId"] == id);
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
    wait_until("a trace of its own", || spans.lock().unwrap().iter().any(is_own));
    server.stop();
}
