//! Logging and the runtime of the Lambda functions, each of which is a thin `main` over
//! `cartwheel_aws`.

#[cfg(feature = "api")]
mod user_rights;

use std::fmt::Display;
use std::future::Future;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "api")]
pub use user_rights::CloudUserRights;

/// Sets up logging: one JSON line per event, at the level of `RUST_LOG` or `warn`.
pub fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).init();
}

/// Runs a function of the state machine, from its payload to its result. An error fails the
/// task with the error's text as the cause.
///
/// # Errors
/// If the Lambda runtime is unreachable.
pub async fn run<P, T, E, F>(name: &'static str, work: impl Fn(P) -> F) -> Result<(), Error>
where
    P: DeserializeOwned + Send,
    T: Serialize,
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    lambda_runtime::run(service_fn(async |event: LambdaEvent<P>| {
        work(event.payload).await.map_err(|error| {
            tracing::error!(function = name, %error, "failed");
            Error::from(error.to_string())
        })
    }))
    .await
}
