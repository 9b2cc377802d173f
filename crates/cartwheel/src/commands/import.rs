//! `import`: a shop's history and its products, from files or standard input.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cartwheel_ambient::Clock;
use cartwheel_import::{Content, DateOrder, ImportStep, Mapping, Options, OrderBy, Source};
use cartwheel_lake::{EarlierImports, ImportOptions, ImportSummary, Lake};
use clap::{Args, Subcommand, ValueEnum};

use crate::arguments::day;
use crate::commands::import_hint::{self, explained, with_hint};
use crate::commands::import_products;
use crate::commands::import_report::{imported, preview};
use crate::commands::sources::sources;
use crate::context::Context;
use crate::show::{bar, result};
use cartwheel_node::DataDir;

/// The subcommands of `import`.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// Import lines of orders: each row is a product that was bought.
    #[command(after_help = "Examples:
  cartwheel import orders retail.csv.gz --dry-run
  cartwheel import orders 'orders-*.csv' --timezone Europe/Berlin
  psql shop -c \"COPY (SELECT …) TO STDOUT CSV HEADER\" | cartwheel import orders -")]
    Orders(History),
    /// Import events: a column says whether a row is a view, a cart, a purchase or a return.
    #[command(after_help = "Examples:
  cartwheel import events events.ndjson.gz
  kcat -C -b broker -t shop-events -e -q | cartwheel import events - --append")]
    Events(History),
    /// Import a feed of products into the running server's catalogue.
    #[command(after_help = "Examples:
  cartwheel import products google-feed.xml --full
  cartwheel import products products_export.csv --dry-run")]
    Products(import_products::Products),
    /// Import orders in the Instacart schema, with dates if they have an `order_date`: CSV, plain
    /// or gzip.
    #[command(after_help = "Example:\n  cartwheel import instacart ./shop --as-of 2026-01-31")]
    Instacart {
        /// Folder with orders.csv, order_products.csv, products.csv, …
        dir: PathBuf,
        /// Last day of data without dates [default: as in the first import, or today].
        #[arg(long, value_name = "DAY", value_parser = day)]
        as_of: Option<jiff::civil::Date>,
        /// Remove all data that was imported before, not only orders in this schema.
        #[arg(long)]
        replace: bool,
    },
}

/// The arguments of `import orders` and `import events`.
#[derive(Debug, Args)]
pub struct History {
    /// Files, patterns, folders, s3://bucket/key, or - for standard input: CSV, TSV, JSON lines or
    /// Parquet, plain, gzip or zstd.
    #[arg(required = true)]
    sources: Vec<String>,
    /// The column of a field, such as user_id=customer. Several columns are separated by commas:
    /// the first one with a value counts.
    #[arg(long, value_name = "FIELD=COLUMN")]
    map: Vec<String>,
    /// File with a mapping, as --save-mapping writes it.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// A mapping that comes with the program: shopify-orders, woocommerce-orders, ga4-bigquery.
    #[arg(long, value_name = "NAME", conflicts_with = "mapping")]
    preset: Option<String>,
    /// Show how the sources are understood, and import nothing.
    #[arg(long)]
    dry_run: bool,
    /// File to write the mapping to, with everything that was recognised.
    #[arg(long, value_name = "FILE")]
    save_mapping: Option<PathBuf>,
    /// Names of the columns of a file whose first line is not a header, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// Time zone of times without a zone [default: `shop.timezone`].
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// Order of day and month in dates such as 3/4/2026.
    #[arg(long, value_enum, value_name = "ORDER")]
    date_order: Option<DateOrderArgument>,
    /// What makes an order of a customer's lines that have no order id [default: day].
    #[arg(long, value_enum, value_name = "RULE")]
    order_by: Option<OrderByArgument>,
    /// The kind of event of rows that have none, such as view [default: view for rows of events
    /// that have neither quantity, price nor order, otherwise checkout].
    #[arg(long, value_name = "KIND", value_parser = ["view", "add_to_cart", "remove_from_cart", "checkout"])]
    event: Option<String>,
    /// Share of rows that may be rejected, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    max_rejects: f64,
    /// A code that is no product, beside postage and the like, which are recognised.
    #[arg(long, value_name = "ID")]
    not_a_product: Vec<String>,
    /// A code that is a product although its name looks like a charge.
    #[arg(long, value_name = "ID")]
    product: Vec<String>,
    /// Add to the data that was imported before.
    #[arg(long, conflicts_with = "replace")]
    append: bool,
    /// Remove the data that was imported before. Events that the server received stay.
    #[arg(long)]
    replace: bool,
}

impl History {
    /// The arguments that name a file and nothing else.
    fn of(file: &Path) -> Self {
        Self {
            sources: vec![file.to_string_lossy().into_owned()],
            map: Vec::new(),
            mapping: None,
            preset: None,
            dry_run: false,
            save_mapping: None,
            columns: None,
            timezone: None,
            date_order: None,
            order_by: None,
            event: None,
            max_rejects: 5.0,
            not_a_product: Vec::new(),
            product: Vec::new(),
            append: false,
            replace: false,
        }
    }
}

