//! `serve` and `demo`.

mod args;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use cartwheel_ambient::Clock;
use cartwheel_api::{AppState, Asset};
use cartwheel_engine::{Opened, ServingEngine};
use cartwheel_lake::{Delivery, DeliveryOptions, Inspector, Lake};
use cartwheel_registry::Release;
use cartwheel_sessions::{RedbSessionTable, Sessions, consume_sessions};
use cartwheel_stream::{Log, LogOptions, Sequence, Stream};
use rust_embed::RustEmbed;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::audit::AuditFile;
use crate::commands::{data, keys, pipeline};
use crate::context::Context;
use crate::data_dir::DataDir;
use crate::learn::Hyperparameters;
use crate::listen;
use crate::operations::Operations;
use crate::pipeline::{Pipeline, schedule};
use crate::upkeep::Upkeep;
pub use args::{Backend, Demo, Serve};

/// Users whose sessions stay in memory.
const SESSIONS_IN_MEMORY: usize = 20_000;
/// How long a serving process keeps pages that are free.
const FREE_PAGES_MS: std::ffi::c_long = 10;
/// Examples that the demo trains on: enough to be good, few enough not to wait.
const DEMO_EXAMPLES: usize = 1_500;
/// How often the keys are looked at.
const KEY_CHECK: Duration = Duration::from_secs(1);
/// How often a new release is looked for.
const RELEASE_CHECK: Duration = Duration::from_millis(200);
/// How often a release that could not be opened is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// The web app, as it was built.
#[derive(RustEmbed)]
#[folder = "../../webapp/dist"]
#[allow_missing = true]
struct Web;

pub(super) fn asset(path: &str) -> Option<Asset> {
    let file = Web::get(path)?;
    let mime = Cow::Owned(file.metadata.mimetype().to_owned());
    Some(Asset { body: file.data, mime })
}

pub(super) fn now_ms() -> i64 {
    Clock::system().now_ms()
}

/// Makes a shop or takes one, learns from it unless that is done, and serves it.
pub fn demo(context: &Context, args: &Demo) -> Result<()> {
    let started = std::time::Instant::now();
    log_to_stderr();
    let mut context = context.clone();
    let examples = &mut context.settings.features.max_examples;
    *examples = (*examples).min(DEMO_EXAMPLES);
    let place = &context.data_dir;
    let released = cartwheel_registry::current(&place.releases())?.is_some();
    if args.data.is_some() || !released {
        let imported = match &args.data {
            Some(dir) => data::import(place, dir, None, false)?,
            None => {
                data::generate(&args.size, &place.shop(), false)?;
                let imported = data::import(place, &place.shop(), None, false)?;
                // The lake has it all, and an erasure reaches no other copy.
                std::fs::remove_dir_all(place.shop())?;
                imported
            }
        };
        let unchanged = imported.unchanged;
        if !(released && unchanged) {
            pipeline::run_here(&context, &Hyperparameters::new())?;
        }
    }
    eprintln!("Ready to serve after {:.1} s", started.elapsed().as_secs_f32());
    serve(&context, &Serve { listen: args.listen, ..Serve::default() })
}

