//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands;
use crate::commands::config::Config;
use crate::data_dir::DataDir;
use crate::settings::{Server, Settings};

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
    Features {
        /// Most examples to train on [default: `features.max_examples`].
        #[arg(long)]
        max_examples: Option<usize>,
    },
    /// Train a model on the newest feature set and release it.
    Train(Train),
    /// Score the model and the baselines on the gate users.
    Evaluate(Evaluate),
    /// Write ranked products for many users.
    Predict(Predict),
    /// Recommend products to one user.
    Recommend(Recommend),
    /// Features, training, evaluation, gate and deployment as one durable run.
    Pipeline {
        #[command(subcommand)]
        command: Pipeline,
    },
    /// The models that were trained, and which of them serves.
    Models {
        #[command(subcommand)]
        command: Models,
    },
    /// The keys that may call the API. With the first one, nobody calls without.
    Keys {
        #[command(subcommand)]
        command: Keys,
    },
    /// The event stream's files.
    Stream {
        #[command(subcommand)]
        command: Stream,
    },
    /// The lake's files.
    Lake {
        #[command(subcommand)]
        command: Lake,
    },
    /// What is stored of one user: shown whole, and erased.
    Users {
        #[command(subcommand)]
        command: Users,
    },
    /// What admins have done: who, when, what, and how it ended.
    #[command(after_help = "Examples:\n  cartwheel audit --since 2026-01-31\n  \
                            cartwheel --json audit | jq '.[] | select(.actor == \"operator\")'")]
    Audit {
        /// Only from this day on, UTC.
        #[arg(long, value_name = "DAY")]
        since: Option<jiff::civil::Date>,
    },
    /// Compute what a load needs and costs, on one machine and on AWS.
    Capacity(commands::capacity::Capacity),
    /// Look at the configuration.
    Config {
        #[command(subcommand)]
        command: commands::config::Config,
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
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:
  cartwheel serve --listen 127.0.0.1:8080
  cartwheel keys create operator --scope admin && cartwheel serve --listen 0.0.0.0:8443 \
    --tls-cert fullchain.pem --tls-key privkey.pem
  CARTWHEEL_LAKE=s3://lake CARTWHEEL_TABLE=users CARTWHEEL_STREAM=events cartwheel serve --backend aws")]
pub struct Serve {
    /// Address and port.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// The chain of certificates, PEM: the server then speaks TLS alone.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM. New files are taken while the server runs.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Listen beyond this machine without API keys: whoever reaches the server may do
    /// everything, such as read all data and replace the models.
    #[arg(long)]
    pub open_to_everyone: bool,
    /// Where stream, users and lake are.
    #[arg(long, value_enum, default_value = "embedded")]
    pub backend: Backend,
}

impl Serve {
    /// What is configured, with what was given in its place.
    pub fn server(&self, configured: &Server) -> Server {
        Server {
            listen: self.listen.unwrap_or(configured.listen),
            open_to_everyone: self.open_to_everyone || configured.open_to_everyone,
            tls_cert: self.tls_cert.clone().or_else(|| configured.tls_cert.clone()),
            tls_key: self.tls_key.clone().or_else(|| configured.tls_key.clone()),
            ..configured.clone()
        }
    }
}

/// Where stream, users and lake are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Backend {
    /// In the data directory.
    #[default]
    Embedded,
    /// In an AWS account, by the names in `CARTWHEEL_LAKE`, `CARTWHEEL_TABLE` and
    /// `CARTWHEEL_STREAM`, with the account's usual credentials.
    Aws,
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

/// `keys`
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a key and show it, once.
    #[command(after_help = "Examples:\n  cartwheel keys create operator --scope admin\n  \
                            cartwheel keys create shop --scope events:write --scope \
                            recommendations:read")]
    Create {
        /// Its name, to revoke it by.
        name: String,
        /// What it may do: events:write, recommendations:read, admin (everything).
        #[arg(long = "scope", required = true)]
        scopes: Vec<cartwheel_api::Scope>,
    },
    /// Show names and rights; keys are kept by their hashes alone.
    List,
    /// Let a key do nothing more, from the next second on.
    Revoke {
        /// Its name.
        name: String,
    },
}

