//! The functions of the state machine over the account's lake, table and topic. What they
//! do is in [`cartwheel_engine::functions`].

use arrow_array::cast::AsArray;
use bytes::Bytes;
use cartwheel_ambient::Clock;
use cartwheel_engine::functions::{
    self, Archives, BoxError, Evaluate, Load, Loaded, Notify, Publish, UserRecords,
};
use cartwheel_events::UserId;
use cartwheel_feature_set::Manifest;
use cartwheel_registry::{Pending, layout};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::dead_letters::Notices;
use crate::erasures::LakeErasures;
use crate::lake::{Lake, LakeError};
use crate::registry::S3Registry;
use crate::users::Users;

/// Why a function failed. Step Functions shows it as the error's cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// The function failed.
    #[error(transparent)]
    Function(#[from] functions::FunctionError),
    /// The lake does not answer.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The output of training is in another bucket or below another prefix.
    #[error("{artifacts} is not in the lake {lake}")]
    Outside {
        /// The output of training.
        artifacts: String,
        /// The lake.
        lake: String,
    },
    /// Nothing was imported.
    #[error(transparent)]
    Import(#[from] cartwheel_import::ImportError),
    /// What was asked cannot be done; the text says why, and what to do.
    #[error("{0}")]
    Options(String),
    /// A file of this machine cannot be read or written.
    #[error("import: {0}")]
    Io(#[from] std::io::Error),
    /// The notice was not sent.
    #[error("{0}")]
    Notice(String),
}

/// User records in the lake's Parquet files, and the table that requests read them from.
struct Table<'a> {
    lake: &'a Lake,
    users: &'a Users,
    clock: &'a Clock,
}

impl UserRecords for Table<'_> {
    fn parts<'a>(&'a self, feature_set: &'a str) -> Pending<'a, Result<Vec<String>, BoxError>> {
        Box::pin(async move {
            let folder = format!("{}/{feature_set}/users", layout::FEATURES);
            let mut parts = self.lake.list(&folder).await?;
            parts.retain(|part| part.ends_with(".parquet"));
            Ok(parts)
        })
    }

    fn load<'a>(
        &'a self,
        feature_set: &'a str,
        part: &'a str,
    ) -> Pending<'a, Result<Loaded, BoxError>> {
        Box::pin(async move {
            let mut records = user_records(part, self.lake.bytes(part).await?)?;
            let users = records.len();
            // The set may have been built before a user was erased.
            let erased = LakeErasures::new(self.lake.clone()).list().await?;
            if records.iter().any(|(user, _)| erased.has(user.as_str())) {
                let manifest = self.lake.bytes(&layout::set_manifest(feature_set)?).await?;
                let manifest: Manifest = serde_json::from_slice(&manifest)?;
                let is_in = |user: &UserId| {
                    erased.of(user.as_str()).is_some_and(|of| of.may_be_in(manifest.erasures))
                };
                records.retain(|(user, _)| !is_in(user));
            }
            let now_s = self.clock.now_ms() / 1000;
            let items = self.users.load(feature_set, records, now_s).await?;
            Ok(Loaded { users, items: Some(items) })
        })
    }
}

/// The records in a part of `users`.
pub(crate) fn user_records(part: &str, bytes: Bytes) -> Result<Vec<(UserId, Vec<u8>)>, BoxError> {
    let bad = |what: &dyn std::fmt::Display| format!("{part}: {what}");
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|b| b.build());
    let mut records = Vec::new();
    for batch in reader.map_err(|e| bad(&e))? {
        let batch = batch.map_err(|e| bad(&e))?;
        let users = batch.column_by_name("user_id").and_then(|c| c.as_string_opt::<i32>());
        let data = batch.column_by_name("record").and_then(|c| c.as_binary_opt::<i32>());
        let (Some(users), Some(data)) = (users, data) else {
            return Err(bad(&"expected the columns user_id (string) and record (binary)").into());
        };
        for (user, record) in users.iter().zip(data.iter()) {
            let user = UserId::new(user.unwrap_or_default()).map_err(|e| bad(&e))?;
            records.push((user, record.unwrap_or_default().to_vec()));
        }
    }
    Ok(records)
}

/// `load`: lists the parts of a feature set's user records, or loads one into the table.
///
/// # Errors
/// When a part cannot be read or written. The same call may be repeated.
pub async fn load(users: &Users, clock: &Clock, payload: Load) -> Result<Value, FunctionError> {
    let lake = Lake::open(payload.lake())?;
    let registry = S3Registry::new(lake.clone());
    let table = Table { lake: &lake, users, clock };
    Ok(functions::load(&registry, &table, payload).await?)
}

/// `evaluate`: evaluates a model, whose bundle it adds to the registry.
///
/// # Errors
/// When a file is missing or the model cannot be evaluated.
pub async fn evaluate(payload: Evaluate) -> Result<Value, FunctionError> {
    let lake = Lake::open(&payload.lake)?;
    let mut archives =
        Archives { model: archive(&lake, &payload, &payload.artifacts).await?, folds: Vec::new() };
    for fold in &payload.folds {
        archives.folds.push(archive(&lake, &payload, &fold.artifacts).await?);
    }
    Ok(functions::evaluate(&S3Registry::new(lake), &archives, payload).await?)
}

/// Reads the output of a training job.
async fn archive(
    lake: &Lake,
    payload: &Evaluate,
    artifacts: &str,
) -> Result<Vec<u8>, FunctionError> {
    let outside =
        || FunctionError::Outside { artifacts: artifacts.to_owned(), lake: payload.lake.clone() };
    Ok(lake.bytes(payload.inside(artifacts).ok_or_else(outside)?).await?.to_vec())
}

/// `publish`: notes the gate's decision, publishes a release, or rolls back.
///
/// # Errors
/// When the release cannot serve or the lake does not answer: the current release stands.
pub async fn publish(clock: &Clock, payload: Publish) -> Result<Value, FunctionError> {
    let registry = S3Registry::open(payload.lake())?;
    Ok(functions::publish(&registry, clock, payload).await?)
}

/// `notify`: sends a notice of how a run ended.
///
/// # Errors
/// When the topic does not take the notice.
pub async fn notify(notices: &Notices, payload: Notify) -> Result<Value, FunctionError> {
    let (subject, message) = (payload.subject(), payload.message());
    notices.send(&subject, &message).await.map_err(FunctionError::Notice)?;
    Ok(json!({}))
}
