//! Stops asking a service that does not answer, so that nobody waits for it in vain.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures one after another that open it.
const FAILURES: u32 = 3;
/// How long it stays open at first; then twice as long each time.
const FIRST: Duration = Duration::from_secs(1);
/// The longest that it stays open.
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    opened: Option<(Instant, Duration)>,
}

/// A circuit breaker (Nygard, Release It!): after three failures in a row calls fail at
/// once; after a pause one call tries again, and its success closes it.
#[derive(Debug)]
pub(crate) struct Breaker {
    limit: Duration,
    state: Mutex<State>,
}

/// The call failed, or was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken<E> {
    #[error("not asked: it failed just before")]
    Open,
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("{0}")]
    Failed(E),
}

impl Breaker {
    /// A call may take `limit`.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, state: Mutex::default() }
    }

    pub(crate) async fn call<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Broken<E>> {
        if !self.admits() {
            return Err(Broken::Open);
        }
        let result = match tokio::time::timeout(self.limit, call).await {
            Ok(result) => result.map_err(Broken::Failed),
            Err(_) => Err(Broken::Late(self.limit)),
        };
        self.note(result.is_ok());
        result
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admits(&self) -> bool {
        let mut state = self.state();
        match state.opened {
            Some((since, pause)) if since.elapsed() < pause => false,
            Some((_, pause)) => {
                // One may try; the others wait for what comes of it.
                state.opened = Some((Instant::now(), (pause * 2).min(LONGEST)));
                true
            }
            None => true,
        }
    }

    fn note(&self, success: bool) {
        let mut state = self.state();
        if success {
            *state = State::default();
            return;
        }
        state.failures += 1;
        if state.failures >= FAILURES && state.opened.is_none() {
            state.opened = Some((Instant::now(), FIRST));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn three_failures_open_it_and_one_success_closes_it() {
        let breaker = Breaker::new(Duration::from_millis(50));
        for _ in 0..2 {
            assert_eq!(breaker.call(async { Err::<(), _>("no") }).await, Err(Broken::Failed("no")));
        }
        let late = breaker.call(async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Ok::<_, &str>(())
        });
        assert_eq!(late.await, Err(Broken::Late(Duration::from_millis(50))));
        let asked = std::cell::Cell::new(false);
        let call = || async {
            asked.set(true);
            Ok::<_, &str>(7)
        };
        assert_eq!(breaker.call(call()).await, Err(Broken::Open));
        assert!(!asked.get());
        tokio::time::sleep(FIRST).await;
        assert_eq!(breaker.call(call()).await, Ok(7));
        assert_eq!(breaker.call(call()).await, Ok(7));
    }
}
