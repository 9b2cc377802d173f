//! `import products`: a feed, sent to the running server.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use cartwheel_ambient::{Clock, Ids};
use cartwheel_import::{Feed, FeedField, FeedMapping, FeedPreview, preview_feed, read_feed_as};
use cartwheel_node::DataDir;
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::client;
use crate::commands::import_hint::{MAX_REJECTS, explained, with_hint};
use crate::commands::sources::sources;
use crate::context::Context;
use crate::show::{Bar, bar, reports_to_parent, result};

/// The arguments of `import products`.
#[derive(Debug, Args)]
pub struct Products {
    /// Files, patterns, folders, s3://bucket/key, or - for standard input: a feed for Google
    /// Merchant Center (RSS, Atom, TSV), a product export of Shopify or WooCommerce, or any table
    /// of products as CSV, TSV, JSON lines or Parquet; plain, gzip or zstd.
    #[arg(required = true)]
    pub sources: Vec<String>,
    /// The column of a field, such as name=title or attributes.colour=Color. Several columns are
    /// separated by commas: the first one with a text counts.
    #[arg(long, value_name = "FIELD=COLUMN")]
    pub map: Vec<String>,
    /// Show how the feed is understood, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// The feed names all products that the shop offers: hide the others.
    #[arg(long)]
    pub full: bool,
    /// With --full: hide the others even if they are more than 20 % of the products on offer.
    #[arg(long, requires = "full")]
    pub confirm: bool,
    /// Share of products that may be rejected, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    pub max_rejects: f64,
}

/// The option that names columns.
const MAP: &str = "--map FIELD=COLUMN";
/// Products of a request.
const BATCH: usize = 500;

/// What an import of products did.
#[derive(Debug, Default, Serialize)]
struct Imported {
    /// Products of the feed that the server stored, or had already.
    products: usize,
    /// Products that were hidden because the full feed lacks them. `None` without a full feed, and
    /// if products of the feed failed.
    hidden: Option<u64>,
    /// Rejected rows, and products that the server refused.
    rejected: u64,
    /// The first reasons.
    problems: Vec<String>,
    /// Columns that mean nothing to the import.
    ignored_columns: Vec<String>,
}

/// Runs `import products`.
pub fn run(context: &Context, args: &Products) -> Result<()> {
    let sources = sources(&args.sources)?;
    let mut mapping = FeedMapping::default();
    args.map.iter().try_for_each(|text| mapping.assign(text))?;
    if args.dry_run {
        let preview = preview_feed(&sources, &mapping).map_err(explained)?;
        result(context.json, &preview, || text(&preview));
        return match preview.problem {
            Some(problem) => Err(with_hint(&problem, MAP)),
            None => Ok(()),
        };
    }
    let feed = read_feed_as(&sources, &mapping).map_err(explained)?;
    let rows = feed.products.len() as u64 + feed.rejected;
    if feed.rejected as f64 * 100.0 > rows as f64 * args.max_rejects {
        let problem = format!(
            "{} of {rows} products are rejected, more than the accepted {} %; nothing is imported: {}",
            feed.rejected,
            args.max_rejects,
            feed.problems.iter().take(3).cloned().collect::<Vec<_>>().join("; ")
        );
        return Err(with_hint(&problem, MAX_REJECTS));
    }
    ensure!(!feed.products.is_empty(), "the feed holds no product");
    ensure!(
        context.data_dir.server().is_file(),
        "products go through the running server: start `cartwheel serve` on this data directory"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let progress = bar("products", feed.products.len() as u64);
    let done = runtime.block_on(send(&context.data_dir, args, feed, &progress))?;
    progress.finish_and_clear();
    result(context.json, &done, || {
        let mut out = format!("Imported: {} products; {} rejected", done.products, done.rejected);
        if let Some(hidden) = done.hidden {
            let _ = write!(out, "; {hidden} others hidden");
        }
        for problem in done.problems.iter().take(10) {
            let _ = write!(out, "\n  {problem}");
        }
        if !done.ignored_columns.is_empty() {
            let _ = write!(out, "\nIgnored columns: {}", done.ignored_columns.join(", "));
        }
        out
    });
    Ok(())
}

/// Sends the products of a feed.
async fn send(place: &DataDir, args: &Products, feed: Feed, progress: &Bar) -> Result<Imported> {
    let id = Ids::uuid_v7().next(Clock::system().now_ms());
    let parts = feed.products.len().div_ceil(BATCH);
    let mut done = Imported {
        rejected: feed.rejected,
        problems: feed.problems,
        ignored_columns: feed.ignored_columns,
        ..Imported::default()
    };
    for (number, products) in feed.products.chunks(BATCH).enumerate() {
        // A feed need not know every field: what it does not name stays.
        let body = products.iter().map(|product| {
            let mut product = product.to_json();
            if args.full && product.get("hidden").is_none() {
                // What an earlier full feed hid is on offer again.
                product["hidden"] = Value::Bool(false);
            }
            product
        });
        let mut path = "/v1/products?mode=merge".to_owned();
        if args.full {
            // Rows that could not be read may be products that the shop offers.
            let is_last = number + 1 == parts && feed.rejected == 0;
            let _ =
                write!(path, "&feed={id}&part={number}&last={is_last}&confirm={}", args.confirm);
        }
        let sent = put(place, &path, body.collect(), &mut done).await;
        sent.with_context(|| match args.full && number + 1 == parts {
            true => format!(
                "{} products are stored, and nothing is hidden; {} hides products even if they are \
                 many",
                done.products,
                if reports_to_parent() { "confirm" } else { "--confirm" }
            ),
            false => format!("{} products are stored", done.products),
        })?;
        progress.inc(products.len() as u64);
    }
    if args.full && done.hidden.is_none() {
        // First, since a long list of problems is cut.
        let nothing = "nothing is hidden, because products of the feed failed";
        done.problems.insert(0, nothing.to_owned());
    }
    Ok(done)
}

/// Changes products, and counts the results.
async fn put(place: &DataDir, path: &str, products: Vec<Value>, done: &mut Imported) -> Result<()> {
    let answer = client::post(place, path, &Value::Array(products)).await?;
    done.hidden = answer["hidden_count"].as_u64();
    let results = answer["products"].as_array().context("the server's answer has no results")?;
    for result in results {
        match result["error"]["detail"].as_str() {
            Some(problem) => {
                done.rejected += 1;
                let id = result["product_id"].as_str().unwrap_or_default();
                done.problems.push(format!("{id}: {problem}"));
            }
            None => done.products += 1,
        }
    }
    Ok(())
}

/// How a feed is understood.
fn text(feed: &FeedPreview) -> String {
    let mut out = "FIELD           COLUMN\n".to_owned();
    for FeedField { field, columns, .. } in &feed.fields {
        let _ = writeln!(out, "{field:<16}{}", columns.join(", else "));
    }
    if !feed.ignored_columns.is_empty() {
        let _ = writeln!(out, "Ignored columns: {}", feed.ignored_columns.join(", "));
    }
    if feed.problem.is_some() {
        return out;
    }
    out.push_str("\nFirst products as they are understood:\n");
    for product in &feed.first_products {
        let _ = writeln!(out, "  {product}");
    }
    let _ = writeln!(out, "\n{} products, {} rejected", feed.products, feed.rejected);
    for problem in feed.problems.iter().take(10) {
        let _ = writeln!(out, "  {problem}");
    }
    out
}
