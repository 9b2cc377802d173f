//! The release: a feature set and a model that serve together.

use serde::{Deserialize, Serialize};

use crate::error::RegistryError;

/// A feature set and a model that serve together. A request uses one release from start to
/// end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Version of the feature set.
    pub feature_set: String,
    /// Version of the model; `None` before the first training.
    pub model: Option<String>,
    /// Hash of the columns, the same in both.
    pub schema_hash: String,
    /// The variant of the endpoint that has the model; `None` if processes score with it themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Variant>,
    /// A second model, which ranks for a share of the shoppers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenger: Option<Challenger>,
}

/// A model beside the release's own, to compare the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenger {
    /// Version of the model.
    pub model: String,
    /// The shoppers of a hundred for whom it ranks, 1 to 99.
    pub percent: u8,
}

/// A production variant of an endpoint of SageMaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// Its name within the endpoint.
    pub name: String,
    /// SageMaker's name of its model.
    pub model: String,
}

impl Release {
    /// Parses the content of a release document. `name` is for the error.
    ///
    /// # Errors
    /// When it is not a release.
    pub fn parse(name: &str, content: &[u8]) -> Result<Self, RegistryError> {
        serde_json::from_slice(content).map_err(|error| RegistryError::damaged(name, error))
    }
}

/// A release with the version of the document that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The release.
    pub release: Release,
    /// Changes whenever the document does: an ETag, or a hash of the content.
    pub version: String,
}
