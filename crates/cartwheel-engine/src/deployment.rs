//! Which release serves: publication, deployment, rollback, and the gate's decision.
//!
//! Every release is opened as a whole before it is published, so that one that cannot serve
//! leaves the current release in place.

use cartwheel_registry::{
    Artifacts, Challenger, Evaluation, Registry, RegistryError, Release, Variant,
};

use crate::gate::{ServingModel, consequences};
use crate::release::{OpenError, Opened};

/// Why a release was not published. The current release stands.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeploymentError {
    /// The registry does not answer.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The release cannot serve.
    #[error("the release cannot serve: {0}")]
    Open(#[from] OpenError),
    /// The registry does not have the model.
    #[error("there is no model {0:?}: `cartwheel models list` lists the models")]
    NoModel(String),
    /// The lake does not have the feature set.
    #[error("there is no feature set {0:?}")]
    NoFeatureSet(String),
    /// The model cannot be a challenger.
    #[error("{0}")]
    Challenger(String),
    /// There is no release to go back to.
    #[error("no release served before this one")]
    NoPrevious,
}

/// The names of the endpoint's variants. One has the serving model, the other takes the next one.
const VARIANTS: [&str; 2] = ["a", "b"];

/// Publishes a feature set with a model, and the variant of the endpoint that has the model.
///
/// # Errors
/// When the two cannot serve together or the registry fails.
pub async fn publish(
    registry: &dyn Registry,
    feature_set: &str,
    model: &str,
    variant: Option<Variant>,
) -> Result<Release, DeploymentError> {
    let pair = pair(registry, feature_set, model).await?;
    publish_checked(registry, Release { variant, ..pair }).await
}

/// The variants that the endpoint needs until the model of `run` is published, and after: first the one
/// for that model, then the one of the serving model. The serving one stays, so that its model scores
/// until the very moment of publication. Without one, both have the new model.
///
/// # Errors
/// When the registry fails.
pub async fn next_variants(
    registry: &dyn Registry,
    run: &str,
) -> Result<[Variant; 2], RegistryError> {
    let serving = registry.current().await?.and_then(|current| current.release.variant);
    let new = |name: &str| Variant { name: name.to_owned(), model: run.to_owned() };
    let [a, b] = VARIANTS;
    Ok(match serving {
        Some(serving) if serving.name == a => [new(b), serving],
        Some(serving) if serving.name == b => [new(a), serving],
        _ => [new(a), new(b)],
    })
}

/// Publishes a model: with the current features if they have its columns, otherwise with
/// the features that it was trained on.
///
/// # Errors
/// When the model is unknown or cannot serve, or the registry fails.
pub async fn deploy(registry: &dyn Registry, version: &str) -> Result<Release, DeploymentError> {
    let unknown = || DeploymentError::NoModel(version.to_owned());
    let model = match registry.model(version).await {
        Ok(model) => model.ok_or_else(unknown)?,
        Err(RegistryError::Name(_)) => return Err(unknown()),
        Err(error) => return Err(error.into()),
    };
    let current = registry.current().await?.map(|current| current.release);
    let features = current.filter(|release| release.schema_hash == model.schema_hash);
    let release = Release {
        feature_set: features.map_or(model.feature_set, |release| release.feature_set),
        model: Some(model.version),
        schema_hash: model.schema_hash,
        variant: None,
        challenger: None,
    };
    publish_checked(registry, release).await
}

/// Makes a model the challenger: it ranks for `percent` of a hundred shoppers, and the model of the
/// current release for the others. It ends with 0, and with the next release of another model.
///
/// # Errors
/// When no model serves, the model is unknown or cannot serve with the current features, or the
/// registry fails.
pub async fn challenge(
    registry: &dyn Registry,
    version: &str,
    percent: u8,
) -> Result<Release, DeploymentError> {
    let refused = |why: String| Err(DeploymentError::Challenger(why));
    let current = registry.current().await?.map(|current| current.release);
    let Some(current) = current.filter(|release| release.model.is_some()) else {
        return refused("no model serves that another one could be compared with".to_owned());
    };
    if percent > 99 {
        return refused(format!(
            "{percent} % of the shoppers: 1 to 99 are possible, and 0 ends the comparison; deploy the model \
             for all of them"
        ));
    }
    if current.model.as_deref() == Some(version) {
        return refused(format!("{version} serves already: name the model to compare it with"));
    }
    if percent == 0 {
        if current.challenger.as_ref().is_none_or(|challenger| challenger.model != version) {
            return refused(format!("{version} is not the challenger"));
        }
        return publish_opened(registry, Release { challenger: None, ..current }).await;
    }
    match registry.model(version).await {
        Ok(Some(_)) => {}
        Ok(None) | Err(RegistryError::Name(_)) => {
            return Err(DeploymentError::NoModel(version.to_owned()));
        }
        Err(error) => return Err(error.into()),
    }
    let challenger = Some(Challenger { model: version.to_owned(), percent });
    publish_opened(registry, Release { challenger, ..current }).await
}

/// A release of the serving model with other features keeps its challenger, if that takes the
/// same columns.
async fn keep_challenger(
    registry: &dyn Registry,
    release: Release,
) -> Result<Release, DeploymentError> {
    let current = registry.current().await?.map(|current| current.release);
    let same = current.filter(|c| c.model == release.model && c.schema_hash == release.schema_hash);
    Ok(Release { challenger: same.and_then(|current| current.challenger), ..release })
}

