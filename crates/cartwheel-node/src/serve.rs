//! The whole loop in one process: stream, sessions, delivery, upkeep, pipeline, API.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cartwheel_ambient::{Clock, system_ms};
use cartwheel_api::{AnswerSettings, Imports, MarkedBy, Recording};
use cartwheel_engine::{Discovery, Engine as _, Opened, ServingEngine};
use cartwheel_events::ProductId;
use cartwheel_lake::{Delivery, DeliveryOptions, Inspector, Lake};
use cartwheel_registry::LocalRegistry;
use cartwheel_sessions::{RedbSessionTable, Sessions, consume_products, consume_sessions};
use cartwheel_settings::{Server, Settings, Stream as StreamSettings};
use cartwheel_stream::{Log, LogOptions, Sequence, Stream};
use tokio::task::spawn_blocking;

use crate::backup::snapshot;
use crate::catalogue::open_catalogue;
use crate::data_dir::DataDir;
use crate::documents::follow_document;
use crate::feedback::Feedback;
use crate::host::{Extras, Host};
use crate::imported::LakeImports;
use crate::imports::ImportJobs;
use crate::kept_numbers::{keep_numbers, read_before};
use crate::operations::Operations;
use crate::pipeline::{Pipeline, schedule};
use crate::releases::{self, RELEASE_CHECK};
use crate::supervision::{Supervisor, until};
use crate::trends::TrendCounter;
use crate::upkeep::Upkeep;

/// Users whose sessions stay in memory.
const SESSIONS_IN_MEMORY: usize = 20_000;

/// What a server needs to know.
pub struct ServeOptions<'a> {
    /// Where everything is stored.
    pub data_dir: &'a DataDir,
    /// The settings in effect.
    pub settings: &'a Settings,
    /// The settings of the server with those of the command line.
    pub server: Server,
    /// The configuration file that jobs read too.
    pub config: Option<&'a Path>,
    /// What the program adds.
    pub extras: Extras,
}

