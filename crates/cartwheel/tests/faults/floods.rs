//! Row 17: more than a server should take, in every place where a request has room.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::case::{Case, Memory, Shown};
use crate::journal::wait_until;
use crate::kit::{Answer, Client, Node};
use crate::lake;

/// What memory may rise by, in MiB, whatever comes.
const RISE: f64 = 16.0;

/// Sends something, and gives what was answered if an answer came.
type Send = dyn Fn(&Node) -> Result<Option<Answer>> + Sync;

/// A flood: what it is, how to send it, and the statuses that refuse it.
struct Flood {
    what: &'static str,
    statuses: &'static [u16],
    send: Box<Send>,
}

fn flood(
    what: &'static str,
    statuses: &'static [u16],
    send: impl Fn(&Node) -> Result<Option<Answer>> + Sync + 'static,
) -> Flood {
    Flood { what, statuses, send: Box::new(send) }
}

/// Sends a head and then pieces until `bytes` are sent or nobody takes more. Gives what
/// was answered, if the answer came before the connection broke.
fn pour(node: &Node, head: &str, bytes: u64, chunked: bool) -> Result<Option<Answer>> {
    let mut client = node.client()?;
    client.socket().write_all(head.as_bytes())?;
    let mut writer = client.socket().try_clone()?;
    writer.set_write_timeout(Some(Duration::from_secs(2)))?;
    let answered = AtomicBool::new(false);
    let piece = [b'['; 64 << 10];
    let mut framed = if chunked { b"10000\r\n".to_vec() } else { Vec::new() };
    framed.extend(piece);
    framed.extend(if chunked { &b"\r\n"[..] } else { b"" });
    Ok(std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut sent = 0;
            while sent < bytes && !answered.load(Ordering::Relaxed) {
                if writer.write_all(&framed).is_err() {
                    return;
                }
                sent += piece.len() as u64;
            }
        });
        let answer = client.answer().ok();
        answered.store(true, Ordering::Relaxed);
        // A server that goes on to read would let the writer go on too.
        let _ = client.socket().shutdown(std::net::Shutdown::Both);
        answer
    }))
}

fn post(length: Option<u64>) -> String {
    let framing = match length {
        Some(length) => format!("content-length: {length}"),
        None => "transfer-encoding: chunked".to_owned(),
    };
    format!(
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{framing}\r\n\r\n"
    )
}

/// Sends raw bytes, as far as they are taken, and reads an answer.
fn raw(node: &Node, bytes: &[u8]) -> Result<Option<Answer>> {
    let mut client = node.client()?;
    // The answer may come before the end.
    let _ = client.socket().write_all(bytes);
    Ok(client.answer().ok())
}

fn json_body(body: Vec<u8>) -> impl Fn(&Node) -> Result<Option<Answer>> + Sync {
    move |node| Ok(Some(node.client()?.send("POST", "/v1/events", &[], &body)?))
}

/// So many zeros as gzip packs them.
fn gzip_bomb(mebibytes: usize) -> Result<Vec<u8>> {
    let mut gzip = Command::new("gzip").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut into = gzip.stdin.take().context("gzip takes nothing")?;
    let zeros = std::thread::spawn(move || {
        let piece = vec![b' '; 1 << 20];
        (0..mebibytes).try_for_each(|_| into.write_all(&piece))
    });
    let mut packed = Vec::new();
    gzip.stdout.take().context("gzip gives nothing")?.read_to_end(&mut packed)?;
    zeros.join().expect("a writer ends")?;
    ensure!(gzip.wait()?.success(), "gzip failed");
    Ok(packed)
}

/// A long list of equal pieces, between a start and an end.
fn long(start: &str, piece: &str, times: usize, end: &str) -> Vec<u8> {
    [start, &piece.repeat(times), end].concat().into_bytes()
}

