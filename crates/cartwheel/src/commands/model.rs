//! `train`, `predict` and `recommend`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use cartwheel_engine::{Engine as _, Filters, Opened, Query, ServingEngine};
use cartwheel_events::{ProductId, UserId};
use cartwheel_feature_set::FeatureSet;
use cartwheel_features::{Event, UserState, week_end_ms};
use cartwheel_lake::Lake;
use cartwheel_recommend::{Arrangement, Discovery, Value, arranged, rank};
use clap::{Args, ValueEnum};
use rayon::prelude::*;
use serde::Serialize;

use crate::commands::clicks;
use crate::commands::due::{self, DueArgs, Question};
use crate::context::Context;
use crate::learn;
use crate::show::{bar, result};
use cartwheel_node::{DataDir, delivered_catalogue};
use cartwheel_settings::{Assignment, parse};

/// The arguments of `train`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cartwheel train
  cartwheel train --set max_depth=4 --set num_round=200 --no-release")]
pub struct Train {
    /// Version of the feature set [default: the newest].
    #[arg(long, value_name = "VERSION")]
    feature_set: Option<String>,
    /// A hyperparameter of XGBoost that overrides the configured one. Can be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse)]
    set: Vec<Assignment>,
    /// Write the model without releasing it.
    #[arg(long)]
    no_release: bool,
    /// Train the model of one fold of cross-validation instead, and write it to `--out`.
    #[arg(long, value_name = "NUMBER", requires = "out", group = "part")]
    fold: Option<u32>,
    /// Train on the sample on which hyperparameters are searched instead, and write the model to
    /// `--out`.
    #[arg(long, requires = "out", group = "part")]
    sample: bool,
    /// File for the model of a fold or of the sample, a `model.tar.gz`.
    #[arg(long, value_name = "FILE", requires = "part")]
    out: Option<PathBuf>,
}

/// The users to predict for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum UserSelection {
    /// Users whose newest order is marked `test`.
    Test,
    /// All users.
    All,
}

/// The arguments of `predict`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cartwheel predict --users test --limit 20 --out predictions.json
  cartwheel predict --sessions clicks --out predictions.jsonl
  cartwheel predict --due-within 7d --out mail.csv
  cartwheel predict --due-within 2w --by product --out stock.csv")]
