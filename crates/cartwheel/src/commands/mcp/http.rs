//! The Model Context Protocol over HTTP, as a server's route `/mcp` receives it.

use std::sync::Arc;

use cartwheel_api::Assistants;
use cartwheel_stream::Pending;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HeaderValue};
use hyper::{Request, Response};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use super::Assistant;
use super::tool::Session;
use crate::client::Credentials;
use crate::context::Context;

/// Answers assistants. A tool asks the server by the credentials of the message, as if the assistant had
/// asked itself.
pub fn over_http(context: &Context) -> Assistants {
    let context = context.clone();
    Arc::new(move |message: Request<Bytes>| -> Pending<'static, Response<Bytes>> {
        let (context, credentials) = (context.clone(), Credentials::of(message.headers()));
        let assistant = move || {
            Ok(Assistant(Session { context: context.clone(), credentials: credentials.clone() }))
        };
        // Each message stands alone, so that nothing is kept for assistants that do not come back. The
        // server has checked host, origin and size.
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_max_request_body_bytes(usize::MAX)
            .disable_allowed_hosts();
        let service =
            StreamableHttpService::new(assistant, Arc::new(NeverSessionManager::default()), config);
        Box::pin(async move {
            let mut message: Request<_> = message.map(Full::new);
            let accepted = HeaderValue::from_static("application/json, text/event-stream");
            // Whatever a client says, it gets JSON.
            message.headers_mut().insert(ACCEPT, accepted);
            let (parts, body) = service.handle(message).await.into_parts();
            let Ok(body) = body.collect().await;
            Response::from_parts(parts, body.to_bytes())
        })
    })
}
