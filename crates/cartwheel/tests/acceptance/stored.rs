//! What lies in the data directory, looked at from the command line.

use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, shop};

#[test]
fn the_stream_can_be_counted_verified_and_followed_while_it_is_used() {
    let data = shop();
    let server = Server::start(data.path());
    for n in 0..20 {
        let body = json!({"user_id": format!("u{n}"), "event": "view", "product_ids": ["3"],
                          "event_id": format!("e{n}")});
        assert_eq!(server.post("/v1/events", &body).unwrap().0, 200);
    }
    let stat = cartwheel(data.path(), &["stream", "stat", "--json"]).unwrap();
    let stat: Value = serde_json::from_str(&stat).unwrap();
    let records = stat["records"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap());
    assert_eq!((records.sum::<u64>(), &stat["next"]), (20, &json!(20)), "{stat}");
    let whole = cartwheel(data.path(), &["stream", "verify"]).unwrap();
    assert!(whole.contains("Every record is whole"), "{whole}");
    let tail = cartwheel(data.path(), &["stream", "tail", "-n", "3"]).unwrap();
    let lines: Vec<Value> = tail.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<_> =
        lines.iter().map(|line| line["record"]["event_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["e17", "e18", "e19"]);
    server.stop();
    // A flipped bit is named.
    let segment = data.path().join("stream/00000000000000000000.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.windows(4).position(|w| w == b"\"e5\"").unwrap();
    bytes[at + 1] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let error = cartwheel(data.path(), &["stream", "verify"]).unwrap_err();
    assert!(error.contains("records are missing at 1 places"), "{error}");
}
