//! Reading bodies: bounded in bytes, in time, and in what all of them take together.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::body::BodyDataStream;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::layers::BodyDeadline;
use crate::problem::{Kind, Problem};

/// A body of more bytes than this is a large one.
const LARGE: usize = 64 << 10;
/// Large bodies that are held at once.
const PLACES: usize = 4;
/// How long a large body waits for a place.
const PATIENCE: Duration = Duration::from_secs(2);

/// What bodies may take: each `limit` bytes, packed and unpacked, and however many large
/// ones come, the memory of a few.
pub(crate) struct Bodies {
    limit: usize,
    places: Arc<Semaphore>,
}

impl Bodies {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, places: Arc::new(Semaphore::new(PLACES)) }
    }

    /// The whole body of a request, decoded where it is gzip.
    pub(crate) async fn read(&self, request: Request) -> Result<Bytes, Problem> {
        let gzip = is_gzip(request.headers())?;
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > self.limit) {
            return Err(too_large(self.limit));
        }
        let deadline = request.extensions().get::<BodyDeadline>().copied();
        let pieces = request.into_body().into_data_stream();
        let read = async {
            match gzip {
                true => self.gunzip(pieces).await,
                false => self.put_together(pieces, length).await,
            }
        };
        match deadline {
            None => read.await,
            Some(BodyDeadline(deadline)) => {
                let slow = |_| Problem::new(Kind::SlowBody, "The body took too long to come.");
                tokio::time::timeout_at(deadline, read).await.map_err(slow)?
            }
        }
    }

    async fn put_together(
        &self,
        mut pieces: BodyDataStream,
        length: Option<usize>,
    ) -> Result<Bytes, Problem> {
        let mut body = Collected { bytes: Vec::new(), limit: self.limit, place: None };
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| broken_off())?;
            // Most bodies come in one piece.
            if Some(piece.len()) == length {
                return Ok(piece);
            }
            if body.bytes.len() + piece.len() > LARGE {
                self.make_place(&mut body).await?;
            }
            body.write_all(&piece).map_err(|_| too_large(self.limit))?;
        }
        Ok(Bytes::from_owner(body))
    }

    /// Decodes what comes as it comes, so that neither form of a body is held whole where
    /// it is too large.
    async fn gunzip(&self, mut pieces: BodyDataStream) -> Result<Bytes, Problem> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::FileTooLarge => too_large(self.limit),
            _ => Problem::new(Kind::MalformedJson, "The body is not gzip, as its head says."),
        };
        let body = Collected { bytes: Vec::new(), limit: self.limit, place: None };
        let mut decoder = MultiGzDecoder::new(body);
        let mut coded = 0;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| broken_off())?;
            // A few bytes can be any number of decoded ones.
            self.make_place(decoder.get_mut()).await?;
            coded += piece.len();
            if coded > self.limit {
                return Err(too_large(self.limit));
            }
            decoder.write_all(&piece).map_err(failed)?;
        }
        decoder.finish().map(Bytes::from_owner).map_err(failed)
    }

    async fn make_place(&self, body: &mut Collected) -> Result<(), Problem> {
        if body.place.is_some() {
            return Ok(());
        }
        let place = Arc::clone(&self.places).acquire_owned();
        let place = tokio::time::timeout(PATIENCE, place).await.ok().and_then(Result::ok);
        let busy = || Problem::new(Kind::Throttled, "Too many large bodies come at once.");
        body.place = Some(place.ok_or_else(busy)?);
        // All that it can need: growing would leave pages of each smaller size behind.
        body.bytes.reserve_exact(self.limit - body.bytes.len());
        Ok(())
    }
}

/// A body so far. A large one has a place until its bytes are dropped.
struct Collected {
    bytes: Vec<u8>,
    limit: usize,
    place: Option<OwnedSemaphorePermit>,
}

/// Takes `limit` bytes and fails at more.
impl Write for Collected {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + piece.len() > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
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

/// Whether the body is gzip; it may be as it is, too, and nothing else.
fn is_gzip(headers: &HeaderMap) -> Result<bool, Problem> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let coding = codings.next().map(|value| value.to_str().unwrap_or("?"));
    match coding.map(str::to_ascii_lowercase).as_deref() {
        None | Some("identity") if codings.next().is_none() => Ok(false),
        Some("gzip" | "x-gzip") if codings.next().is_none() => Ok(true),
        _ => Err(Problem {
            field: Some("content-encoding".to_owned()),
            expected: Some("gzip, or none".to_owned()),
            ..Problem::new(Kind::UnsupportedMediaType, "The body's coding is not taken here.")
        }),
    }
}

fn broken_off() -> Problem {
    Problem::new(Kind::MalformedJson, "The body broke off.")
}

fn too_large(limit: usize) -> Problem {
    Problem {
        expected: Some(format!("at most {limit} bytes")),
        ..Problem::new(Kind::PayloadTooLarge, "The body is larger than the server takes.")
    }
}
