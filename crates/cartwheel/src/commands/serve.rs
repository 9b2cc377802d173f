//! `serve` and `demo`.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use cartwheel_import::{Source, read_feed};
use cartwheel_lake::{EarlierImports, ImportEntry, ImportKind, Lake};
use cartwheel_node::{DataDir, Extras, ServeOptions, fill_catalogue, take_address};
use cartwheel_settings::Hyperparameters;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

pub use crate::commands::serve_args::{Backend, Demo, Serve};
use crate::commands::web::asset;
use crate::commands::{generate, import, mcp, pipeline};
use crate::context::Context;
use crate::otlp::{self, Collector, Exporter, Signal, variable};
use crate::show::instant;
use crate::traces::Traces;

/// Time for blocking work to end after everything else.
const BLOCKED: Duration = Duration::from_secs(1);
/// How long a serving process keeps pages that are free.
const FREE_PAGES_MS: std::ffi::c_long = 10;
/// Examples that the demo trains on: enough to be good, few enough not to wait.
const DEMO_EXAMPLES: usize = 800;

/// Makes a shop or takes one, learns from it unless that is done, and serves it.
pub fn demo(context: &Context, args: &Demo) -> Result<()> {
    let started = instant();
    let _exporter = observe()?;
    let serving = Serve { listen: args.listen, ..Serve::default() };
    // Nobody waits for a shop that cannot be served.
    drop(take_address(serving.server(&context.settings.server).listen)?);
    let mut context = context.clone();
    let data_dir = &context.data_dir;
    let released = cartwheel_registry::current(&data_dir.releases())?.is_some();
    match (&args.data, released) {
        (Some(dir), _) => {
            eprintln!("Imports the orders of {}, learns from them and serves.", dir.display())
        }
        (None, true) => eprintln!("Serves the shop of {}.", data_dir.0.display()),
        (None, false) => eprintln!(
            "Generates a shop with {} products and {} users, learns from its orders and serves both: \
             about a minute. The next start takes a second.",
            args.size.products, args.size.users
        ),
    }
    let examples = &mut context.settings.features.max_examples;
    *examples = (*examples).min(DEMO_EXAMPLES);
    let is_new = match &args.data {
        Some(dir) => take_orders(&context.data_dir, dir)?,
        None if released => false,
        None => {
            make_shop(&context, args)?;
            true
        }
    };
    if is_new || !released {
        pipeline::run_here(&context, &Hyperparameters::new())?;
    }
    eprintln!("Ready to serve after {:.1} s", started.elapsed().as_secs_f32());
    eprintln!(
        "Next: open the page below and put something into the cart. The list “For you” changes with it, \
         /console shows how far the event has travelled, and /docs lists every call."
    );
    serve(&context, &serving)
}

/// Imports orders in the Instacart schema. Returns whether they are new.
fn take_orders(place: &DataDir, dir: &Path) -> Result<bool> {
    let manifest = Lake::open(&place.lake())?.import_manifest()?;
    let is_other = |import: &ImportEntry| import.kind != ImportKind::Instacart;
    anyhow::ensure!(
        !manifest.is_some_and(|manifest| manifest.imports.iter().any(is_other)),
        "{} holds the history of another shop: name another --data-dir",
        place.0.display()
    );
    Ok(!import::instacart(place, dir, None, EarlierImports::ReplaceKind, false)?.unchanged)
}

/// Generates a shop, and brings its products and its history in as any shop would.
fn make_shop(context: &Context, args: &Demo) -> Result<()> {
    let place = &context.data_dir;
    place.begin()?;
    let shop = place.shop();
    // An earlier start may have been interrupted after the import.
    if Lake::open(&place.lake())?.import_manifest()?.is_none() {
        bring_in(context, args, &shop)?;
    }
    // The lake has it all, and an erasure reaches no other copy.
    if shop.exists() {
        std::fs::remove_dir_all(shop)?;
    }
    Ok(())
}

/// Writes a shop to a folder, and imports it.
fn bring_in(context: &Context, args: &Demo, shop: &Path) -> Result<()> {
    let place = &context.data_dir;
    generate::until_yesterday(&args.size, shop, &context.clock)?;
    let feed = read_feed(&[Source::File(shop.join("products.ndjson"))])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(fill_catalogue(place, &context.settings, &feed.products))?;
    import::events(context, &shop.join("events.csv"))
}

pub fn serve(context: &Context, args: &Serve) -> Result<()> {
    match args.backend {
        Backend::Embedded => run_server(run(context, args)),
        #[cfg(feature = "aws")]
        Backend::Aws => run_server(super::serve_aws::run(context, args)),
        #[cfg(not(feature = "aws"))]
        Backend::Aws => anyhow::bail!(
            "this binary was built without AWS: cargo build --bin cartwheel --features aws"
        ),
    }
}

/// Runs a server on all processors, with its log on standard error.
pub fn run_server(server: impl Future<Output = Result<()>>) -> Result<()> {
    let _exporter = observe()?;
    // What one request frees, the next needs: returning each page at once would cost more.
    crate::allocator::keep_free_pages(FREE_PAGES_MS);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(server);
    // What still blocks then is as after a kill.
    runtime.shutdown_timeout(BLOCKED);
    served
}

/// Logs to standard error, and sends traces to the collector that a variable names, as long as the
/// exporter exists.
fn observe() -> Result<Option<Exporter>> {
    if tracing::dispatcher::has_been_set() {
        // The demo observes its training, and then its server.
        return Ok(None);
    }
    let asked = variable("RUST_LOG").and_then(|text| text.parse().ok());
    // By target and level alone: a filter that also knows spans looks each request's up many times.
    let targets = asked.unwrap_or_else(|| Targets::new().with_default(Level::WARN));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let Some(collector) = Collector::of(Signal::Traces, variable)? else {
        let _ = tracing_subscriber::registry().with(lines).with(targets).try_init();
        return Ok(None);
    };
    let exporter = Exporter::start(collector)?;
    let traces = Traces::new(exporter.queue());
    let traces = traces.with_filter(Targets::new().with_target("cartwheel_api", Level::INFO));
    let lines = lines.with_filter(targets);
    let _ = tracing_subscriber::registry().with(lines).with(traces).try_init();
    Ok(Some(exporter))
}

async fn run(context: &Context, args: &Serve) -> Result<()> {
    let (metrics, _sender) = otlp::metrics(variable)?.unzip();
    cartwheel_node::serve(ServeOptions {
        data_dir: &context.data_dir,
        settings: &context.settings,
        server: args.server(&context.settings.server),
        config: context.config.as_deref(),
        extras: Extras {
            assets: Some(asset),
            assistants: Some(mcp::http::over_http(context)),
            metrics,
        },
    })
    .await
}