pub fn serve(context: &Context, args: &Serve) -> Result<()> {
    log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match args.backend {
        Backend::Embedded => runtime.block_on(run(context, args)),
        #[cfg(feature = "aws")]
        Backend::Aws => runtime.block_on(super::serve_aws::run(context, args)),
        #[cfg(not(feature = "aws"))]
        Backend::Aws => anyhow::bail!(
            "this binary was built without AWS: cargo build --bin cartwheel --features aws"
        ),
    }
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // A second call in one process keeps the first.
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

async fn run(context: &Context, args: &Serve) -> Result<()> {
    let Context { data_dir: place, settings, config, .. } = context;
    let server = args.server(&settings.server);
    let listen = server.listen;
    let keys = keys::known(place)?;
    listen::check_reach(listen, !keys.is_empty(), server.open_to_everyone)?;
    let connections = listen::connections(&server)?;
    listen::raise_file_limit(&connections);
    place.begin()?;
    let (opened, problem) = Opened::best(&place.lake(), &settings.shop.timezone)?;
    if let Some(problem) = problem {
        eprintln!("Serving less than a release, until there is one: {problem}");
    }
    let engine = Arc::new(ServingEngine::new(opened));
    let log = Arc::new(Log::open(&place.stream(), log_options(&settings.stream))?);
    let stream: Arc<dyn Stream> = log.clone();
    let sessions = Arc::new(Sessions::new(
        Arc::new(RedbSessionTable::new(place.sessions())),
        SESSIONS_IN_MEMORY,
    ));

    let floor = {
        let log = log.clone();
        move |next: Sequence| log.set_floor("delivery", next.as_u64().unwrap_or(u64::MAX))
    };
    let lake = Lake::open(&place.lake())?;
    let delivery = Delivery::new(
        stream.clone(),
        &lake,
        DeliveryOptions {
            max_records: settings.delivery.max_records,
            max_age: Duration::from_secs(settings.delivery.max_age_seconds),
            clock: Clock::system(),
        },
        &place.delivery(),
        floor,
    )?;
    let upkeep = Arc::new(Upkeep::open(
        place,
        &settings.lake,
        log.clone(),
        sessions.clone(),
        Some(engine.clone()),
        delivery.status(),
    )?);
    let mut state = AppState::new(
        engine.clone(),
        stream.clone(),
        sessions.clone(),
        listen::api_settings(&server)?,
    );
    state.assets = Some(asset);
    state.audit = Some(Arc::new(AuditFile::new(place)));
    state.keys.replace(keys);
    let metrics = state.metrics.clone();
    let threads = settings.pipeline.job_threads();
    let pipeline = Pipeline::open(place, settings, config.as_deref(), Some(threads))?;
    state.operator = Some(Arc::new(Operations::new(
        place,
        pipeline.clone(),
        log.clone(),
        sessions.clone(),
        delivery.status(),
        Inspector::new(lake),
        upkeep.clone(),
    )));
    let closing = state.closing.clone();
    let (every, after) = (settings.pipeline.every, settings.pipeline.after_checkouts);
    let scheduling = tokio::spawn(schedule(
        pipeline.clone(),
        (every > 0).then(|| Duration::from_secs(every * 60)),
        (after > 0).then_some(after),
        state.checkouts.clone(),
    ));

    let interrupted = interrupted();
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("listen on {listen}"))?;
    // Consumers end after the server, so that they see its last events.
    let (stop, stopped) = watch::channel(false);
    let ended = |mut stopped: watch::Receiver<bool>| async move {
        // An error means that the sender is gone, which is an end too.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let delivering = tokio::spawn(delivery.run(ended(stopped.clone())));
    let floor = {
        let log = log.clone();
        move |next: Sequence| log.set_floor("sessions", next.as_u64().unwrap_or(u64::MAX))
    };
    let following = tokio::spawn(consume_sessions(
        stream,
        sessions,
        Clock::system(),
        floor,
        ended(stopped.clone()),
    ));
    let compact = settings.lake.compact_seconds;
    let compact = (compact > 0).then(|| Duration::from_secs(compact));
    let keeping = tokio::spawn(upkeep.follow(compact, ended(stopped.clone())));
    let upkeep = tokio::spawn(async move { metrics.upkeep().await });
    let watching =
        tokio::spawn(follow_releases(place.clone(), settings.shop.timezone.clone(), engine));
    let knowing = tokio::spawn(follow_keys(place.clone(), listen, state.keys.clone()));
    let certifying = tokio::spawn(listen::follow_certificate(connections.tls.clone()));

    // What one request frees, the next takes: a fault for each page would cost more.
    crate::allocator::keep_free_pages(FREE_PAGES_MS);
    let router = cartwheel_api::router(state);
    let local = listen::for_commands(&connections, &router, ended(stopped.clone())).await?;
    // The command line finds the server by it; a file of a killed one is overwritten.
    let found = local.map_or_else(|| listener.local_addr(), Ok)?;
    std::fs::write(place.server(), found.to_string())?;
    eprintln!("Open {}  (Ctrl-C stops)", listen::url(listener.local_addr()?, &connections));
    let runner = pipeline.runner().clone();
    let stopping = async move {
        interrupted.await;
        closing.send_replace(true);
        // Runs first: whoever follows one is told, and lets the server go.
        runner.shutdown().await;
    };
    let drained = cartwheel_api::serve(listener, router, connections, stopping).await;
    if !drained {
        tracing::warn!("some requests were cut off");
    }
    let _ = std::fs::remove_file(place.server());
    scheduling.abort();
    let _ = stop.send(true);
    upkeep.abort();
    watching.abort();
    knowing.abort();
    certifying.abort();
    delivering.await??;
    following.await??;
    keeping.await?;
    log.close();
    eprintln!("Stopped; everything is on disk");
    Ok(())
}

pub(super) fn log_options(settings: &crate::settings::Stream) -> LogOptions {
    let usual = LogOptions::new(now_ms);
    // A record has to fit a segment; what is larger is refused with 413.
    let room = usize::try_from(settings.segment_bytes / 2).unwrap_or(usize::MAX);
    LogOptions {
        shards: settings.shards,
        segment_bytes: settings.segment_bytes,
        retention_ms: i64::from(settings.retention_hours) * 3_600_000,
        max_bytes: settings.max_bytes,
        max_record_bytes: usual.max_record_bytes.min(room),
        ..usual
    }
}

/// Ctrl-C or SIGTERM, from the call on: one that comes before the future is awaited counts.
pub(super) fn interrupted() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = signal(SignalKind::terminate());
    let interrupt = signal(SignalKind::interrupt());
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
            let _ = tokio::signal::ctrl_c().await;
            return;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Knows keys from the moment they are created, and no more once they are revoked.
async fn follow_keys(place: DataDir, listen: std::net::SocketAddr, known: cartwheel_api::Keys) {
    let mut seen = None;
    loop {
        tokio::time::sleep(KEY_CHECK).await;
        let written = std::fs::metadata(place.keys()).and_then(|file| file.modified()).ok();
        if written == seen {
            continue;
        }
        seen = written;
        match keys::known(&place) {
            // Without keys everybody may call, which nobody has asked for here.
            Ok(keys) if keys.is_empty() && !listen.ip().is_loopback() => {
                tracing::error!(
                    "the last key is revoked: it stays known, as others can reach this server"
                );
            }
            Ok(keys) => known.replace(keys),
            Err(error) => tracing::error!(%error, "the keys stay as they were"),
        }
    }
}

/// Serves each new release from the moment it is published.
async fn follow_releases(place: DataDir, timezone: String, engine: Arc<ServingEngine>) {
    // The release that could not be opened, and when that was tried.
    let mut refused: Option<(Release, Instant)> = None;
    let mut unreadable = false;
    loop {
        tokio::time::sleep(RELEASE_CHECK).await;
        let current = cartwheel_registry::current(&place.releases());
        if let Err(error) = &current
            && !unreadable
        {
            tracing::error!(%error, "releases/current.json cannot be read");
        }
        unreadable = current.is_err();
        let Ok(Some(release)) = current else { continue };
        if release == engine.release() && !engine.is_fallback() {
            continue;
        }
        if refused.as_ref().is_some_and(|(known, at)| *known == release && at.elapsed() < RETRY) {
            continue;
        }
        let tried = release.clone();
        let (place, timezone) = (place.clone(), timezone.clone());
        let opened =
            tokio::task::spawn_blocking(move || Opened::open(&place.lake(), &release, &timezone))
                .await;
        match opened {
            Ok(Ok(opened)) => {
                engine.swap(opened);
                refused = None;
                continue;
            }
            Ok(Err(error)) => tracing::error!(%error, "the release is refused, and tried again"),
            Err(error) => tracing::error!(%error, "the release is refused, and tried again"),
        }
        refused = Some((tried, Instant::now()));
    }
}
