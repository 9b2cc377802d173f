//! `generate`, `import` and `features`.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use cartwheel_features::ProductInfo;

use cartwheel_feature_job::{Input, JobOptions, Phase};
use cartwheel_feature_set::{Building, FeatureSet};
use cartwheel_lake::{Erasures, ImportOptions, ImportSummary, Lake};
use cartwheel_synthetic::ShopSpec;

use crate::cli::ShopSize;
use crate::data_dir::DataDir;
use crate::settings::Settings;
use crate::show::{bar, result};

pub fn generate(size: &ShopSize, out: &Path, json: bool) -> Result<()> {
    let ShopSize { users, products, orders, seed } = *size;
    let progress = bar("generating orders", orders);
    let spec = ShopSpec { users, products, orders, seed };
    let summary =
        cartwheel_synthetic::generate(&spec, out, &mut |done| progress.set_position(done))?;
    progress.finish_and_clear();
    result(json, &summary, || {
        format!(
            "Generated {} orders ({} lines) of {} users and {} products in {}",
            summary.orders,
            summary.lines,
            summary.users,
            summary.products,
            out.display()
        )
    });
    Ok(())
}

pub fn import(
    place: &DataDir,
    dir: &Path,
    as_of: Option<jiff::civil::Date>,
    json: bool,
) -> Result<ImportSummary> {
    place.begin()?;
    let lake = Lake::open(&place.lake())?;
    let as_of_ms = match as_of {
        Some(day) => Some(day.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp().as_millisecond()),
        None => None,
    };
    let progress = bar("importing", 0);
    let options = ImportOptions { as_of_ms };
    let summary = cartwheel_lake::import::instacart(&lake, dir, &options, &mut |at| {
        progress.set_length(at.total_bytes);
        progress.set_position(at.bytes);
    })?;
    progress.finish_and_clear();
    result(json, &summary, || summary.to_string());
    Ok(summary)
}

/// Builds the feature set of all that the lake holds now.
pub fn features(place: &DataDir, settings: &Settings, json: bool) -> Result<FeatureSet> {
    let lake = Lake::open(&place.lake())?;
    // Before anything is read: an erasure does not end meanwhile, and what is erased later
    // is not taken for erased here.
    let _building = Building::begin(&place.features())?;
    let erasures = Erasures::open(&place.erasures())?.cleaned();
    let checkouts = lake.checkouts()?;
    for problem in &checkouts.problems {
        eprintln!("warning: left out: {problem}");
    }
    let checkouts = checkouts.records.into_iter();
    let checkouts = checkouts.map(|c| (c.user_id, c.received_at_ms, c.event_id, c.product_ids));
    let mut input = Input { checkouts: checkouts.collect(), erasures, ..Input::default() };
    if let Some(manifest) = lake.import_manifest()? {
        input.import_id = manifest.id.clone();
        if erasures > 0 {
            // The same files, with other rows.
            input.import_id.push_str(&format!(" {erasures}"));
        }
        input.orders = manifest.orders.clone();
        input.order_products = manifest.order_products.clone();
        input.products = lake
            .read_products()?
            .into_iter()
            .map(|p| ProductInfo {
                product_id: p.product_id,
                name: p.product_name,
                aisle: p.aisle,
                department: p.department,
            })
            .collect();
    }
    anyhow::ensure!(
        !input.orders.is_empty() || !input.checkouts.is_empty(),
        "the lake holds no orders: import some first (`cartwheel import --help`)"
    );
    let options = JobOptions {
        label_orders: settings.features.label_orders,
        max_examples: settings.features.max_examples,
        seed: settings.features.seed,
        timezone: settings.shop.timezone.clone(),
        ..JobOptions::default()
    };
    let progress = bar("features", 0);
    let clock = PhaseClock::default();
    let set = cartwheel_feature_job::build(input, &place.features(), &options, &|phase| {
        let (name, counts) = match phase {
            Phase::Shuffle(done, all) => ("reading orders", Some((done, all))),
            Phase::Fold(done, all) => ("folding users", Some((done, all))),
            Phase::Merge => ("catalogue", None),
            Phase::Assemble => ("examples", None),
            Phase::Write => ("writing", None),
        };
        clock.enter(name);
        progress.set_message(name);
        if let Some((done, all)) = counts {
            progress.set_length(all);
            progress.set_position(done);
        }
    })
    .context("feature job")?;
    progress.finish_and_clear();
    let m = &set.manifest;
    result(json, m, || {
        format!(
            "Feature set {}: {} users, {} orders, {} lines, {} products; {} training and {} \
             validation rows, {} gate baskets",
            m.version,
            m.users,
            m.orders,
            m.lines,
            m.products,
            m.train_rows,
            m.valid_rows,
            m.gate_examples
        ) + &clock.text()
    });
    Ok(set)
}

/// How long each phase of a job took.
#[derive(Default)]
struct PhaseClock(Mutex<Vec<(&'static str, Instant)>>);

impl PhaseClock {
    fn enter(&self, name: &'static str) {
        let mut phases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if phases.last().is_none_or(|last| last.0 != name) {
            phases.push((name, Instant::now()));
        }
    }

    /// Such as `\nIn 3.1 s: reading orders 1.2, …`; nothing where nothing was done.
    fn text(&self) -> String {
        let phases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(start) = phases.first().map(|p| p.1) else { return String::new() };
        let ends = phases.iter().skip(1).map(|p| p.1).chain([Instant::now()]);
        let parts = phases.iter().zip(ends);
        let parts =
            parts.map(|((name, from), to)| format!("{name} {:.1}", (to - *from).as_secs_f32()));
        let all = start.elapsed().as_secs_f32();
        format!("\nIn {all:.1} s: {}", parts.collect::<Vec<_>>().join(", "))
    }
}
