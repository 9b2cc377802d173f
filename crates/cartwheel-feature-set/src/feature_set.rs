//! Reading a feature set.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use cartwheel_features::{Catalogue, Example, Histories, Parameters, Scaler, Sources, Subjects};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::catalogue_file::read_catalogue;
use crate::files;
use crate::label::Label;
use crate::source_search::SourceSearch;
use crate::user_file::UserFile;

/// Describes a feature set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of the set and of its directory.
    pub version: String,
    /// Hash of the names of the feature columns, in order.
    pub schema_hash: String,
    /// Time of the newest checkout in the set, UTC milliseconds; 0 without checkouts.
    pub watermark_ms: i64,
    /// Users with a record.
    pub users: u64,
    /// Orders folded.
    pub orders: u64,
    /// Order lines folded.
    pub lines: u64,
    /// Products of the catalogue.
    pub products: u64,
    /// Training rows.
    pub train_rows: u64,
    /// One in this many training rows of products that did not follow is kept; those that did are all
    /// kept. Training weights them by the inverse, so that probabilities stay true.
    #[serde(default = "one")]
    pub negatives: u32,
    /// Rows for early stopping.
    pub valid_rows: u64,
    /// Held-out questions for evaluation.
    pub gate_examples: u64,
    /// Held-out users with a question that has an answer. `None` in sets of early versions.
    #[serde(default)]
    pub gate_users: Option<u64>,
    /// Folds of cross-validation that a model can be trained in. Empty if the gate has enough
    /// examples, or if cross-validation has too few.
    #[serde(default)]
    pub cross_folds: Vec<u32>,
    /// Users that a model can be judged by: those with an order that follows an earlier one, or
    /// with a visit in which the label's event happened.
    #[serde(default)]
    pub judged_users: u64,
    /// Validation questions by which hyperparameters can be chosen; 0 if the set has no sample for
    /// a search.
    #[serde(default)]
    pub search_questions: u64,
    /// What the rows ask for.
    #[serde(default)]
    pub label: Label,
    /// Sources of candidates that are switched off, with their columns.
    #[serde(default)]
    pub without: Sources,
    /// Subjects whose columns are empty in the training rows.
    #[serde(default, skip_serializing_if = "Subjects::is_empty")]
    pub unlearned: Subjects,
    /// The parameters of the sources; the standard ones in sets of early versions.
    #[serde(default)]
    pub parameters: Parameters,
    /// How they were chosen. `None` in sets of early versions.
    #[serde(default)]
    pub source_search: Option<SourceSearch>,
    /// Seed of the carts and samples.
    pub seed: u64,
    /// Erasures that the lake had completed, since its beginning, when the job read it.
    #[serde(default)]
    pub erasures: u64,
}

fn one() -> u32 {
    1
}

impl Manifest {
    /// Hyperparameters that training needs for these rows.
    pub fn hyperparameters(&self) -> BTreeMap<String, String> {
        let weight = 1.0 / f64::from(self.negatives.max(1));
        [("scale_pos_weight".to_owned(), weight.to_string())].into()
    }
}

/// Why a feature set cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetError {
    /// A file is missing, unreadable or damaged.
    #[error("feature set: {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// A finished feature set in a local directory.
#[derive(Debug, Clone)]
pub struct FeatureSet {
    dir: PathBuf,
    /// The set's description of itself.
    pub manifest: Manifest,
    /// When the set was written, UTC milliseconds.
    pub written_ms: i64,
}

impl Manifest {
    /// Users whom the gate holds out and who can judge a model.
    pub fn gate_users(&self) -> u64 {
        // Early versions kept one question a user.
        self.gate_users.unwrap_or(self.gate_examples)
    }
}

/// The directories of finished sets below `features`.
fn finished(features: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(features).into_iter().flatten().flatten();
    // Sets that are being written or removed have hidden names.
    let finished = entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    finished.map(|entry| entry.path())
}

impl FeatureSet {
    /// Opens the set in `dir`.
    ///
    /// # Errors
    /// When `dir` holds no finished set.
    pub fn open(dir: &Path) -> Result<Self, SetError> {
        let path = dir.join(files::MANIFEST);
        let manifest = json(&path)?;
        let modified = path.metadata().and_then(|metadata| metadata.modified());
        let modified = modified.map_err(|source| SetError::File { path, source })?;
        let written = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let written_ms = i64::try_from(written.as_millis()).unwrap_or(i64::MAX);
        Ok(Self { dir: dir.to_owned(), manifest, written_ms })
    }

