//! Reads a body line by line, as it arrives, in bounded memory.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use axum::body::BodyDataStream;
use axum::extract::Request;
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::body::{ended_early, is_gzip, not_gzip};
use crate::http::problem::{Kind, Problem};

/// Bodies that are read line by line at once. Each may occupy about twice its longest line.
const MOST: usize = 16;
/// Longest line, in bytes, of however large bodies the server accepts.
const LONGEST: usize = 1 << 20;
/// Coded bytes that are decoded at once: gzip makes a thousand times as many of them at most.
const CODED: usize = 1024;

/// Admits bodies that are read line by line.
pub(crate) struct LineBodies {
    longest: usize,
    places: Arc<Semaphore>,
}

impl LineBodies {
    /// Bodies with lines that are no longer than other bodies, decoded.
    pub(crate) fn new(max_body: usize) -> Self {
        Self { longest: max_body.min(LONGEST), places: Arc::new(Semaphore::new(MOST)) }
    }

    /// Begins to read a body.
    ///
    /// # Errors
    /// When its encoding is not supported, or too many such bodies arrive at once.
    pub(crate) fn open(&self, request: Request) -> Result<Lines, Problem> {
        let decoder = is_gzip(request.headers())?.then(|| MultiGzDecoder::new(Vec::new()));
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let detail = format!("{MOST} bodies are read line by line already. Try again later.");
            Problem::new(Kind::Throttled, detail)
        })?;
        Ok(Lines {
            body: request.into_body().into_data_stream(),
            longest: self.longest,
            coded: Bytes::new(),
            decoder,
            decoded: Vec::new(),
            start: 0,
            searched: 0,
            is_whole: false,
            _place: place,
        })
    }
}

/// The lines of a body.
pub(crate) struct Lines {
    body: BodyDataStream,
    longest: usize,
    /// Received bytes that are not decoded yet.
    coded: Bytes,
    decoder: Option<MultiGzDecoder<Vec<u8>>>,
    /// Decoded bytes; those before `start` are read, those before `searched` end no line.
    decoded: Vec<u8>,
    start: usize,
    searched: usize,
    /// Whether the body has ended.
    is_whole: bool,
    _place: OwnedSemaphorePermit,
}

impl Lines {
    /// Returns the next line that has arrived, without its end. `None` if more has to be received
    /// first, or if the body has ended.
    ///
    /// # Errors
    /// When the line is too long, or the body is not gzip although it should be.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, Problem> {
        Ok(self.find()?.map(|line| &self.decoded[line]))
    }

    /// Takes the next line, and returns where it is.
    fn find(&mut self) -> Result<Option<Range<usize>>, Problem> {
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.decoded[self.searched..]) {
                let line = self.start..self.searched + at;
                self.start = line.end + 1;
                self.searched = self.start;
                return Ok(Some(line));
            }
            self.searched = self.decoded.len();
            if self.searched - self.start > self.longest {
                return Err(self.too_long());
            }
            if !self.decode()? {
                break;
            }
        }
        // The last line may lack its end.
        let last = self.start..self.searched;
        if !self.is_whole || last.is_empty() {
            return Ok(None);
        }
        self.start = self.searched;
        Ok(Some(last))
    }

    /// Whether the body has ended. Every line has been returned once [`Self::next`] returns none.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Waits for more of the body. Nothing is lost if this is dropped before it ends.
    ///
    /// # Errors
    /// When the body ends early.
    pub(crate) async fn receive(&mut self) -> Result<(), Problem> {
        match self.body.next().await {
            Some(received) => self.coded = received.map_err(|_| ended_early())?,
            None => {
                if let Some(decoder) = &mut self.decoder {
                    decoder.try_finish().map_err(|_| not_gzip())?;
                }
                self.is_whole = true;
            }
        }
        Ok(())
    }

    /// Decodes more of what has been received. False if everything is decoded.
    fn decode(&mut self) -> Result<bool, Problem> {
        self.decoded.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        let before = self.decoded.len();
        match &mut self.decoder {
            None => self.decoded.extend_from_slice(&std::mem::take(&mut self.coded)),
            Some(decoder) => {
                let piece = self.coded.split_to(self.coded.len().min(CODED));
                // Without the flush, the decoder keeps lines that have arrived.
                let written = decoder.write_all(&piece).and_then(|()| decoder.flush());
                written.map_err(|_| not_gzip())?;
                self.decoded.append(decoder.get_mut());
            }
        }
        Ok(!self.coded.is_empty() || self.decoded.len() > before)
    }

    fn too_long(&self) -> Problem {
        Problem {
            expected: Some(format!("lines of at most {} bytes", self.longest)),
            ..Problem::new(Kind::PayloadTooLarge, "A line is longer than the server accepts.")
        }
    }
}
