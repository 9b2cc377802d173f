//! `serve --backend aws`: this server over the account's stream, table and lake.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cartwheel_api::AppState;
use cartwheel_aws::{Follower, Names, S3Registry};
use cartwheel_engine::Current;
use tokio::net::TcpListener;

use crate::cli::{self, Context};
use crate::commands::serve;
use crate::listen;

/// The lake is asked for a new release this often.
const REFRESH: Duration = Duration::from_secs(5);
/// Impressions on their way are waited for this long at the end.
const SETTLE: Duration = Duration::from_secs(5);

/// Serves; delivery and sessions are Firehose's and the consumer function's.
pub async fn run(context: &Context, args: &cli::Serve) -> Result<()> {
    let server = args.server(&context.settings.server);
    let listen = server.listen;
    listen::check_reach(listen, false, server.open_to_everyone)?;
    let connections = listen::connections(&server)?;
    listen::raise_file_limit(&connections);
    let names = Names::from_env(&["CARTWHEEL_LAKE", "CARTWHEEL_TABLE", "CARTWHEEL_STREAM"])?;
    let timezone = &context.settings.shop.timezone;
    let registry = Arc::new(S3Registry::open(&names.lake)?);
    let (follower, opened) = Follower::open(registry, timezone).await?;
    let config = cartwheel_aws::sdk_config().await;
    let engine = Current::new(opened);
    let engine = Arc::new(match cartwheel_aws::endpoint(&config, &names) {
        Some(endpoint) => engine.scored_by(Arc::new(endpoint)),
        None => engine,
    });
    let mut state = AppState::new(
        engine.clone(),
        Arc::new(cartwheel_aws::stream(&config, &names)),
        Arc::new(cartwheel_aws::users(&config, &names)),
        listen::api_settings(&server)?,
    );
    state.assets = Some(serve::asset);
    let metrics = state.metrics.clone();
    let upkeep = tokio::spawn(async move { metrics.upkeep().await });
    let watching = tokio::spawn(async move {
        loop {
            tokio::time::sleep(REFRESH).await;
            if let Err(error) = follower.refresh(&engine).await {
                tracing::error!(%error, "the new release does not serve");
            }
        }
    });
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("listen on {listen}"))?;
    eprintln!("Open {}  (Ctrl-C stops)", listen::url(listener.local_addr()?, &connections));
    let router = cartwheel_api::router(state.clone());
    let certifying = tokio::spawn(listen::follow_certificate(connections.tls.clone()));
    let drained = cartwheel_api::serve(listener, router, connections, serve::interrupted()).await;
    certifying.abort();
    if !(drained && state.settle(SETTLE).await) {
        tracing::warn!("some requests or impressions were cut off");
    }
    watching.abort();
    upkeep.abort();
    Ok(())
}
