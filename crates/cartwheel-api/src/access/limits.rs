//! Rate limits: token buckets per key and per address, in bounded memory.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use parking_lot::RwLock;

use crate::access::caller::Caller;
use crate::http::peer::Peer;
use crate::http::problem::{Kind, Problem};
use crate::settings::Settings;

/// Seconds of requests that a bucket holds.
const BURST_SECONDS: u32 = 2;
/// Unknown keys per address and minute, possibly all at once.
const WRONG_KEYS: NonZeroU32 = NonZeroU32::new(30).unwrap();
/// Maximum number of buckets per kind, about 4 MB.
const MOST_BUCKETS: usize = 65_536;
/// Requests between two checks of the number of buckets.
const CHECK_EVERY: usize = 1024;

/// One token bucket per client. A full bucket equals no bucket and is removed.
///
/// If more than `most` clients have a bucket that is not full, all buckets are removed: each
/// client gains one burst at most, and memory stays bounded for any number of addresses.
pub(crate) struct Buckets<K: Hash + Eq + Clone, C: Clock + Clone = DefaultClock> {
    limiter: RwLock<Limiter<K, C>>,
    quota: Quota,
    clock: C,
    most: usize,
    taken: AtomicUsize,
}

type Limiter<K, C> = RateLimiter<K, HashMapStateStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

impl<K: Hash + Eq + Clone, C: Clock + Clone> Buckets<K, C> {
    pub(crate) fn new(quota: Quota, most: usize, clock: C) -> Self {
        let limiter = RwLock::new(Limiter::hashmap_with_clock(quota, clock.clone()));
        Self { limiter, quota, clock, most, taken: AtomicUsize::new(0) }
    }

    /// Takes a token of the client, or returns the time until the next token.
    pub(crate) fn take(&self, client: &K) -> Result<(), Duration> {
        if self.taken.fetch_add(1, Ordering::Relaxed) % CHECK_EVERY == CHECK_EVERY - 1 {
            self.sweep();
        }
        let limiter = self.limiter.read();
        limiter.check_key(client).map_err(|until| until.wait_time_from(self.clock.now()))
    }

    fn sweep(&self) {
        let limiter = self.limiter.read();
        if limiter.len() <= self.most {
            return;
        }
        limiter.retain_recent();
        let full = limiter.len() > self.most;
        drop(limiter);
        if full {
            tracing::warn!(
                clients = self.most,
                "too many clients to limit individually; all buckets are reset"
            );
            *self.limiter.write() = Limiter::hashmap_with_clock(self.quota, self.clock.clone());
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.limiter.read().len()
    }
}

/// The limits of one server.
pub(crate) struct Limits {
    key: Option<Buckets<Arc<str>>>,
    address: Option<Buckets<IpAddr>>,
    wrong_keys: Buckets<IpAddr>,
}

impl Limits {
    pub(crate) fn new(settings: &Settings) -> Self {
        let wrong_keys = Quota::per_minute(WRONG_KEYS);
        Self {
            key: per_second(settings.rate_per_key),
            address: per_second(settings.rate_per_address),
            wrong_keys: Buckets::new(wrong_keys, MOST_BUCKETS, DefaultClock::default()),
        }
    }

    /// Counts a request from an address. Requests from this machine are not counted: they come
    /// from the operator or through a proxy.
    pub(crate) fn address(&self, peer: Option<Peer>) -> Result<(), Problem> {
        match (&self.address, peer) {
            (Some(buckets), Some(peer)) if !peer.is_loopback() => buckets
                .take(&peer.network())
                .map_err(|wait| throttled("This address sends too many requests.", wait)),
            _ => Ok(()),
        }
    }

    /// Counts a request with a key.
    pub(crate) fn key(&self, name: &Arc<str>) -> Result<(), Problem> {
        let Some(buckets) = &self.key else { return Ok(()) };
        buckets.take(name).map_err(|wait| throttled("This API key sends too many requests.", wait))
    }

