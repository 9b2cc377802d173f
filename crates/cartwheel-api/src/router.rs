//! The routes, with their documentation and what surrounds them.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, header};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use axum::{Router, middleware};
use bytes::Bytes;
use tower_http::cors::{Any, CorsLayer};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::assets;
use crate::layers;
use crate::reference;
use crate::state::{AppState, Shared};
use crate::{
    catalogue, contract, events, foreign, keys, lake, live, models, operations, pipeline, privacy,
    quality, recommendations, shoppers, submit,
};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "cartwheel",
        description = "Product recommendations from shopping-cart events. Errors are RFC 9457 \
                       problem documents. Every answer carries an x-request-id; one that the \
                       client sends is kept.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "events", description = "What shoppers do"),
        (name = "recommendations", description = "What they may want next"),
        (name = "products", description = "The catalogue"),
        (name = "pipeline", description = "Training, the gate, and the models it let through"),
        (name = "data", description = "What the lake holds, and what became of the answers"),
        (name = "operations", description = "For whoever runs the server"),
    )
)]
struct Document;

fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(submit::submit))
        .routes(routes!(events::events))
        .routes(routes!(foreign::ga4))
        .routes(routes!(foreign::segment))
        .routes(routes!(recommendations::recommend))
        .routes(routes!(recommendations::for_user))
        .routes(routes!(shoppers::users))
        .routes(routes!(shoppers::user, privacy::erase))
        .routes(routes!(privacy::export))
        .routes(routes!(privacy::erasures))
        .routes(routes!(shoppers::cart))
        .routes(routes!(catalogue::departments))
        .routes(routes!(catalogue::products))
        .routes(routes!(catalogue::product))
        .routes(routes!(catalogue::similar))
        .routes(routes!(catalogue::popular))
        .routes(routes!(pipeline::definition))
        .routes(routes!(pipeline::executions, pipeline::start))
        .routes(routes!(pipeline::execution))
        .routes(routes!(pipeline::events))
        .routes(routes!(pipeline::logs))
        .routes(routes!(pipeline::stop))
        .routes(routes!(pipeline::redrive))
        .routes(routes!(models::models))
        .routes(routes!(models::model))
        .routes(routes!(models::deploy))
        .routes(routes!(models::rollback))
        .routes(routes!(lake::lake))
        .routes(routes!(lake::table))
        .routes(routes!(lake::job, lake::start_job))
        .routes(routes!(quality::quality))
        .routes(routes!(live::live))
        .routes(routes!(operations::healthz))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::metrics))
}

/// A browser asks again after this long.
const PREFLIGHT_AGE: Duration = Duration::from_secs(600);

fn documented() -> (Router<Shared>, OpenApi) {
    let (router, mut document) = routes().split_for_parts();
    contract::complete(&mut document);
    (router, document)
}

/// The OpenAPI document, as pretty JSON.
pub fn openapi() -> String {
    documented().1.to_pretty_json().unwrap_or_default()
}

/// The whole API over `state`.
pub fn router(state: AppState) -> Router {
    let state = Arc::new(state);
    let (router, document) = documented();
    let page = Bytes::from(reference::page(&document));
    let document = Bytes::from(document.to_pretty_json().unwrap_or_default());
    let router = router
        .route(
            "/openapi.json",
            get(move || async move {
                ([(header::CONTENT_TYPE, "application/json")], document).into_response()
            }),
        )
        .route("/docs", get(move || async move { Html(page) }))
        .route(
            "/docs.css",
            get(|| async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], reference::CSS) }),
        )
        .fallback(assets::fallback)
        .method_not_allowed_fallback(assets::method_not_allowed);
    let origins = state.settings.cors_origins.clone();
    let cors = (!origins.is_empty()).then(|| {
        let id = HeaderName::from_static("x-request-id");
        let exposed = [id, header::RETRY_AFTER, header::WWW_AUTHENTICATE];
        let cors = CorsLayer::new().allow_origin(origins).expose_headers(exposed);
        cors.allow_methods(Any).allow_headers(Any).max_age(PREFLIGHT_AGE)
    });
    let router = router.layer(middleware::from_fn_with_state(state.clone(), keys::admit));
    // Outside of the keys: a page of another site may read that it needs one.
    let router = match cors {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.layer(middleware::from_fn_with_state(state.clone(), layers::observe)).with_state(state)
}
