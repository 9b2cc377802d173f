//! What the state machine's functions do. Each takes the Payload of its Task in
//! `infra/pipeline.asl.json` and gives what the next state reads.

use std::time::{SystemTime, UNIX_EPOCH};

use arrow_array::cast::AsArray;
use bytes::Bytes;
use cartwheel_engine::{OpenError, Opened, Refused};
use cartwheel_events::UserId;
use cartwheel_feature_set::{FeatureSet, Manifest, SetError};
use cartwheel_recommend::FEATURES;
use cartwheel_registry::{BundleError, BundleParts, Evaluation, Release};
use cartwheel_sessions::StoreError;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::dead_letters::Notices;
use crate::lake::{Lake, LakeError};
use crate::users::Users;

/// Why a function failed; Step Functions shows it as the error's cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// The payload is not what the state machine sends.
    #[error("payload: {0}")]
    Payload(#[from] serde_json::Error),
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The table of users failed.
    #[error(transparent)]
    Users(#[from] StoreError),
    /// The feature set cannot be read.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The model cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The release cannot serve.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The model cannot be judged.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A file is not what it should be.
    #[error("{0}")]
    File(String),
    /// A notice was not sent.
    #[error("{0}")]
    Notice(String),
    /// A local file failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// `load`: which parts a run's users are in, and one part into the table.
#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Load {
    /// Names the feature set of a run, and its parts.
    List {
        /// `s3://bucket`.
        lake: String,
        /// The run.
        run: String,
    },
    /// Loads a part.
    Load {
        /// `s3://bucket`.
        lake: String,
        /// The feature set.
        feature_set: String,
        /// The object of the part.
        part: String,
    },
}

/// Loads user records into the table.
///
/// # Errors
/// When a part cannot be read or written; the same call again does no harm.
pub async fn load(users: &Users, payload: Load) -> Result<Value, FunctionError> {
    match payload {
        Load::List { lake, run } => {
            let lake = Lake::open(&lake)?;
            let built: Value = lake.json(&format!("features/runs/{run}.json")).await?;
            let set = built["feature_set"].as_str().unwrap_or_default().to_owned();
            let manifest: Manifest = lake.json(&format!("features/{set}/manifest.json")).await?;
            let parts = lake.list(&format!("features/{set}/users")).await?;
            let parts: Vec<String> =
                parts.into_iter().filter(|p| p.ends_with(".parquet")).collect();
            Ok(json!({"feature_set": manifest.version, "parts": parts}))
        }
        Load::Load { lake, feature_set, part } => {
            let bytes = Lake::open(&lake)?.bytes(&part).await?;
            let records = user_records(&part, bytes)?;
            let count = records.len();
            let items = users.load(&feature_set, records, now_ms() / 1000).await?;
            Ok(json!({"users": count, "items": items}))
        }
    }
}

/// The records of a part of `users`.
fn user_records(part: &str, bytes: Bytes) -> Result<Vec<(UserId, Vec<u8>)>, FunctionError> {
    let bad = |what: &dyn std::fmt::Display| FunctionError::File(format!("{part}: {what}"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|b| b.build());
    let mut records = Vec::new();
    for batch in reader.map_err(|e| bad(&e))? {
        let batch = batch.map_err(|e| bad(&e))?;
        let users = batch.column_by_name("user_id").and_then(|c| c.as_string_opt::<i32>());
        let data = batch.column_by_name("record").and_then(|c| c.as_binary_opt::<i32>());
        let (Some(users), Some(data)) = (users, data) else {
            return Err(bad(&"expected the columns user_id (string) and record (binary)"));
        };
        for (user, record) in users.iter().zip(data.iter()) {
            let user = UserId::new(user.unwrap_or_default()).map_err(|e| bad(&e))?;
            records.push((user, record.unwrap_or_default().to_vec()));
        }
    }
    Ok(records)
}

/// `evaluate`: what a model is worth.
#[derive(Debug, Deserialize)]
pub struct Evaluate {
    lake: String,
    feature_set: String,
    /// `s3://…/model.tar.gz`, as training left it.
    artifacts: String,
    #[serde(default)]
    hyperparameters: Value,
}

/// Judges a model on the gate users of its feature set, against the one that serves or
/// what is popular. What training left becomes a bundle below `models/`.
///
/// # Errors
/// When a part is missing or the model cannot be judged.
pub async fn evaluate(payload: Evaluate) -> Result<Value, FunctionError> {
    const SET: [&str; 5] =
        ["manifest.json", "catalogue_cut.bin", "gate.bin", "scaler.json", "features.json"];
    let lake = Lake::open(&payload.lake)?;
    let dir = tempfile::tempdir()?;
    lake.fetch(&format!("features/{}", payload.feature_set), &SET, dir.path()).await?;
    let set = FeatureSet::open(&dir.path().join("features").join(&payload.feature_set))?;
    let models = dir.path().join("models");

    let prefix = format!("{}/", payload.lake.trim_end_matches('/'));
    let outside = || FunctionError::File(format!("{} is not in {prefix}", payload.artifacts));
    let archive = payload.artifacts.strip_prefix(&prefix).ok_or_else(outside)?;
    let model = cartwheel_registry::extract(&lake.bytes(archive).await?)
        .map_err(|e| FunctionError::File(format!("{archive}: {e}")))?;
    let version = cartwheel_registry::write(
        &models,
        &BundleParts {
            model: &model,
            scaler: &set.scaler()?,
            features: &FEATURES,
            metrics: json!([]),
            parameters: payload.hyperparameters,
            feature_set: &set.manifest.version,
            schema_hash: &set.manifest.schema_hash,
        },
    )?;
    for name in ["model.tar.gz", "scaler.json", "features.json", "metrics.json", "manifest.json"] {
        let bytes = std::fs::read(models.join(&version).join(name))?;
        lake.put(&format!("models/{version}/{name}"), bytes).await?;
    }
    let serving = serving(&lake, &set.manifest.schema_hash).await?;
    if let Some(serving) = serving.as_deref().filter(|serving| *serving != version) {
        lake.fetch_model(serving, dir.path()).await?;
    }
    let report = cartwheel_engine::evaluate(&models, &set, Some(&version), serving.as_deref())?;
    Ok(cartwheel_engine::summary(&version, &report)?)
}

/// The model that serves, if it takes these columns.
async fn serving(lake: &Lake, schema_hash: &str) -> Result<Option<String>, LakeError> {
    let current = lake.current().await?.map(|named| named.release);
    let release = current.filter(|release| release.schema_hash == schema_hash);
    Ok(release.and_then(|release| release.model))
}

/// `publish`: what the gate decided, and which release serves.
#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Publish {
    /// Notes the verdict; a rejection releases the new features with the serving model.
    Decide {
        /// `s3://bucket`.
        lake: String,
        /// The run.
        run: String,
        /// Whether the model passed.
        passed: bool,
        /// The feature set.
        feature_set: String,
        /// What `evaluate` gave.
        evaluation: Value,
    },
    /// Serves a feature set with a model.
    Publish {
        /// `s3://bucket`.
        lake: String,
        /// The feature set.
        feature_set: String,
        /// The model.
        model: String,
    },
    /// Serves the release before this one again.
    Rollback {
        /// `s3://bucket`.
        lake: String,
    },
}

/// Decides, publishes or rolls back.
///
/// # Errors
/// When the release cannot serve, or the lake fails; the old release then stands.
pub async fn publish(payload: Publish) -> Result<Value, FunctionError> {
    match payload {
        Publish::Decide { lake, run, passed, feature_set, evaluation } => {
            let lake = Lake::open(&lake)?;
            let model = evaluation["model"].as_str().unwrap_or_default().to_owned();
            let new = release(&lake, &feature_set, &model).await?;
            let serving = serving(&lake, &new.schema_hash).await?;
            let evaluation = Evaluation { run, passed, decided_ms: now_ms(), report: evaluation };
            let decision = cartwheel_engine::decide(&new, serving.as_deref(), evaluation);
            if let Some(evaluation) = &decision.evaluation {
                lake.note(&model, evaluation).await?;
            }
            match decision.release {
                Some(release) => serve(&lake, &release).await,
                None => Ok(json!({"release": null})),
            }
        }
        Publish::Publish { lake, feature_set, model } => {
            let lake = Lake::open(&lake)?;
            let release = release(&lake, &feature_set, &model).await?;
            serve(&lake, &release).await
        }
        Publish::Rollback { lake } => {
            let lake = Lake::open(&lake)?;
            let previous = lake.previous().await?.ok_or(LakeError::NoPrevious)?;
            serve(&lake, &previous).await
        }
    }
}

async fn release(lake: &Lake, feature_set: &str, model: &str) -> Result<Release, LakeError> {
    let manifest: Manifest = lake.json(&format!("features/{feature_set}/manifest.json")).await?;
    Ok(Release {
        feature_set: manifest.version,
        model: Some(model.to_owned()),
        schema_hash: manifest.schema_hash,
    })
}

/// Serves a release from now on, once it has been opened as a whole.
async fn serve(lake: &Lake, release: &Release) -> Result<Value, FunctionError> {
    let dir = tempfile::tempdir()?;
    lake.fetch_release(release, dir.path()).await?;
    Opened::open(dir.path(), release, "UTC")?;
    lake.publish(release).await?;
    Ok(json!({"release": release}))
}

/// `notify`: how a run ended.
#[derive(Debug, Deserialize)]
pub struct Notify {
    run: String,
    outcome: String,
    failure: Option<Value>,
    evaluation: Option<Value>,
    released: Option<Value>,
}

/// Tells people how a run ended.
///
/// # Errors
/// When the topic does not take the notice.
pub async fn notify(notices: &Notices, payload: Notify) -> Result<Value, FunctionError> {
    let subject = format!("cartwheel: run {} {}", payload.run, payload.outcome);
    let mut message = format!("Run {} ended: {}.\n", payload.run, payload.outcome);
    if let Some(failure) = &payload.failure {
        let part = |name: &str| failure[name].as_str().unwrap_or_default().to_owned();
        message.push_str(&format!("Error: {}\nCause: {}\n", part("Error"), part("Cause")));
    }
    if let Some(evaluation) = &payload.evaluation {
        message.push_str(&format!(
            "Model {}: Recall@10 {:+.4} against {} (standard error {:.4}, {} gate users).\n",
            evaluation["model"].as_str().unwrap_or_default(),
            evaluation["difference"].as_f64().unwrap_or_default(),
            evaluation["reference"].as_str().unwrap_or_default(),
            evaluation["standard_error"].as_f64().unwrap_or_default(),
            evaluation["users"],
        ));
    }
    if let Some(released) = payload.released.as_ref().filter(|r| !r["release"].is_null()) {
        message.push_str(&format!("Released: {}\n", released["release"]));
    }
    notices.send(&subject, &message).await.map_err(FunctionError::Notice)?;
    Ok(json!({}))
}
