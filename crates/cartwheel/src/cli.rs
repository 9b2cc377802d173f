//! The command line.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands;
use crate::place::Place;
use crate::settings::Settings;

/// Real-time product recommendations from cart events.
#[derive(Debug, Parser)]
#[command(
    name = "cartwheel",
    version,
    about,
    after_help = "Examples:
  cartwheel import instacart ./shop && cartwheel features && cartwheel train
  cartwheel evaluate --json"
)]
struct Cli {
    /// Where everything is kept.
    #[arg(long, global = true, default_value = "data", env = "CARTWHEEL_DATA_DIR")]
    data_dir: PathBuf,
    /// Configuration file [default: cartwheel.toml, if it exists].
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// What the command line can do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Import orders into the lake.
    Import(Import),
    /// Fold the lake's orders into a feature set.
    Features,
    /// Train a model on the newest feature set and release it.
    Train,
    /// Score the model and the baselines on the gate users.
    Evaluate(Evaluate),
    /// Write ranked products for many users.
    Predict(Predict),
    /// Recommend products to one user.
    Recommend(Recommend),
    /// Look at the configuration.
    Config {
        #[command(subcommand)]
        command: Config,
    },
}

/// `import`
#[derive(Debug, Args)]
pub struct Import {
    #[command(subcommand)]
    source: ImportSource,
}

#[derive(Debug, Subcommand)]
enum ImportSource {
    /// Orders in the Instacart schema: CSV, plain or gzip.
    #[command(after_help = "Example:\n  cartwheel import instacart ./shop --as-of 2026-01-31")]
    Instacart {
        /// Folder with orders.csv, order_products.csv, products.csv …
        dir: PathBuf,
        /// Day of everybody's newest order [default: today, or that of the first import].
        #[arg(long)]
        as_of: Option<jiff::civil::Date>,
    },
}

/// `evaluate`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cartwheel evaluate --chart quality.svg")]
pub struct Evaluate {
    /// Write a chart of Recall@10 as SVG.
    #[arg(long)]
    pub chart: Option<PathBuf>,
}

/// For which users to predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Who {
    /// Users whose newest order is marked `test`.
    Test,
    /// Everybody.
    All,
}

/// `predict`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  cartwheel predict --users test --limit 20 --out predictions.json"
)]
pub struct Predict {
    /// Which users.
    #[arg(long, value_enum, default_value = "all")]
    pub users: Who,
    /// Products a user.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// File to write: {"user_id": ["product_id", …]}.
    #[arg(long)]
    pub out: PathBuf,
}

/// `recommend`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cartwheel recommend --user 347 --cart 13176,21137")]
pub struct Recommend {
    /// The user.
    #[arg(long)]
    pub user: String,
    /// Products in the cart, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub cart: Vec<String>,
    /// Products to recommend.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub limit: u32,
}

#[derive(Debug, Subcommand)]
enum Config {
    /// Check the configuration and print it whole.
    Check,
}

/// Parses the command line and runs it.
pub fn run() -> Result<()> {
    let cli = Cli::parse();
    let settings = Settings::read(cli.config.as_deref())?;
    let place = Place(cli.data_dir);
    let json = cli.json;
    match cli.command {
        Command::Import(Import { source: ImportSource::Instacart { dir, as_of } }) => {
            commands::data::import(&place, &dir, as_of, json)
        }
        Command::Features => commands::data::features(&place, &settings, json).map(|_| ()),
        Command::Train => commands::model::train(&place, &settings, json),
        Command::Evaluate(args) => commands::model::evaluate(&place, &args, json),
        Command::Predict(args) => commands::model::predict(&place, &settings, &args, json),
        Command::Recommend(args) => commands::model::recommend(&place, &settings, &args, json),
        Command::Config { command: Config::Check } => {
            print!("{}", toml::to_string_pretty(&settings)?);
            Ok(())
        }
    }
}
