//! Model bundles: packed, stored in a directory, read back and verified.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use cartwheel_features::Scaler;
use cartwheel_files::{sync_dir, with_checksum, without_checksum, write_synced};
use cartwheel_forest::Forest;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::layout::{ARCHIVE, COLUMNS, MANIFEST, METRICS, MODEL, SCALER};

/// Largest model file that is read, in bytes.
const MAX_MODEL: u64 = 512 << 20;
/// Most bytes of an archive after decompression: the model and what surrounds it.
const MAX_ARCHIVE: u64 = MAX_MODEL + (1 << 20);

/// Why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A file is missing, or cannot be read or written.
    #[error("model bundle: {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system reports.
        source: io::Error,
    },
    /// The model cannot be evaluated.
    #[error("model bundle {version}: {reason}")]
    Model {
        /// The bundle.
        version: String,
        /// What is wrong.
        reason: String,
    },
}

/// The parts of a new bundle.
#[derive(Debug)]
pub struct BundleParts<'a> {
    /// The model as XGBoost writes it, JSON or UBJ.
    pub model: &'a [u8],
    /// The scaler of its rows.
    pub scaler: &'a Scaler,
    /// Names of its columns.
    pub features: &'a [&'a str],
    /// Metrics of training, one entry for each round.
    pub metrics: serde_json::Value,
    /// Parameters of training.
    pub parameters: serde_json::Value,
    /// Version of the feature set that it was trained on.
    pub feature_set: &'a str,
    /// Hash of the columns.
    pub schema_hash: &'a str,
}

/// The origin of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BundleManifest {
    /// The version of the model.
    pub version: String,
    /// Version of the feature set that it was trained on.
    pub feature_set: String,
    /// Hash of the columns.
    pub schema_hash: String,
    /// Parameters of training.
    pub parameters: serde_json::Value,
    /// SHA-256 of the model file, hexadecimal.
    pub model_sha256: String,
}

/// The files of a bundle that is not stored yet.
#[derive(Debug, Clone)]
pub struct PackedBundle {
    /// Its version, which follows from model, feature set and parameters.
    pub version: String,
    /// Names and contents, in the order to store them in: the manifest is the last.
    pub files: Vec<(&'static str, Vec<u8>)>,
}

/// A verified bundle.
#[derive(Debug)]
pub struct Bundle {
    /// Its origin.
    pub manifest: BundleManifest,
    /// The verified forest.
    pub forest: Forest,
    /// Its scaler.
    pub scaler: Scaler,
}

/// Packs the files of a bundle.
///
/// # Errors
/// When a part cannot be written as JSON.
pub fn pack(parts: &BundleParts<'_>) -> Result<PackedBundle, BundleError> {
    let digest = hex::encode(Sha256::digest(parts.model));
    let content = format!("{digest}{}{}", parts.feature_set, parts.parameters);
    let version = format!("m-{}", hex::encode(&Sha256::digest(content.as_bytes())[..8]));
    let manifest = BundleManifest {
        version: version.clone(),
        feature_set: parts.feature_set.to_owned(),
        schema_hash: parts.schema_hash.to_owned(),
        parameters: parts.parameters.clone(),
        model_sha256: digest,
    };
    let pack = || -> io::Result<Vec<(&'static str, Vec<u8>)>> {
        Ok(vec![
            (ARCHIVE, archive(parts.model)?),
            (SCALER, with_checksum(&serde_json::to_vec_pretty(parts.scaler)?)),
            (COLUMNS, serde_json::to_vec_pretty(parts.features)?),
            (METRICS, serde_json::to_vec_pretty(&parts.metrics)?),
            (MANIFEST, with_checksum(&serde_json::to_vec_pretty(&manifest)?)),
        ])
    };
    match pack() {
        Ok(files) => Ok(PackedBundle { version, files }),
        Err(error) => Err(BundleError::Model { version, reason: error.to_string() }),
    }
}

/// Stores a packed bundle below `models` durably: all of its files or none of them. A
/// bundle of that version stays as it is.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn store(models: &Path, bundle: &PackedBundle) -> Result<(), BundleError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let directory = models.join(&bundle.version);
    let put = || -> io::Result<()> {
        if directory.join(MANIFEST).exists() {
            return Ok(());
        }
        fs::create_dir_all(models)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let scratch =
            models.join(format!(".writing-{}-{}-{number}", bundle.version, std::process::id()));
        fs::create_dir_all(&scratch)?;
        for (name, content) in &bundle.files {
            write_synced(&scratch.join(name), content)?;
        }
        sync_dir(&scratch)?;
        match fs::rename(&scratch, &directory) {
            // Another writer was faster, with the same content.
            Err(_) if directory.join(MANIFEST).exists() => fs::remove_dir_all(&scratch)?,
            renamed => renamed?,
        }
        sync_dir(models)
    };
    put().map_err(|source| BundleError::File { path: directory.clone(), source })
}

