//! `POST /v1/shopify`: Shopify's webhooks about orders and products.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use cartwheel_events::shopify_order;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::caller::Caller;
use crate::http::peer::Peer;
use crate::http::problem::{Kind, Problem};
use crate::http::request;
use crate::routes::Routes;
use crate::shop::accept::Dating;
use crate::shop::events::answer;
use crate::shop::products::shopify as products;
use crate::state::Shared;

const SIGNATURE: &str = "x-shopify-hmac-sha256";
const TOPIC: &str = "x-shopify-topic";
const SHOP: &str = "x-shopify-shop-domain";

/// The route for Shopify. Its signature stands for a key.
pub(crate) fn routes() -> Routes {
    Routes::default().open(routes!(shopify))
}

/// What became of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WebhookOutcome {
    /// It is durable, now or since an earlier attempt.
    Stored,
    /// It concerns nothing that is kept here.
    Ignored,
    /// It is not valid, and would not be later.
    Refused,
}

/// The answer to a webhook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookAnswer {
    /// What became of it.
    outcome: WebhookOutcome,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

/// Takes a webhook of Shopify
///
/// An order (`orders/create`) becomes a checkout; a product (`products/create`, `products/update`,
/// `products/delete`) changes the catalogue. Other topics are ignored. Shopify's signature, with the secret
/// of the setting `server.shopify_secret`, takes the place of a key. What can never be stored is answered
/// with 200 too, because Shopify repeats everything else and gives up the subscription in the end.
#[utoipa::path(post, path = "/v1/shopify", tag = "clients", request_body = Object, params(
    ("x-shopify-topic" = Option<String>, Header, description = "What the body is, such as orders/create"),
    ("x-shopify-hmac-sha256" = Option<String>, Header, description = "The HMAC-SHA256 of the body, in Base64"),
    ("x-shopify-shop-domain" = Option<String>, Header, description = "The host of the shop's pages"),
), responses(
    (status = 200, description = "What became of the webhook", body = WebhookAnswer),
    (status = 400, description = "The body is not JSON", body = Problem),
    (status = 401, description = "The signature is missing or wrong", body = Problem),
    (status = 404, description = "This server takes no webhooks: server.shopify_secret is not set",
     body = Problem),
))]
pub(crate) async fn shopify(
    State(state): State<Shared>,
    request: Request,
) -> Result<Response, Problem> {
    let Some(secret) = &state.settings.shopify_secret else {
        let detail = "This server takes no webhooks of Shopify: set server.shopify_secret.";
        return Err(Problem::new(Kind::NotFound, detail));
    };
    let media = request::media_type(&request);
    if !request::is_json(&media) {
        return Err(request::unsupported(&media, "application/json"));
    }
    let headers = request.headers().clone();
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let peer = request.extensions().get::<Peer>().copied();
    let body = state.bodies.read(request).await?;
    if !secret.has_signed(&body, header(SIGNATURE).unwrap_or_default()) {
        state.limits.wrong_key(peer)?;
        let detail = "The body is not signed with the secret of server.shopify_secret.";
        return Err(Problem::new(Kind::Unauthorized, detail));
    }
    let body: Value = request::parse(&body)?;
    let caller = Caller::signed();
    let taken = match header(TOPIC).unwrap_or_default() {
        "orders/create" => order(&state, &caller, &body).await,
        "products/create" | "products/update" => {
            let kept = products::keep(&state, &body, header(SHOP).filter(|host| is_host(host)));
            kept.await.map(|()| WebhookOutcome::Stored)
        }
        "products/delete" => products::remove(&state, &body).await.map(|()| WebhookOutcome::Stored),
        _ => Ok(WebhookOutcome::Ignored),
    };
    let (outcome, error) = match taken {
        Ok(outcome) => (outcome, None),
        Err(problem) if problem.is_passing() => return Err(problem),
        Err(problem) => {
            tracing::warn!(detail = problem.detail.as_str(), "a webhook of Shopify is refused");
            (WebhookOutcome::Refused, Some(problem))
        }
    };
    let mut response = Json(WebhookAnswer { outcome, error }).into_response();
    response.extensions_mut().insert(caller);
    Ok(response)
}

async fn order(state: &Shared, caller: &Caller, body: &Value) -> Result<WebhookOutcome, Problem> {
    let Some(event) = shopify_order(body)? else { return Ok(WebhookOutcome::Ignored) };
    answer(state, caller, vec![Ok(Some(event))], Dating::Arrival, true).await?;
    Ok(WebhookOutcome::Stored)
}

/// Whether a text is the name of a host, so that a page's address cannot lead elsewhere.
fn is_host(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}
