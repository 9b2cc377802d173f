//! Bundles on disk.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use cartwheel_features::Scaler;
use cartwheel_forest::Forest;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Largest model file that is read, in bytes.
const MAX_MODEL: u64 = 512 << 20;
/// Most bytes of an archive after decompression: the model and what surrounds it.
const MAX_ARCHIVE: u64 = MAX_MODEL + (1 << 20);

/// Why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A file is missing or cannot be read or written.
    #[error("model bundle: {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The model is not one that can be evaluated.
    #[error("model bundle {version}: {reason}")]
    Model {
        /// Which bundle.
        version: String,
        /// What is wrong.
        reason: String,
    },
}

/// What a bundle is made of.
#[derive(Debug)]
pub struct BundleParts<'a> {
    /// The model as XGBoost wrote it, JSON or UBJ.
    pub model: &'a [u8],
    /// The scaler of its rows.
    pub scaler: &'a Scaler,
    /// Names of its columns.
    pub features: &'a [&'a str],
    /// Metrics of training.
    pub metrics: serde_json::Value,
    /// Parameters of training.
    pub parameters: serde_json::Value,
    /// The feature set it was trained on.
    pub feature_set: &'a str,
    /// Hash of the columns.
    pub schema_hash: &'a str,
}

/// Where a bundle comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BundleManifest {
    /// Its name.
    pub version: String,
    /// The feature set it was trained on.
    pub feature_set: String,
    /// Hash of the columns.
    pub schema_hash: String,
    /// Parameters of training.
    pub parameters: serde_json::Value,
    /// SHA-256 of the model file, hexadecimal.
    pub model_sha256: String,
}

/// A bundle that has been checked whole.
#[derive(Debug)]
pub struct Bundle {
    /// Where it comes from.
    pub manifest: BundleManifest,
    /// The verified forest.
    pub forest: Forest,
    /// Its scaler.
    pub scaler: Scaler,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Writes a bundle below `models` and gives its version, which names its content.
///
/// # Errors
/// When a file cannot be written; nothing half done is named.
pub fn write(models: &Path, parts: &BundleParts<'_>) -> Result<String, BundleError> {
    let digest = hex(&Sha256::digest(parts.model));
    let name = format!("{digest}{}{}", parts.feature_set, parts.parameters);
    let version = format!("m-{}", &hex(&Sha256::digest(name.as_bytes()))[..16]);
    let dir = models.join(&version);
    let put = || -> io::Result<()> {
        if dir.join("manifest.json").exists() {
            return Ok(());
        }
        std::fs::create_dir_all(models)?;
        let scratch = models.join(format!(".writing-{version}-{}", std::process::id()));
        std::fs::create_dir_all(&scratch)?;
        let synced = |name: &str, bytes: &[u8]| {
            let mut file = std::fs::File::create(scratch.join(name))?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        let json = |value: &serde_json::Value| serde_json::to_vec_pretty(value);
        synced("model.tar.gz", &archive(parts.model)?)?;
        synced("scaler.json", &serde_json::to_vec_pretty(parts.scaler)?)?;
        synced("features.json", &serde_json::to_vec_pretty(parts.features)?)?;
        synced("metrics.json", &json(&parts.metrics)?)?;
        let manifest = BundleManifest {
            version: version.clone(),
            feature_set: parts.feature_set.to_owned(),
            schema_hash: parts.schema_hash.to_owned(),
            parameters: parts.parameters.clone(),
            model_sha256: digest.clone(),
        };
        synced("manifest.json", &serde_json::to_vec_pretty(&manifest)?)?;
        std::fs::rename(&scratch, &dir)?;
        std::fs::File::open(models)?.sync_all()
    };
    put().map_err(|source| BundleError::File { path: dir.clone(), source })?;
    Ok(version)
}

fn archive(model: &[u8]) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let mut header = tar::Header::new_gnu();
    header.set_size(model.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "xgboost-model", model)?;
    tar.into_inner()?.finish()
}

/// Reads and checks a bundle.
///
/// # Errors
/// When a file is missing, damaged, or does not fit the others.
pub fn read(models: &Path, version: &str) -> Result<Bundle, BundleError> {
    let dir = models.join(version);
    let file = |name: &str| {
        let path = dir.join(name);
        std::fs::read(&path).map_err(|source| BundleError::File { path, source })
    };
    let refuse = |reason: String| BundleError::Model { version: version.to_owned(), reason };
    let manifest: BundleManifest =
        serde_json::from_slice(&file("manifest.json")?).map_err(|e| refuse(e.to_string()))?;
    let scaler: Scaler =
        serde_json::from_slice(&file("scaler.json")?).map_err(|e| refuse(e.to_string()))?;
    let features: Vec<String> =
        serde_json::from_slice(&file("features.json")?).map_err(|e| refuse(e.to_string()))?;
    let model = extract(&file("model.tar.gz")?).map_err(|e| refuse(e.to_string()))?;
    if hex(&Sha256::digest(&model)) != manifest.model_sha256 {
        return Err(refuse("the model file is not the one that was written".to_owned()));
    }
    let forest = Forest::from_bytes(&model).map_err(|e| refuse(e.to_string()))?;
    if forest.features() != features.len() || !scaler.fits(features.len()) {
        return Err(refuse(format!(
            "the model takes {} features, features.json names {}, the scaler holds {}",
            forest.features(),
            features.len(),
            scaler.mean.len()
        )));
    }
    Ok(Bundle { manifest, forest, scaler })
}

/// The model in a `model.tar.gz`, as this project or SageMaker's container packs it.
///
/// # Errors
/// When the archive is damaged or holds no model.
pub fn extract(archive: &[u8]) -> io::Result<Vec<u8>> {
    let mut tar = tar::Archive::new(GzDecoder::new(archive).take(MAX_ARCHIVE));
    for entry in tar.entries()? {
        let entry = entry?;
        if entry.path()?.as_os_str() == "xgboost-model" {
            // A sparse file says in a few bytes that it is as long as it likes.
            if !entry.header().entry_type().is_file() {
                return Err(io::Error::other("xgboost-model is not a plain file"));
            }
            let mut model = Vec::new();
            if entry.take(MAX_MODEL + 1).read_to_end(&mut model)? as u64 > MAX_MODEL {
                return Err(io::Error::other("xgboost-model is larger than 512 MiB"));
            }
            return Ok(model);
        }
    }
    Err(io::Error::other("model.tar.gz holds no xgboost-model"))
}
