//! The schema of XGBoost's model file, which is the same in JSON, in UBJ, and in every
//! version since 1.7. Nothing here is verified yet.

use serde::Deserialize;
use serde::de::{self, Visitor};

use crate::error::ModelError;
use crate::ubj;

/// The largest accepted file, in bytes.
const MAX_FILE_BYTES: usize = 512 << 20;

#[derive(Debug, Deserialize)]
pub struct ModelFile {
    pub learner: Learner,
}

#[derive(Debug, Deserialize)]
pub struct Learner {
    #[serde(default)]
    pub feature_names: Vec<String>,
    pub gradient_booster: Booster,
    pub learner_model_param: LearnerParameters,
    pub objective: ObjectiveName,
}

#[derive(Debug, Deserialize)]
pub struct ObjectiveName {
    pub name: String,
}

/// All values are strings in the file, in every version.
#[derive(Debug, Deserialize)]
pub struct LearnerParameters {
    pub base_score: String,
    pub num_feature: String,
    #[serde(default)]
    pub num_class: Option<String>,
    #[serde(default)]
    pub num_target: Option<String>,
}

/// `gblinear` has a different `model`, and `dart` has none at this level. Both are accepted
/// here, so that they are rejected by name and not for a missing field.
#[derive(Debug, Deserialize)]
pub struct Booster {
    pub name: String,
    #[serde(default)]
    pub model: Option<Trees>,
}

#[derive(Debug, Deserialize)]
pub struct Trees {
    #[serde(default)]
    pub gbtree_model_param: Option<TreesParameters>,
    #[serde(default)]
    pub tree_info: Option<Vec<i32>>,
    #[serde(default)]
    pub trees: Option<Vec<Tree>>,
}

#[derive(Debug, Deserialize)]
pub struct TreesParameters {
    pub num_trees: String,
}

/// One tree as parallel arrays over its nodes. A left child of -1 marks a leaf, whose split
/// condition is the leaf's value.
#[derive(Debug, Deserialize)]
pub struct Tree {
    pub default_left: Vec<Flag>,
    pub left_children: Vec<i32>,
    pub right_children: Vec<i32>,
    pub split_conditions: Vec<f32>,
    pub split_indices: Vec<i64>,
    #[serde(default)]
    pub split_type: Vec<i32>,
    #[serde(default)]
    pub categories_nodes: Vec<i32>,
    /// Sum of the hessian over the training rows that reached each node.
    #[serde(default)]
    pub sum_hessian: Option<Vec<f32>>,
    /// Gain of each node's split; 0 for a leaf.
    #[serde(default)]
    pub loss_changes: Option<Vec<f32>>,
    pub tree_param: TreeParameters,
}

#[derive(Debug, Deserialize)]
pub struct TreeParameters {
    pub num_nodes: String,
    #[serde(default)]
    pub size_leaf_vector: Option<String>,
}

/// A boolean. XGBoost writes it as 0 or 1; earlier versions wrote `true` or `false`.
#[derive(Debug, Clone, Copy)]
pub struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagVisitor;

        impl Visitor<'_> for FlagVisitor {
            type Value = Flag;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("0, 1, or a boolean")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Flag, E> {
                match value {
                    0 => Ok(Flag(false)),
                    1 => Ok(Flag(true)),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(value), &self)),
                }
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Flag, E> {
                match value {
                    0 => Ok(Flag(false)),
                    1 => Ok(Flag(true)),
                    _ => Err(E::invalid_value(de::Unexpected::Signed(value), &self)),
                }
            }
        }

        deserializer.deserialize_any(FlagVisitor)
    }
}

/// Reads a model file, JSON or UBJ, which differ in their first bytes.
pub fn read(bytes: &[u8]) -> Result<ModelFile, ModelError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(ModelError::TooLarge {
            unit: "bytes",
            found: bytes.len(),
            limit: MAX_FILE_BYTES,
        });
    }
    let start = bytes.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(bytes.len());
    match &bytes[start..] {
        // A UBJ object continues with the type of its first key's length.
        [b'{', b'i' | b'U' | b'I' | b'l' | b'L', ..] => ubj::read(&bytes[start..]),
        [b'{', b'"' | b'}' | b' ' | b'\n' | b'\r' | b'\t', ..] => {
            serde_json::from_slice(bytes).map_err(|e| ModelError::Json(e.to_string()))
        }
        _ => Err(ModelError::Format),
    }
}
