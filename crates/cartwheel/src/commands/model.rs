//! `train`, `evaluate`, `predict` and `recommend`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use cartwheel_feature_set::FeatureSet;
use cartwheel_recommend::{rank, reasons};
use rayon::prelude::*;
use serde::Serialize;

use crate::cli;
use crate::data_dir::DataDir;
use crate::learn;
use crate::settings::Settings;
use crate::show::{bar, result};
use cartwheel_engine::Opened;

fn latest(place: &DataDir) -> Result<FeatureSet> {
    FeatureSet::latest(&place.features()).context("no feature set: run `cartwheel features` first")
}

pub fn train(place: &DataDir, settings: &Settings, args: &cli::Train, json: bool) -> Result<()> {
    let set = match &args.feature_set {
        Some(version) => FeatureSet::open(&place.features().join(version))?,
        None => latest(place)?,
    };
    let mut hyperparameters = learn::hyperparameters(&settings.train);
    hyperparameters.extend(args.set.iter().cloned());
    let trained = learn::train(place, &set, &settings.train, &hyperparameters)?;
    if !args.no_release {
        let release = cartwheel_registry::Release {
            feature_set: set.manifest.version.clone(),
            model: Some(trained.model.clone()),
            schema_hash: set.manifest.schema_hash.clone(),
        };
        cartwheel_registry::publish(&place.releases(), &release)?;
    }
    result(json, &trained, || {
        format!(
            "Model {}: {} trees from {} rows of {}{}",
            trained.model,
            trained.trees,
            trained.train_rows,
            trained.feature_set,
            if args.no_release { "" } else { ", released" }
        )
    });
    Ok(())
}

pub fn evaluate(place: &DataDir, args: &cli::Evaluate, json: bool) -> Result<()> {
    let (version, feature_set) = match &args.model {
        Some(version) => {
            let bundle = cartwheel_registry::read(&place.models(), version)?;
            (Some(version.clone()), bundle.manifest.feature_set)
        }
        None => {
            let release = cartwheel_registry::current(&place.releases())?
                .context("nothing is released yet: run `cartwheel train`")?;
            // Features may have been released without a model of their own.
            let models = cartwheel_registry::list(&place.models(), &place.releases())?;
            let trained_on = release.model.as_ref().and_then(|version| {
                let record = models.iter().find(|m| m.manifest.version == *version)?;
                Some(record.manifest.feature_set.clone())
            });
            (release.model, trained_on.unwrap_or(release.feature_set))
        }
    };
    let set = FeatureSet::open(&place.features().join(&feature_set))?;
    let report = cartwheel_engine::evaluate(
        &place.models(),
        &set,
        version.as_deref(),
        args.against.as_deref(),
    )?;
    if let Some(path) = &args.chart {
        std::fs::write(path, report.chart()).with_context(|| path.display().to_string())?;
    }
    result(json, &report, || report.table());
    Ok(())
}

pub fn predict(
    place: &DataDir,
    settings: &Settings,
    args: &cli::Predict,
    json: bool,
) -> Result<()> {
    let opened = Opened::current(&place.lake(), &settings.shop.timezone)?;
    let records = opened.users.as_ref().context("the feature set has no users.bin")?;
    let progress = bar("predicting", records.len() as u64);
    let users = (0..records.len()).into_par_iter().map(|at| -> Result<_> {
        let (user_id, state) = records.record(at)?;
        progress.inc(1);
        if args.users == cli::Who::Test && state.next.is_none() {
            return Ok(None);
        }
        let context = state.next.unwrap_or_default();
        let model = opened.model.as_ref();
        let ranked = rank(&opened.catalogue, model, &state, &context, &[], |_| true);
        let ids = ranked.iter().take(args.limit as usize).filter_map(|r| {
            opened.catalogue.get(r.candidate.product).map(|p| p.info.product_id.clone())
        });
        Ok(Some((user_id, ids.collect::<Vec<_>>())))
    });
    let lists: BTreeMap<String, Vec<String>> =
        users.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    progress.finish_and_clear();
    anyhow::ensure!(
        !lists.is_empty(),
        "no user to predict for{}",
        if args.users == cli::Who::Test {
            ": no order is marked `test`; try --users all"
        } else {
            ""
        }
    );
    let scratch = args.out.with_extension("part");
    std::fs::write(&scratch, serde_json::to_vec(&lists)?)
        .and_then(|()| std::fs::rename(&scratch, &args.out))
        .with_context(|| args.out.display().to_string())?;
    let summary = serde_json::json!({"users": lists.len(), "out": args.out});
    result(json, &summary, || format!("Wrote {} users to {}", lists.len(), args.out.display()));
    Ok(())
}

/// One line of a list of recommendations.
#[derive(Debug, Serialize)]
struct Line {
    product_id: String,
    product_name: String,
    aisle: String,
    department: String,
    probability: f32,
    source: &'static str,
    reasons: Vec<String>,
}

pub fn recommend(
    place: &DataDir,
    settings: &Settings,
    args: &cli::Recommend,
    json: bool,
) -> Result<()> {
    let opened = Opened::current(&place.lake(), &settings.shop.timezone)?;
    let records = opened.users.as_ref().context("the feature set has no users.bin")?;
    let state = records.get(&args.user)?;
    if state.is_none() {
        eprintln!("user {} has no history: showing what goes with the cart", args.user);
    }
    let state = state.unwrap_or_default();
    let find = |id: &String| {
        opened.catalogue.find(id).with_context(|| format!("product {id:?} is not in the catalogue"))
    };
    let cart = args.cart.iter().map(find).collect::<Result<Vec<u32>>>()?;
    let now = jiff::Timestamp::now().as_millisecond();
    let context = opened.calendar.context(&state, now);
    let ranked = rank(&opened.catalogue, opened.model.as_ref(), &state, &context, &cart, |_| true);
    let lines = ranked.iter().take(args.limit as usize).filter_map(|r| {
        let info = &opened.catalogue.get(r.candidate.product)?.info;
        Some(Line {
            product_id: info.product_id.clone(),
            product_name: info.name.clone(),
            aisle: info.aisle.clone(),
            department: info.department.clone(),
            probability: r.probability,
            source: r.candidate.source.as_str(),
            reasons: reasons(&opened.catalogue, &state, &r.candidate),
        })
    });
    let lines: Vec<Line> = lines.collect();
    result(json, &lines, || {
        let line = |(at, r): (usize, &Line)| {
            let name = format!("{} ({})", r.product_name, r.product_id);
            let (percent, why) = (r.probability * 100.0, r.reasons.join("; "));
            format!("{:>3}  {percent:>5.1} %  {name:<48} {why}\n", at + 1)
        };
        lines.iter().enumerate().map(line).collect()
    });
    Ok(())
}
