//! The feature job's phases as a process: Arrow streams in and out.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use cartwheel_feature_job::{JobOptions, phases};
use cartwheel_features::ProductInfo;
use clap::{Args, Parser, Subcommand};

/// Folds, merges and assembles features over Arrow IPC streams on stdin and stdout.
#[derive(Debug, Parser)]
#[command(
    name = "cartwheel-worker",
    version,
    about,
    after_help = "Each partition of users, sorted by user, goes through `fold`; its partials go \
                  through `merge`, in groups or at once, and the last of them through `merge \
                  --finish`; what that gives goes through `assemble`.\n\nExample:\n  \
                  cartwheel-worker fold --products products.arrow < rows.arrow > folded.arrow"
)]
struct Cli {
    #[command(subcommand)]
    phase: Phase,
}

#[derive(Debug, Subcommand)]
enum Phase {
    /// Rows of orders, lines and checkouts to user records and a partial.
    Fold(Job),
    /// Partials to one partial.
    Merge {
        #[command(flatten)]
        job: Job,
        /// Merge the last ones, and give catalogues, gate users and examples.
        #[arg(long)]
        finish: bool,
    },
    /// Examples to rows, scaler and manifest.
    Assemble {
        #[command(flatten)]
        job: Job,
        /// Name of the feature set.
        #[arg(long)]
        version: String,
    },
    /// The user records of a local feature set.
    Dump {
        /// Its users.bin.
        users: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Job {
    /// An Arrow stream of product_id, product_name, aisle, department.
    #[arg(long)]
    products: PathBuf,
    /// IANA time zone of the shop.
    #[arg(long, default_value = "UTC")]
    timezone: String,
    /// Newest orders of a user that are labels.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=50))]
    label_orders: u64,
    /// Most examples to train on.
    #[arg(long, default_value_t = 8_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    max_examples: u64,
    /// Seed of samples and carts.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Job {
    fn options(&self) -> JobOptions {
        JobOptions {
            label_orders: self.label_orders as usize,
            max_examples: self.max_examples as usize,
            seed: self.seed,
            timezone: self.timezone.clone(),
            ..JobOptions::default()
        }
    }

    fn products(&self) -> io::Result<Vec<ProductInfo>> {
        let named = |e: io::Error| io::Error::other(format!("{}: {e}", self.products.display()));
        let file = File::open(&self.products).map_err(named)?;
        phases::read_products(BufReader::new(file)).map_err(named)
    }
}

fn run(phase: &Phase) -> io::Result<()> {
    let input = || BufReader::with_capacity(1 << 20, io::stdin().lock());
    let out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    if !matches!(phase, Phase::Dump { .. }) && io::stdin().is_terminal() {
        return Err(io::Error::other("the input is an Arrow stream on stdin: see --help"));
    }
    match phase {
        Phase::Fold(job) => phases::fold(input(), out, &job.products()?, &job.options()),
        Phase::Merge { job, finish: true } => phases::finish(input(), out, job.products()?),
        Phase::Merge { finish: false, .. } => phases::merge(input(), out),
        Phase::Assemble { job, version } => phases::assemble(input(), out, version, &job.options()),
        Phase::Dump { users } => phases::dump(users, out),
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse().phase) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cartwheel-worker: {error}");
            ExitCode::FAILURE
        }
    }
}
