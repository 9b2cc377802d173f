//! The API: the same Router as the server's, behind API Gateway.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use cartwheel_ambient::Clock;
use cartwheel_api::{AppState, DEGRADED, EVENTS, IMPRESSIONS_DROPPED, Settings};
use cartwheel_aws::{Emf, Follower, Names, S3Registry};
use cartwheel_engine::Current;
use lambda_http::{Error, Request, service_fn};
use tower::ServiceExt;

/// The lake is asked for a new release this often.
const REFRESH: Duration = Duration::from_secs(15);
/// An answer waits this long for its impression to be stored.
const SETTLE: Duration = Duration::from_millis(100);

fn list<T: std::str::FromStr>(variable: &str) -> Result<Vec<T>, T::Err> {
    let value = std::env::var(variable).unwrap_or_default();
    value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::parse).collect()
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    cartwheel_lambdas::log();
    let emf = Emf::install("api", &[EVENTS, DEGRADED, IMPRESSIONS_DROPPED], Clock::system());
    let names = Names::from_env(&["CARTWHEEL_LAKE", "CARTWHEEL_TABLE", "CARTWHEEL_STREAM"])?;
    let settings = Settings {
        cors_origins: list::<HeaderValue>("CARTWHEEL_CORS_ORIGINS")?,
        ..Settings::default()
    };
    let registry = Arc::new(S3Registry::open(&names.lake)?);
    let (config, opened) =
        tokio::join!(cartwheel_aws::sdk_config(), Follower::open(registry, &names.timezone));
    let (follower, opened) = opened?;
    let engine = Current::new(opened);
    let engine = Arc::new(match cartwheel_aws::endpoint(&config, &names) {
        Some(endpoint) => engine.scored_by(Arc::new(endpoint)),
        None => engine,
    });
    let stream = Arc::new(cartwheel_aws::stream(&config, &names));
    let users = Arc::new(cartwheel_aws::users(&config, &names));
    let state = AppState::new(engine.clone(), stream, users, settings);
    state.keys.replace(list("CARTWHEEL_KEY_HASHES")?);
    let (router, follower) = (cartwheel_api::router(state.clone()), Arc::new(follower));

    lambda_http::run(service_fn(async |request: Request| {
        if follower.is_due(REFRESH) {
            let (follower, engine) = (follower.clone(), engine.clone());
            // Beside the request: this one is still answered from what is there.
            tokio::spawn(async move {
                if let Err(error) = follower.refresh(&engine).await {
                    tracing::error!(%error, "the new release does not serve");
                }
            });
        }
        let (head, body) = request.into_parts();
        let request = axum::http::Request::from_parts(head, Body::new(body));
        let response = router.clone().oneshot(request).await?;
        // The process may be stopped after the answer.
        state.settle(SETTLE).await;
        emf.flush();
        Ok::<_, Error>(response)
    }))
    .await
}
