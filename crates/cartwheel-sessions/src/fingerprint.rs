//! A few bytes by which a state that was built again is recognized.

use sha2::{Digest, Sha256};

/// The first bytes of a SHA-256, which stays the same from release to release.
pub(crate) fn fingerprint(content: &[u8]) -> u64 {
    let digest = Sha256::digest(content);
    digest.iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}
