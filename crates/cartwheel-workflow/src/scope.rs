//! What an expression sees.

use serde_json::Value;

/// Data, context and a source of random numbers.
pub(crate) struct Scope<'a> {
    /// What `$` is.
    pub data: &'a Value,
    /// What `$$` is.
    pub context: &'a Value,
    /// For `States.UUID`, `States.MathRandom` and jitter.
    pub random: &'a mut Random,
}

/// A seeded generator (SplitMix64): an execution that is replayed draws the same
/// numbers again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0.0..1.0`.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
