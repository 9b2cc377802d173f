//! HTTP/1 over TCP or TLS, with limits on slow clients and an orderly end.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use crate::http::connection::{Answering, Busy, Paced, Patience};
use crate::http::peer::Peer;
use crate::http::tls::Tls;

/// Open requests have this long to end after the shutdown begins.
const DRAIN_TIME: Duration = Duration::from_secs(20);
/// Largest head, in bytes; a larger one is a 431.
const LARGEST_HEAD: usize = 64 * 1024;
/// Most headers of a request; more are a 431.
const MOST_HEADERS: usize = 100;
/// What a connection too many is told.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
                      content-length: 0\r\n\r\n";

/// How connections are taken.
#[derive(Debug, Clone)]
pub struct Connections {
    /// Most at once; one more is told 503 and closed.
    pub most: usize,
    /// Longest time for a handshake, for a request's head, and for taking some bytes of an
    /// answer.
    pub head: Duration,
    /// Longest rest between requests.
    pub idle: Duration,
    /// Certificate and key; plain HTTP without.
    pub tls: Option<Tls>,
}

impl Default for Connections {
    fn default() -> Self {
        let (head, idle) = (Duration::from_secs(10), Duration::from_secs(75));
        Self { most: 4096, head, idle, tls: None }
    }
}

/// Serves until `shutdown` ends, then lets open requests end for at most 20 s.
/// Says whether all of them did.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections: Connections,
    shutdown: impl Future<Output = ()>,
) -> bool {
    let mut shutdown = std::pin::pin!(shutdown);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(connections.most));
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, mostly: waiting lets connections end.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::debug!(%peer, "a connection too many");
            if connections.tls.is_none() {
                // The buffer of a new socket is empty: it takes this at once or is gone.
                let _ = socket.try_write(FULL);
            }
            continue;
        };
        let connection = Connection {
            router: router.clone(),
            peer,
            patience: Patience { head: connections.head, idle: connections.idle },
            watcher: graceful.watcher(),
            _place: place,
        };
        tokio::spawn(connection.run(socket, connections.tls.clone()));
    }
    drop(listener);
    let drained = tokio::time::timeout(DRAIN_TIME, graceful.shutdown()).await.is_ok();
    if !drained {
        tracing::warn!("open requests were cut off at shutdown");
    }
    drained
}

struct Connection {
    router: Router,
    peer: SocketAddr,
    patience: Patience,
    watcher: Watcher,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, socket: TcpStream, tls: Option<Tls>) {
        // Answers are small: waiting to fill a segment only adds latency.
        let _ = socket.set_nodelay(true);
        let Some(tls) = tls else { return self.answer(socket).await };
        let handshake = tls.acceptor().accept(socket);
        match tokio::time::timeout(self.patience.head, handshake).await {
            Ok(Ok(socket)) => self.answer(socket).await,
            Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
            Err(_) => tracing::debug!("a handshake took too long"),
        }
    }

    async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, socket: S) {
        let busy = Busy::default();
        let socket = Paced::new(socket, busy.clone(), self.patience);
        let (router, peer) = (self.router, Peer(self.peer.ip()));
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let working = busy.begin();
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            let answer = router.clone().call(request);
            async move {
                let Ok(response): Result<Response, Infallible> = answer.await;
                Ok::<_, Infallible>(response.map(|body| Answering::new(body, working)))
            }
        });
        let connection = http1::Builder::new()
            .max_buf_size(LARGEST_HEAD)
            .max_headers(MOST_HEADERS)
            .serve_connection(TokioIo::new(socket), service);
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(%error, "a connection broke off");
        }
    }
}
