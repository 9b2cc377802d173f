//! `POST /mcp`: the Model Context Protocol over HTTP. The binary brings the tools.

use std::collections::HashMap;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http;
use axum::response::Response;
use serde::Deserialize;
use serde::de::IgnoredAny;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::http::problem::{Kind, Problem};
use crate::http::request;
use crate::routes::Routes;
use crate::state::Shared;

/// The route for assistants.
pub(crate) fn routes() -> Routes {
    Routes::default().scoped(Scope::Admin, routes!(mcp))
}

/// A message of JSON-RPC, as the Model Context Protocol describes it.
#[derive(Deserialize, ToSchema)]
pub(crate) struct AssistantMessage {
    #[schema(pattern = r"^2\.0$")]
    jsonrpc: String,
    /// The method, such as `tools/call`.
    #[schema(min_length = 1, max_length = 128)]
    method: String,
    /// The request's id. A notification has none.
    #[serde(rename = "id")]
    _id: Option<MessageId>,
    /// What the method needs.
    #[serde(rename = "params")]
    #[schema(value_type = Option<Object>)]
    _params: Option<HashMap<String, IgnoredAny>>,
}

/// The id by which an answer names its request.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum MessageId {
    Text(#[allow(dead_code, reason = "the answer repeats it from the message")] String),
    Number(#[allow(dead_code, reason = "as above")] i64),
}

/// Answers an assistant
///
/// The Model Context Protocol over streamable HTTP, without sessions: one message a request, and its answer
/// as JSON. A tool asks this server with the key of the request, and may do what that key may.
/// docs/assistants.md lists the tools.
#[utoipa::path(post, path = "/mcp", tag = "operations", request_body = AssistantMessage, responses(
    (status = 200, description = "The answer, a message of JSON-RPC", body = Object),
    (status = 202, description = "The notification is taken"),
    (status = 400, description = "No message of JSON-RPC, or a version of the protocol that this server does \
     not speak", content((Problem = "application/problem+json"), (Object = "application/json"))),
    (status = 404, description = "This server has no tools, or not this method",
     content((Problem = "application/problem+json"), (Object = "application/json"))),
))]
pub(crate) async fn mcp(
    State(state): State<Shared>,
    request: Request,
) -> Result<Response, Problem> {
    let Some(assistants) = state.assistants.clone() else {
        return Err(Problem::new(Kind::NotFound, "This server has no tools for assistants."));
    };
    let media = request::media_type(&request);
    if !request::is_json(&media) {
        return Err(request::unsupported(&media, "application/json"));
    }
    let headers = request.headers().clone();
    let body = state.bodies.read(request).await?;
    let message: AssistantMessage = request::parse(&body)?;
    if message.jsonrpc != "2.0" {
        let detail = "The message is not one of JSON-RPC 2.0.";
        return Err(Problem::field("jsonrpc", detail, "2.0"));
    }
    if !(1..=128).contains(&message.method.chars().count()) {
        let detail = "The message names no method.";
        return Err(Problem::field("method", detail, "1 to 128 characters"));
    }
    let mut message = http::Request::new(body);
    *message.method_mut() = http::Method::POST;
    *message.headers_mut() = headers;
    let answer = assistants(message).await;
    let media = answer.headers().get(http::header::CONTENT_TYPE);
    let is_json = media.is_some_and(|media| media == "application/json");
    if answer.status().is_success() || is_json {
        return Ok(answer.map(Body::from));
    }
    let kind = match answer.status().is_client_error() {
        true => Kind::InvalidField,
        false => Kind::Internal,
    };
    Err(Problem::new(kind, String::from_utf8_lossy(answer.body())))
}
