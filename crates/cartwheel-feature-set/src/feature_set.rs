//! A feature set on disk.
//!
//! `features/<version>/` holds `manifest.json`, `users.bin`, `catalogue.bin` and
//! `catalogue_cut.bin`, `gate.bin`, `scaler.json`, `features.json`, `schema.json`,
//! and `train`/`valid` rows with their keys as Parquet. It is written under a
//! temporary name and renamed when it is whole.

use std::io;
use std::path::{Path, PathBuf};

use cartwheel_features::{Catalogue, Example, Scaler};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::user_file::UserFile;

/// What a feature set says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its name.
    pub version: String,
    /// Hash of the names of the columns, in order.
    pub schema_hash: String,
    /// Newest checkout folded in, UTC milliseconds, 0 without any.
    pub watermark_ms: i64,
    /// Users with a record.
    pub users: u64,
    /// Orders folded.
    pub orders: u64,
    /// Lines folded.
    pub lines: u64,
    /// Products of the catalogue.
    pub products: u64,
    /// Rows to train on.
    pub train_rows: u64,
    /// Rows for early stopping.
    pub valid_rows: u64,
    /// Held-out baskets for evaluation.
    pub gate_examples: u64,
    /// Seed of carts and samples.
    pub seed: u64,
    /// Erasures that the lake had seen the end of before this set was begun, counted from
    /// its beginning.
    #[serde(default)]
    pub erasures: u64,
}

/// Why a feature set cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetError {
    /// A file cannot be read or is damaged.
    #[error("feature set: {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// An opened feature set.
#[derive(Debug, Clone)]
pub struct FeatureSet {
    dir: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
}

impl FeatureSet {
    /// Opens the set in `dir`.
    ///
    /// # Errors
    /// When there is no whole set.
    pub fn open(dir: &Path) -> Result<Self, SetError> {
        let manifest = json(&dir.join("manifest.json"))?;
        Ok(Self { dir: dir.to_owned(), manifest })
    }

    /// Every whole set below `features` with when it was written, UTC milliseconds; in
    /// no order.
    pub fn list(features: &Path) -> Vec<(Self, i64)> {
        let entries = std::fs::read_dir(features).into_iter().flatten().flatten();
        let sets = entries.filter_map(|entry| {
            let written = entry.path().join("manifest.json").metadata().and_then(|m| m.modified());
            let written = written.ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
            let written_ms = i64::try_from(written.as_millis()).unwrap_or(i64::MAX);
            Some((Self::open(&entry.path()).ok()?, written_ms))
        });
        sets.collect()
    }

    /// The newest whole set below `features`.
    pub fn latest(features: &Path) -> Option<Self> {
        let sets = Self::list(features).into_iter();
        sets.max_by(|a, b| (a.1, &a.0.dir).cmp(&(b.1, &b.0.dir))).map(|(set, _)| set)
    }

    /// Takes the set away, its name first: nobody finds half of it.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        let name = self.dir.file_name().unwrap_or_default().to_string_lossy();
        let gone = self.dir.with_file_name(format!(".removed-{name}"));
        std::fs::rename(&self.dir, &gone)?;
        std::fs::remove_dir_all(&gone)
    }

    /// Path of one of its files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The user records.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn users(&self) -> Result<UserFile, SetError> {
        let path = self.path("users.bin");
        UserFile::open(&path).map_err(|source| SetError::File { path, source })
    }

    /// The catalogue over everything: for serving.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn catalogue(&self) -> Result<Catalogue, SetError> {
        catalogue(&self.path("catalogue.bin"))
    }

    /// The catalogue without label orders: for training and evaluation.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn cut_catalogue(&self) -> Result<Catalogue, SetError> {
        catalogue(&self.path("catalogue_cut.bin"))
    }

    /// Newest orders of the gate users, each with the state before it.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn gate(&self) -> Result<Vec<Example>, SetError> {
        packed(&self.path("gate.bin"))
    }

    /// The scaler that was fitted on the training rows.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn scaler(&self) -> Result<Scaler, SetError> {
        json(&self.path("scaler.json"))
    }
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, SetError> {
    let read = std::fs::read(path)
        .and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::other));
    read.map_err(|source| SetError::File { path: path.to_owned(), source })
}

fn catalogue(path: &Path) -> Result<Catalogue, SetError> {
    let read: Catalogue = packed(path)?;
    if read.is_sound() {
        return Ok(read.indexed());
    }
    let source = io::Error::other("it names products that it does not have");
    Err(SetError::File { path: path.to_owned(), source })
}

fn packed<T: DeserializeOwned>(path: &Path) -> Result<T, SetError> {
    let read = std::fs::read(path)
        .and_then(|bytes| postcard::from_bytes(&bytes).map_err(io::Error::other));
    read.map_err(|source| SetError::File { path: path.to_owned(), source })
}

pub fn write_packed<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    write_synced(path, &postcard::to_allocvec(value).map_err(io::Error::other)?)
}

pub fn write_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    write_synced(path, &serde_json::to_vec_pretty(value).map_err(io::Error::other)?)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    std::fs::write(path, bytes)?;
    std::fs::File::open(path)?.sync_all()
}
