//! Reads bodies within limits on bytes, time, and the memory of all bodies together.

use std::io::{self, Write};
use std::sync::Arc;

use axum::body::BodyDataStream;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::problem::{Kind, Problem};

/// The moment by which the body of a request must have arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyDeadline(pub(crate) tokio::time::Instant);

/// Bodies of more bytes than this share [`BUDGET`].
const LARGE: usize = 64 << 10;
/// Bytes that all large bodies may occupy together.
const BUDGET: usize = 64 << 20;

/// Limits on bodies: `limit` bytes each, before and after decoding, and 64 MiB for all large
/// bodies together.
pub(crate) struct Bodies {
    limit: usize,
    /// Bytes left for large bodies.
    budget: Arc<Semaphore>,
}

impl Bodies {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, budget: Arc::new(Semaphore::new(BUDGET.max(limit))) }
    }

    /// Reads the whole body of a request and decodes gzip.
    pub(crate) async fn read(&self, request: Request) -> Result<Bytes, Problem> {
        let gzip = is_gzip(request.headers())?;
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > self.limit) {
            return Err(self.too_large());
        }
        let deadline = request.extensions().get::<BodyDeadline>().copied();
        let pieces = request.into_body().into_data_stream();
        let read = async {
            match gzip {
                true => self.gunzip(pieces).await,
                false => self.collect(pieces, length).await,
            }
        };
        match deadline {
            None => read.await,
            Some(BodyDeadline(deadline)) => {
                let slow = |_| Problem::new(Kind::SlowBody, "The body did not arrive in time.");
                tokio::time::timeout_at(deadline, read).await.map_err(slow)?
            }
        }
    }

    async fn collect(
        &self,
        mut pieces: BodyDataStream,
        length: Option<usize>,
    ) -> Result<Bytes, Problem> {
        let mut body = self.collected(length);
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| ended_early())?;
            // Most bodies arrive in one piece.
            if Some(piece.len()) == length {
                return Ok(piece);
            }
            body.write_all(&piece).map_err(|error| self.problem(&error))?;
        }
        Ok(Bytes::from_owner(body))
    }

    /// Decodes piece by piece, so that a body that is too large is never held as a whole.
    async fn gunzip(&self, mut pieces: BodyDataStream) -> Result<Bytes, Problem> {
        let mut decoder = MultiGzDecoder::new(self.collected(None));
        let mut coded = 0;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| ended_early())?;
            coded += piece.len();
            if coded > self.limit {
                return Err(self.too_large());
            }
            decoder.write_all(&piece).map_err(|error| self.problem(&error))?;
        }
        decoder.finish().map(Bytes::from_owner).map_err(|error| self.problem(&error))
    }

    fn collected(&self, length: Option<usize>) -> Collected {
        Collected {
            bytes: Vec::new(),
            most: length.unwrap_or(self.limit),
            limit: self.limit,
            budget: Arc::clone(&self.budget),
            share: None,
        }
    }

    fn problem(&self, error: &io::Error) -> Problem {
        match error.kind() {
            io::ErrorKind::FileTooLarge => self.too_large(),
            io::ErrorKind::ResourceBusy => {
                Problem::new(Kind::Throttled, "Too many large bodies arrive at once.")
            }
            _ => not_gzip(),
        }
    }

    fn too_large(&self) -> Problem {
        Problem {
            expected: Some(format!("at most {} bytes", self.limit)),
            ..Problem::new(Kind::PayloadTooLarge, "The body is larger than the server accepts.")
        }
    }
}

/// The part of a body received so far. A large body holds its share of the budget until its
/// bytes are dropped.
struct Collected {
    bytes: Vec<u8>,
    most: usize,
    limit: usize,
    budget: Arc<Semaphore>,
    share: Option<OwnedSemaphorePermit>,
}

impl Collected {
    /// Takes the body's share of the budget. Reserves room for the largest body at once:
    /// growing step by step leaves free pages of every size behind, and reserved pages that
    /// are never written occupy no memory.
    fn become_large(&mut self) -> io::Result<()> {
        let busy = || io::Error::from(io::ErrorKind::ResourceBusy);
        let bytes = u32::try_from(self.most).map_err(|_| busy())?;
        let share = Arc::clone(&self.budget).try_acquire_many_owned(bytes);
        self.share = Some(share.map_err(|_| busy())?);
        self.bytes.try_reserve_exact(self.limit - self.bytes.len()).map_err(|_| busy())
    }
}

/// Fails beyond the limit.
impl Write for Collected {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let length = self.bytes.len() + piece.len();
        if length > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if length > LARGE && self.share.is_none() {
            self.become_large()?;
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsRef<[u8]> for Collected {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Whether the body is gzip. Only gzip and unencoded bodies are accepted.
pub(crate) fn is_gzip(headers: &HeaderMap) -> Result<bool, Problem> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let coding = codings.next().map(|value| value.to_str().unwrap_or("?"));
    match coding.map(str::to_ascii_lowercase).as_deref() {
        None | Some("identity") if codings.next().is_none() => Ok(false),
        Some("gzip" | "x-gzip") if codings.next().is_none() => Ok(true),
        _ => Err(Problem {
            field: Some("content-encoding".to_owned()),
            expected: Some("gzip, or no content-encoding".to_owned()),
            ..Problem::new(Kind::UnsupportedMediaType, "The content-encoding is not supported.")
        }),
    }
}

pub(crate) fn not_gzip() -> Problem {
    let detail = "The body is not valid gzip, although content-encoding says so.";
    Problem::new(Kind::MalformedJson, detail)
}

pub(crate) fn ended_early() -> Problem {
    Problem::new(Kind::MalformedJson, "The body ended early.")
}
