//! Backups in a bucket on S3.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;

use cartwheel_ambient::Clock;
use cartwheel_backup::Place;
use futures::StreamExt;
use futures::stream;
use object_store::path::Path as Key;
use object_store::{Error, ObjectMeta, ObjectStoreExt, WriteMultipart};
use tokio::runtime::Runtime;

use crate::lake::{Lake, LakeError};
use crate::objects::Object;

/// The object of the process that writes. It counts for [`LEASE_MS`] from its last change.
const LOCK: &str = "lock";
const LEASE_MS: i64 = 15 * 60_000;
/// How often a process that writes renews its lock.
const RENEW_MS: i64 = 60_000;
/// Content up to this size is one request, larger content is uploaded in parts of this size.
const PART: usize = 16 << 20;
/// Parts of an object that are uploaded at once.
const UPLOADS: usize = 4;

/// A bucket, or a prefix in one, as the place of backups. Its methods block the thread, and must not
/// be called by tasks.
///
/// S3 has no locks. A writer therefore puts the object `lock`, on condition that there is none or that
/// nobody has renewed it for 15 minutes, and renews it every minute; each time its content, and with
/// it the ETag that the next condition names, is another.
pub struct BackupBucket {
    /// `bucket` or `bucket/prefix`.
    name: String,
    lake: Lake,
    clock: Clock,
    runtime: Arc<Runtime>,
    held: Option<Lease>,
}

/// A held lock.
struct Lease {
    version: String,
    renewed_ms: i64,
}

impl fmt::Debug for BackupBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BackupBucket").field(&self.name).finish()
    }
}

impl BackupBucket {
    /// The place `s3://bucket` or `s3://bucket/prefix`, with the environment's credentials.
    ///
    /// # Errors
    /// When the address has another form.
    pub fn open(uri: &str, clock: &Clock) -> Result<Self, LakeError> {
        let uri = uri.trim_end_matches('/');
        Self::on(uri.trim_start_matches("s3://"), Lake::open(uri)?, clock)
    }

