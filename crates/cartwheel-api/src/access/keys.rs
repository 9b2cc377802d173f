//! API keys, stored as hashes, with the scopes that each grants.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::access::key_error::KeyError;
use crate::access::plain_name::is_plain_name;
use crate::access::scope::Scope;

/// SHA-256 of a key. Keys are long and random, so that a slow hash is not needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of `key`.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// A name for a key without a name: the first digits of its hash.
    pub fn short_name(&self) -> Arc<str> {
        format!("key-{:.8}", self.to_string()).into()
    }

    /// Compares in constant time.
    fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for KeyHash {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| KeyError::Hash)?;
        Ok(Self(bytes))
    }
}

/// A key's hash with its name and scopes: `shop@events:write+admin=HASH`. Without a name, the
/// first digits of the hash serve as one. A bare `HASH` grants every scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The name in logs, limits and the audit log.
    pub name: Arc<str>,
    /// Its hash.
    pub hash: KeyHash,
    /// The scopes that it grants.
    pub scopes: Vec<Scope>,
}

impl FromStr for ApiKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (given, scopes, hash) = match text.split_once('=') {
            None => (None, "admin", text),
            Some((held, hash)) => match held.split_once('@') {
                None => (None, held, hash),
                Some((name, scopes)) => (Some(name), scopes, hash),
            },
        };
        let hash: KeyHash = hash.parse()?;
        let name = match given {
            None => hash.short_name(),
            Some(name) => key_name(name)?.into(),
        };
        let scopes = scopes.split('+').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { name, hash, scopes })
    }
}

/// Checks a key's name, which appears in logs.
///
/// # Errors
/// When it is not 1 to 64 of `A-Z a-z 0-9 . _ : @ -`.
pub fn key_name(text: &str) -> Result<&str, KeyError> {
    if is_plain_name(text) { Ok(text) } else { Err(KeyError::Name) }
}

impl ApiKey {
    /// Whether the key grants `scope`.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|held| *held == scope || *held == Scope::Admin)
    }
}

/// The valid keys. Without any key, every request is admitted. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Keys(Arc<RwLock<Vec<ApiKey>>>);

impl Keys {
    /// Replaces all keys.
    pub fn replace(&self, keys: Vec<ApiKey>) {
        *self.0.write() = keys;
    }

    /// Finds a key in constant time: every key is compared, whichever matches.
    pub(crate) fn find(&self, given: &str) -> Option<ApiKey> {
        let keys = self.0.read();
        let hash = KeyHash::of(given);
        let mut found = u32::MAX;
        for (index, key) in (0_u32..).zip(keys.iter()) {
            found.conditional_assign(&index, key.hash.is(&hash));
        }
        keys.get(found as usize).cloned()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.read().is_empty()
    }
}

impl FromIterator<ApiKey> for Keys {
    fn from_iter<T: IntoIterator<Item = ApiKey>>(keys: T) -> Self {
        Self(Arc::new(RwLock::new(keys.into_iter().collect())))
    }
}
