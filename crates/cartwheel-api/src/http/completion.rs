//! Work that goes on when nobody waits for it any more.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// Work that is done where it is awaited, and by a task of its own from the moment that
/// this is dropped before it ended: a task for all of it would cost each request a wake-up.
pub(crate) struct Unbroken<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

/// Takes `work` to its end, awaited or not.
pub(crate) fn unbroken<T: Send>(work: impl Future<Output = T> + Send + 'static) -> Unbroken<T> {
    Unbroken(Some(Box::pin(work)))
}

impl<T: Send> Future for Unbroken<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Taken out meanwhile: work that panics is not to be polled again.
        let Some(mut work) = self.0.take() else { return Poll::Pending };
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl<T: Send> Drop for Unbroken<T> {
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
    async fn what_is_dropped_goes_on() {
        let (go, went) = oneshot::channel::<()>();
        let (done, ended) = oneshot::channel();
        let work = unbroken(async move {
            went.await.unwrap();
            done.send(()).unwrap();
        });
        assert!(tokio::time::timeout(Duration::from_millis(10), work).await.is_err());
        go.send(()).unwrap();
        ended.await.unwrap();
    }

    #[tokio::test]
    async fn what_panicked_does_not() {
        let (done, ended) = oneshot::channel::<()>();
        let work = async move {
            assert!(done.is_closed(), "as planned");
            done.send(()).unwrap();
        };
        assert!(tokio::spawn(unbroken(work)).await.unwrap_err().is_panic());
        ended.await.unwrap_err();
    }
}
