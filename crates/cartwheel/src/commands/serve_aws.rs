//! `serve --backend aws`: the API of this process over an account's stream, table and lake.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use cartwheel_api::{AnswerSettings, MarkedBy, Recording};
use cartwheel_aws::{CloudReplayer, Follower, Lake, Names, Products, S3Registry};
use cartwheel_engine::{Discovery, ServingEngine};
use cartwheel_node::{Extras, Host, Supervisor, follow_document, until};

use crate::commands::mcp;
use crate::commands::serve_args::Serve;
use crate::commands::web::asset;
use crate::context::Context;
use crate::otlp;

/// Interval at which the lake is asked for a new release and for new placements, and the table for
/// changes of products.
const REFRESH: Duration = Duration::from_secs(5);
/// How long an earlier answer is made again: a request ends after ten seconds.
const REPLAY: Duration = Duration::from_secs(7);

/// Serves. Firehose delivers to the lake, and the function `consume` keeps the sessions. Keys
/// and audit log are those of the data directory.
pub async fn run(context: &Context, args: &Serve) -> Result<()> {
    let server = args.server(&context.settings.server);
    let (metrics, _sender) = otlp::metrics(otlp::variable)?.unzip();
    let assistants = Some(mcp::http::over_http(context));
    let extras = Extras { assets: Some(asset), assistants, metrics };
    let host = Host::new(&context.data_dir, server, extras)?;
    let names = Names::from_env(&["CARTWHEEL_LAKE", "CARTWHEEL_TABLE", "CARTWHEEL_STREAM"])?;
    let timezone = &context.settings.shop.timezone;
    let lake = Lake::open(&names.lake)?;
    let registry = Arc::new(S3Registry::new(lake.clone()));
    let (follower, opened) = Follower::open(registry.clone(), timezone).await?;
    let config = cartwheel_aws::sdk_config().await;
    let products = Arc::new(cartwheel_aws::products(&config, &names, lake.clone()));
    if let Err(error) = products.refresh().await {
        tracing::error!(%error, "cannot read the live catalogue; products are those of the release");
    }
    let discovery = Discovery::new(context.settings.recommend.discovery);
    let engine = ServingEngine::new(opened)
        .discovering(discovery)
        .valuing(context.settings.recommend.value.parse()?)
        .with_catalogue(products.live(), context.settings.catalogue.accept_unknown);
    let engine = Arc::new(match cartwheel_aws::endpoint(&config, &names) {
        Some(endpoint) => engine.scored_by(Arc::new(endpoint)),
        None => engine,
    });
    let users = Arc::new(cartwheel_aws::users(&config, &names));
    let stream = Arc::new(cartwheel_aws::stream(&config, &names));
    let mut state = host.state(engine.clone(), stream, users.clone(), registry.clone())?;
    let settings = AnswerSettings {
        timezone: timezone.clone(),
        discovery: context.settings.recommend.discovery,
        value: context.settings.recommend.value.clone(),
        accept_unknown: context.settings.catalogue.accept_unknown,
    };
    state.recording = Some(Arc::new(Recording { settings, sessions: MarkedBy::Content }));
    state.replayer = Some(Arc::new(CloudReplayer::new(
        lake,
        registry,
        users,
        products.clone(),
        engine.clone(),
        REPLAY,
    )));
    state.runs =
        cartwheel_aws::state_machine(&config, &names).map(|machine| Arc::new(machine) as _);
    state.operated_by = Some(cartwheel_aws::OPERATED_BY);
    state.catalogue = Some(products.clone());
    if let Err(error) = state.placements.refresh().await {
        tracing::error!(%error, "cannot read the placements; those that exist from the start serve");
    }
    let supervisor = Supervisor::new(state.tasks.clone());
    let follower = Arc::new(follower);
    supervisor.run_restarting("releases", move |stop| {
        until(stop, follow(follower.clone(), engine.clone()))
    });
    supervisor
        .run_restarting("catalogue", move |stop| until(stop, follow_products(products.clone())));
    if let Err(error) = state.rules.refresh().await {
        tracing::error!(%error, "cannot read the rules; lists follow none");
    }
    let rules = state.rules.clone();
    supervisor
        .run_restarting("rules", move |stop| until(stop, follow_document(rules.clone(), REFRESH)));
    if let Err(error) = state.synonyms.refresh().await {
        tracing::error!(%error, "cannot read the synonyms; searches know none");
    }
    let synonyms = state.synonyms.clone();
    supervisor.run_restarting("synonyms", move |stop| {
        until(stop, follow_document(synonyms.clone(), REFRESH))
    });
    let placements = state.placements.clone();
    supervisor.run_restarting("placements", move |stop| {
        until(stop, follow_document(placements.clone(), REFRESH))
    });
    host.run(state, supervisor, std::future::ready(())).await
}

/// Serves each new release. Runs until dropped.
async fn follow(follower: Arc<Follower>, engine: Arc<ServingEngine>) {
    loop {
        tokio::time::sleep(REFRESH).await;
        if let Err(error) = follower.refresh(&engine).await {
            tracing::error!(%error, "cannot open the new release; keeping the old one");
        }
    }
}

/// Takes over what others have changed in the catalogue. Runs until dropped.
async fn follow_products(products: Arc<Products>) {
    loop {
        tokio::time::sleep(REFRESH).await;
        if let Err(error) = products.refresh().await {
            tracing::error!(%error, "cannot read changes of the catalogue");
        }
    }
}
