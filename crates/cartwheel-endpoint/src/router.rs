//! The routes: `/ping`, `/execution-parameters` and `/invocations`.

use std::num::NonZero;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cartwheel_forest::Forest;

use crate::answer::Format;
use crate::body::{Bodies, LARGE};
use crate::refusal::Refusal;
use crate::rows::{Encoding, score};

/// How the endpoint answers.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Largest body, in bytes.
    pub max_body: usize,
    /// Format of the answer to a request that accepts any.
    pub usual: Format,
    /// In a batch transform, where every answer is CSV.
    pub batch: bool,
}

impl Default for Settings {
    /// As the container's.
    fn default() -> Self {
        Self { max_body: 6 << 20, usual: Format::Csv, batch: false }
    }
}

#[derive(Clone)]
struct Served {
    forest: Arc<Forest>,
    bodies: Bodies,
    settings: Settings,
}

/// The routes over a model.
pub fn router(forest: Forest, settings: Settings) -> Router {
    let bodies = Bodies::new(settings.max_body);
    Router::new()
        .route("/ping", get(|| async {}))
        .route("/execution-parameters", get(execution_parameters))
        .route("/invocations", post(invocations))
        .with_state(Served { forest: Arc::new(forest), bodies, settings })
}

/// What a batch transform should send at once.
async fn execution_parameters(State(served): State<Served>) -> Response {
    let transforms = std::thread::available_parallelism().map_or(1, NonZero::get);
    let body = format!(
        "{{\"MaxConcurrentTransforms\": {transforms}, \"BatchStrategy\": \"MULTI_RECORD\", \
         \"MaxPayloadInMB\": {}}}",
        served.settings.max_body >> 20
    );
    ([(header::CONTENT_TYPE, Format::Json.media_type())], body).into_response()
}

async fn invocations(State(served): State<Served>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let body = served.bodies.read(&parts.headers, body).await?;
    if body.bytes.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let encoding = Encoding::of(text(&parts.headers, &header::CONTENT_TYPE)?)?;
    let scores = match body.bytes.len() {
        ..=LARGE => score(&served.forest, encoding, &body.bytes)?,
        // Tens of milliseconds, in which a thread of connections would stand still.
        _ => {
            let scored = tokio::task::spawn_blocking(move || {
                let scores = score(&served.forest, encoding, &body.bytes);
                drop(body.place);
                scores
            });
            scored.await.map_err(|_| Refusal::Busy)??
        }
    };
    let accept = text(&parts.headers, &header::ACCEPT)
        .map_err(|_| Refusal::NotAcceptable("accept is not ASCII".to_owned()))?;
    let format = Format::accepted(accept, served.settings.usual)?;
    let written = if served.settings.batch { Format::Csv } else { format };
    Ok(([(header::CONTENT_TYPE, format.media_type())], written.write(&scores)).into_response())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let not_ascii = |_| Refusal::Unreadable(format!("{name} is not ASCII"));
    headers.get(name).map(|value| value.to_str().map_err(not_ascii)).transpose()
}
