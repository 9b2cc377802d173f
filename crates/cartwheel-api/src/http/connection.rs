//! A connection that is closed when its client is too slow.
//!
//! hyper's header timer also runs between requests, so that one duration would have to serve
//! slow heads and idle connections alike.

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

/// Time limits on a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientLimits {
    /// For sending a request's head, and for accepting more bytes of an answer.
    pub(crate) head: Duration,
    /// Between an answer and the first byte of the next request.
    pub(crate) idle: Duration,
}

/// Whether a request is being answered. Clones share the state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Busy(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    busy: AtomicBool,
    /// Wakes the reader after an answer: hyper does not poll it again while it is blocked.
    reader: AtomicWaker,
}

impl Busy {
    /// Marks the connection as busy until the guard is dropped.
    pub(crate) fn begin(&self) -> Working {
        self.0.busy.store(true, Ordering::Release);
        Working(self.clone())
    }
}

/// Marks a connection as busy while it lives.
#[derive(Debug)]
pub(crate) struct Working(Busy);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.0.busy.store(false, Ordering::Release);
        self.0.0.reader.wake();
    }
}

/// What the next read waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    /// The rest of a request's head. A new connection starts here.
    Head,
    /// The next request.
    Next,
    /// Nothing, while a request is being answered. Its body has its own deadline.
    Nothing,
}

/// A socket whose reads and writes fail when the client is too slow.
pub(crate) struct Paced<S> {
    socket: S,
    busy: Busy,
    limits: ClientLimits,
    awaiting: Awaiting,
    reading: Pin<Box<Sleep>>,
    writing: Pin<Box<Sleep>>,
    stalled: bool,
}

impl<S> Paced<S> {
    /// Starts the time limit of the first head.
    pub(crate) fn new(socket: S, busy: Busy, limits: ClientLimits) -> Self {
        Self {
            socket,
            busy,
            limits,
            awaiting: Awaiting::Head,
            reading: Box::pin(sleep(limits.head)),
            writing: Box::pin(sleep(limits.head)),
            stalled: false,
        }
    }

    fn await_now(&mut self, awaiting: Awaiting) {
        if self.awaiting == awaiting {
            return;
        }
        self.awaiting = awaiting;
        let time = match awaiting {
            Awaiting::Head => self.limits.head,
            Awaiting::Next => self.limits.idle,
            Awaiting::Nothing => return,
        };
        self.reading.as_mut().reset(Instant::now() + time);
    }

    /// The result of a write. Fails if the client accepted nothing for too long.
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
            self.writing.as_mut().reset(Instant::now() + self.limits.head);
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
        // Registered first, so that an answer that ends now wakes the task.
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

/// The body of an answer. The request ends when it is dropped.
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
