//! A Lambda runtime API: starts a function's binary and sends it events, as documented at
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::AbortHandle;

/// Time limit for a function to start, and to answer.
const LIMIT: Duration = Duration::from_secs(60);

/// A function's answer, or its error document.
type Answer = Result<Value, Value>;

#[derive(Debug)]
struct Invocation {
    event: Value,
    answer: oneshot::Sender<Answer>,
}

#[derive(Debug)]
struct Shared {
    invocations: Mutex<mpsc::Receiver<Invocation>>,
    running: Mutex<Option<oneshot::Sender<Answer>>>,
    ready: Mutex<Option<oneshot::Sender<()>>>,
}

/// A running function. Dropping it ends the process.
#[derive(Debug)]
pub struct Function {
    child: Child,
    invocations: mpsc::Sender<Invocation>,
    task: AbortHandle,
    started: Duration,
}

impl Function {
    /// Starts a binary with the given environment variables, and waits until it asks for an
    /// event.
    ///
    /// # Panics
    /// If it does not start in time.
    pub async fn start(binary: &Path, name: &str, variables: &[(String, String)]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (invocations, received) = mpsc::channel(1);
        let (ready, is_ready) = oneshot::channel();
        let shared = Arc::new(Shared {
            invocations: Mutex::new(received),
            running: Mutex::new(None),
            ready: Mutex::new(Some(ready)),
        });
        let task = tokio::spawn(serve(listener, shared)).abort_handle();
        let start = Instant::now();
        let child = Command::new(binary)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", name)
            .env("AWS_LAMBDA_LOG_STREAM_NAME", name)
            .envs(variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", binary.display()));
        let ready = tokio::time::timeout(LIMIT, is_ready).await;
        ready.expect("the function starts in time").expect("the function starts");
        Self { child, invocations, task, started: start.elapsed() }
    }

    /// Returns the time from the start of the process to its first request for an event.
    pub fn started_in(&self) -> Duration {
        self.started
    }

    /// Returns the process's peak memory in bytes.
    ///
    /// # Panics
    /// If `/proc` does not report it.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kilobytes * 1024
    }

    /// Sends an event and waits for the answer or the error document.
    ///
    /// # Panics
    /// If the function does not answer in time.
    pub async fn invoke(&self, event: &Value) -> Result<Value, Value> {
        let (answer, answered) = oneshot::channel();
        let invocation = Invocation { event: event.clone(), answer };
        self.invocations.send(invocation).await.expect("the function runs");
        let answered = tokio::time::timeout(LIMIT, answered).await;
        answered.expect("the function answers in time").expect("the function answers")
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.task.abort();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let shared = shared.clone();
                async move { shared.answer(request).await }
            });
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Shared {
    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await?.to_bytes();
        let value = || serde_json::from_slice(&body).unwrap_or_default();
        if path.ends_with("/invocation/next") {
            return Ok(self.next().await);
        }
        let answer = match path.rsplit('/').next() {
            Some("response") => Ok(value()),
            _ => Err(value()),
        };
        if let Some(running) = self.running.lock().await.take() {
            // The caller may have given up.
            let _ = running.send(answer);
        }
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(response)
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        if let Some(ready) = self.ready.lock().await.take() {
            let _ = ready.send(());
        }
        let Some(invocation) = self.invocations.lock().await.recv().await else {
            // There are no more invocations: the function is about to be ended.
            return std::future::pending().await;
        };
        *self.running.lock().await = Some(invocation.answer);
        let mut response = Response::new(Full::new(Bytes::from(invocation.event.to_string())));
        let headers = response.headers_mut();
        for (name, value) in [
            ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
            ("lambda-runtime-deadline-ms", "4102444800000"),
            (
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:000000000000:function:test",
            ),
            ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0"),
            ("content-type", "application/json"),
        ] {
            headers.insert(name, hyper::header::HeaderValue::from_static(value));
        }
        response
    }
}