/// Writes a bundle below `models` and returns its version.
///
/// # Errors
/// When a file cannot be written; the bundle is then not visible.
pub fn write(models: &Path, parts: &BundleParts<'_>) -> Result<String, BundleError> {
    let bundle = pack(parts)?;
    store(models, &bundle)?;
    Ok(bundle.version)
}

/// Packs a model file as SageMaker's container does. [`extract`] reads it back.
///
/// # Errors
/// When the archive cannot be written.
pub fn archive(model: &[u8]) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let mut header = tar::Header::new_gnu();
    header.set_size(model.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, MODEL, model)?;
    tar.into_inner()?.finish()
}

/// Reads and verifies a bundle.
///
/// # Errors
/// When a file is missing or damaged, or does not fit the others.
pub fn read(models: &Path, version: &str) -> Result<Bundle, BundleError> {
    let directory = models.join(version);
    let refuse = |reason: String| BundleError::Model { version: version.to_owned(), reason };
    let manifest: BundleManifest = json(&directory, version, MANIFEST)?;
    let scaler: Scaler = json(&directory, version, SCALER)?;
    let columns: Vec<String> = json(&directory, version, COLUMNS)?;
    let model =
        extract(&file(&directory.join(ARCHIVE))?).map_err(|error| refuse(error.to_string()))?;
    if hex::encode(Sha256::digest(&model)) != manifest.model_sha256 {
        return Err(refuse("the model file differs from the one that was written".to_owned()));
    }
    let forest = Forest::from_bytes(&model).map_err(|error| refuse(error.to_string()))?;
    if forest.features() != columns.len() || !scaler.fits(columns.len()) {
        return Err(refuse(format!(
            "the model takes {} features, {COLUMNS} names {}, the scaler holds {}",
            forest.features(),
            columns.len(),
            scaler.mean.len()
        )));
    }
    Ok(Bundle { manifest, forest, scaler })
}

fn file(path: &Path) -> Result<Vec<u8>, BundleError> {
    fs::read(path).map_err(|source| BundleError::File { path: path.to_owned(), source })
}

fn json<T: DeserializeOwned>(
    directory: &Path,
    version: &str,
    name: &str,
) -> Result<T, BundleError> {
    let content = without_checksum(file(&directory.join(name))?);
    let read = content.and_then(|content| Ok(serde_json::from_slice(&content)?));
    read.map_err(|error| BundleError::Model {
        version: version.to_owned(),
        reason: format!("{name}: {error}"),
    })
}

/// Extracts the model from a `model.tar.gz`, as this project or SageMaker's container packs
/// it.
///
/// # Errors
/// When the archive is damaged or has no model.
pub fn extract(archive: &[u8]) -> io::Result<Vec<u8>> {
    let mut tar = tar::Archive::new(GzDecoder::new(archive).take(MAX_ARCHIVE));
    for entry in tar.entries()? {
        let entry = entry?;
        if entry.path()?.as_os_str() == MODEL {
            // A sparse file claims any length in a few bytes.
            if !entry.header().entry_type().is_file() {
                return Err(io::Error::other(format!("{MODEL} is not a plain file")));
            }
            let mut model = Vec::new();
            if entry.take(MAX_MODEL + 1).read_to_end(&mut model)? as u64 > MAX_MODEL {
                return Err(io::Error::other(format!("{MODEL} is larger than 512 MiB")));
            }
            return Ok(model);
        }
    }
    Err(io::Error::other(format!("{ARCHIVE} has no {MODEL}")))
}