/// The order of day and month.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum DateOrderArgument {
    /// Day, month, year.
    Dmy,
    /// Month, day, year.
    Mdy,
}

/// What makes an order.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum OrderByArgument {
    /// The same local day.
    Day,
    /// The same time.
    Time,
}

/// Runs `import`.
pub fn run(context: &Context, command: Import) -> Result<()> {
    match command {
        Import::Orders(args) => history(context, Content::Orders, &args),
        Import::Events(args) => history(context, Content::Events, &args),
        Import::Products(args) => import_products::run(context, &args),
        Import::Instacart { dir, as_of, replace } => {
            let earlier = match replace {
                true => EarlierImports::Replace,
                false => EarlierImports::ReplaceKind,
            };
            instacart(&context.data_dir, &dir, as_of, earlier, context.json).map(drop)
        }
    }
}

fn history(context: &Context, content: Content, args: &History) -> Result<()> {
    let sources = sources(&args.sources)?;
    let options = options(context, content, args)?;
    let progress = bar("reading", 0);
    if args.dry_run {
        if let Some(total) = sources.iter().map(Source::bytes).sum() {
            progress.set_length(total);
        }
        let mut step = |bytes| progress.set_position(bytes);
        let understood = cartwheel_import::preview(&sources, &options, &mut step);
        let understood = understood.map_err(explained)?;
        progress.finish_and_clear();
        save_mapping(args, &understood.mapping)?;
        result(context.json, &understood, || preview(&understood));
        return match understood.problem {
            Some(problem) => Err(with_hint(&problem, import_hint::MAPPING)),
            None => Ok(()),
        };
    }
    context.data_dir.begin()?;
    let lake = Lake::open(&context.data_dir.lake())?;
    let mut step = |step: ImportStep| match step {
        ImportStep::Read { bytes, total } => {
            progress.set_length(total.unwrap_or(bytes));
            progress.set_position(bytes);
        }
        ImportStep::Write { done, total } => {
            progress.set_message("writing");
            progress.set_length(total);
            progress.set_position(done);
        }
    };
    let done = cartwheel_import::import(&lake, &sources, &options, &mut step);
    let done = done.map_err(explained)?;
    progress.finish_and_clear();
    save_mapping(args, &done.understood.mapping)?;
    result(context.json, &done, || imported(&done));
    Ok(())
}

/// Imports a file of events, as its columns are recognised, into a lake without imported data.
pub fn events(context: &Context, file: &Path) -> Result<()> {
    history(context, Content::Events, &History::of(file))
}

fn options(context: &Context, content: Content, args: &History) -> Result<Options> {
    let mut mapping = Mapping::default();
    if let Some(name) = &args.preset {
        mapping = Mapping::preset(name)?;
    }
    if let Some(path) = &args.mapping {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        mapping = Mapping::parse(&text).with_context(|| path.display().to_string())?;
    }
    for text in &args.map {
        mapping.assign(text)?;
    }
    let date_order = args.date_order.map(|order| match order {
        DateOrderArgument::Dmy => DateOrder::Dmy,
        DateOrderArgument::Mdy => DateOrder::Mdy,
    });
    let order_by = args.order_by.map(|rule| match rule {
        OrderByArgument::Day => OrderBy::Day,
        OrderByArgument::Time => OrderBy::Time,
    });
    mapping.overlay(Mapping {
        timezone: args.timezone.clone(),
        date_order,
        order_by,
        events: args.event.iter().map(|kind| (String::new(), kind.clone())).collect(),
        ..Mapping::default()
    });
    Ok(Options {
        content,
        mapping,
        timezone: context.settings.shop.timezone.clone(),
        header: args.columns.clone(),
        max_rejects: args.max_rejects,
        earlier: match (args.append, args.replace) {
            (true, _) => EarlierImports::Keep,
            (_, true) => EarlierImports::Replace,
            _ => EarlierImports::Refuse,
        },
        services: args.not_a_product.clone(),
        products: args.product.clone(),
        now_ms: context.clock.now_ms(),
        threads: rayon::current_num_threads(),
    })
}

fn save_mapping(args: &History, mapping: &str) -> Result<()> {
    let Some(path) = &args.save_mapping else { return Ok(()) };
    cartwheel_files::replace(path, mapping.as_bytes()).with_context(|| path.display().to_string())
}

/// Runs `import instacart`.
pub fn instacart(
    data_dir: &DataDir,
    dir: &Path,
    as_of: Option<jiff::civil::Date>,
    earlier: EarlierImports,
    json: bool,
) -> Result<ImportSummary> {
    data_dir.begin()?;
    let lake = Lake::open(&data_dir.lake())?;
    let as_of_ms = match as_of {
        Some(day) => Some(day.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp().as_millisecond()),
        None => None,
    };
    let progress = bar("importing", 0);
    let options = ImportOptions { as_of_ms, now_ms: Clock::system().now_ms(), earlier };
    let summary = cartwheel_lake::import::instacart(&lake, dir, &options, &mut |at| {
        progress.set_length(at.total_bytes);
        progress.set_position(at.bytes);
    })?;
    progress.finish_and_clear();
    result(json, &summary, || summary.to_string());
    Ok(summary)
}
