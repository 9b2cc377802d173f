//! Objects of any bucket as sources of an import: found by folder, and read piece by piece.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use cartwheel_import::{Source, Stored};
use object_store::path::Path as Key;
use object_store::{Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::runtime::Runtime;

use crate::lake::{Lake, LakeError};

/// Bytes of a request. A request is short, so that a slow import does not run into its time limit.
const PIECE: u64 = 8 << 20;

/// An object on S3.
#[derive(Debug, Clone)]
pub struct Object {
    /// `s3://bucket/key`.
    pub uri: String,
    /// The size.
    pub bytes: u64,
    store: Arc<dyn ObjectStore>,
    key: Key,
    /// The ETag: a reader never mixes two versions.
    version: Option<String>,
}

impl Object {
    /// The object `s3://bucket/key`, with the environment's credentials. `None` if there is none.
    ///
    /// # Errors
    /// When the address has another form, or S3 fails.
    pub async fn find(uri: &str) -> Result<Option<Self>, LakeError> {
        let (bucket, store, key) = place(uri)?;
        match store.head(&key).await {
            Ok(meta) => Ok(Some(Self::new(bucket, &store, meta))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The objects of the folder `s3://bucket/folder`, without those of its subfolders, by name.
    ///
    /// # Errors
    /// When the address has another form, or S3 fails.
    pub async fn list(folder: &str) -> Result<Vec<Self>, LakeError> {
        let (bucket, store, key) = place(folder)?;
        let listed = store.list_with_delimiter(Some(&key)).await?;
        let objects = listed.objects.into_iter().map(|meta| Self::new(bucket, &store, meta));
        let mut objects: Vec<Self> = objects.collect();
        objects.sort_by(|a, b| a.uri.cmp(&b.uri));
        Ok(objects)
    }

    /// The object of a store that is `bucket`, or a prefix in one.
    pub(crate) fn new(bucket: &str, store: &Arc<dyn ObjectStore>, meta: ObjectMeta) -> Self {
        Self {
            uri: format!("s3://{bucket}/{}", meta.location),
            bytes: meta.size,
            store: Arc::clone(store),
            key: meta.location,
            version: meta.e_tag,
        }
    }

    /// The last step of the key.
    pub fn file_name(&self) -> &str {
        self.key.filename().unwrap_or_default()
    }

    /// The source of an import, for threads that may block.
    pub fn source(self, runtime: &Arc<Runtime>) -> Source {
        let runtime = Arc::clone(runtime);
        let (name, bytes) = (self.uri.clone(), self.bytes);
        let open = move || Ok(Box::new(self.reader(Arc::clone(&runtime))) as Box<_>);
        Source::Stored(Stored::new(name, bytes, open))
    }

    /// Reads the content, for threads that may block.
    pub fn reader(&self, runtime: Arc<Runtime>) -> impl Read + Send + use<> {
        Reader { object: self.clone(), runtime, at: 0, piece: Bytes::new() }
    }

    async fn piece(&self, at: u64) -> Result<Bytes, Error> {
        let range = GetRange::Bounded(at..self.bytes.min(at + PIECE));
        let options = GetOptions {
            range: Some(range),
            if_match: self.version.clone(),
            ..GetOptions::default()
        };
        self.store.get_opts(&self.key, options).await?.bytes().await
    }
}

/// The store of a bucket, and the key within it.
fn place(uri: &str) -> Result<(&str, Arc<dyn ObjectStore>, Key), LakeError> {
    let path = uri.strip_prefix("s3://").unwrap_or_default();
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let Lake(store) = Lake::open(&format!("s3://{bucket}"))?;
    // Not `Key::from`, which would encode characters of the key again.
    let key = Key::parse(key).map_err(Error::from)?;
    Ok((bucket, store, key))
}

struct Reader {
    object: Object,
    runtime: Arc<Runtime>,
    /// Where the next piece begins.
    at: u64,
    piece: Bytes,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && self.at < self.object.bytes {
            let read = self.runtime.block_on(self.object.piece(self.at));
            self.piece = read.map_err(|error| match error {
                Error::Precondition { .. } => {
                    io::Error::other("the object was replaced while it was read: start again")
                }
                error => io::Error::other(error),
            })?;
            self.at += self.piece.len() as u64;
            if self.piece.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let read = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}
