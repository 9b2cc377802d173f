//! A circuit breaker: calls to a service that does not answer fail at once.

use std::future::Future;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Failures in a row that open the breaker.
const FAILURES: u32 = 3;
/// The first pause while it is open; each further pause is twice as long.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    opened: Option<(Instant, Duration)>,
}

/// A circuit breaker (Nygard, Release It!). After three failures in a row it opens: calls
/// fail at once. After a pause it lets one call through, whose success closes it.
#[derive(Debug)]
pub(crate) struct Breaker {
    limit: Duration,
    state: Mutex<State>,
}

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken<E> {
    #[error("not called: the last calls failed")]
    Open,
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("{0}")]
    Failed(E),
}

impl Breaker {
    /// A closed breaker. A call that takes longer than `limit` fails.
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

    fn admits(&self) -> bool {
        let mut state = self.state.lock();
        match state.opened {
            Some((since, pause)) if since.elapsed() < pause => false,
            Some((_, pause)) => {
                // One call tries; the others fail until it succeeds.
                state.opened = Some((Instant::now(), (pause * 2).min(LONGEST)));
                true
            }
            None => true,
        }
    }

    fn note(&self, success: bool) {
        let mut state = self.state.lock();
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
