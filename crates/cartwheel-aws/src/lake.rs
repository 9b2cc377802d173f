//! The objects of a lake on S3.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as Key;
use object_store::prefix::PrefixStore;
use object_store::{
    ClientOptions, Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload, RetryConfig, UpdateVersion,
};

/// Why the lake does not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// S3 failed, or an object is missing.
    #[error("lake: {0}")]
    Store(#[from] Error),
    /// The text is not the address of a lake.
    #[error("lake: {0:?} is not an address of the form s3://bucket or s3://bucket/prefix")]
    Address(String),
    /// An object or its copy cannot be used.
    #[error("lake: {name}: {error}")]
    File {
        /// The object.
        name: String,
        /// The reason.
        error: std::io::Error,
    },
}

impl LakeError {
    /// An object that cannot be used, or its copy in a temporary file.
    pub(crate) fn file(name: impl Into<String>, error: std::io::Error) -> Self {
        Self::File { name: name.into(), error }
    }
}

/// An object with the version that conditional requests name.
#[derive(Debug, Clone)]
pub(crate) struct Versioned {
    pub(crate) content: Bytes,
    /// The ETag.
    pub(crate) version: String,
}

/// The answer to a conditional read.
#[derive(Debug, Clone)]
pub(crate) enum Read {
    Missing,
    /// The object still has the version that the caller knows.
    Unchanged,
    Found(Versioned),
}

/// The lake in a bucket.
#[derive(Debug, Clone)]
pub struct Lake(pub(crate) Arc<dyn ObjectStore>);

impl Lake {
    /// Opens `s3://bucket` or `s3://bucket/prefix`, with the environment's credentials.
    ///
    /// # Errors
    /// When the address has another form.
    pub fn open(uri: &str) -> Result<Self, LakeError> {
        let address = || LakeError::Address(uri.to_owned());
        let path = uri.strip_prefix("s3://").ok_or_else(address)?;
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return Err(address());
        }
        let options = ClientOptions::new()
            .with_connect_timeout(Duration::from_secs(2))
            .with_timeout(Duration::from_secs(60));
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

    /// A lake in any object store that has conditional requests.
    pub fn on(store: Arc<dyn ObjectStore>) -> Self {
        Self(store)
    }

    /// Reads an object.
    ///
    /// # Errors
    /// When it is missing or S3 fails.
    pub async fn bytes(&self, key: &str) -> Result<Bytes, LakeError> {
        Ok(self.0.get(&Key::from(key)).await?.bytes().await?)
    }

    /// Reads an object, if it exists.
    ///
    /// # Errors
    /// When S3 fails.
    pub async fn find(&self, key: &str) -> Result<Option<Bytes>, LakeError> {
        match self.bytes(key).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(LakeError::Store(Error::NotFound { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether an object exists.
    ///
    /// # Errors
    /// When S3 fails.
    pub async fn has(&self, key: &str) -> Result<bool, LakeError> {
        match self.0.head(&Key::from(key)).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads an object unless it has the version `known`.
    ///
    /// # Errors
    /// When S3 fails.
    pub(crate) async fn read(&self, key: &str, known: Option<&str>) -> Result<Read, LakeError> {
        let options =
            GetOptions { if_none_match: known.map(str::to_owned), ..GetOptions::default() };
        let found = match self.0.get_opts(&Key::from(key), options).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(Read::Missing),
            Err(Error::NotModified { .. }) => return Ok(Read::Unchanged),
            Err(error) => return Err(error.into()),
        };
        let version = found.meta.e_tag.clone().unwrap_or_default();
        Ok(Read::Found(Versioned { content: found.bytes().await?, version }))
    }

    /// Writes an object.
    ///
    /// # Errors
    /// When S3 fails.
    pub async fn put(&self, key: &str, bytes: impl Into<Bytes>) -> Result<(), LakeError> {
        self.0.put(&Key::from(key), PutPayload::from_bytes(bytes.into())).await?;
        Ok(())
    }

    /// Writes an object if it still has the version `expected`; `None` expects that it does
    /// not exist. Returns whether it was written.
    ///
    /// # Errors
    /// When S3 fails.
    pub(crate) async fn put_if(
        &self,
        key: &str,
        bytes: impl Into<Bytes>,
        expected: Option<String>,
    ) -> Result<bool, LakeError> {
        Ok(self.replace(key, bytes, expected).await?.is_some())
    }

    /// The same, but returns the version of the written object, `None` if it was not written.
    ///
    /// # Errors
    /// When S3 fails.
    pub(crate) async fn replace(
        &self,
        key: &str,
        bytes: impl Into<Bytes>,
        expected: Option<String>,
    ) -> Result<Option<String>, LakeError> {
        let mode = match expected {
            Some(e_tag) => PutMode::Update(UpdateVersion { e_tag: Some(e_tag), version: None }),
            None => PutMode::Create,
        };
        let payload = PutPayload::from_bytes(bytes.into());
        match self.0.put_opts(&Key::from(key), payload, PutOptions::from(mode)).await {
            Ok(written) => Ok(Some(written.e_tag.unwrap_or_default())),
            Err(Error::Precondition { .. } | Error::AlreadyExists { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes an object.
    ///
    /// # Errors
    /// When S3 fails.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), LakeError> {
        Ok(self.0.delete(&Key::from(key)).await?)
    }

    /// Lists the names of the objects below `prefix`, in order.
    ///
    /// # Errors
    /// When S3 fails.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, LakeError> {
        let objects = self.objects(prefix).await?;
        let mut names: Vec<String> =
            objects.into_iter().map(|object| object.location.to_string()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Lists the objects below `prefix`, in no order.
    ///
    /// # Errors
    /// When S3 fails.
    pub(crate) async fn objects(&self, prefix: &str) -> Result<Vec<ObjectMeta>, LakeError> {
        Ok(self.0.list(Some(&Key::from(prefix))).try_collect().await?)
    }
}