/// Publishes the previous release again. If its feature set no longer exists, its model is
/// deployed with the current features. A second rollback undoes the first.
///
/// # Errors
/// When there is no previous release, it cannot serve, or the registry fails.
pub async fn rollback(registry: &dyn Registry) -> Result<Release, DeploymentError> {
    let previous = registry.previous().await?.ok_or(DeploymentError::NoPrevious)?;
    if registry.feature_set(&previous.feature_set).await?.is_none() {
        return match previous.model {
            Some(model) => deploy(registry, &model).await,
            None => Err(DeploymentError::NoFeatureSet(previous.feature_set)),
        };
    }
    // Its variant may have another model by now.
    publish_checked(registry, Release { variant: None, challenger: None, ..previous }).await
}

/// Notes the gate's decision on a model that was evaluated on a feature set. After a
/// rejection it publishes the new features, with the serving model if that has their columns,
/// and returns that release.
///
/// # Errors
/// When the feature set does not exist, the release cannot serve, or the registry fails.
pub async fn decide(
    registry: &dyn Registry,
    feature_set: &str,
    model: &str,
    decision: Evaluation,
) -> Result<Option<Release>, DeploymentError> {
    let new = pair(registry, feature_set, model).await?;
    let serving = serving_model(registry, &new.schema_hash).await?;
    let serving = serving.map(|model| model.version);
    let consequences = consequences(&new, serving.as_deref(), decision);
    if let Some(note) = &consequences.note {
        registry.put_evaluation(model, note).await?;
    }
    match consequences.release {
        Some(release) => {
            let release = keep_challenger(registry, release).await?;
            publish_checked(registry, release).await.map(Some)
        }
        None => Ok(None),
    }
}

/// Publishes a feature set with the serving model, or without a model if none has its
/// columns.
///
/// # Errors
/// When the feature set does not exist, the release cannot serve, or the registry fails.
pub async fn publish_features(
    registry: &dyn Registry,
    feature_set: &str,
) -> Result<Release, DeploymentError> {
    let new = features(registry, feature_set).await?;
    let serving = serving_model(registry, &new.schema_hash).await?;
    let release = Release { model: serving.map(|model| model.version), ..new };
    publish_checked(registry, keep_challenger(registry, release).await?).await
}

/// Publishes a feature set before a model is trained on it: with the serving model, or without a
/// model if none serves. A serving model with other columns stays, with its own features: `None`.
///
/// # Errors
/// When the feature set does not exist, the release cannot serve, or the registry fails.
pub async fn refresh_features(
    registry: &dyn Registry,
    feature_set: &str,
) -> Result<Option<Release>, DeploymentError> {
    let new = features(registry, feature_set).await?;
    let current = registry.current().await?.map(|current| current.release);
    if current.is_some_and(|r| r.model.is_some() && r.schema_hash != new.schema_hash) {
        return Ok(None);
    }
    publish_features(registry, feature_set).await.map(Some)
}

/// The model of the current release, if it takes the columns with this hash.
///
/// # Errors
/// When the registry fails.
pub async fn serving_model(
    registry: &dyn Registry,
    schema_hash: &str,
) -> Result<Option<ServingModel>, RegistryError> {
    let current = registry.current().await?.map(|current| current.release);
    let release = current.filter(|release| release.schema_hash == schema_hash);
    let Some(version) = release.and_then(|release| release.model) else { return Ok(None) };
    let models = registry.models().await?;
    let record = models.into_iter().find(|record| record.manifest.version == version);
    let evaluation = record.and_then(|record| record.evaluation);
    let provisional = evaluation.is_some_and(|evaluation| evaluation.provisional);
    Ok(Some(ServingModel { version, provisional }))
}

/// A feature set without a model.
async fn features(registry: &dyn Registry, version: &str) -> Result<Release, DeploymentError> {
    let manifest = registry.feature_set(version).await?;
    let missing = || DeploymentError::NoFeatureSet(version.to_owned());
    let manifest = manifest.ok_or_else(missing)?;
    Ok(Release {
        feature_set: manifest.version,
        model: None,
        schema_hash: manifest.schema_hash,
        variant: None,
        challenger: None,
    })
}

/// A feature set with a model.
async fn pair(
    registry: &dyn Registry,
    feature_set: &str,
    model: &str,
) -> Result<Release, DeploymentError> {
    Ok(Release { model: Some(model.to_owned()), ..features(registry, feature_set).await? })
}

/// Publishes a release once it has been opened as a whole. With the model of the current release, its
/// variant stays too.
async fn publish_checked(
    registry: &dyn Registry,
    mut release: Release,
) -> Result<Release, DeploymentError> {
    if release.variant.is_none() && release.model.is_some() {
        let current = registry.current().await?.map(|current| current.release);
        let same = current.filter(|current| current.model == release.model);
        release.variant = same.and_then(|current| current.variant);
    }
    publish_opened(registry, release).await
}

/// Publishes a release once it has been opened as a whole.
async fn publish_opened(
    registry: &dyn Registry,
    release: Release,
) -> Result<Release, DeploymentError> {
    let copy = registry.local_copy(Artifacts::Release(&release)).await?;
    // The time zone does not matter to whether the release can be opened.
    Opened::open(copy.lake(), &release, "UTC")?;
    registry.publish(&release).await?;
    Ok(release)
}