pub struct Predict {
    /// Users to predict for.
    #[arg(long, value_enum, default_value = "all")]
    users: UserSelection,
    /// Directory with test.csv or test.csv.gz (session_id, item_id, timestamp in seconds): predicts the
    /// next product after each click, instead of the users' next orders.
    #[arg(long, value_name = "DIR", conflicts_with = "users")]
    sessions: Option<PathBuf>,
    /// Products for each user or click.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(flatten)]
    due: DueArgs,
    /// File to write: {"user_id": ["product_id", …]}; of sessions a line for each click,
    /// {"session_id": …, "position": 1, "items": ["product_id", …]}; of dates CSV, or JSON lines if its
    /// name ends in .jsonl.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// The arguments of `recommend`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cartwheel recommend --user 347 --cart 12,1559")]
pub struct Recommend {
    /// Id of the user.
    #[arg(long)]
    user: String,
    /// Ids of the products in the cart, separated by commas.
    #[arg(long, value_delimiter = ',')]
    cart: Vec<String>,
    /// Products to recommend.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
}

fn newest_feature_set(data_dir: &DataDir) -> Result<FeatureSet> {
    FeatureSet::latest(&data_dir.features())
        .context("there is no feature set: run `cartwheel features` first")
}

/// Runs `train`.
pub fn train(context: &Context, args: &Train) -> Result<()> {
    let Context { data_dir, settings, json, .. } = context;
    let set = match &args.feature_set {
        Some(version) => FeatureSet::open(&data_dir.features().join(version))?,
        None => newest_feature_set(data_dir)?,
    };
    let mut hyperparameters = cartwheel_settings::configured(&settings.train);
    hyperparameters.extend(args.set.iter().cloned());
    let part = match args.fold {
        Some(fold) => learn::Part::Fold(fold),
        None => learn::Part::Sample,
    };
    let trained = match &args.out {
        Some(out) => learn::train_part(&set, part, out, &settings.train, &hyperparameters)?,
        None => learn::train(data_dir, &set, &settings.train, &hyperparameters)?,
    };
    let released = !args.no_release && trained.model.is_some();
    if released {
        let release = cartwheel_registry::Release {
            feature_set: set.manifest.version.clone(),
            model: trained.model.clone(),
            schema_hash: set.manifest.schema_hash.clone(),
            variant: None,
            challenger: None,
        };
        cartwheel_registry::publish(&data_dir.releases(), &release)?;
    }
    result(*json, &trained, || {
        format!(
            "Model {}: {} trees from {} rows of {}{}",
            trained.model.as_deref().unwrap_or("of a part of the rows"),
            trained.trees,
            trained.train_rows,
            trained.feature_set,
            if released { ", released" } else { "" }
        )
    });
    Ok(())
}

/// Runs `predict`.
pub fn predict(context: &Context, args: &Predict) -> Result<()> {
    if let Some(dir) = &args.sessions {
        return predict_sessions(context, dir, args.limit as usize, &args.out);
    }
    let opened = Opened::current(&context.data_dir.lake(), &context.settings.shop.timezone)?;
    let (engine, now_ms) = (engine(context)?, context.clock.now_ms());
    let is_shown = |product: &cartwheel_features::Product| {
        let id = ProductId::new(&product.info.product_id);
        id.is_ok_and(|id| engine.product(&id, now_ms).is_some_and(|product| product.shown))
    };
    let shown: Vec<bool> = opened.catalogue.products.iter().map(is_shown).collect();
    let records = opened.users.as_ref().context("the feature set has no users.bin")?;
    // Of data that ended long ago, the next order follows its end.
    let newest = opened.catalogue.trail.span().map(|(_, last)| week_end_ms(last));
    let moment_ms = newest.map_or(now_ms, |end_ms| end_ms.min(now_ms));
    if let Some(days) = args.due.due_within {
        let question = Question {
            opened: &opened,
            records,
            shown: &shown,
            from_ms: moment_ms,
            days,
            only_test: args.users == UserSelection::Test,
            limit: args.limit as usize,
        };
        return due::predict(context, &question, args.due.by, &args.out);
    }
    let worth: Vec<Option<f64>> = opened
        .catalogue
        .products
        .iter()
        .map(|product| engine.worth(&ProductId::new(&product.info.product_id).ok()?))
        .collect();
    let arrangement = Arrangement {
        discovery: Discovery::new(context.settings.recommend.discovery),
        value: &|product| worth[product as usize],
    };
    let progress = bar("predicting", records.len() as u64);
    let users = (0..records.len()).into_par_iter().map(|at| -> Result<_> {
        let (user_id, state) = records.record(at)?;
        progress.inc(1);
        if args.users == UserSelection::Test && state.next.is_none() {
            return Ok(None);
        }
        let next = state.next.unwrap_or_else(|| opened.calendar.context(&state, moment_ms));
        let model = opened.model.as_ref();
        let is_shown = |product: u32| shown[product as usize];
        let ranked = arranged(&opened.catalogue, model, &state, &next, &[], arrangement, is_shown);
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
        "there is no user to predict for{}",
        if args.users == UserSelection::Test {
            ": no order is marked `test`; try --users all"
        } else {
            ""
        }
    );
    cartwheel_files::replace(&args.out, &serde_json::to_vec(&lists)?)
        .with_context(|| args.out.display().to_string())?;
    let summary = serde_json::json!({"users": lists.len(), "out": args.out});
    result(context.json, &summary, || {
        format!("Wrote {} users to {}", lists.len(), args.out.display())
    });
    Ok(())
}

/// Runs `predict --sessions`.
fn predict_sessions(context: &Context, dir: &Path, limit: usize, out: &Path) -> Result<()> {
    let opened = Opened::current(&context.data_dir.lake(), &context.settings.shop.timezone)?;
    let sessions = clicks::read(dir, &opened.catalogue)?;
    let progress = bar("predicting", sessions.len() as u64);
    let lines = sessions.par_iter().map(|session| {
        let mut lines = Vec::new();
        let mut state = UserState::default();
        for (position, click) in (1..).zip(&session.clicks[..session.clicks.len() - 1]) {
            state.apply(Event::Touch(*click));
            let moment = opened.calendar.context(&state, click.at_ms);
            let model = opened.model.as_ref();
            let ranked = rank(&opened.catalogue, model, &state, &moment, &[], |_| true);
            let shown = ranked.iter().take(limit);
            let ids = shown.filter_map(|r| opened.catalogue.get(r.candidate.product));
            let items: Vec<&str> = ids.map(|product| &*product.info.product_id).collect();
            let line = serde_json::json!({
                "session_id": session.id, "position": position, "items": items,
            });
            lines.extend(format!("{line}\n").into_bytes());
        }
        progress.inc(1);
        lines
    });
    let lines: Vec<Vec<u8>> = lines.collect();
    progress.finish_and_clear();
    cartwheel_files::replace(out, &lines.concat()).with_context(|| out.display().to_string())?;
    let clicks: usize = sessions.iter().map(|session| session.clicks.len() - 1).sum();
    let summary = serde_json::json!({"sessions": sessions.len(), "clicks": clicks, "out": out});
    result(context.json, &summary, || {
        format!("Wrote {clicks} clicks of {} sessions to {}", sessions.len(), out.display())
    });
    Ok(())
}

/// The engine over the release, with the delivered changes of the catalogue. Changes of the
/// last seconds may still be on their way from a running server to the lake.
fn engine(context: &Context) -> Result<ServingEngine> {
    let dir = context.data_dir.lake();
    let opened = Opened::current(&dir, &context.settings.shop.timezone)?;
    let catalogue = Arc::new(delivered_catalogue(&Lake::open(&dir)?)?);
    let accept_unknown = context.settings.catalogue.accept_unknown;
    let discovery = Discovery::new(context.settings.recommend.discovery);
    let value: Value = context.settings.recommend.value.parse()?;
    let engine = ServingEngine::new(opened).discovering(discovery).valuing(value);
    Ok(engine.with_catalogue(catalogue, accept_unknown))
}

/// One recommended product.
#[derive(Debug, Serialize)]
struct Recommendation {
    product_id: ProductId,
    product_name: String,
    aisle: String,
    department: String,
    probability: f32,
    source: Option<String>,
    reasons: Vec<String>,
}

/// Runs `recommend`.
pub fn recommend(context: &Context, args: &Recommend) -> Result<()> {
    let engine = engine(context)?;
    let now_ms = context.clock.now_ms();
    let user_id = UserId::new(&args.user).map_err(|e| anyhow::anyhow!("the user's id {e}"))?;
    if engine.user(&user_id, None).record.is_none() {
        eprintln!("user {} has no history: recommending by the cart alone", args.user);
    }
    let find = |id: &String| {
        let product = ProductId::new(id).ok().filter(|id| engine.product(id, now_ms).is_some());
        product.with_context(|| {
            format!(
                "product {id:?} is not in the catalogue: ids are those of the imported products"
            )
        })
    };
    let query = Query {
        user_id: &user_id,
        session: None,
        record: None,
        cart: Some(args.cart.iter().map(find).collect::<Result<_>>()?),
        limit: args.limit as usize,
        filters: Filters::default(),
        rules: None,
        explain: false,
        now_ms,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let answer = runtime.block_on(engine.recommend(query));
    let recommended = answer.items.into_iter().map(|item| Recommendation {
        product_id: item.product_id,
        product_name: item.product_name,
        aisle: item.aisle,
        department: item.department,
        probability: item.probability,
        source: item.source,
        reasons: item.reasons,
    });
    let recommended: Vec<Recommendation> = recommended.collect();
    result(context.json, &recommended, || {
        let line = |(at, r): (usize, &Recommendation)| {
            let name = format!("{} ({})", r.product_name, r.product_id);
            let (percent, reasons) = (r.probability * 100.0, r.reasons.join("; "));
            format!("{:>3}  {percent:>5.1} %  {name:<48} {reasons}\n", at + 1)
        };
        recommended.iter().enumerate().map(line).collect()
    });
    Ok(())
}