/// `stream`
#[derive(Debug, Subcommand)]
pub enum Stream {
    /// Count records, by shard, with their times.
    #[command(after_help = "Example:\n  cartwheel stream stat --json | jq .next")]
    Stat,
    /// Read every record and name each place where some are missing; fails if there is one.
    #[command(after_help = "Example:\n  cartwheel stream verify && echo whole")]
    Verify,
    /// Print records as lines of JSON.
    #[command(after_help = "Examples:\n  cartwheel stream tail --records 20\n  cartwheel stream \
                            tail --follow | jq -c 'select(.record.event == \"checkout\")'")]
    Tail {
        /// From this sequence number on [default: the last `--records`].
        #[arg(long)]
        from: Option<u64>,
        /// Only this shard.
        #[arg(long)]
        shard: Option<u32>,
        /// Go on as more are written.
        #[arg(long, short)]
        follow: bool,
        /// How many of the last, over all shards.
        #[arg(long, short = 'n', default_value_t = 10)]
        records: u64,
    },
}

/// `lake`
#[derive(Debug, Subcommand)]
pub enum Lake {
    /// Merge small parts, and take out users who are to be erased. A server does it by
    /// itself, every `lake.compact_seconds`.
    #[command(after_help = "Example:\n  cartwheel lake compact --json")]
    Compact,
}