/// Row 17.
pub fn floods(case: &Case) -> Result<Shown> {
    const GIB: u64 = 1 << 30;
    let bomb = gzip_bomb(case.pick(256, 900))?;
    ensure!(bomb.len() < 1 << 20, "the bomb is too large to be let in: {}", bomb.len());
    let chunked_bytes = case.pick(GIB / 8, GIB);
    // Clients that send the same flood.
    let at_once = case.pick(2, 4);
    let headers = |count: usize, length: usize| {
        let mut head = "GET /v1/popular HTTP/1.1\r\nhost: localhost\r\n".to_owned();
        (0..count).for_each(|n| head.push_str(&format!("x-{n}: {}\r\n", "v".repeat(length))));
        (head + "\r\n").into_bytes()
    };
    let number = |number: &str| {
        format!("{{\"user_id\":{number},\"event\":\"view\",\"product_ids\":[\"1\"]}}").into_bytes()
    };
    let event = "{\"user_id\":\"u\",\"event\":\"view\",\"product_ids\":[\"1\"]}";
    let large: &[u16] = &[413];
    let bad: &[u16] = &[400];
    let heads: &[u16] = &[400, 414, 431];
    let (many, wide, uri) = (headers(10_000, 8), headers(1, 1 << 20), "a".repeat(1 << 20));
    let uri = format!("GET /{uri} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes();
    let floods = [
        flood("a body of 1 GiB, announced", large, |node| pour(node, &post(Some(GIB)), GIB, false)),
        flood("a body in chunks", large, move |node| pour(node, &post(None), chunked_bytes, true)),
        flood("10,000 headers", heads, move |node| raw(node, &many)),
        flood("a header of 1 MiB", heads, move |node| raw(node, &wide)),
        flood("a path of 1 MiB", heads, move |node| raw(node, &uri)),
        flood("100,000 brackets deep", bad, json_body(long("", "[", 100_000, ""))),
        flood("100,000 objects deep", bad, json_body(long("", "{\"a\":", 100_000, "1"))),
        flood("the number 2^64", bad, json_body(number("18446744073709551616"))),
        flood("a number of 100,000 digits", bad, json_body(number(&"9".repeat(100_000)))),
        flood("the number 1e999999", bad, json_body(number("1e999999"))),
        flood(
            "501 events",
            bad,
            json_body(long("[", &format!("{event},"), 500, &format!("{event}]"))),
        ),
        flood(
            "a string of 900,000 bytes",
            bad,
            json_body(number(&format!("\"{}\"", "u".repeat(900_000)))),
        ),
        flood("a gzip bomb", &[400, 413, 415], move |node| {
            let headers = [("content-encoding", "gzip")];
            Ok(Some(node.client()?.send("POST", "/v1/events", &headers, &bomb)?))
        }),
        flood("300,000 elements", large, json_body(long("[", "1,", 300_000, "1]"))),
    ];
    let data = case.shop()?;
    let node = Node::start(&data, &[])?;
    // What any traffic makes a server keep is no flood's doing.
    for n in 0..300 {
        let mut client = node.client()?;
        for _ in 0..2 {
            client.post(
                "/submit",
                &json!({"user_id": format!("w{n}"), "event": "view",
                                           "product_ids": ["1"]}),
            )?;
        }
    }
    let delivered = || Ok(lake::rows(&data)? == 600);
    wait_until("all of it is delivered", Duration::from_secs(20), delivered)?;
    std::thread::sleep(Duration::from_secs(1));
    let mut cut = Vec::new();
    let start = node.memory()?.0;
    let mut most = Memory { before: start, peak: start, after: start };
    let mut over = Vec::new();
    for flood in &floods {
        let (answers, memory) = node.memory_around(|| {
            Ok(std::thread::scope(|scope| {
                let send = || (flood.send)(&node);
                let clients: Vec<_> = (0..at_once).map(|_| scope.spawn(send)).collect();
                let ends = clients.into_iter().map(|client| client.join().expect("a client ends"));
                ends.collect::<Vec<Result<Option<Answer>>>>()
            }))
        })?;
        for answer in answers {
            match answer.with_context(|| flood.what.to_owned())? {
                Some(answer) => ensure!(
                    flood.statuses.contains(&answer.status),
                    "{}: {} {}",
                    flood.what,
                    answer.status,
                    answer.text()
                ),
                None if cut.contains(&flood.what) => {}
                None => cut.push(flood.what),
            }
        }
        let answer = node.get("/v1/popular")?;
        ensure!(answer.status == 200, "after {}: {}", flood.what, answer.status);
        let rise = memory.peak.saturating_sub(start) as f64 / 1024.0;
        if rise > RISE {
            over.push(format!("{rise:.1} MiB with {}", flood.what));
        }
        most = Memory { peak: most.peak.max(memory.peak), after: memory.after, ..most };
    }
    // A connection that is closed while a client still sends loses what it was told.
    ensure!(cut.len() <= 2, "without an answer: {cut:?}");
    ensure!(over.is_empty(), "memory rose by {}: {most:?}", over.join(", "));
    keeps_alive(&mut node.client()?)?;
    node.stop()?;
    let note = format!("{at_once} at once of each; without an answer: {cut:?}");
    Ok(Shown::all(floods.len() as u64, note)?.with(most))
}

/// A refused body of usual size costs a client its request, not its connection.
fn keeps_alive(client: &mut Client) -> Result<()> {
    for status in [400, 200] {
        let body = if status == 200 { "{\"user_id\":\"1\"}" } else { "{" };
        let answer = client.send("POST", "/v1/recommendations", &[], body.as_bytes())?;
        ensure!(answer.status == status, "{}", answer.text());
    }
    Ok(())
}
