//! The router: every route with its documentation and middleware.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, header};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use axum::{Router, middleware};
use bytes::Bytes;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::access::admit::{Gate, admit};
use crate::contract::{document, reference};
use crate::fallback;
use crate::observe::{Observer, observe};
use crate::operate::{
    assistants, health, imports, lake, live, metrics, models, pipeline, privacy, quality, replay,
    searches,
};
use crate::routes::Routes;
use crate::shop::{
    beacon, buy_again, catalogue, clients, events, foreign, merge, placements, products, rank,
    recommendations, rules, search, shopify, shoppers, submit, synonyms,
};
use crate::state::AppState;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "cartwheel",
        description = "Product recommendations from shopping-cart events. Errors are RFC 9457 \
                       problem documents. Every answer has an x-request-id; the server keeps \
                       the id that the client sends.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "events", description = "Events of shoppers"),
        (name = "clients", description = "Events from the clients of Segment, RudderStack and Google Analytics 4, and from Shopify"),
        (name = "recommendations", description = "Recommendations for shoppers"),
        (name = "placements", description = "The lists of the shop's pages"),
        (name = "rules", description = "What the shop demands of its lists"),
        (name = "synonyms", description = "Words that mean the same in searches"),
        (name = "products", description = "Products that may be shown"),
        (name = "catalogue", description = "The catalogue as the shop keeps it"),
        (name = "pipeline", description = "Training, evaluation, and the models that result"),
        (name = "data", description = "The lake, and how shoppers reacted to recommendations"),
        (name = "operations", description = "Health and metrics of the server"),
    )
)]
struct Document;

/// Every documented route with the access that it needs.
pub(crate) fn routes() -> Routes {
    let document = OpenApiRouter::with_openapi(Document::openapi());
    [
        submit::routes(),
        events::routes(),
        beacon::routes(),
        foreign::routes(),
        clients::routes(),
        shopify::routes(),
        merge::routes(),
        recommendations::routes(),
        rank::routes(),
        placements::routes(),
        buy_again::routes(),
        rules::routes(),
        shoppers::routes(),
        search::routes(),
        synonyms::routes(),
        catalogue::routes(),
        products::routes(),
        privacy::routes(),
        pipeline::routes(),
        models::routes(),
        lake::routes(),
        imports::routes::routes(),
        quality::routes(),
        searches::routes(),
        replay::routes(),
        live::routes(),
        health::routes(),
        metrics::routes(),
        assistants::routes(),
    ]
    .into_iter()
    .fold(Routes { router: document, ..Routes::default() }, Routes::merge)
}

/// How long a browser caches a preflight answer.
const PREFLIGHT_AGE: Duration = Duration::from_secs(600);

fn document() -> OpenApi {
    let Routes { router, access, .. } = routes();
    let mut document = router.into_openapi();
    document::complete(&mut document, &access);
    document
}

/// Returns the OpenAPI document as pretty JSON.
pub fn openapi() -> String {
    document().to_pretty_json().unwrap_or_default()
}

/// Builds the whole API over `state`.
pub fn router(state: AppState) -> Router {
    let state = Arc::new(state);
    let document = document();
    let page = Bytes::from(reference::page(&document));
    let document = Bytes::from(document.to_pretty_json().unwrap_or_default());
    let routes = routes()
        .open_page(
            "/openapi.json",
            get(move || async move {
                ([(header::CONTENT_TYPE, "application/json")], document).into_response()
            }),
        )
        .open_page("/docs", get(move || async move { Html(page) }))
        .open_page(
            "/docs.css",
            get(|| async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], reference::CSS) }),
        )
        .open_page(
            "/docs.js",
            get(|| async {
                ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], reference::JS)
            }),
        );
    let gate =
        Arc::new(Gate { state: state.clone(), access: routes.access, uploads: routes.uploads });
    let (router, _) = routes.router.split_for_parts();
    let router = router
        .fallback(fallback::fallback)
        .method_not_allowed_fallback(fallback::method_not_allowed);
    let origins = state.settings.cors_origins.clone();
    let cors = (!origins.is_empty()).then(|| {
        let id = HeaderName::from_static("x-request-id");
        let exposed = [id, header::RETRY_AFTER, header::WWW_AUTHENTICATE];
        let cors = CorsLayer::new().allow_origin(origins).expose_headers(exposed);
        // The wildcard would leave out `authorization`.
        let headers = AllowHeaders::mirror_request();
        cors.allow_methods(Any).allow_headers(headers).max_age(PREFLIGHT_AGE)
    });
    let router = router.layer(middleware::from_fn_with_state(gate, admit));
    // Outside of admission, so that a page of another site can read a 401.
    let router = match cors {
        Some(cors) => router.layer(cors),
        None => router,
    };
    let observer = Observer::new(state.clone());
    router.layer(middleware::from_fn_with_state(observer, observe)).with_state(state)
}
