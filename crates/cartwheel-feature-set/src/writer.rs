//! Writing a feature set.

use std::io;
use std::path::{Path, PathBuf};

use cartwheel_features::{Catalogue, Example, Histories, Scaler};
use serde::Serialize;
use tempfile::TempDir;

use crate::catalogue_file::encode_catalogue;
use crate::feature_set::{FeatureSet, Manifest};
use crate::files;
use crate::user_file::UserFileWriter;

/// Writes the values of a feature set to the files that hold them. The destination decides
/// how a file is stored: in a [`NewFeatureSet`], or in a stream to another process. User
/// records are not among these files, because each destination stores them in its own way.
pub trait FeatureSetWriter {
    /// Stores a file under a name that [`files`] defines. Once this returns, the content
    /// is as durable as the destination makes it.
    ///
    /// # Errors
    /// When the file cannot be stored.
    fn put(&mut self, name: &str, content: &[u8]) -> io::Result<()>;

    /// Writes the catalogue over all orders.
    ///
    /// # Errors
    /// When the file cannot be stored.
    fn catalogue(&mut self, whole: &Catalogue) -> io::Result<()> {
        self.put(files::CATALOGUE, &encode_catalogue(whole).map_err(io::Error::other)?)
    }

    /// Writes the catalogue over the users of all groups but one.
    ///
    /// # Errors
    /// When the file cannot be stored.
    fn catalogue_of_others(&mut self, group: usize, others: &Catalogue) -> io::Result<()> {
        let name = files::CATALOGUES_OF_OTHERS[group];
        self.put(name, &encode_catalogue(others).map_err(io::Error::other)?)
    }

    /// Writes the held-out examples.
    ///
    /// # Errors
    /// When the file cannot be stored.
    fn gate(&mut self, examples: &[Example]) -> io::Result<()> {
        self.put(files::GATE, &packed(examples)?)
    }

    /// Writes the examples after the time at which the set ends.
    ///
    /// # Errors
    /// When the file cannot be stored.
    fn later(&mut self, examples: &[Example]) -> io::Result<()> {
        self.put(files::LATER, &packed(examples)?)
    }

    /// Writes the histories for the baselines of evaluation.
    ///
    /// # Errors
    /// When the file cannot be stored.
    fn histories(&mut self, histories: &Histories) -> io::Result<()> {
        self.put(files::HISTORIES, &packed(histories)?)
    }

    /// Writes the examples of cross-validation.
    ///
    /// # Errors
    /// When the file cannot be stored.
    fn cross_validation(&mut self, examples: &[Example]) -> io::Result<()> {
        self.put(files::CROSS, &packed(examples)?)
    }

    /// Writes the rows of one fold of cross-validation, encoded as Parquet.
    ///
    /// # Errors
    /// When a file cannot be stored.
    fn fold(&mut self, fold: u32, train: &[u8], valid: &[u8]) -> io::Result<()> {
        self.put(&files::fold_train(fold), train)?;
        self.put(&files::fold_valid(fold), valid)
    }

    /// Writes the training rows and their keys, both encoded as Parquet.
    ///
    /// # Errors
    /// When a file cannot be stored.
    fn train(&mut self, rows: &[u8], keys: &[u8]) -> io::Result<()> {
        self.put(files::TRAIN, rows)?;
        self.put(files::TRAIN_KEYS, keys)
    }

    /// Writes the rows for early stopping and their keys, both encoded as Parquet.
    ///
    /// # Errors
    /// When a file cannot be stored.
    fn valid(&mut self, rows: &[u8], keys: &[u8]) -> io::Result<()> {
        self.put(files::VALID, rows)?;
        self.put(files::VALID_KEYS, keys)
    }

    /// Writes the rows on which hyperparameters are searched, encoded as Parquet.
    ///
    /// # Errors
    /// When a file cannot be stored.
    fn search(&mut self, train: &[u8], valid: &[u8]) -> io::Result<()> {
        self.put(files::SEARCH_TRAIN, train)?;
        self.put(files::SEARCH_VALID, valid)
    }

    /// Writes the scaler.
    ///
    /// # Errors
    /// When the file cannot be stored.
    fn scaler(&mut self, scaler: &Scaler) -> io::Result<()> {
        self.put(files::SCALER, &checked(scaler)?)
    }

    /// Writes the names of the feature columns, in order, and the schema of the rows.
    ///
    /// # Errors
    /// When a file cannot be stored.
    fn columns(&mut self, features: &[&str], schema_hash: &str) -> io::Result<()> {
        let schema =
            serde_json::json!({"hash": schema_hash, "label": "label", "features": features});
        self.put(files::FEATURES, &json(features)?)?;
        self.put(files::SCHEMA, &json(&schema)?)
    }