/// `users`
#[derive(Debug, Subcommand)]
pub enum Users {
    /// Forget a user: at once in answers, in all files with the next compaction and the
    /// next run of the pipeline.
    #[command(after_help = "Example:\n  cartwheel users erase 347")]
    Erase {
        /// The user's id.
        user: String,
    },
    /// Users who are being erased, and what comes next for each.
    Erasures,
    /// Write all that is stored of a user as JSON.
    #[command(after_help = "Example:\n  cartwheel users export 347 --out 347.json")]
    Export {
        /// The user's id.
        user: String,
        /// File to write [default: standard output].
        #[arg(long)]
        out: Option<PathBuf>,
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

/// `train`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cartwheel train\n  cartwheel train --set max_depth=4 --set \
                        num_round=200 --no-release")]
pub struct Train {
    /// The feature set [default: the newest].
    #[arg(long)]
    pub feature_set: Option<String>,
    /// A hyperparameter of XGBoost, over the configured one; may be given often.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// Write the model, but let the serving one go on.
    #[arg(long)]
    pub no_release: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, as max_depth=4")?;
    let known = crate::learn::hyperparameters(&crate::settings::Train::default());
    let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
    if !fits {
        let known: Vec<&str> = known.keys().map(String::as_str).collect();
        return Err(format!("{name:?} is no hyperparameter; some are {}", known.join(", ")));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// `pipeline`
#[derive(Debug, Subcommand)]
pub enum Pipeline {
    /// Start a run and watch it to its end.
    #[command(after_help = "Examples:\n  cartwheel pipeline run\n  cartwheel pipeline run --set \
                            max_depth=4 --detach")]
    Run {
        /// A hyperparameter of XGBoost, over the definition's; may be given often.
        #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
        set: Vec<(String, String)>,
        /// Name of the run [default: from the time].
        #[arg(long)]
        name: Option<String>,
        /// Only start it; needs a running server.
        #[arg(long)]
        detach: bool,
    },
    /// List runs, the newest first.
    List,
    /// Show a run.
    #[command(after_help = "Example:\n  cartwheel pipeline show --follow")]
    Show {
        /// Its name [default: the newest].
        name: Option<String>,
        /// Watch it to its end.
        #[arg(long)]
        follow: bool,
        /// Print every entry of its history.
        #[arg(long)]
        history: bool,
    },
    /// Stop a run.
    Stop {
        /// Its name [default: the one that is running].
        name: Option<String>,
    },
    /// Go on with a run that failed or was stopped; what succeeded is kept.
    Redrive {
        /// Its name [default: the newest].
        name: Option<String>,
    },
    /// Print the state machine as a graph, for `dot` or Mermaid.
    #[command(after_help = "Example:\n  cartwheel pipeline graph | dot -Tsvg > pipeline.svg")]
    Graph {
        /// Form.
        #[arg(long, value_enum, default_value = "dot")]
        form: GraphForm,
    },
}

/// How to write a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphForm {
    /// Graphviz.
    Dot,
    /// Mermaid.
    Mermaid,
}

/// `models`
#[derive(Debug, Subcommand)]
pub enum Models {
    /// List models, the newest first.
    List,
    /// Show all that is known of a model.
    Show {
        /// Its version.
        version: String,
    },
    /// Serve a model from the next request on.
    Deploy {
        /// Its version.
        version: String,
    },
    /// Serve the release before this one again; once more undoes it.
    Rollback,
}

/// `evaluate`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cartwheel evaluate --chart quality.svg")]
pub struct Evaluate {
    /// The model [default: the one that serves].
    #[arg(long)]
    pub model: Option<String>,
    /// Another model to compare with, user by user [default: what is popular].
    #[arg(long)]
    pub against: Option<String>,
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

/// What commands work with.
#[derive(Debug, Clone)]
pub struct Context {
    pub data_dir: DataDir,
    pub settings: Settings,
    /// The configuration file that was named.
    pub config: Option<PathBuf>,
    pub json: bool,
}

/// Parses the command line and runs it.
pub fn run() -> Result<()> {
    let cli = Cli::parse();
    if let Command::Config { command: Config::Reference } = cli.command {
        commands::config::reference();
        return Ok(());
    }
    let settings = Settings::read(cli.config.as_deref())?;
    let data_dir = DataDir(cli.data_dir);
    let json = cli.json;
    data_dir.check()?;
    match cli.command {
        Command::Demo(args) => {
            commands::serve::demo(&Context { data_dir, settings, config: cli.config, json }, &args)
        }
        Command::Serve(args) => {
            commands::serve::serve(&Context { data_dir, settings, config: cli.config, json }, &args)
        }
        Command::Generate(args) => commands::data::generate(&args.size, &args.out, json),
        Command::Import(Import { source: ImportSource::Instacart { dir, as_of } }) => {
            commands::data::import(&data_dir, &dir, as_of, json).map(|_| ())
        }
        Command::Features { max_examples } => {
            let mut settings = settings;
            settings.features.max_examples = max_examples.unwrap_or(settings.features.max_examples);
            settings.validate()?;
            commands::data::features(&data_dir, &settings, json).map(|_| ())
        }
        Command::Train(args) => commands::model::train(&data_dir, &settings, &args, json),
        Command::Pipeline { command } => {
            let context = Context { data_dir, settings, config: cli.config, json };
            commands::pipeline::run(&context, command)
        }
        Command::Models { command } => commands::models::run(&data_dir, command, json),
        Command::Keys { command } => commands::keys::run(&data_dir, command, json),
        Command::Audit { since } => commands::audit::run(&data_dir, since, json),
        Command::Evaluate(args) => commands::model::evaluate(&data_dir, &args, json),
        Command::Predict(args) => commands::model::predict(&data_dir, &settings, &args, json),
        Command::Recommend(args) => commands::model::recommend(&data_dir, &settings, &args, json),
        Command::Stream { command } => commands::stream::run(&data_dir, command, json),
        Command::Lake { command: Lake::Compact } => {
            commands::users::compact(&Context { data_dir, settings, config: cli.config, json })
        }
        Command::Users { command } => {
            commands::users::run(&Context { data_dir, settings, config: cli.config, json }, command)
        }
        Command::Capacity(args) => commands::capacity::run(&args, json),
        Command::Config { command: Config::Check } => commands::config::check(&settings, json),
        Command::Config { command: Config::Reference } => Ok(()),
    }
}
