//! `features`: the feature set of what the lake holds.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use cartwheel_feature_job::{Input, JobOptions, Phase, product_info};
use cartwheel_feature_set::{BuildLock, FeatureSet};
use cartwheel_features::{Sources, Subjects, stable_hash};
use cartwheel_lake::{Erasures, Lake};
use clap::Args;
use parking_lot::Mutex;

use crate::show::{bar, instant, result};
use cartwheel_node::DataDir;
use cartwheel_settings::Settings;

/// How long the job keeps pages that are free: what one catalogue frees, the next needs.
const FREE_PAGES_MS: std::ffi::c_long = 100;

/// The arguments of `features`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cartwheel features\n  cartwheel features --json")]
pub struct Features {
    /// Maximum number of training examples [default: `features.max_examples`].
    #[arg(long, value_name = "NUMBER")]
    pub max_examples: Option<usize>,
    /// Gate users below which the set is prepared for cross-validation [default:
    /// `gate.min_users`].
    #[arg(long, value_name = "NUMBER")]
    pub min_gate_users: Option<u32>,
    /// How many values of the sources' parameters are tried: off, quick or full [default:
    /// `train.search`].
    #[arg(long, value_name = "EXTENT")]
    pub search: Option<String>,
}

/// Runs `features`: builds the feature set of everything that the lake holds now.
pub fn features(data_dir: &DataDir, settings: &Settings, json: bool) -> Result<FeatureSet> {
    let (set, durations) = build(data_dir, settings, &data_dir.features(), None)?;
    let m = &set.manifest;
    result(json, m, || {
        format!(
            "Feature set {}: {} users, {} orders, {} lines, {} products; {} training and {} \
             validation rows, {} gate questions",
            m.version,
            m.users,
            m.orders,
            m.lines,
            m.products,
            m.train_rows,
            m.valid_rows,
            m.gate_examples
        ) + &durations.text()
    });
    Ok(set)
}

/// Builds the feature set of the orders before `until_ms` in the folder `features`.
pub fn build(
    data_dir: &DataDir,
    settings: &Settings,
    features: &Path,
    until_ms: Option<i64>,
) -> Result<(FeatureSet, PhaseDurations)> {
    crate::allocator::keep_free_pages(FREE_PAGES_MS);
    let lake = Lake::open(&data_dir.lake())?;
    // Taken before anything is read: no erasure completes during the build, and the set does
    // not count an erasure that comes later.
    let _lock = BuildLock::acquire(&data_dir.features())?;
    let input = job_input(&lake, data_dir)?;
    anyhow::ensure!(
        [&input.orders, &input.events, &input.baskets].iter().any(|parts| !parts.is_empty())
            || !input.checkouts.is_empty()
            || !input.products.is_empty(),
        "the lake holds neither orders nor products: import some first (`cartwheel import --help`)"
    );
    let options = JobOptions {
        label_orders: settings.features.label_orders,
        max_examples: settings.features.max_examples,
        min_gate_users: settings.gate.min_users as usize,
        label: settings.train.label(),
        without: Sources::parse(&settings.recommend.without).map_err(anyhow::Error::msg)?,
        unlearned: Subjects::parse(&settings.train.without).map_err(anyhow::Error::msg)?,
        search: settings.train.search(),
        seed: settings.features.seed,
        timezone: settings.shop.timezone.clone(),
        until_ms,
        ..JobOptions::default()
    };
    let progress = bar("features", 0);
    let durations = PhaseDurations::default();
    let set = cartwheel_feature_job::build(input, features, &options, &|phase| {
        let (name, counts) = match phase {
            Phase::Shuffle { done, total } => ("reading orders", Some((done, total))),
            Phase::Fold { done, total } => ("folding users", Some((done, total))),
            Phase::Merge => ("catalogue", None),
            Phase::Assemble => ("examples", None),
            Phase::Write => ("writing", None),
        };
        durations.enter(name);
        progress.set_message(name);
        if let Some((done, total)) = counts {
            progress.set_length(total);
            progress.set_position(done);
        }
    })
    .context("feature job")?;
    progress.finish_and_clear();
    Ok((set, durations))
}

/// Collects the input of the feature job from the lake. Warns about files that cannot be read.
fn job_input(lake: &Lake, data_dir: &DataDir) -> Result<Input> {
    let erasures = Erasures::open(&data_dir.erasures())?.cleaned();
    let checkouts = lake.checkouts()?;
    for problem in &checkouts.problems {
        eprintln!("warning: left out: {problem}");
    }
    let (ties, checkouts) = (checkouts.ties, checkouts.records);
    let touches = lake.touches(&ties, stable_hash)?;
    for problem in &touches.problems {
        eprintln!("warning: left out: {problem}");
    }
    let mut input = Input { checkouts, touches, ties, erasures, ..Input::default() };
    input.products = lake.read_products()?.into_iter().map(product_info).collect();
    let Some(manifest) = lake.import_manifest()? else { return Ok(input) };
    input.import_id = manifest.id;
    if erasures > 0 {
        // An erasure leaves the same files with other rows.
        input.import_id.push_str(&format!(" {erasures}"));
    }
    input.orders = manifest.orders;
    input.order_products = manifest.order_products;
    input.events = manifest.events;
    input.baskets = manifest.baskets;
    Ok(input)
}

/// How long each phase of a job takes.
#[derive(Default)]
pub struct PhaseDurations(Mutex<Vec<PhaseStart>>);

struct PhaseStart {
    name: &'static str,
    at: Instant,
}

impl PhaseDurations {
    /// Notes that a phase goes on, or that a new one begins.
    fn enter(&self, name: &'static str) {
        let mut phases = self.0.lock();
        if phases.last().is_none_or(|last| last.name != name) {
            phases.push(PhaseStart { name, at: instant() });
        }
    }

    /// A line such as `\nIn 3.1 s: reading orders 1.2, …`; empty without phases.
    fn text(&self) -> String {
        let phases = self.0.lock();
        let Some(start) = phases.first().map(|phase| phase.at) else { return String::new() };
        let ends = phases.iter().skip(1).map(|phase| phase.at).chain([instant()]);
        // Catalogues and examples take turns.
        let mut parts: Vec<(&str, f32)> = Vec::new();
        for (phase, end) in phases.iter().zip(ends) {
            let seconds = (end - phase.at).as_secs_f32();
            match parts.iter_mut().find(|(name, _)| *name == phase.name) {
                Some((_, sum)) => *sum += seconds,
                None => parts.push((phase.name, seconds)),
            }
        }
        let parts = parts.iter().map(|(name, seconds)| format!("{name} {seconds:.1}"));
        let all = start.elapsed().as_secs_f32();
        format!("\nIn {all:.1} s: {}", parts.collect::<Vec<_>>().join(", "))
    }
}
