//! A store that fails, or ends the process that writes to it, where it is told to.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};

/// Where it stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Before a step is done.
    Before(usize),
    /// When it is done, and nobody hears of it.
    After(usize),
    /// At none.
    Never,
}

/// Passes on to another store until the step at which it stops; from there on
/// everything fails, as if the process had ended.
#[derive(Debug)]
pub struct Stopping {
    inner: Arc<dyn ObjectStore>,
    stop: Stop,
    steps: Arc<AtomicUsize>,
}

impl Stopping {
    pub fn new(inner: Arc<dyn ObjectStore>, stop: Stop) -> Self {
        Self { inner, stop, steps: Arc::default() }
    }

    pub fn steps(&self) -> usize {
        self.steps.load(Ordering::SeqCst)
    }
}

fn ended() -> Error {
    Error::Generic { store: "stopping", source: "the process has ended".into() }
}

/// Counts a step; the end comes before it or after it.
async fn step<T>(
    steps: &AtomicUsize,
    stop: Stop,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let at = steps.fetch_add(1, Ordering::SeqCst);
    match stop {
        Stop::Before(end) if at >= end => Err(ended()),
        Stop::After(end) if at > end => Err(ended()),
        Stop::After(end) if at == end => work.await.and(Err(ended())),
        _ => work.await,
    }
}

impl fmt::Display for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stopping({})", self.inner)
    }
}

#[derive(Debug)]
struct StoppingUpload {
    inner: Box<dyn MultipartUpload>,
    stop: Stop,
    steps: Arc<AtomicUsize>,
}

#[async_trait::async_trait]
impl MultipartUpload for StoppingUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (steps, stop) = (self.steps.clone(), self.stop);
        let part = self.inner.put_part(data);
        Box::pin(async move { step(&steps, stop, part).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        step(&self.steps, self.stop, self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

#[async_trait::async_trait]
impl ObjectStore for Stopping {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        step(&self.steps, self.stop, self.inner.put_opts(location, payload, opts)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let begun = self.inner.put_multipart_opts(location, opts);
        let inner = step(&self.steps, self.stop, begun).await?;
        Ok(Box::new(StoppingUpload { inner, stop: self.stop, steps: self.steps.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (inner, stop, steps) = (self.inner.clone(), self.stop, self.steps.clone());
        let delete = move |location: Result<Path>| {
            let (inner, steps) = (inner.clone(), steps.clone());
            async move {
                let location = location?;
                step(&steps, stop, inner.delete(&location)).await?;
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        step(&self.steps, self.stop, self.inner.copy_opts(from, to, options)).await
    }
}
