//! Serves HTTP/1 over TCP or TLS, with limits on slow clients and a graceful shutdown.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tower::Service;

use crate::http::connection::{Answering, Busy, ClientLimits, Paced};
use crate::http::peer::Peer;
use crate::http::places::{Place, Places};
use crate::http::problem::{Kind, Problem};
use crate::http::tls::Tls;

/// Time for open requests to end after the shutdown begins.
const DRAIN_TIME: Duration = Duration::from_secs(6);
/// Largest request head, in bytes. Larger heads are answered with 431.
const LARGEST_HEAD: usize = 64 * 1024;
/// Maximum number of headers. More are answered with 431.
const MOST_HEADERS: usize = 100;
/// What is answered to connections in the reserve.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];
/// The answer to connections beyond the reserve.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
                      content-length: 0\r\n\r\n";

/// How connections are accepted.
#[derive(Debug, Clone)]
pub struct Connections {
    /// Maximum number at once. One address holds a quarter of them. Further connections get an
    /// answer to one probe of the server's health, if there are not too many of them; others are
    /// answered with 503 and closed.
    pub most: usize,
    /// Networks of proxies, which hold the connections of all clients.
    pub proxies: Vec<IpNet>,
    /// Time limit for a TLS handshake, for a request's head, and for accepting more bytes of
    /// an answer.
    pub head: Duration,
    /// Time limit between requests.
    pub idle: Duration,
    /// Certificate and key. `None` serves plain HTTP.
    pub tls: Option<Tls>,
}

impl Default for Connections {
    fn default() -> Self {
        let (head, idle) = (Duration::from_secs(10), Duration::from_secs(75));
        Self { most: 4096, proxies: Vec::new(), head, idle, tls: None }
    }
}

/// Serves until `shutdown` resolves, then waits up to 6 s for open requests. Returns whether
/// all of them ended.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections: Connections,
    shutdown: impl Future<Output = ()>,
) -> bool {
    let mut shutdown = std::pin::pin!(shutdown);
    let graceful = GracefulShutdown::new();
    let places = Places::new(connections.most, &connections.proxies);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Usually the process is out of descriptors: wait for connections to end.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(place) = places.take(Peer(peer.ip())) else {
            tracing::debug!(%peer, "too many connections");
            if connections.tls.is_none() {
                // A new socket has an empty buffer, so that this does not block.
                let _ = socket.try_write(FULL);
            }
            continue;
        };
        let connection = Connection {
            router: router.clone(),
            peer,
            limits: ClientLimits { head: connections.head, idle: connections.idle },
            watcher: graceful.watcher(),
            place,
        };
        tokio::spawn(connection.run(socket, connections.tls.clone()));
    }
    drop(listener);
    let drained = tokio::time::timeout(DRAIN_TIME, graceful.shutdown()).await.is_ok();
    if !drained {
        tracing::warn!("shutdown interrupted open requests");
    }
    drained
}

struct Connection {
    router: Router,
    peer: SocketAddr,
    limits: ClientLimits,
    watcher: Watcher,
    place: Place,
}

impl Connection {
    async fn run(self, socket: TcpStream, tls: Option<Tls>) {
        // Answers are small: waiting for a full segment only adds latency.
        let _ = socket.set_nodelay(true);
        let Some(tls) = tls else { return self.answer(socket).await };
        let handshake = tls.acceptor().accept(socket);
        match tokio::time::timeout(self.limits.head, handshake).await {
            Ok(Ok(socket)) => self.answer(socket).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake timed out"),
        }
    }

    async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, socket: S) {
        let busy = Busy::default();
        let socket = Paced::new(socket, busy.clone(), self.limits);
        let (router, peer) = (self.router, Peer(self.peer.ip()));
        let for_probes = self.place.for_probes;
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let working = busy.begin();
            let mut request: Request = request.map(|body| busy.receive(body));
            request.extensions_mut().insert(peer);
            let answers = !for_probes || PROBES.contains(&request.uri().path());
            let answer = answers.then(|| router.clone().call(request));
            async move {
                let response = match answer {
                    Some(answer) => {
                        let Ok(response): Result<Response, Infallible> = answer.await;
                        response
                    }
                    None => too_many(),
                };
                Ok::<_, Infallible>(response.map(|body| Answering::new(body, working)))
            }
        });
        let connection = http1::Builder::new()
            .max_buf_size(LARGEST_HEAD)
            .max_headers(MOST_HEADERS)
            .keep_alive(!for_probes)
            .serve_connection(TokioIo::new(socket), service);
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(%error, "connection closed early");
        }
    }
}

/// The answer in the reserve to what is no probe.
fn too_many() -> Response {
    let detail = "The server, or this client's address, has too many connections.";
    Problem::new(Kind::Unavailable, detail).into_response()
}
