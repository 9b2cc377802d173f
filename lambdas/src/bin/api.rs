//! The API behind API Gateway, with the router of the server.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use cartwheel_ambient::Clock;
use cartwheel_api::{
    Admission, AnswerSettings, AppState, DEGRADED, EVENTS, IMPRESSIONS_DROPPED, MarkedBy,
    PLACEMENTS, RULES, Recording, SYNONYMS, Settings,
};
use cartwheel_aws::{CloudReplayer, Emf, Follower, Lake, Names, S3Registry};
use cartwheel_engine::{Discovery, ServingEngine};
use cartwheel_lambdas::CloudUserRights;
use cartwheel_registry::LiveDocument;
use lambda_http::{Error, Request, service_fn};
use tower::ServiceExt;

/// Interval between checks for a new release and for new placements.
const REFRESH: Duration = Duration::from_secs(15);
/// Interval between looks for changes of the catalogue: an answer knows all that are older.
const CHANGES: Duration = Duration::from_secs(5);
/// Longest time that a request waits for them.
const CATCH_UP: Duration = Duration::from_millis(500);
/// How long an earlier answer is made again: API Gateway waits for ten seconds.
const REPLAY: Duration = Duration::from_secs(7);
/// Longest time that a response waits for its impression to be stored.
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
        behind_gateway: true,
        cors_origins: list::<HeaderValue>("CARTWHEEL_CORS_ORIGINS")?,
        ..Settings::default()
    };
    let lake = Lake::open(&names.lake)?;
    let registry = Arc::new(S3Registry::new(lake.clone()));
    // Placements, rules and synonyms are changed by `cartwheel serve --backend aws`, which audits changes.
    let placements = LiveDocument::new(registry.clone(), PLACEMENTS).read_only();
    let placements = Arc::new(placements);
    let rules = Arc::new(LiveDocument::new(registry.clone(), RULES).read_only());
    let synonyms = Arc::new(LiveDocument::new(registry.clone(), SYNONYMS).read_only());
    let config = cartwheel_aws::sdk_config().await;
    let products = Arc::new(cartwheel_aws::products(&config, &names, lake.clone()));
    let (listed, opened, known, ruled, meant) = tokio::join!(
        products.refresh(),
        Follower::open(registry.clone(), &names.timezone),
        placements.refresh(),
        rules.refresh(),
        synonyms.refresh(),
    );
    if let Err(error) = listed {
        tracing::error!(%error, "cannot read the live catalogue; products are those of the release");
    }
    if let Err(error) = meant {
        tracing::error!(%error, "cannot read the synonyms; searches know none");
    }
    if let Err(error) = ruled {
        tracing::error!(%error, "cannot read the rules; lists follow none");
    }
    if let Err(error) = known {
        tracing::error!(%error, "cannot read the placements; those that exist from the start serve");
    }
    let (follower, opened) = opened?;
    let discovery = list::<f32>("CARTWHEEL_RECOMMEND_DISCOVERY")?.first().copied();
    let discovering = Discovery::new(discovery.unwrap_or_default());
    let engine = ServingEngine::new(opened).discovering(discovering);
    let engine = engine.with_catalogue(products.live(), false);
    let engine = Arc::new(match cartwheel_aws::endpoint(&config, &names) {
        Some(endpoint) => engine.scored_by(Arc::new(endpoint)),
        None => engine,
    });
    let stream = Arc::new(cartwheel_aws::stream(&config, &names));
    let users = Arc::new(cartwheel_aws::users(&config, &names));
    // CloudTrail and the state machine record what operators change here.
    let admission = Admission { keys: list("CARTWHEEL_KEY_HASHES")?, audit: None };
    let mut state = AppState::new(engine.clone(), stream, users.clone(), settings, admission);
    state.runs =
        cartwheel_aws::state_machine(&config, &names).map(|machine| Arc::new(machine) as _);
    state.operated_by = Some(cartwheel_aws::OPERATED_BY);
    let settings = AnswerSettings {
        timezone: names.timezone.clone(),
        discovery: discovery.unwrap_or_default(),
        value: "off".to_owned(),
        accept_unknown: false,
    };
    state.recording = Some(Arc::new(Recording { settings, sessions: MarkedBy::Content }));
    state.replayer = Some(Arc::new(CloudReplayer::new(
        lake.clone(),
        registry.clone(),
        users.clone(),
        products.clone(),
        engine.clone(),
        REPLAY,
    )));
    state.models = Some(registry);
    state.user_rights = Some(Arc::new(CloudUserRights::new(lake, users, Clock::system())));
    state.catalogue = Some(products.clone());
    state.placements = placements.clone();
    state.rules = rules.clone();
    state.synonyms = synonyms.clone();
    let (router, follower) = (cartwheel_api::router(state.clone()), Arc::new(follower));

    lambda_http::run(service_fn(async |request: Request| {
        products.keep_up(CHANGES, CATCH_UP).await;
        if follower.is_due(REFRESH) {
            let (follower, engine) = (follower.clone(), engine.clone());
            let (placements, rules) = (placements.clone(), rules.clone());
            let synonyms = synonyms.clone();
            // In the background: this request is answered with the current release.
            tokio::spawn(async move {
                if let Err(error) = follower.refresh(&engine).await {
                    tracing::error!(%error, "loading the new release failed");
                }
                if let Err(error) = rules.refresh().await {
                    tracing::error!(%error, "reading the rules failed");
                }
                if let Err(error) = synonyms.refresh().await {
                    tracing::error!(%error, "reading the synonyms failed");
                }
                if let Err(error) = placements.refresh().await {
                    tracing::error!(%error, "reading the placements failed");
                }
            });
        }
        let (head, body) = request.into_parts();
        let request = axum::http::Request::from_parts(head, Body::new(body));
        let response = router.clone().oneshot(request).await?;
        // The process may be frozen after the response.
        state.settle(SETTLE).await;
        emf.flush();
        Ok::<_, Error>(response)
    }))
    .await
}
