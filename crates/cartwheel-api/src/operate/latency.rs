//! Percentiles of latencies, in bounded memory.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct Percentiles {
    /// The median.
    pub(crate) p50: f64,
    /// The 99th percentile.
    pub(crate) p99: f64,
}

/// A histogram with eight buckets per doubling: percentiles are accurate to 9 %.
#[derive(Clone)]
pub(crate) struct Times(Box<[u32; Times::BUCKETS]>);

impl Default for Times {
    fn default() -> Self {
        Self(Box::new([0; Self::BUCKETS]))
    }
}

impl Times {
    /// From 1 µs to 16 s. Longer times count as 16 s.
    const BUCKETS: usize = 8 * 24;

    pub(crate) fn add(&mut self, time: Duration) {
        let us = (time.as_secs_f64() * 1e6).max(1.0);
        let bucket = ((us.log2() * 8.0) as usize).min(Self::BUCKETS - 1);
        self.0[bucket] += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(a, b)| *a += b);
    }

    /// Both percentiles in milliseconds. `None` without data.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        let all: u64 = self.0.iter().map(|&count| u64::from(count)).sum();
        let at = |share: f64| {
            let wanted = (all as f64 * share).ceil() as u64;
            let mut seen = 0;
            let found = self.0.iter().position(|&count| {
                seen += u64::from(count);
                seen >= wanted
            });
            ((found.unwrap_or(0) as f64 + 0.5) / 8.0).exp2() / 1e3
        };
        (all > 0).then(|| Percentiles { p50: at(0.5), p99: at(0.99) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_accurate_to_a_tenth() {
        let mut times = Times::default();
        assert_eq!(times.percentiles(), None);
        for ms in 1..=1000 {
            times.add(Duration::from_millis(ms));
        }
        let found = times.percentiles().unwrap();
        assert!((found.p50 / 500.0 - 1.0).abs() < 0.1, "{found:?}");
        assert!((found.p99 / 990.0 - 1.0).abs() < 0.1, "{found:?}");
        times.add(Duration::from_secs(3600));
        times.add(Duration::ZERO);
    }
}
