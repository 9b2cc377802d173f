//! Row 18: many sockets that take their time.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::case::{Case, Shown};
use crate::journal::Journal;
use crate::kit::Node;
use crate::traffic;

/// Longest life of a connection that gives no whole request.
const LIFE: Duration = Duration::from_secs(10);
/// What a busy machine may add to it.
const SLACK: Duration = Duration::from_secs(1);
/// Between two bytes of a client that drips.
const DRIP: Duration = Duration::from_millis(400);
/// Longest time that another client may wait meanwhile.
const UNAFFECTED: Duration = Duration::from_millis(500);

/// How a client is slow: what it sends at once, and what it then lets drip.
const STYLES: [(&str, &str, &[u8]); 5] = [
    ("silent", "", b""),
    ("dripping head", "GET /v1/popular HTTP/1.1\r\n", b"x: y\r\n"),
    (
        "dripping body",
        "POST /submit HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: 900000\r\n\r\n",
        b" ",
    ),
    (
        "dripping chunks",
        "POST /submit HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n",
        b"1\r\n \r\n",
    ),
    ("idle after a request", "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", b""),
];

struct Slow {
    socket: TcpStream,
    style: usize,
    sent: usize,
    closed_after: Option<Duration>,
}

impl Slow {
    fn open(address: &str, style: usize) -> Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        socket.write_all(STYLES[style].1.as_bytes())?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, style, sent: 0, closed_after: None })
    }

    /// Sends the next byte, and sees whether the server has closed.
    fn drip(&mut self, since: Instant) {
        let drops = STYLES[self.style].2;
        let broken = |error: &std::io::Error| error.kind() != ErrorKind::WouldBlock;
        if !drops.is_empty() {
            let next = [drops[self.sent % drops.len()]];
            self.sent += 1;
            if self.socket.write(&next).is_err_and(|error| broken(&error)) {
                self.closed_after = Some(since.elapsed());
            }
        }
        let mut answer = [0; 4096];
        match self.socket.read(&mut answer) {
            Ok(0) => self.closed_after = Some(since.elapsed()),
            // An answer, and then the end.
            Ok(_) => {}
            Err(error) if broken(&error) => self.closed_after = Some(since.elapsed()),
            Err(_) => {}
        }
    }
}

/// Row 18.
pub fn slow_clients(case: &Case) -> Result<Shown> {
    let data = case.shop()?;
    // A rest between requests has a limit of its own, which is longer where none is set.
    let node = Node::start(&data, &[("CARTWHEEL_SERVER_IDLE_SECONDS", "10")])?;
    let sockets = case.pick(200, 2000);
    let mut slow = Vec::with_capacity(sockets);
    let (_, memory) = node.memory_around(|| {
        let since = Instant::now();
        for n in 0..sockets {
            slow.push(Slow::open(&node.address, n % STYLES.len())?);
        }
        let opened = since.elapsed();
        let journal = Journal::default();
        let mut slowest = Duration::ZERO;
        let mut n = 0;
        while slow.iter().any(|slow| slow.closed_after.is_none())
            && since.elapsed() < opened + LIFE + SLACK + DRIP * 2
        {
            let round = Instant::now();
            slow.iter_mut().filter(|slow| slow.closed_after.is_none()).for_each(|s| s.drip(since));
            // Somebody with a request of the usual kind, on a connection of their own.
            let asked = Instant::now();
            let sent = traffic::send(&mut node.client()?, &journal, &[format!("o-{n}")], n)?;
            ensure!(sent, "another client is refused: {:?}", journal.entries().problem);
            slowest = slowest.max(asked.elapsed());
            n += 1;
            std::thread::sleep(DRIP.saturating_sub(round.elapsed()));
        }
        ensure!(slowest < UNAFFECTED, "another client waited for {slowest:?}");
        let limit = opened + LIFE + SLACK;
        for (style, (name, ..)) in STYLES.iter().enumerate() {
            let of_style = slow.iter().filter(|slow| slow.style == style);
            let late = |slow: &&Slow| slow.closed_after.is_none_or(|after| after > limit);
            let (late, all) = (of_style.clone().filter(late).count(), of_style.count());
            ensure!(late == 0, "{name}: {late} of {all} are open after {limit:?}");
        }
        Ok(())
    })?;
    node.stop()?;
    let last = slow.iter().filter_map(|slow| slow.closed_after).max().unwrap_or_default();
    let note =
        format!("{} styles; the last was closed after {:.1} s", STYLES.len(), last.as_secs_f64());
    Ok(Shown::all(sockets as u64, note)?.with(memory))
}
