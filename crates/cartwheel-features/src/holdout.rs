//! Assigns users to training, validation and gate by a hash that never changes.

/// The use of a user's newest order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// Training labels.
    Train,
    /// Early stopping and calibration.
    Valid,
    /// Evaluation and the gate.
    Gate,
}

/// Returns the fold of a user. 20 % of users are held out: half for validation, half for the
/// gate.
pub fn fold_of(user_id: &str) -> Fold {
    match stable_hash(user_id.as_bytes()) % 10 {
        0 => Fold::Valid,
        1 => Fold::Gate,
        _ => Fold::Train,
    }
}

/// Groups of users for cross-fitting.
pub const GROUPS: usize = 5;

/// Returns the group of a user, below [`GROUPS`]. Group 0 are the users that [`fold_of`] holds
/// out.
///
/// A training row takes the statistics of products from the users of the other groups, as a
/// request takes them from users who are, all but one, somebody else: otherwise a row would
/// contain its own label.
pub fn group_of(hash: u64) -> usize {
    (hash % 10) as usize / 2
}

/// Out of this many users, the gate holds out one.
pub const GATE_ONE_IN: u64 = 10;
/// Folds of cross-validation.
pub const CROSS_FOLDS: u32 = 5;
/// Fewest users that cross-validation judges by. The result over fewer is chance.
pub const CROSS_USERS: u64 = 10;

/// Returns the use of a user's newest order in one fold of cross-validation. Each fold holds
/// out other users than the fold before it, and over all [`CROSS_FOLDS`] folds each user is
/// evaluated once: 20 % of the users in each fold. Another 10 % are for early stopping.
pub fn cross_fold_of(user_id: &str, fold: u32) -> Fold {
    let bucket = stable_hash(user_id.as_bytes()) % 10;
    match (bucket + 10 - u64::from(fold % CROSS_FOLDS) * 2) % 10 {
        0 | 1 => Fold::Gate,
        2 => Fold::Valid,
        _ => Fold::Train,
    }
}

/// Returns the hash by which the example of an order is sampled.
pub fn example_key(user_id: &str, order_number: u32) -> u64 {
    stable_hash(format!("{user_id}/{order_number}").as_bytes())
}

/// FNV-1a followed by SplitMix64's finaliser. Used for partitions, samples and the hold-out,
/// so it returns the same hash on every machine and in every release.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    mix(fnv1a(bytes))
}

/// FNV-1a, 64 bits.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// SplitMix64's finaliser: every input bit affects every output bit.
pub fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
