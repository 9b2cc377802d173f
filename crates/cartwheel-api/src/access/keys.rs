//! API keys: their secret halves as hashes, what a browser needs of them, and their scopes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use tokio::sync::watch;

use crate::access::key_error::KeyError;
use crate::access::plain_name::is_plain_name;
use crate::access::scope::Scope;
use crate::access::token::{SigningSecret, UncheckedToken};

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

/// The half of a key that pages may contain: `cwp_` and 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishableKey(String);

const PUBLISHABLE: &str = "cwp_";

impl PublishableKey {
    /// The key with these random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        Self(format!("{PUBLISHABLE}{}", hex::encode(random)))
    }

    /// The key as pages send it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PublishableKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let digits = text.strip_prefix(PUBLISHABLE).ok_or(KeyError::Publishable)?;
        let mut bytes = [0; 16];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| KeyError::Publishable)?;
        Ok(Self(text.to_owned()))
    }
}

/// The half of a key that a request brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    Secret,
    Publishable,
}

/// A key's hash with its name and scopes: `shop@events:write+admin=HASH`. Without a name, the
/// first digits of the hash serve as one. A bare `HASH` grants every scope. Then come the parts
/// that the key has: `;publishable=cwp_…` and `;signing=cws_…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The name in logs, limits and the audit log.
    pub name: Arc<str>,
    /// The hash of its secret half.
    pub hash: KeyHash,
    /// The scopes that it grants.
    pub scopes: Vec<Scope>,
    /// The half that pages may contain.
    pub publishable: Option<PublishableKey>,
    /// Signs shopper tokens.
    pub signing: Option<SigningSecret>,
}

impl FromStr for ApiKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.split(';');
        let key = parts.next().unwrap_or_default();
        let (given, scopes, hash) = match key.split_once('=') {
            None => (None, "admin", key),
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
        let (mut publishable, mut signing) = (None, None);
        for part in parts {
            match part.split_once('=') {
                Some(("publishable", key)) => publishable = Some(key.parse()?),
                Some(("signing", secret)) => signing = Some(secret.parse()?),
                _ => return Err(KeyError::Part),
            }
        }
        Ok(Self { name, hash, scopes, publishable, signing })
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

/// The valid keys. From the first key on, every request needs one, even if none is left, until
/// [`disable`](Self::disable). Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    given: Arc<RwLock<Given>>,
    changes: watch::Sender<()>,
    /// The key of the host's own jobs. It is valid beside the others and does not count as one.
    own: Option<ApiKey>,
}

#[derive(Debug, Default)]
struct Given {
    keys: Vec<ApiKey>,
    are_required: bool,
}

impl Keys {
    /// Replaces all keys but the host's own.
    pub fn replace(&self, keys: Vec<ApiKey>) {
        self.change(|given| {
            given.are_required |= !keys.is_empty();
            given.keys = keys;
        });
    }

    /// Lets every request need a key, whether there is one or not.
    pub fn require(&self) {
        self.change(|given| given.are_required = true);
    }

    /// Removes all keys but the host's own, and lets requests need none.
    pub fn disable(&self) {
        self.change(|given| *given = Given::default());
    }

    fn change(&self, change: impl FnOnce(&mut Given)) {
        change(&mut self.given.write());
        self.changes.send_replace(());
    }

    /// Adds the key with which jobs of the host call its API.
    pub fn set_own(&mut self, key: ApiKey) {
        self.own = Some(key);
    }

    /// Finds a key in constant time: every key is compared, whichever matches. A publishable
    /// half is no secret.
    pub(crate) fn find(&self, given: &str) -> Option<(ApiKey, Half)> {
        let keys = &self.given.read().keys;
        let published = |key: &&ApiKey| key.publishable.as_ref().is_some_and(|p| p.0 == given);
        if let Some(key) = keys.iter().find(published) {
            return Some((key.clone(), Half::Publishable));
        }
        let hash = KeyHash::of(given);
        let found = select(keys, |key| key.hash.is(&hash));
        let own = self.own.as_ref().filter(|key| key.hash.is(&hash).into());
        Some((found.or_else(|| own.cloned())?, Half::Secret))
    }

    /// Finds the key that has signed a token, in constant time.
    pub(crate) fn signer(&self, token: &UncheckedToken<'_>) -> Option<ApiKey> {
        let signed = |key: &ApiKey| key.signing.as_ref().is_some_and(|s| token.is_signed_by(s));
        select(&self.given.read().keys, |key| Choice::from(u8::from(signed(key))))
    }

    /// Whether every request needs a key.
    pub fn are_required(&self) -> bool {
        self.given.read().are_required
    }

    /// Resolves when a caller with the key of this hash, or without a key, is admitted no more.
    pub(crate) async fn revoked(self, held: Option<KeyHash>) {
        let mut changes = self.changes.subscribe();
        while self.admits(held) && changes.changed().await.is_ok() {}
    }

    fn admits(&self, held: Option<KeyHash>) -> bool {
        let given = self.given.read();
        match held {
            None => !given.are_required,
            Some(hash) => given.keys.iter().chain(&self.own).any(|key| key.hash == hash),
        }
    }
}

impl FromIterator<ApiKey> for Keys {
    fn from_iter<T: IntoIterator<Item = ApiKey>>(keys: T) -> Self {
        let found = Self::default();
        found.replace(keys.into_iter().collect());
        found
    }
}

/// Returns a key that matches, after all of them are compared.
fn select(keys: &[ApiKey], matches: impl Fn(&ApiKey) -> Choice) -> Option<ApiKey> {
    let mut found = u32::MAX;
    for (index, key) in (0_u32..).zip(keys) {
        found.conditional_assign(&index, matches(key));
    }
    keys.get(found as usize).cloned()
}
