//! `evaluate`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use cartwheel_engine::Report;
use cartwheel_feature_set::{BuildLock, Calendar, FeatureSet, NewFeatureSet};
use cartwheel_forest::Forest;
use clap::Args;

use crate::arguments::day;
use crate::commands::{diversity, features, report};
use crate::context::Context;
use crate::learn;
use crate::show::result;

/// The arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cartwheel evaluate --json
  cartwheel evaluate --since 2025-11-01
  cartwheel evaluate --chart quality.svg
  cartwheel evaluate --diversity --chart diversity.svg")]
pub struct Evaluate {
    /// Version of the model [default: the serving model].
    #[arg(long, value_name = "VERSION")]
    model: Option<String>,
    /// Version of a model to compare with, user by user [default: popularity].
    #[arg(long, value_name = "VERSION")]
    against: Option<String>,
    /// The model of a fold, as `train --fold` writes it. With all folds of the feature set, the
    /// model is judged by cross-validation instead of the gate users.
    #[arg(long, value_name = "NUMBER=FILE", value_parser = fold_model, conflicts_with = "against")]
    fold: Vec<FoldModel>,
    /// Train on the orders before a day of the shop's calendar, and judge by the first order of
    /// each user from then on. The model is not kept.
    #[arg(long, value_name = "DAY", value_parser = day, conflicts_with_all = ["model", "against", "fold"])]
    since: Option<jiff::civil::Date>,
    /// File for a chart of Recall@10 as SVG; with `--diversity`, for its curves.
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    /// Instead of the report: Recall@10 and the variety of lists at several settings of each dial of
    /// diversity.
    #[arg(long, conflicts_with_all = ["against", "fold", "since"])]
    diversity: bool,
}

/// The model file of a fold.
#[derive(Debug, Clone)]
struct FoldModel {
    fold: u32,
    file: PathBuf,
}

fn fold_model(text: &str) -> Result<FoldModel, String> {
    let parsed = text.split_once('=').and_then(|(fold, file)| {
        Some(FoldModel { fold: fold.parse().ok()?, file: PathBuf::from(file) })
    });
    parsed.ok_or_else(|| format!("{text:?} is not NUMBER=FILE, such as 0=model.tar.gz"))
}

/// Runs `evaluate`.
pub fn evaluate(context: &Context, args: &Evaluate) -> Result<()> {
    if args.diversity {
        let (version, set) = judged(context, args)?;
        let models = context.data_dir.models();
        let points = cartwheel_engine::diversity(&models, &set, version.as_deref())?;
        if let Some(path) = &args.chart {
            let chart = diversity::chart(&points);
            std::fs::write(path, chart).with_context(|| path.display().to_string())?;
        }
        result(context.json, &points, || diversity::table(&points));
        return Ok(());
    }
    let report = match args.since {
        Some(day) => evaluate_since(context, day)?,
        None => evaluate_newest(context, args)?,
    };
    if let Some(path) = &args.chart {
        std::fs::write(path, report::chart(&report)).with_context(|| path.display().to_string())?;
    }
    result(context.json, &report, || report::table(&report));
    Ok(())
}

/// Judges a model of the orders before a day by the orders from then on.
fn evaluate_since(context: &Context, day: jiff::civil::Date) -> Result<Report> {
    let Context { data_dir, settings, .. } = context;
    let since_ms = Calendar::new(&settings.shop.timezone)?.begin_ms(day)?;
    eprintln!(
        "Trains on the orders before {day} and judges by all later ones: minutes for a large shop"
    );
    // An erasure waits until the temporary set is gone.
    let _lock = BuildLock::acquire(&data_dir.features())?;
    let scratch = NewFeatureSet::create(&data_dir.features())?;
    let (set, _) = features::build(data_dir, settings, scratch.dir(), Some(since_ms))?;
    let hyperparameters = cartwheel_settings::configured(&settings.train);
    let forest = learn::forest(&set, &settings.train, &hyperparameters)?;
    Ok(cartwheel_engine::evaluate_later(&set, forest, since_ms)?)
}

/// The model to judge, if any, and the feature set that it was trained on.
fn judged(context: &Context, args: &Evaluate) -> Result<(Option<String>, FeatureSet)> {
    let data_dir = &context.data_dir;
    let (version, feature_set) = match &args.model {
        Some(version) => {
            let bundle = cartwheel_registry::read(&data_dir.models(), version)?;
            (Some(version.clone()), bundle.manifest.feature_set)
        }
        None => {
            let release = cartwheel_registry::current(&data_dir.releases())?
                .context("nothing is released yet: run `cartwheel pipeline run`")?;
            // A release can pair a model with newer features than those it was trained on.
            let models = cartwheel_registry::list(&data_dir.models(), &data_dir.releases())?;
            let trained_on = release.model.as_ref().and_then(|version| {
                let record = models.iter().find(|m| m.manifest.version == *version)?;
                Some(record.manifest.feature_set.clone())
            });
            (release.model, trained_on.unwrap_or(release.feature_set))
        }
    };
    Ok((version, FeatureSet::open(&data_dir.features().join(&feature_set))?))
}

/// Judges a model by the newest orders of users.
fn evaluate_newest(context: &Context, args: &Evaluate) -> Result<Report> {
    let data_dir = &context.data_dir;
    let (version, set) = judged(context, args)?;
    Ok(match &version {
        Some(version) if !args.fold.is_empty() => {
            let folds = args.fold.iter().map(read_fold).collect::<Result<Vec<_>>>()?;
            cartwheel_engine::cross_validate(&set, version, folds)?
        }
        _ => {
            let against = args.against.as_deref();
            cartwheel_engine::evaluate(&data_dir.models(), &set, version.as_deref(), against)?
        }
    })
}

fn read_fold(of: &FoldModel) -> Result<(u32, Forest)> {
    let named = || of.file.display().to_string();
    let model = cartwheel_registry::extract(&std::fs::read(&of.file).with_context(named)?);
    Ok((of.fold, Forest::from_bytes(&model.with_context(named)?).with_context(named)?))
}
