//! The executions of the pipeline, as they are shown.

use cartwheel_workflow::{Description, Listing, Pending, RunnerError, Runs, describe, list};
use serde_json::Value;

use super::{Pipeline, definition};

impl Runs for Pipeline {
    fn definition(&self) -> Pending<'_, Result<Value, RunnerError>> {
        let definition = definition().map_err(|error| RunnerError::Service(format!("{error:#}")));
        Box::pin(std::future::ready(definition))
    }

    fn list(&self) -> Pending<'_, Result<Listing, RunnerError>> {
        Box::pin(blocking(self, |pipeline| Ok(list(pipeline.runner().dir()))))
    }

    fn describe<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Description, RunnerError>> {
        let name = name.to_owned();
        Box::pin(blocking(self, move |pipeline| describe(pipeline.runner().dir(), &name)))
    }
}

/// Reads journals on a thread for blocking work.
async fn blocking<T: Send + 'static>(
    pipeline: &Pipeline,
    read: impl FnOnce(Pipeline) -> Result<T, RunnerError> + Send + 'static,
) -> Result<T, RunnerError> {
    let pipeline = pipeline.clone();
    let read = tokio::task::spawn_blocking(move || read(pipeline)).await;
    read.map_err(|error| RunnerError::Service(error.to_string()))?
}
