//! Seeded damage: the same seed damages the same bytes in the same way.

/// Numbers that look random and follow from a seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Numbers(pub u64);

impl Numbers {
    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number in `0..end`, 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next_u64() % end.max(1) as u64) as usize
    }
}

/// Damages a file in one to four places.
pub fn damage(file: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        if file.is_empty() {
            return;
        }
        let at = numbers.below(file.len());
        let end = (at + 1 + numbers.below(24)).min(file.len());
        match numbers.below(8) {
            0 => file[at] ^= 1 << numbers.below(8),
            1 => file[at] = numbers.next_u64() as u8,
            2 => file[at..end].fill(if numbers.below(2) == 0 { 0xff } else { 0 }),
            3 => drop(file.drain(at..end)),
            4 => {
                let copy = file[at..end].to_vec();
                let to = numbers.below(file.len());
                file.splice(to..to, copy);
            }
            // Another digit keeps JSON readable, and the damage goes deeper.
            5 | 6 => {
                if let Some(digit) = file[at..].iter_mut().find(|b| b.is_ascii_digit()) {
                    *digit = b'0' + numbers.below(10) as u8;
                }
            }
            _ => file.truncate(at),
        }
    }
}
