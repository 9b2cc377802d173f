//! Work that runs to completion even if the request is cancelled.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// Work that runs where it is awaited. If this is dropped before the work ends, a task of its
/// own completes it. A task for every request would cost each of them a wake-up.
pub(crate) struct Completing<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

/// Runs `work` to completion, awaited or not.
pub(crate) fn run_to_completion<T: Send>(
    work: impl Future<Output = T> + Send + 'static,
) -> Completing<T> {
    Completing(Some(Box::pin(work)))
}

impl<T: Send> Future for Completing<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Taken out while it is polled: work that panicked must not be polled again.
        let Some(mut work) = self.0.take() else { return Poll::Pending };
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl<T: Send> Drop for Completing<T> {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn dropped_work_is_completed() {
        let (go, went) = oneshot::channel::<()>();
        let (done, ended) = oneshot::channel();
        let work = run_to_completion(async move {
            went.await.unwrap();
            done.send(()).unwrap();
        });
        assert!(tokio::time::timeout(Duration::from_millis(10), work).await.is_err());
        go.send(()).unwrap();
        ended.await.unwrap();
    }

    #[tokio::test]
    async fn work_that_panicked_is_not_continued() {
        let (done, ended) = oneshot::channel::<()>();
        let work = async move {
            assert!(done.is_closed(), "as planned");
            done.send(()).unwrap();
        };
        assert!(tokio::spawn(run_to_completion(work)).await.unwrap_err().is_panic());
        ended.await.unwrap_err();
    }
}