    /// Waits until the caller's key may send a further piece of a request, and counts it as a
    /// request.
    pub(crate) async fn turn(&self, caller: &Caller) {
        let (Some(buckets), Some(name)) = (&self.key, caller.key_name()) else { return };
        while let Err(wait) = buckets.take(name) {
            tokio::time::sleep(wait).await;
        }
    }

    /// Counts an unknown key. Valid keys are admitted regardless: 32 random bytes cannot be
    /// guessed, and an attacker must not lock out a shop behind the same address.
    pub(crate) fn wrong_key(&self, peer: Option<Peer>) -> Result<(), Problem> {
        let Some(peer) = peer else { return Ok(()) };
        self.wrong_keys
            .take(&peer.network())
            .map_err(|wait| throttled("This address has sent too many unknown API keys.", wait))
    }
}

fn per_second<K: Hash + Eq + Clone>(rate: u32) -> Option<Buckets<K>> {
    let rate = NonZeroU32::new(rate)?;
    let burst = rate.saturating_mul(NonZeroU32::new(BURST_SECONDS)?);
    let quota = Quota::per_second(rate).allow_burst(burst);
    Some(Buckets::new(quota, MOST_BUCKETS, DefaultClock::default()))
}

fn throttled(detail: &str, wait: Duration) -> Problem {
    // Rounded up: an earlier attempt would be rejected again.
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let seconds = u16::try_from(seconds).unwrap_or(u16::MAX);
    let retry_after = NonZeroU16::new(seconds).or(Some(NonZeroU16::MIN));
    Problem { retry_after, ..Problem::new(Kind::Throttled, detail) }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn peer(text: &str) -> Peer {
        Peer(text.parse().unwrap())
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let clock = FakeRelativeClock::default();
        let quota = Quota::per_second(NonZeroU32::new(10).unwrap());
        let buckets = Buckets::new(quota, 100, clock.clone());
        assert!((0..10).all(|_| buckets.take(&"a").is_ok()));
        let wait = buckets.take(&"a").unwrap_err();
        assert!(buckets.take(&"b").is_ok(), "others have their own");
        // Not a moment before the stated time, and at once after it.
        clock.advance(wait - Duration::from_nanos(1));
        assert!(buckets.take(&"a").is_err());
        clock.advance(Duration::from_nanos(1));
        assert!(buckets.take(&"a").is_ok());
    }

    #[test]
    fn a_million_addresses_take_bounded_memory() {
        let clock = FakeRelativeClock::default();
        let quota = Quota::per_second(NonZeroU32::new(2).unwrap());
        let buckets = Buckets::new(quota, 10_000, clock.clone());
        let mut most = 0;
        for address in 0..1_000_000_u32 {
            // The clock stands still half of the time, so that no bucket refills.
            if address > 500_000 {
                clock.advance(Duration::from_micros(50));
            }
            assert!(buckets.take(&address).is_ok());
            most = most.max(buckets.len());
        }
        assert!(most <= 10_000 + CHECK_EVERY, "{most}");
        // Buckets that are not full are kept while there is room.
        assert!(buckets.take(&999_999).is_ok());
        assert!(buckets.take(&999_999).is_err());
    }

    #[test]
    fn an_ipv6_network_is_one_client_and_this_machine_is_not_limited() {
        let settings = Settings { rate_per_address: 1, ..Settings::default() };
        let limits = Limits::new(&settings);
        let ask = |address: &str| limits.address(Some(peer(address)));
        assert!(ask("2001:db8::1").is_ok() && ask("2001:db8::2").is_ok());
        let refused = ask("2001:db8::ffff:3").unwrap_err();
        assert_eq!((refused.status, refused.retry_after), (429, Some(NonZeroU16::MIN)));
        assert!(ask("2001:db8:0:1::1").is_ok(), "the next network");
        assert!(ask("192.0.2.1").is_ok() && ask("::ffff:192.0.2.1").is_ok());
        assert!(ask("192.0.2.1").is_err(), "an IPv4-mapped IPv6 address is the same");
        assert!((0..100).all(|_| ask("127.0.0.1").is_ok() && ask("::1").is_ok()));
        assert!((0..100).all(|_| limits.address(None).is_ok()));
    }
}
