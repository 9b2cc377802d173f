//! A client's connection, which ends when the client is too slow.
//!
//! hyper's own timer for heads also ends connections that rest between requests, so
//! that one number would have to serve both.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures::task::AtomicWaker;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For a request's head, and for taking some bytes of an answer.
    pub(crate) head: Duration,
    /// Between an answer and the first byte of the next request.
    pub(crate) idle: Duration,
}

/// Whether a request is being answered. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Busy(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    busy: AtomicBool,
    /// The reader, which hyper does not ask again after an answer where it is blocked.
    reader: AtomicWaker,
}

impl Busy {
    /// Set until what is given back is dropped.
    pub(crate) fn begin(&self) -> Working {
        self.0.busy.store(true, Ordering::Release);
        Working(self.clone())
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Working(Busy);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.0.busy.store(false, Ordering::Release);
        self.0.0.reader.wake();
    }
}

/// What a read is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    /// The rest of a head; a new connection owes one.
    Head,
    /// The next request.
    Next,
    /// Nothing: a request is being answered. Its body has a deadline of its own.
    Nothing,
}

/// A socket whose reads and writes fail once the client is too slow.
pub(crate) struct Paced<S> {
    socket: S,
    busy: Busy,
    patience: Patience,
    awaiting: Awaiting,
    reading: Pin<Box<Sleep>>,
    writing: Pin<Box<Sleep>>,
    stalled: bool,
}

impl<S> Paced<S> {
    /// The clock of the first head starts now.
    pub(crate) fn new(socket: S, busy: Busy, patience: Patience) -> Self {
        Self {
            socket,
            busy,
            patience,
            awaiting: Awaiting::Head,
            reading: Box::pin(sleep(patience.head)),
            writing: Box::pin(sleep(patience.head)),
            stalled: false,
        }
    }

    fn await_now(&mut self, awaiting: Awaiting) {
        if self.awaiting == awaiting {
            return;
        }
        self.awaiting = awaiting;
        let time = match awaiting {
            Awaiting::Head => self.patience.head,
            Awaiting::Next => self.patience.idle,
            Awaiting::Nothing => return,
        };
        self.reading.as_mut().reset(Instant::now() + time);
    }

    /// What a write came to; fails where nothing was taken for too long.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stalled = false;
            return poll;
        }
        if !self.stalled {
            self.stalled = true;
            self.writing.as_mut().reset(Instant::now() + self.patience.head);
        }
        ready!(self.writing.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let poll = Pin::new(&mut this.socket).poll_read(cx, buf);
        let shared = &this.busy.0;
        // Registered first: an answer that ends now wakes the task again.
        shared.reader.register(cx.waker());
        if shared.busy.load(Ordering::Acquire) {
            this.await_now(Awaiting::Nothing);
            return poll;
        }
        if this.awaiting == Awaiting::Nothing {
            this.await_now(Awaiting::Next);
        }
        if buf.filled().len() > before && this.awaiting == Awaiting::Next {
            this.await_now(Awaiting::Head);
        }
        if poll.is_ready() {
            return poll;
        }
        ready!(this.reading.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.written(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.written(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.socket).poll_flush(cx);
        self.written(cx, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.socket).poll_shutdown(cx);
        self.written(cx, poll)
    }
}

/// An answer's body; the request is done when it is dropped.
pub(crate) struct Answering {
    body: Body,
    _working: Working,
}

impl Answering {
    pub(crate) fn new(body: Body, working: Working) -> Self {
        Self { body, _working: working }
    }
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
