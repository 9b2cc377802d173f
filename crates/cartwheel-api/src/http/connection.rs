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
use hyper::body::{Frame, Incoming, SizeHint};
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

/// What a client may still send, at most, after an answer to a body that was not read. The system
/// resets a connection that is closed before it has read everything, and the reset may overtake
/// the answer.
const DRAIN_BYTES: usize = 16 << 20;
/// How long it may do so.
const DRAIN_TIME: Duration = Duration::from_secs(3);

/// Whether a request is being answered. Clones share the state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Busy(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    busy: AtomicBool,
    /// Whether the client may still be sending the body of the last request.
    unread: AtomicBool,
    /// Wakes the reader after an answer: hyper does not poll it again while it is blocked.
    reader: AtomicWaker,
}

impl Busy {
    /// Marks the connection as busy until the guard is dropped.
    pub(crate) fn begin(&self) -> Working {
        self.0.busy.store(true, Ordering::Release);
        Working(self.clone())
    }

    /// The body of the request, watched until it is read.
    pub(crate) fn receive(&self, body: Incoming) -> Body {
        let unread = !body.is_end_stream();
        self.0.unread.store(unread, Ordering::Relaxed);
        if unread { Body::new(Receiving { body, busy: self.clone() }) } else { Body::empty() }
    }
}

/// The body of a request.
struct Receiving {
    body: Incoming,
    busy: Busy,
}

impl HttpBody for Receiving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.busy.0.unread.store(false, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
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
    /// When the client has been waited for too long.
    until: Instant,
    /// Ends at `until` or earlier: to set a timer takes longer than to look at the clock, and most
    /// requests come long before it ends.
    reading: Pin<Box<Sleep>>,
    writing: Pin<Box<Sleep>>,
    stalled: bool,
    /// Bytes that the client may still send after the last answer.
    to_drain: usize,
    /// Whether the client knows that nothing more is written.
    is_shut: bool,
}

impl<S> Paced<S> {
    /// Starts the time limit of the first head.
    pub(crate) fn new(socket: S, busy: Busy, limits: ClientLimits) -> Self {
        Self {
            socket,
            busy,
            limits,
            awaiting: Awaiting::Head,
            until: Instant::now() + limits.head,
            reading: Box::pin(sleep(limits.head)),
            writing: Box::pin(sleep(limits.head)),
            stalled: false,
            to_drain: DRAIN_BYTES,
            is_shut: false,
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
        self.until = Instant::now() + time;
    }

    /// Waits until the client has been waited for too long.
    fn expire(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.reading.deadline() > self.until {
                self.reading.as_mut().reset(self.until);
            }
            ready!(self.reading.as_mut().poll(cx));
            if self.reading.deadline() >= self.until {
                return Poll::Ready(());
            }
            self.reading.as_mut().reset(self.until);
        }
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
        ready!(this.expire(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Paced<S> {
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
        if !self.is_shut {
            let poll = Pin::new(&mut self.socket).poll_shutdown(cx);
            ready!(self.written(cx, poll))?;
            self.is_shut = true;
            self.until = Instant::now() + DRAIN_TIME;
        }
        self.drain(cx).map(Ok)
    }
}

impl<S: AsyncRead + Unpin> Paced<S> {
    /// Discards the rest of a body that was not read, within limits.
    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; 8 << 10];
        while self.busy.0.unread.load(Ordering::Relaxed) && self.to_drain > 0 {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.socket).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.to_drain = self.to_drain.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => break,
                Poll::Pending => return self.expire(cx),
            }
        }
        Poll::Ready(())
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