    /// Opens every finished set below `features`, in no particular order, without those that are
    /// [unreadable](Self::unreadable).
    pub fn list(features: &Path) -> Vec<Self> {
        finished(features).filter_map(|dir| Self::open(&dir).ok()).collect()
    }

    /// The directories of finished sets below `features` whose manifest cannot be read.
    pub fn unreadable(features: &Path) -> Vec<PathBuf> {
        let with_manifest = finished(features).filter(|dir| dir.join(files::MANIFEST).exists());
        with_manifest.filter(|dir| Self::open(dir).is_err()).collect()
    }

    /// Opens the newest finished set below `features`.
    pub fn latest(features: &Path) -> Option<Self> {
        let sets = Self::list(features).into_iter();
        sets.max_by(|a, b| (a.written_ms, &a.dir).cmp(&(b.written_ms, &b.dir)))
    }

    /// Removes the set from disk.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        Self::remove_from(&self.dir)
    }

    /// Removes the set in `dir` from disk. It is renamed first, so that no reader finds a part of it.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn remove_from(dir: &Path) -> io::Result<()> {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let removed = dir.with_file_name(format!("{}{name}", files::REMOVED_PREFIX));
        std::fs::rename(dir, &removed)?;
        std::fs::remove_dir_all(&removed)?;
        // An erasure is recorded as finished after this.
        removed.parent().map_or(Ok(()), cartwheel_files::sync_dir)
    }

    /// Returns the path of one of the set's [`files`].
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Opens the user records.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn users(&self) -> Result<UserFile, SetError> {
        let path = self.path(files::USERS);
        UserFile::open(&path).map_err(|source| SetError::File { path, source })
    }

    /// Reads the catalogue over all orders, for serving.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn catalogue(&self) -> Result<Catalogue, SetError> {
        catalogue(&self.path(files::CATALOGUE))
    }

    /// Reads the catalogue over the users of all groups but one, for rows of that group. See
    /// [`cartwheel_features::group_of`].
    ///
    /// # Errors
    /// When the file is missing or damaged.
    ///
    /// # Panics
    /// If there is no such group.
    pub fn catalogue_of_others(&self, group: usize) -> Result<Catalogue, SetError> {
        catalogue(&self.path(files::CATALOGUES_OF_OTHERS[group]))
    }

    /// Reads the newest orders of the gate users, each with the state before it.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn gate(&self) -> Result<Vec<Example>, SetError> {
        packed(&self.path(files::GATE))
    }

    /// Reads the first order of each user after the time at which the set ends, each with the
    /// state before it.
    ///
    /// # Errors
    /// When the set does not end before the data, or the file is damaged.
    pub fn later(&self) -> Result<Vec<Example>, SetError> {
        packed(&self.path(files::LATER))
    }

    /// Reads the histories for the baselines of evaluation. A set of an earlier version has
    /// none.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn histories(&self) -> Result<Histories, SetError> {
        let path = self.path(files::HISTORIES);
        if path.exists() { packed(&path) } else { Ok(Histories::default()) }
    }

    /// Reads the newest orders that cross-validation judges by, each with the state before
    /// it. Empty for a set with enough gate examples.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn cross_validation(&self) -> Result<Vec<Example>, SetError> {
        if self.manifest.cross_folds.is_empty() {
            return Ok(Vec::new());
        }
        packed(&self.path(files::CROSS))
    }

    /// Reads the scaler that was fitted on the training rows.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn scaler(&self) -> Result<Scaler, SetError> {
        json(&self.path(files::SCALER))
    }
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, SetError> {
    let read = cartwheel_files::read_checked(path)
        .and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::other));
    read.map_err(|source| SetError::File { path: path.to_owned(), source })
}

fn catalogue(path: &Path) -> Result<Catalogue, SetError> {
    read_catalogue(path).map_err(|source| SetError::File { path: path.to_owned(), source })
}

fn packed<T: DeserializeOwned>(path: &Path) -> Result<T, SetError> {
    let read = std::fs::read(path)
        .and_then(|bytes| postcard::from_bytes(&bytes).map_err(io::Error::other));
    read.map_err(|source| SetError::File { path: path.to_owned(), source })
}
