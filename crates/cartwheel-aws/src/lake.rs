//! The lake on S3: what a release is made of, and which one serves.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use cartwheel_registry::{Evaluation, Release};
use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as Key;
use object_store::prefix::PrefixStore;
use object_store::{
    ClientOptions, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    RetryConfig, UpdateVersion,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

const CURRENT: &str = "releases/current.json";
const PREVIOUS: &str = "releases/previous.json";
/// Times that a release is published anew because another was faster.
const RACES: usize = 5;

/// Why the lake did not do as it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// S3 failed, or an object is missing.
    #[error("lake: {0}")]
    Store(#[from] object_store::Error),
    /// An object is not what it should be.
    #[error("lake: {0}: {1}")]
    Object(String, String),
    /// A local file failed.
    #[error("lake: {0}")]
    Io(#[from] std::io::Error),
    /// Others published all the time.
    #[error("lake: the release changed {RACES} times while it was published")]
    Raced,
    /// No release to go back to.
    #[error("lake: no release served before this one")]
    NoPrevious,
}

/// A release with the version of the object that names it.
#[derive(Debug, Clone)]
pub struct Named {
    /// The release.
    pub release: Release,
    version: UpdateVersion,
}

/// The lake in a bucket.
#[derive(Debug, Clone)]
pub struct Lake(Arc<dyn ObjectStore>);

impl Lake {
    /// Opens `s3://bucket` or `s3://bucket/prefix`, with the environment's credentials.
    ///
    /// # Errors
    /// When the address is not of that shape.
    pub fn open(uri: &str) -> Result<Self, LakeError> {
        let shape = || LakeError::Object(uri.to_owned(), "expected s3://bucket".to_owned());
        let path = uri.strip_prefix("s3://").ok_or_else(shape)?;
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return Err(shape());
        }
        let options = ClientOptions::new()
            .with_connect_timeout(std::time::Duration::from_secs(2))
            .with_timeout(std::time::Duration::from_secs(60));
        let retry = RetryConfig { max_retries: 5, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_client_options(options)
            .with_retry(retry);
        let named = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
        if let Some(endpoint) = named.iter().find_map(|name| std::env::var(name).ok()) {
            builder =
                builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
        }
        let store = builder.build()?;
        Ok(match prefix {
            "" => Self(Arc::new(store)),
            prefix => Self(Arc::new(PrefixStore::new(store, prefix))),
        })
    }

    /// A lake in any object store.
    pub fn on(store: Arc<dyn ObjectStore>) -> Self {
        Self(store)
    }

    /// The bytes of an object.
    ///
    /// # Errors
    /// When it is missing or S3 fails.
    pub async fn bytes(&self, key: &str) -> Result<Bytes, LakeError> {
        Ok(self.0.get(&Key::from(key)).await?.bytes().await?)
    }

    /// An object that holds JSON.
    ///
    /// # Errors
    /// When it is missing, S3 fails or it holds something else.
    pub async fn json<T: DeserializeOwned>(&self, key: &str) -> Result<T, LakeError> {
        let bytes = self.bytes(key).await?;
        serde_json::from_slice(&bytes).map_err(|e| LakeError::Object(key.to_owned(), e.to_string()))
    }

    /// Writes an object.
    ///
    /// # Errors
    /// When S3 fails.
    pub async fn put(&self, key: &str, bytes: impl Into<Bytes>) -> Result<(), LakeError> {
        self.0.put(&Key::from(key), PutPayload::from_bytes(bytes.into())).await?;
        Ok(())
    }

    /// Whether there is an object of that name.
    ///
    /// # Errors
    /// When S3 fails.
    pub async fn has(&self, key: &str) -> Result<bool, LakeError> {
        match self.0.head(&Key::from(key)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Names of the objects below `prefix`, in order.
    ///
    /// # Errors
    /// When S3 fails.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, LakeError> {
        let objects = self.0.list(Some(&Key::from(prefix)));
        let mut names: Vec<String> =
            objects.map_ok(|object| object.location.to_string()).try_collect().await?;
        names.sort_unstable();
        Ok(names)
    }

    /// Copies objects below `prefix` to the same places below `dir`.
    ///
    /// # Errors
    /// When one is missing, or cannot be written.
    pub async fn fetch(&self, prefix: &str, names: &[&str], dir: &Path) -> Result<(), LakeError> {
        let place = dir.join(prefix);
        std::fs::create_dir_all(&place)?;
        let fetch = |name: &str| {
            let (key, path) = (format!("{prefix}/{name}"), place.join(name));
            async move { Ok::<_, LakeError>(std::fs::write(path, self.bytes(&key).await?)?) }
        };
        futures::future::try_join_all(names.iter().map(|name| fetch(name))).await?;
        Ok(())
    }

    /// The release that serves, if one does.
    ///
    /// # Errors
    /// When S3 fails or the object is not a release.
    pub async fn current(&self) -> Result<Option<Named>, LakeError> {
        self.named(CURRENT, None).await.map(|(named, _)| named)
    }

    /// As [`Lake::current`], unless it is still `known`: then it gives none, and says so.
    ///
    /// # Errors
    /// When S3 fails or the object is not a release.
    pub async fn changed(&self, known: Option<&Named>) -> Result<(Option<Named>, bool), LakeError> {
        let known = known.and_then(|named| named.version.e_tag.clone());
        self.named(CURRENT, known).await
    }

    /// The release before the one that serves, if any.
    ///
    /// # Errors
    /// When S3 fails or the object is not a release.
    pub async fn previous(&self) -> Result<Option<Release>, LakeError> {
        Ok(self.named(PREVIOUS, None).await?.0.map(|named| named.release))
    }

    async fn named(
        &self,
        key: &str,
        unless: Option<String>,
    ) -> Result<(Option<Named>, bool), LakeError> {
        let options = GetOptions { if_none_match: unless, ..GetOptions::default() };
        let found = match self.0.get_opts(&Key::from(key), options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok((None, true)),
            Err(object_store::Error::NotModified { .. }) => return Ok((None, false)),
            Err(error) => return Err(error.into()),
        };
        let version =
            UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let release = serde_json::from_slice(&found.bytes().await?)
            .map_err(|e| LakeError::Object(key.to_owned(), e.to_string()))?;
        Ok((Some(Named { release, version }), true))
    }

    /// Names the release that serves from now on, and the one before it. A release that
    /// came in between is not overwritten unseen: it becomes the one before.
    ///
    /// # Errors
    /// When S3 fails; then the old release still stands.
    pub async fn publish(&self, release: &Release) -> Result<(), LakeError> {
        let body = |release: &Release| {
            serde_json::to_vec_pretty(release)
                .map(PutPayload::from)
                .map_err(|e| LakeError::Object(CURRENT.to_owned(), e.to_string()))
        };
        for _ in 0..RACES {
            let mode = match self.current().await? {
                Some(current) if current.release == *release => return Ok(()),
                Some(current) => {
                    self.0.put(&Key::from(PREVIOUS), body(&current.release)?).await?;
                    PutMode::Update(current.version)
                }
                None => PutMode::Create,
            };
            let (key, options) = (Key::from(CURRENT), PutOptions::from(mode));
            match self.0.put_opts(&key, body(release)?, options).await {
                Ok(_) => return Ok(()),
                Err(
                    object_store::Error::Precondition { .. }
                    | object_store::Error::AlreadyExists { .. },
                ) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(LakeError::Raced)
    }

    /// Notes what the gate decided on a model.
    ///
    /// # Errors
    /// When S3 fails.
    pub async fn note(&self, model: &str, evaluation: &Evaluation) -> Result<(), LakeError> {
        let key = format!("models/{model}/evaluation.json");
        let bytes = serde_json::to_vec_pretty(evaluation)
            .map_err(|e| LakeError::Object(key.clone(), e.to_string()))?;
        self.put(&key, bytes).await
    }

    /// Copies what a release answers from to `dir`: its catalogue and its model.
    ///
    /// # Errors
    /// When a part is missing, or cannot be written.
    pub async fn fetch_release(&self, release: &Release, dir: &Path) -> Result<(), LakeError> {
        let set = format!("features/{}", release.feature_set);
        self.fetch(&set, &["manifest.json", "catalogue.bin"], dir).await?;
        if let Some(model) = &release.model {
            self.fetch_model(model, dir).await?;
        }
        Ok(())
    }

    /// Copies a model's bundle to `dir`.
    ///
    /// # Errors
    /// When a part is missing, or cannot be written.
    pub async fn fetch_model(&self, model: &str, dir: &Path) -> Result<(), LakeError> {
        const BUNDLE: [&str; 4] = ["manifest.json", "scaler.json", "features.json", "model.tar.gz"];
        self.fetch(&format!("models/{model}"), &BUNDLE, dir).await
    }

    /// A value of JSON as an object.
    ///
    /// # Errors
    /// When S3 fails.
    pub async fn put_json(&self, key: &str, value: &Value) -> Result<(), LakeError> {
        self.put(key, value.to_string()).await
    }
}
