//! `POST /v1/events` with NDJSON: events are stored, and acknowledged, while the body arrives.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cartwheel_events::{Event, MAX_BATCH};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::access::caller::Caller;
use crate::http::lines::Lines;
use crate::http::problem::{Kind, Problem};
use crate::http::request::parse;
use crate::shop::accept::{Accepted, Dating, accept_all};
use crate::state::Shared;

/// Bytes of lines from which a piece is stored, even if it has few events.
const PIECE_BYTES: usize = 1 << 20;
/// How long a piece waits for more events after its first. A client that sends slowly gets ten
/// acknowledgements a second at most, so that they fit into the buffers of one that reads late.
const LINGER: Duration = Duration::from_millis(100);

/// A line of the answer to a stream of events.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum StreamLine {
    /// Events are stored; more follow.
    Piece(StoredPiece),
    /// The last line. An answer without it was cut off: continue after the last `through_line`.
    End(StreamEnd),
}

/// What became of a piece of the stream: up to 500 events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoredPiece {
    /// Up to this line of the body, counted from 1, each event is durable or rejected for good.
    through_line: u64,
    /// The number of events of the piece that are durable.
    accepted: u64,
    /// The number of those that were stored before.
    repeated: u64,
    /// The number of events that are rejected: sending them again would not help.
    rejected: u64,
    /// Why, for each of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<LineError>,
    /// What the sender should know about stored events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
}

/// A rejected event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineError {
    /// Its line in the body, counted from 1.
    line: u64,
    /// Why it is rejected.
    error: Problem,
}

/// The end of a stream, with its totals.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct StreamEnd {
    /// Whether every line of the body is decided. If not, `problem` says why, and the lines after
    /// `through_line` have to be sent again.
    done: bool,
    /// The last line that is decided, counted from 1; 0 if there is none.
    through_line: u64,
    /// The number of events that are durable.
    accepted: u64,
    /// The number of those that were stored before.
    repeated: u64,
    /// The number of events that are rejected.
    rejected: u64,
    /// Why the stream ended before the body did.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// Stores a stream of events. What fails before the first event is decided is the answer itself;
/// later failures are in the last line.
pub(crate) async fn answer(
    state: &Shared,
    caller: Caller,
    request: Request,
    dating: Dating,
) -> Result<Response, Problem> {
    caller.permit_every_shopper("A stream of events")?;
    let mut intake = Intake {
        lines: state.line_bodies.open(request)?,
        state: state.clone(),
        caller,
        dating,
        read: 0,
        totals: StreamEnd::default(),
        failed: None,
    };
    let Some(first) = intake.store().await? else {
        return Err(Problem::field("", "The body contains no event.", "an event a line"));
    };
    let rest = futures::stream::unfold((Some(first), Some(intake)), |(ready, intake)| async move {
        let mut intake = intake?;
        let piece = match ready {
            Some(piece) => Ok(Some(piece)),
            None => intake.next().await,
        };
        Some(match piece {
            Ok(Some(piece)) => (line(&StreamLine::Piece(piece)), (None, Some(intake))),
            Ok(None) => (line(&StreamLine::End(intake.end(None))), (None, None)),
            Err(problem) => (line(&StreamLine::End(intake.end(Some(problem)))), (None, None)),
        })
    });
    let media = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((media, Body::from_stream(rest)).into_response())
}

fn line(line: &StreamLine) -> Result<Bytes, Infallible> {
    // Strings and numbers only: serialising cannot fail.
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    Ok(text.into())
}

/// Events of successive lines.
#[derive(Default)]
struct Piece {
    events: Vec<Result<Event, Problem>>,
    /// The number of each event's line.
    lines: Vec<u64>,
    bytes: usize,
}

impl Piece {
    fn is_full(&self) -> bool {
        self.events.len() >= MAX_BATCH || self.bytes >= PIECE_BYTES
    }
}

/// A stream of events on its way to the shop's stream.
struct Intake {
    state: Shared,
    caller: Caller,
    dating: Dating,
    lines: Lines,
    /// Lines read.
    read: u64,
    totals: StreamEnd,
    /// Why no further line can be stored.
    failed: Option<Problem>,
}

impl Intake {
    /// Stores the next piece, in its turn. `None` at the end of the body.
    async fn next(&mut self) -> Result<Option<StoredPiece>, Problem> {
        // A piece counts as much as a batch of events in a request of its own.
        self.state.limits.turn(&self.caller).await;
        self.store().await
    }

