//! Reads bodies within limits on bytes and time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::refusal::Refusal;

/// Bodies of more bytes than this take a place.
pub const LARGE: usize = 64 << 10;
/// Large bodies at once, being read or scored.
const PLACES: usize = 16;
/// Time for a body to arrive, and for a place to become free. SageMaker gives up then, too.
const ARRIVAL: Duration = Duration::from_secs(60);

/// Limits on bodies.
#[derive(Debug, Clone)]
pub struct Bodies {
    most: usize,
    places: Arc<Semaphore>,
}

/// A body, and its place if it is large.
#[derive(Debug)]
pub struct Arrived {
    pub bytes: Bytes,
    pub place: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    /// At most `most` bytes each.
    pub fn new(most: usize) -> Self {
        Self { most, places: Arc::new(Semaphore::new(PLACES)) }
    }

    /// Reads a body as a whole.
    ///
    /// # Errors
    /// When it is too large or too slow, or ends early, or too many large ones arrive.
    pub async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Arrived, Refusal> {
        let length = headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > self.most) {
            return Err(Refusal::TooLarge(self.most));
        }
        let place = match length {
            Some(length) if length <= LARGE => None,
            // A body in chunks may become large.
            _ => {
                let place = timeout(ARRIVAL, self.places.clone().acquire_owned());
                Some(place.await.ok().and_then(Result::ok).ok_or(Refusal::Busy)?)
            }
        };
        let read = timeout(ARRIVAL, Limited::new(body, self.most).collect());
        let bytes = read.await.map_err(|_| Refusal::Slow)?.map_err(|error| match error
            .downcast_ref::<LengthLimitError>(
        ) {
            Some(_) => Refusal::TooLarge(self.most),
            None => Refusal::Ended,
        })?;
        Ok(Arrived { bytes: bytes.to_bytes(), place })
    }
}
