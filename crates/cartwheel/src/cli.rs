//! The command line.

use std::net::SocketAddr;
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
  cartwheel demo
  cartwheel import instacart ./shop && cartwheel features && cartwheel train
  cartwheel evaluate --json
  cartwheel serve --listen 127.0.0.1:8080"
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
    /// Generate a shop, learn from it and serve it: the whole loop.
    Demo(Demo),
    /// Answer requests from the current release.
    Serve(Serve),
    /// Write a synthetic grocery shop in the Instacart schema.
    Generate(Generate),
    /// Import orders into the lake.
    Import(Import),
    /// Fold the lake's orders into a feature set.
    #[command(after_help = "Example:\n  cartwheel features --json")]
    Features,
    /// Train a model on the newest feature set and release it.
    #[command(after_help = "Example:\n  CARTWHEEL_TRAIN_MAX_DEPTH=4 cartwheel train")]
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

/// The size of a synthetic shop.
#[derive(Debug, Clone, Args)]
pub struct ShopSize {
    /// Users.
    #[arg(long, default_value_t = 2_000)]
    pub users: u32,
    /// Products.
    #[arg(long, default_value_t = 2_000)]
    pub products: u32,
    /// Orders.
    #[arg(long, default_value_t = 30_000)]
    pub orders: u64,
    /// The same seed writes the same shop.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `demo`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cartwheel demo\n  cartwheel demo --data ./my-shop")]
pub struct Demo {
    /// Folder with orders in the Instacart schema, in place of the synthetic shop.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Address and port.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    #[command(flatten)]
    pub size: ShopSize,
}

/// `serve`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cartwheel serve --listen 127.0.0.1:8080")]
pub struct Serve {
    /// Address and port.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
}

/// `generate`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cartwheel generate --orders 1000000 --users 66000 --out shop")]
pub struct Generate {
    #[command(flatten)]
    pub size: ShopSize,
    /// Folder to write to.
    #[arg(long)]
    pub out: PathBuf,
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
    #[command(after_help = "Example:\n  cartwheel --config shop.toml config check")]
    Check,
}

/// Parses the command line and runs it.
pub fn run() -> Result<()> {
    let cli = Cli::parse();
    let settings = Settings::read(cli.config.as_deref())?;
    let place = Place(cli.data_dir);
    let json = cli.json;
    match cli.command {
        Command::Demo(args) => commands::serve::demo(&place, &settings, &args),
        Command::Serve(args) => commands::serve::serve(&place, &settings, &args),
        Command::Generate(args) => commands::data::generate(&args.size, &args.out, json),
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