    /// The place in any object store that has conditional requests; `name` is what messages call it.
    ///
    /// # Errors
    /// When the system has no more threads or descriptors.
    pub fn on(name: &str, lake: Lake, clock: &Clock) -> Result<Self, LakeError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = Arc::new(runtime.map_err(|error| LakeError::file(name, error))?);
        Ok(Self { name: name.to_owned(), lake, clock: clock.clone(), runtime, held: None })
    }

    /// Puts the lock, if its object still has the version `known`.
    #[allow(clippy::disallowed_methods, reason = "tells writers of all processes apart")]
    fn hold(&mut self, known: Option<String>) -> io::Result<bool> {
        let content = format!("{:032x}", rand::random::<u128>());
        let written = self.runtime.block_on(self.lake.replace(LOCK, content, known));
        let renewed_ms = self.clock.now_ms();
        self.held = written.map_err(failed)?.map(|version| Lease { version, renewed_ms });
        Ok(self.held.is_some())
    }

    /// Renews the lock if `age_ms` have passed since it was.
    fn renew(&mut self, age_ms: i64) -> io::Result<()> {
        let lost = || {
            io::Error::other(
                "another command writes to it since this one was held up for 15 minutes: start \
                 again",
            )
        };
        let lease = self.held.as_ref().ok_or_else(lost)?;
        if self.clock.now_ms() - lease.renewed_ms < age_ms {
            return Ok(());
        }
        let version = lease.version.clone();
        self.hold(Some(version))?.then_some(()).ok_or_else(lost)
    }

    fn head(&self, name: &str) -> io::Result<Option<ObjectMeta>> {
        match self.runtime.block_on(self.lake.0.head(&Key::from(name))) {
            Ok(found) => Ok(Some(found)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Uploads `first`, which is full, and the rest of `file` in parts.
    fn upload(&mut self, key: &Key, first: Vec<u8>, mut file: File) -> io::Result<()> {
        let runtime = Arc::clone(&self.runtime);
        let started = runtime.block_on(self.lake.0.put_multipart(key)).map_err(failed)?;
        let mut upload = WriteMultipart::new_with_chunk_size(started, PART);
        let mut part = first;
        while !part.is_empty() {
            let sent = self.renew(RENEW_MS).and_then(|()| {
                let sent = async {
                    upload.write(&part);
                    upload.wait_for_capacity(UPLOADS).await
                };
                runtime.block_on(sent).map_err(failed)?;
                next_part(&mut file)
            });
            part = match sent {
                Ok(next) => next,
                Err(error) => {
                    // Parts that stay are removed by the bucket's rule for incomplete uploads.
                    let _ = runtime.block_on(upload.abort());
                    return Err(error);
                }
            };
        }
        runtime.block_on(upload.finish()).map(drop).map_err(failed)
    }
}

/// Reads the next part of a file; empty at its end.
fn next_part(file: &mut File) -> io::Result<Vec<u8>> {
    let mut part = Vec::new();
    file.take(PART as u64).read_to_end(&mut part)?;
    Ok(part)
}

fn failed(error: impl Into<LakeError>) -> io::Error {
    match error.into() {
        LakeError::Store(error @ Error::NotFound { .. }) => {
            io::Error::new(io::ErrorKind::NotFound, error)
        }
        error => io::Error::other(error),
    }
}

impl Place for BackupBucket {
    fn address(&self, name: &str) -> String {
        match name {
            "" => format!("s3://{}", self.name),
            name => format!("s3://{}/{name}", self.name),
        }
    }

    fn lock(&mut self) -> io::Result<bool> {
        match self.head(LOCK)? {
            None => self.hold(None),
            Some(held) => {
                let age_ms = self.clock.now_ms() - held.last_modified.timestamp_millis();
                Ok(age_ms > LEASE_MS && self.hold(held.e_tag)?)
            }
        }
    }

    fn is_empty(&self) -> io::Result<bool> {
        let others = async {
            let mut found = self.lake.0.list(None);
            while let Some(object) = found.next().await.transpose()? {
                if object.location.as_ref() != LOCK {
                    return Ok(false);
                }
            }
            Ok::<_, Error>(true)
        };
        self.runtime.block_on(others).map_err(failed)
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + '_>> {
        let found = self.head(name)?.ok_or(io::ErrorKind::NotFound)?;
        let object = Object::new(&self.name, &self.lake.0, found);
        Ok(Box::new(object.reader(Arc::clone(&self.runtime))))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>> {
        let objects = self.runtime.block_on(self.lake.objects(folder)).map_err(failed)?;
        Ok(objects.into_iter().map(|object| (object.location.to_string(), object.size)).collect())
    }

    fn scratch(&self) -> io::Result<File> {
        tempfile::tempfile()
    }

    fn keep(&mut self, mut scratch: File, name: &str) -> io::Result<()> {
        self.renew(RENEW_MS)?;
        scratch.rewind()?;
        let first = next_part(&mut scratch)?;
        if first.len() < PART {
            return self.runtime.block_on(self.lake.put(name, first)).map_err(failed);
        }
        self.upload(&Key::from(name), first, scratch)
    }

    fn discard(&self, _: File) -> io::Result<()> {
        Ok(())
    }

    fn settle(&mut self) -> io::Result<()> {
        self.renew(0)
    }

    fn write(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.runtime.block_on(self.lake.put(name, content.to_vec())).map_err(failed)
    }

    fn remove(&mut self, names: &[String]) -> io::Result<()> {
        for names in names.chunks(1000) {
            self.renew(RENEW_MS)?;
            let keys: Vec<_> = names.iter().map(|name| Ok(Key::from(name.as_str()))).collect();
            let mut removed = self.lake.0.delete_stream(stream::iter(keys).boxed());
            let all = async {
                while let Some(one) = removed.next().await {
                    match one {
                        Ok(_) | Err(Error::NotFound { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            };
            self.runtime.block_on(all).map_err(failed)?;
        }
        Ok(())
    }
}

impl Drop for BackupBucket {
    fn drop(&mut self) {
        // Not the lock of another writer. One that stays counts for 15 minutes.
        if self.held.is_some() && self.renew(0).is_ok() {
            let _ = self.runtime.block_on(self.lake.remove(LOCK));
        }
    }
}
