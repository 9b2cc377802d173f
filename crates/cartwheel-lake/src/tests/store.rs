//! An object store that fails from a given step on, as if the process had crashed there.

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

/// The step at which a store fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Before the step is done.
    Before(usize),
    /// After the step is done, so that its result is lost.
    After(usize),
    /// At no step.
    Never,
}

/// Passes calls on to another store until the step at which it fails. From then on every write
/// fails.
#[derive(Debug)]
pub struct FailingStore {
    inner: Arc<dyn ObjectStore>,
    stop: Stop,
    steps: Arc<AtomicUsize>,
}

impl FailingStore {
    pub fn new(inner: Arc<dyn ObjectStore>, stop: Stop) -> Self {
        Self { inner, stop, steps: Arc::default() }
    }

    pub fn steps(&self) -> usize {
        self.steps.load(Ordering::SeqCst)
    }
}

fn crashed() -> Error {
    Error::Generic { store: "failing", source: "the process has crashed".into() }
}

/// Counts a step, and does it unless the store fails before it.
async fn step<T>(
    steps: &AtomicUsize,
    stop: Stop,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let at = steps.fetch_add(1, Ordering::SeqCst);
    match stop {
        Stop::Before(end) if at >= end => Err(crashed()),
        Stop::After(end) if at > end => Err(crashed()),
        Stop::After(end) if at == end => work.await.and(Err(crashed())),
        _ => work.await,
    }
}

impl fmt::Display for FailingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FailingStore({})", self.inner)
    }
}

#[derive(Debug)]
struct FailingUpload {
    inner: Box<dyn MultipartUpload>,
    stop: Stop,
    steps: Arc<AtomicUsize>,
}

#[async_trait::async_trait]
impl MultipartUpload for FailingUpload {
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
impl ObjectStore for FailingStore {
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
        Ok(Box::new(FailingUpload { inner, stop: self.stop, steps: self.steps.clone() }))
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
