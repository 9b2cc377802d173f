//! Seeded damage: the same seed damages the same bytes in the same way.

/// SplitMix64 (Steele et al., 2014), a random number generator. Written here and not taken from
/// a crate, so that a seed in a reported failure replays the same damage under every version of
/// the dependencies.
#[derive(Debug, Clone)]
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// Returns the next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number in `0..end`, or 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next_u64() % end.max(1) as u64) as usize
    }
}

/// Damages a file in one to four places.
pub fn damage(file: &mut Vec<u8>, rng: &mut SplitMix64) {
    for _ in 0..=rng.below(4) {
        if file.is_empty() {
            return;
        }
        let at = rng.below(file.len());
        let end = (at + 1 + rng.below(24)).min(file.len());
        match rng.below(8) {
            0 => file[at] ^= 1 << rng.below(8),
            1 => file[at] = rng.next_u64() as u8,
            2 => file[at..end].fill(if rng.below(2) == 0 { 0xff } else { 0 }),
            3 => drop(file.drain(at..end)),
            4 => {
                let copy = file[at..end].to_vec();
                let to = rng.below(file.len());
                file.splice(to..to, copy);
            }
            // Changing a digit leaves JSON readable, so the damage reaches deeper checks.
            5 | 6 => {
                if let Some(digit) = file[at..].iter_mut().find(|b| b.is_ascii_digit()) {
                    *digit = b'0' + rng.below(10) as u8;
                }
            }
            _ => file.truncate(at),
        }
    }
}