    /// Writes the manifest. It has to be the last file: it marks the set as complete.
    ///
    /// # Errors
    /// When the file cannot be stored.
    fn manifest(&mut self, manifest: &Manifest) -> io::Result<()> {
        self.put(files::MANIFEST, &checked(manifest)?)
    }
}

fn packed<T: Serialize + ?Sized>(value: &T) -> io::Result<Vec<u8>> {
    postcard::to_allocvec(value).map_err(io::Error::other)
}

fn json<T: Serialize + ?Sized>(value: &T) -> io::Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(io::Error::other)
}

/// As [`json`], with a checksum.
fn checked<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    Ok(cartwheel_files::with_checksum(&json(value)?))
}

/// A feature set being written, in a hidden directory beside the finished sets. Dropping it
/// removes the directory.
#[derive(Debug)]
pub struct NewFeatureSet {
    features: PathBuf,
    scratch: TempDir,
}

impl NewFeatureSet {
    /// Creates the hidden directory below `features`.
    ///
    /// # Errors
    /// When the directory cannot be created.
    pub fn create(features: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(features)?;
        let scratch =
            tempfile::Builder::new().prefix(files::BUILDING_PREFIX).tempdir_in(features)?;
        Ok(Self { features: features.to_owned(), scratch })
    }

    /// Returns the hidden directory, which may hold temporary files until
    /// [`NewFeatureSet::publish`].
    pub fn dir(&self) -> &Path {
        self.scratch.path()
    }

    /// Creates the file of the user records.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn users(&self) -> io::Result<UserFileWriter> {
        UserFileWriter::create(&self.dir().join(files::USERS))
    }

    /// Gives the complete set its name. Once this returns, the set is on disk.
    ///
    /// # Errors
    /// When the directory cannot be synced or renamed, or holds no manifest.
    pub fn publish(self, version: &str) -> io::Result<FeatureSet> {
        let dir = self.features.join(version);
        cartwheel_files::sync_dir(self.dir())?;
        std::fs::rename(self.dir(), &dir)?;
        // The directory has its final name: there is nothing left to remove.
        let _ = self.scratch.keep();
        cartwheel_files::sync_dir(&self.features)?;
        FeatureSet::open(&dir).map_err(io::Error::other)
    }
}

impl FeatureSetWriter for NewFeatureSet {
    fn put(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        cartwheel_files::write_synced(&self.dir().join(name), content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(version: &str) -> Manifest {
        Manifest {
            version: version.to_owned(),
            schema_hash: "s".to_owned(),
            watermark_ms: 0,
            users: 0,
            orders: 0,
            lines: 0,
            products: 0,
            train_rows: 0,
            valid_rows: 0,
            gate_examples: 0,
            gate_users: Some(0),
            cross_folds: Vec::new(),
            judged_users: 0,
            search_questions: 0,
            label: Default::default(),
            without: Default::default(),
            unlearned: Default::default(),
            parameters: Default::default(),
            source_search: None,
            negatives: 1,
            seed: 1,
            erasures: 0,
        }
    }

    #[test]
    fn a_flipped_bit_in_the_manifest_is_refused_or_changes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let mut new = NewFeatureSet::create(root.path()).unwrap();
        new.manifest(&manifest("fs-1")).unwrap();
        let set = new.publish("fs-1").unwrap();
        let path = set.path(files::MANIFEST);
        let whole = std::fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, flipped).unwrap();
            match FeatureSet::open(&root.path().join("fs-1")) {
                Ok(read) => assert_eq!(read.manifest, set.manifest, "bit {bit}"),
                Err(error) => assert!(error.to_string().contains("manifest.json"), "{error}"),
            }
        }
    }

    #[test]
    fn a_set_has_no_name_until_it_is_published() {
        let dir = tempfile::tempdir().unwrap();
        let features = dir.path().join("features");
        let mut set = NewFeatureSet::create(&features).unwrap();
        set.gate(&[]).unwrap();
        set.columns(&["one", "two"], "s").unwrap();
        set.manifest(&manifest("fs-1")).unwrap();
        assert!(!features.join("fs-1").exists());
        assert!(FeatureSet::list(&features).is_empty());
        let set = set.publish("fs-1").unwrap();
        assert_eq!(set.manifest, manifest("fs-1"));
        assert!(set.gate().unwrap().is_empty());
        assert_eq!(std::fs::read_dir(&features).unwrap().count(), 1);
        assert_eq!(FeatureSet::latest(&features).unwrap().path(""), features.join("fs-1/"));
    }

    #[test]
    fn a_set_that_is_not_published_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let mut set = NewFeatureSet::create(dir.path()).unwrap();
        set.manifest(&manifest("fs-1")).unwrap();
        drop(set);
        std::fs::create_dir(dir.path().join("fs-1")).unwrap();
        std::fs::write(dir.path().join("fs-1/other"), b"").unwrap();
        // The name is taken by a directory that is not empty.
        assert!(NewFeatureSet::create(dir.path()).unwrap().publish("fs-1").is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
