//! `cartwheel-worker`: one phase of the feature job as a process, over Arrow streams.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use cartwheel_feature_job::{JobOptions, phases};
use cartwheel_feature_set::{Label, SearchMode};
use cartwheel_features::{Named, ProductInfo, Selection, Source, Sources, Subject, Subjects};
use clap::{Args, Parser, Subcommand};

/// Runs one phase of the feature job, with Arrow IPC streams as stdin and stdout.
#[derive(Debug, Parser)]
#[command(
    name = "cartwheel-worker",
    version,
    about,
    after_help = "Run `fold` on each partition of users, sorted by user. Run `merge` on the \
                  partials, at once or in groups, and `merge --finish` on the last of them. Run \
                  `assemble` on its result.\n\nExample:\n  \
                  cartwheel-worker fold --products products.arrow < rows.arrow > folded.arrow"
)]
struct Cli {
    #[command(subcommand)]
    phase: Phase,
}

#[derive(Debug, Subcommand)]
enum Phase {
    /// Fold orders, lines and checkouts into user records and a partial.
    Fold(Job),
    /// Merge partials into one.
    Merge {
        #[command(flatten)]
        job: Job,
        /// Write catalogues, held-out examples and the input of `assemble` instead.
        #[arg(long)]
        finish: bool,
    },
    /// Compute training rows, scaler and manifest from the output of `merge --finish`.
    Assemble {
        #[command(flatten)]
        job: Job,
        /// Name of the feature set.
        #[arg(long)]
        version: String,
        /// Erasures of users that the lake had completed when it was read.
        #[arg(long, default_value_t = 0)]
        erasures: u64,
    },
    /// Write the user records of a local feature set in the form of `fold`.
    Dump {
        /// Its users.bin.
        users: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Job {
    /// Arrow stream of product_id, product_name, aisle, department.
    #[arg(long)]
    products: PathBuf,
    /// IANA time zone of the shop.
    #[arg(long, default_value = "UTC")]
    timezone: String,
    /// How many of a user's newest orders are labels, at most.
    #[arg(long, default_value_t = JobOptions::default().label_orders as u64, value_parser = clap::value_parser!(u64).range(1..=50))]
    label_orders: u64,
    /// Most training examples.
    #[arg(long, default_value_t = JobOptions::default().max_examples as u64, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    max_examples: u64,
    /// Gate users below which the set is prepared for cross-validation.
    #[arg(long, default_value_t = JobOptions::default().min_gate_users as u32)]
    min_gate_users: u32,
    /// What the model predicts: `auto`, `next_basket`, `next_interaction`, `next_purchase`, or events
    /// with weights such as `purchase=1, cart=0.3`.
    #[arg(long, default_value = "auto", value_parser = label)]
    label: Choice,
    /// Sources of candidates to switch off, separated by commas.
    #[arg(long, default_value = "", value_parser = selection::<Source>)]
    without: Sources,
    /// Subjects of columns that the model does not learn from, separated by commas.
    #[arg(long, default_value = "", value_parser = selection::<Subject>)]
    unlearned: Subjects,
    /// How many values of the sources' parameters are tried: off, quick or full.
    #[arg(long, default_value = "quick")]
    search: SearchMode,
    /// Seed of samples and carts.
    #[arg(long, default_value_t = JobOptions::default().seed)]
    seed: u64,
}

/// Reads names, separated by commas.
fn selection<T: Named>(text: &str) -> Result<Selection<T>, String> {
    let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    Selection::parse(&names).map_err(|name| {
        let known: Vec<&str> = T::CHOICES.iter().map(|choice| choice.name()).collect();
        format!("no {} is named {name}: expected some of {}", T::WHAT, known.join(", "))
    })
}

/// A label, or `None` to choose one by the data. Its name hides the `Option` from clap, which would
/// make of it an argument without a default.
type Choice = Option<Label>;

/// Parses a label or `auto`.
fn label(text: &str) -> Result<Choice, String> {
    match text {
        "auto" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| format!("expected auto, {}", Label::EXPECTED)),
    }
}

impl Job {
    fn options(&self) -> JobOptions {
        JobOptions {
            label_orders: self.label_orders as usize,
            max_examples: self.max_examples as usize,
            min_gate_users: self.min_gate_users as usize,
            label: self.label,
            without: self.without.clone(),
            unlearned: self.unlearned.clone(),
            search: self.search,
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
        return Err(io::Error::other(
            "stdin is a terminal: redirect an Arrow stream to it (see --help)",
        ));
    }
    match phase {
        Phase::Fold(job) => phases::fold(input(), out, &job.products()?, &job.options()),
        Phase::Merge { job, finish: true } => {
            phases::finish(input(), out, job.products()?, &job.options())
        }
        Phase::Merge { finish: false, .. } => phases::merge(input(), out),
        Phase::Assemble { job, version, erasures } => {
            phases::assemble(input(), out, version, *erasures, &job.options())
        }
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
