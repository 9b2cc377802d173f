//! Why a function fails.

use std::error::Error;
use std::io;

use cartwheel_feature_set::SetError;
use cartwheel_registry::{BundleError, RegistryError};

use crate::deployment::DeploymentError;
use crate::evaluation::Refused;

/// An error of any kind.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a function failed. The text becomes the cause of the task's failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// The payload differs from what the state machine sends.
    #[error("payload: {0}")]
    Payload(#[from] serde_json::Error),
    /// The registry does not answer.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The release was not published.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// The run has not built a feature set.
    #[error("the run {0:?} has not built a feature set")]
    NotBuilt(String),
    /// The feature set cannot be read.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The output of training is not an archive with a model.
    #[error("{artifacts}: {source}")]
    Archive {
        /// The archive.
        artifacts: String,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The bundle cannot be packed.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The model cannot be evaluated.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The endpoint does not serve the run's model.
    #[error(
        "the endpoint {name} is {status} with the configuration {config:?} instead of {run:?}: look at its events, delete it if it is Failed, and redrive the execution"
    )]
    Endpoint {
        /// The endpoint.
        name: String,
        /// Its status.
        status: String,
        /// Its configuration.
        config: String,
        /// The run, which names the expected configuration.
        run: String,
    },
    /// The user records cannot be listed or loaded.
    #[error("user records: {0}")]
    Users(BoxError),
}