/// Serves a data directory until Ctrl-C, SIGTERM or a fatal failure.
///
/// # Errors
/// When a part cannot be opened or fails, or does not end in time.
pub async fn serve(options: ServeOptions<'_>) -> Result<()> {
    let ServeOptions { data_dir, settings, server, config, extras } = options;
    let host = Host::new(data_dir, server, extras)?;
    let lake = Lake::open(&data_dir.lake())?;
    // Log and live catalogue are opened while the release is read, which takes longer. Of two servers
    // on the same directory, the log refuses the second.
    let (of, delivered, options) = (data_dir.clone(), lake.clone(), log_options(&settings.stream));
    let table = Arc::new(RedbSessionTable::new(data_dir.sessions()));
    let stored_sessions = table.clone();
    let stored = spawn_blocking(move || -> Result<_> {
        let log = Log::open(&of.stream(), options)?;
        let catalogue = open_catalogue(&of, &delivered)?;
        let read = read_before(&of, &delivered, &stored_sessions, &catalogue)?;
        Ok((Arc::new(log), read, Arc::new(catalogue)))
    });
    let (opened, problem) = Opened::best(&data_dir.lake(), &settings.shop.timezone)?;
    if let Some(problem) = problem {
        eprintln!("Serving a fallback until a release can be opened: {problem}");
    }
    let (log, read, catalogue) = stored.await??;
    keep_numbers(&log, read).await?;
    let stream: Arc<dyn Stream> = log.clone();
    let sessions = Sessions::new(table.clone(), SESSIONS_IN_MEMORY);
    let sessions = Arc::new(sessions.with_imports(Arc::new(LakeImports(lake.clone()))));
    let engine = ServingEngine::new(opened);
    let accept_unknown = settings.catalogue.accept_unknown;
    let engine = Arc::new(
        engine
            .discovering(Discovery::new(settings.recommend.discovery))
            .valuing(settings.recommend.value.parse()?)
            .with_catalogue(catalogue.clone(), accept_unknown),
    );
    let describes = {
        let engine = engine.clone();
        move |id: &ProductId| engine.describes(id)
    };
    // The first answer already has to know every change that was acknowledged.
    let caught_up = catalogue.catch_up(&stream, &describes, floor(&log, "catalogue")).await;
    caught_up.context("the live catalogue cannot follow the stream")?;
    // The first search does not wait for its index, and the start does not either.
    let searched = engine.clone();
    spawn_blocking(move || searched.index_products());
    let delivery = Delivery::new(
        stream.clone(),
        &lake,
        DeliveryOptions {
            max_records: settings.delivery.max_records,
            max_age: Duration::from_secs(settings.delivery.max_age_seconds),
            clock: Clock::system(),
        },
        &data_dir.delivery(),
        floor(&log, "delivery"),
    )?;
    let upkeep = Arc::new(Upkeep::open(
        data_dir,
        &settings.lake,
        log.clone(),
        sessions.clone(),
        Some(engine.clone()),
        delivery.status(),
    )?);
    let threads = settings.pipeline.job_threads();
    let pipeline = Pipeline::open(data_dir, settings, config, Some(threads))?;
    let registry = Arc::new(LocalRegistry::new(data_dir.lake()));
    let mut state = host.state(engine.clone(), stream.clone(), sessions.clone(), registry)?;
    state.catalogue = Some(catalogue.clone());
    let answers = AnswerSettings {
        timezone: settings.shop.timezone.clone(),
        discovery: settings.recommend.discovery,
        value: settings.recommend.value.clone(),
        accept_unknown,
    };
    state.recording = Some(Arc::new(Recording { settings: answers, sessions: MarkedBy::Place }));
    let importer = ImportJobs::new(pipeline.jobs().clone(), lake.clone());
    state.keys.set_own(importer.key());
    let (uploads, limit) = (data_dir.uploads(), settings.import.max_upload_bytes);
    let imports = Imports::new(uploads, limit, Arc::new(importer), Clock::system());
    let imports = Arc::new(imports.context("remove uploaded files of an earlier server")?);
    state.imports = Some(imports.clone());
    let window_hours = settings.quality.window_hours;
    let feedback = Arc::new(Feedback::new(&settings.shop.timezone, window_hours)?);
    let operations = Arc::new(Operations::new(
        data_dir,
        pipeline.clone(),
        log.clone(),
        sessions.clone(),
        Inspector::new(lake.clone()),
        upkeep.clone(),
        feedback.clone(),
    ));
    state.runs = Some(Arc::new(pipeline.clone()));
    state.operator = Some(operations.clone());
    state.replayer = Some(operations.clone());
    state.user_rights = Some(operations);

    if let Err(error) = state.rules.refresh().await {
        eprintln!("Serving without rules until they can be read: {error}");
    }
    if let Err(error) = state.placements.refresh().await {
        eprintln!(
            "Serving the placements that exist from the start until they can be read: {error}"
        );
    }
    if let Err(error) = state.synonyms.refresh().await {
        eprintln!("Searching without synonyms until they can be read: {error}");
    }

    let supervisor = Supervisor::new(state.tasks.clone());
    // These three own the checkpoints: only a restart of the process can take over.
    supervisor.run_fatal("delivery", |stop| async move {
        Ok(delivery.run(stop.cancelled_owned()).await?)
    });
    snapshot::remove(data_dir)?;
    let (of, listed) = (data_dir.clone(), catalogue.clone());
    supervisor.run_restarting("backups", move |stop| {
        until(stop, snapshot::follow(of.clone(), table.clone(), listed.clone()))
    });
    let (changes, catalogue_floor) = (stream.clone(), floor(&log, "catalogue"));
    supervisor.run_fatal("catalogue", |stop| async move {
        let stopped = stop.cancelled_owned();
        Ok(consume_products(changes, catalogue, describes, catalogue_floor, stopped).await?)
    });
    let trends = TrendCounter::open(stream.clone(), engine.trends(), data_dir.trends());
    let trends = Arc::new(trends);
    supervisor.run_restarting("trends", move |stop| {
        let trends = trends.clone();
        async move { trends.follow(stop.cancelled_owned()).await }
    });
    supervisor.run_restarting("feedback", move |stop| {
        until(stop, feedback.clone().follow(lake.clone(), Clock::system()))
    });
    supervisor.run_restarting("imports", move |stop| until(stop, imports.clone().follow()));
    let sessions_floor = floor(&log, "sessions");
    supervisor.run_fatal("sessions", |stop| async move {
        let stopped = stop.cancelled_owned();
        Ok(consume_sessions(stream, sessions, Clock::system(), sessions_floor, stopped).await?)
    });
    let erasures = upkeep.clone();
    let compact = settings.lake.compact_seconds;
    let compact = (compact > 0).then(|| Duration::from_secs(compact));
    supervisor.run_restarting("upkeep", move |stop| {
        let upkeep = upkeep.clone();
        async move {
            upkeep.follow(compact, stop.cancelled_owned()).await;
            Ok(())
        }
    });
    let (of, timezone) = (data_dir.clone(), settings.shop.timezone.clone());
    supervisor.run_restarting("releases", move |stop| {
        until(stop, releases::follow(of.clone(), timezone.clone(), engine.clone()))
    });
    let rules = state.rules.clone();
    supervisor.run_restarting("rules", move |stop| {
        until(stop, follow_document(rules.clone(), RELEASE_CHECK))
    });
    let synonyms = state.synonyms.clone();
    supervisor.run_restarting("synonyms", move |stop| {
        until(stop, follow_document(synonyms.clone(), RELEASE_CHECK))
    });
    let placements = state.placements.clone();
    supervisor.run_restarting("placements", move |stop| {
        until(stop, follow_document(placements.clone(), RELEASE_CHECK))
    });
    let (every, after) = (settings.pipeline.every, settings.pipeline.after_checkouts);
    let every = (every > 0).then(|| Duration::from_secs(every * 60));
    let after = (after > 0).then_some(after);
    let (scheduled, checkouts) = (pipeline.clone(), state.checkouts.clone());
    let erasure = Duration::from_secs(settings.pipeline.erasure_hours * 3600);
    supervisor.run_restarting("schedule", move |stop| {
        let erasures = erasures.clone();
        let is_overdue = move || erasures.is_overdue(erasure);
        until(
            stop,
            schedule(scheduled.clone(), every, after, checkouts.clone(), erasure, is_overdue),
        )
    });

    // Runs end first: clients that follow one learn of its end and disconnect.
    let runner = pipeline.runner().clone();
    let served = host.run(state, supervisor, async move { runner.shutdown().await }).await;
    log.close();
    served?;
    eprintln!("Stopped; everything is on disk");
    Ok(())
}

/// The consumers of the embedded log for which its retention waits.
pub const CONSUMERS: [&str; 3] = ["catalogue", "delivery", "sessions"];

/// Reports to the log how far a consumer has read, so that retention waits for it.
fn floor(log: &Arc<Log>, consumer: &'static str) -> impl Fn(Sequence) + Send + Sync + 'static {
    let log = log.clone();
    move |next| log.set_floor(consumer, next.as_u64().unwrap_or(u64::MAX))
}

/// The options of the embedded log.
pub fn log_options(settings: &StreamSettings) -> LogOptions {
    let usual = LogOptions::new(system_ms);
    // A record has to fit into a segment. Larger records are answered with 413.
    let room = usize::try_from(settings.segment_bytes / 2).unwrap_or(usize::MAX);
    LogOptions {
        shards: settings.shards,
        segment_bytes: settings.segment_bytes,
        retention_ms: i64::from(settings.retention_hours) * 3_600_000,
        max_bytes: settings.max_bytes,
        consumers: &CONSUMERS,
        max_record_bytes: usual.max_record_bytes.min(room),
        ..usual
    }
}