    /// Stores the next piece. `None` at the end of the body.
    ///
    /// # Errors
    /// When no event of it can be stored at the moment, or no further line can be read.
    async fn store(&mut self) -> Result<Option<StoredPiece>, Problem> {
        if let Some(problem) = self.failed.take() {
            return Err(problem);
        }
        let Piece { events, lines, .. } = self.read().await?;
        if events.is_empty() {
            self.totals.through_line = self.read;
            return Ok(None);
        }
        let stored = accept_all(&self.state, &self.caller, events, self.dating);
        let stored = tokio::time::timeout(self.state.settings.timeout, stored).await;
        let results =
            stored.map_err(|_| Problem::new(Kind::Timeout, "Storing events took too long."))?;
        self.decide(&lines, results).map(Some)
    }

    /// Reads the next events, until they fill a piece or more would be long in coming.
    async fn read(&mut self) -> Result<Piece, Problem> {
        let mut piece = Piece::default();
        let silence = self.state.settings.timeout * 4 / 5;
        let mut closing = self.state.closing.subscribe();
        let mut until = Instant::now() + silence;
        loop {
            while !piece.is_full() {
                let line = match self.lines.next() {
                    Ok(Some(line)) => line,
                    Ok(None) => break,
                    Err(problem) => return self.give_up(piece, problem),
                };
                self.read += 1;
                piece.bytes += line.len() + 1;
                if line.trim_ascii().is_empty() {
                    // It keeps a stream open.
                    if piece.events.is_empty() {
                        until = Instant::now() + silence;
                    }
                    continue;
                }
                if piece.events.is_empty() {
                    until = Instant::now() + LINGER;
                }
                piece.lines.push(self.read);
                let event = parse(line).and_then(|value| Ok(Event::from_borrowed(&value)?));
                piece.events.push(event);
            }
            if piece.is_full() && piece.events.is_empty() {
                // A few bytes of gzip make many empty lines: others have a turn between them.
                piece.bytes = 0;
                tokio::task::yield_now().await;
                continue;
            }
            if piece.is_full() || self.lines.is_whole() {
                return Ok(piece);
            }
            let received = tokio::select! {
                received = tokio::time::timeout_at(until, self.lines.receive()) => received,
                // The sender lives as long as the state.
                _ = closing.wait_for(|closing| *closing) => {
                    Ok(Err(Problem::new(Kind::Unavailable, "The server is stopping.")))
                }
            };
            match received {
                Ok(Ok(())) => {}
                Ok(Err(problem)) => return self.give_up(piece, problem),
                Err(_) if piece.events.is_empty() => {
                    let detail = "The next line did not arrive in time. An empty line keeps a \
                                  stream open.";
                    return Err(Problem::new(Kind::SlowBody, detail));
                }
                Err(_) => return Ok(piece),
            }
        }
    }

    /// No further line can be read. What was read before is stored first.
    fn give_up(&mut self, piece: Piece, problem: Problem) -> Result<Piece, Problem> {
        if piece.events.is_empty() {
            return Err(problem);
        }
        self.failed = Some(problem);
        Ok(piece)
    }

    /// Sums up a piece, until its first event that could be stored later. With that one, the
    /// stream ends, so that the client sends it again before what follows.
    fn decide(
        &mut self,
        lines: &[u64],
        results: Vec<Result<Accepted, Problem>>,
    ) -> Result<StoredPiece, Problem> {
        let mut piece = StoredPiece {
            through_line: lines.last().copied().unwrap_or_default(),
            accepted: 0,
            repeated: 0,
            rejected: 0,
            errors: Vec::new(),
            warnings: Vec::new(),
        };
        for (at, (&line, result)) in lines.iter().zip(results).enumerate() {
            match result {
                Ok(accepted) => {
                    piece.accepted += 1;
                    piece.repeated += u64::from(accepted.repeated);
                    for warning in accepted.warnings {
                        if !piece.warnings.contains(&warning) {
                            piece.warnings.push(warning);
                        }
                    }
                }
                Err(problem) if problem.is_passing() && at == 0 => return Err(problem),
                Err(problem) if problem.is_passing() => {
                    piece.through_line = line - 1;
                    self.failed = Some(problem);
                    break;
                }
                Err(error) => {
                    piece.rejected += 1;
                    piece.errors.push(LineError { line, error });
                }
            }
        }
        self.totals.through_line = piece.through_line;
        self.totals.accepted += piece.accepted;
        self.totals.repeated += piece.repeated;
        self.totals.rejected += piece.rejected;
        Ok(piece)
    }

    fn end(self, problem: Option<Problem>) -> StreamEnd {
        StreamEnd { done: problem.is_none(), problem, ..self.totals }
    }
}
