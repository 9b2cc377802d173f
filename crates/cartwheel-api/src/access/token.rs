//! Shopper tokens: `v1.CLAIMS.SIGNATURE`, which a shop's server signs for a browser.
//!
//! `CLAIMS` is a JSON object with `sub`, `exp` and `scope`. `SIGNATURE` is the HMAC-SHA256 of
//! everything before the last dot, with the key's signing secret. Both are base64url without
//! padding.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use cartwheel_events::UserId;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::access::key_error::KeyError;
use crate::access::scope::Scope;

/// Longest time that a token is valid, in seconds.
pub const LONGEST_TOKEN: i64 = 24 * 3600;
/// Clocks of a shop's server and of this one may differ by as much, in seconds.
const CLOCK_SKEW: i64 = 60;
/// Longest token, in bytes.
pub(crate) const MAX_TOKEN: usize = 1024;
const VERSION: &str = "v1.";
const SECRET: &str = "cws_";

/// The secret that signs the tokens of a key: `cws_` and 64 hexadecimal digits. The whole text
/// is the HMAC's key. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(String);

impl SigningSecret {
    /// The secret with these random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(format!("{SECRET}{}", hex::encode(random)))
    }

    /// The secret as the shop's server needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn mac(&self, signed: &str) -> Hmac<Sha256> {
        #[allow(clippy::expect_used, reason = "HMAC accepts keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("any length");
        mac.update(signed.as_bytes());
        mac
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret")
    }
}

impl FromStr for SigningSecret {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let digits = text.strip_prefix(SECRET).ok_or(KeyError::SigningSecret)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| KeyError::SigningSecret)?;
        Ok(Self(text.to_owned()))
    }
}

/// The claims of a shopper token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The shopper: a user's id, or `~` and the anonymous id of a guest.
    pub sub: UserId,
    /// The end of the token's validity, UTC seconds since 1970.
    pub exp: i64,
    /// The scopes that the token grants, separated by spaces.
    pub scope: String,
}

/// Why a token does not grant anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("The shopper token is not v1.CLAIMS.SIGNATURE as the documentation describes it.")]
    Form,
    #[error("No key has signed the shopper token, or it was changed after it was signed.")]
    Signature,
    #[error("The shopper token has expired: get a new one from the shop's server.")]
    Expired,
    #[error("The shopper token expires more than 24 hours from now: sign it for a shorter time.")]
    TooLong,
}

impl Claims {
    /// Signs the claims.
    pub fn sign(&self, secret: &SigningSecret) -> String {
        // A struct of texts and a number: serialising cannot fail.
        let claims = serde_json::to_vec(self).unwrap_or_default();
        let signed = format!("{VERSION}{}", BASE64.encode(claims));
        let signature = secret.mac(&signed).finalize().into_bytes();
        format!("{signed}.{}", BASE64.encode(signature))
    }

    /// Whether the token grants `scope`.
    pub(crate) fn grants(&self, scope: Scope) -> bool {
        self.scope.split(' ').any(|granted| granted == scope.as_str())
    }

    /// Checks that the token is valid at `now_ms`, UTC milliseconds.
    pub(crate) fn check_time(&self, now_ms: i64) -> Result<(), TokenError> {
        let now = now_ms.div_euclid(1000);
        if self.exp <= now {
            return Err(TokenError::Expired);
        }
        match self.exp > now + LONGEST_TOKEN + CLOCK_SKEW {
            true => Err(TokenError::TooLong),
            false => Ok(()),
        }
    }
}

/// A token whose form is valid and whose signature is not checked yet.
#[derive(Debug)]
pub(crate) struct UncheckedToken<'a> {
    signed: &'a str,
    claims: Claims,
    signature: Vec<u8>,
}

impl<'a> UncheckedToken<'a> {
    /// Whether a credential is meant to be a token. Keys never begin like one.
    pub(crate) fn is_token(text: &str) -> bool {
        text.starts_with(VERSION)
    }

    /// Reads a token.
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenError> {
        let form = |_| TokenError::Form;
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Form);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Form)?;
        let claims = signed.strip_prefix(VERSION).ok_or(TokenError::Form)?;
        let signature = BASE64.decode(signature).map_err(form)?;
        let claims = BASE64.decode(claims).map_err(form)?;
        let claims = serde_json::from_slice(&claims).map_err(|_| TokenError::Form)?;
        Ok(Self { signed, claims, signature })
    }

    /// Whether `secret` has signed the token, in constant time.
    pub(crate) fn is_signed_by(&self, secret: &SigningSecret) -> bool {
        secret.mac(self.signed).verify_slice(&self.signature).is_ok()
    }

    /// The claims of a token whose signature is checked.
    pub(crate) fn into_claims(self) -> Claims {
        self.claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_225_600;

    fn secret() -> SigningSecret {
        SigningSecret::new([7; 32])
    }

    fn claims() -> Claims {
        let scope = "events:write recommendations:read".to_owned();
        Claims { sub: UserId::new("u1").unwrap(), exp: NOW + 3600, scope }
    }

    #[test]
    fn a_changed_token_is_refused() {
        let token = claims().sign(&secret());
        let parsed = UncheckedToken::parse(&token).unwrap();
        assert!(parsed.is_signed_by(&secret()));
        assert!(!parsed.is_signed_by(&SigningSecret::new([8; 32])));
        assert_eq!(parsed.into_claims(), claims());
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let parsed = UncheckedToken::parse(&changed);
            assert!(!parsed.is_ok_and(|token| token.is_signed_by(&secret())), "{changed}");
        }
    }

    #[test]
    fn a_text_of_another_form_is_refused() {
        let token = claims().sign(&secret());
        let long = format!("v1.{}.{}", "A".repeat(MAX_TOKEN), "A".repeat(43));
        for text in ["", "v1.", "v1..", "v1.e30.e30", "v2.e30.e30", "v1.!.!", &token[3..], &long] {
            assert_eq!(UncheckedToken::parse(text).err(), Some(TokenError::Form), "{text}");
        }
    }

    #[test]
    fn a_token_is_valid_until_it_expires_and_not_longer_than_a_day() {
        let at = |exp| Claims { exp, ..claims() }.check_time(NOW * 1000 + 999);
        assert_eq!(at(NOW + 1), Ok(()));
        assert_eq!(at(NOW), Err(TokenError::Expired));
        assert_eq!(at(i64::MIN), Err(TokenError::Expired));
        assert_eq!(at(NOW + LONGEST_TOKEN + CLOCK_SKEW), Ok(()));
        assert_eq!(at(NOW + LONGEST_TOKEN + CLOCK_SKEW + 1), Err(TokenError::TooLong));
        assert_eq!(at(i64::MAX), Err(TokenError::TooLong));
    }

    // `scripts/check-token-examples` reads these: the programs in docs/identity.md print the same.
    const VECTOR_SECRET: &str =
        "cws_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    const VECTOR_SHOPPER: &str = "u1";
    const VECTOR_EXPIRES: &str = "1767229200";
    const VECTOR_TOKEN: &str = "v1.eyJzdWIiOiJ1MSIsImV4cCI6MTc2NzIyOTIwMCwic2NvcGUiOiJldmVudHM6d3JpdGUgcmVjb21tZW5kYXRpb25zOnJlYWQifQ.2pS_6kwqNLr5iQKJTIFH7Ak5s-l_mejM2XB08EbuJpI";

    #[test]
    fn a_token_is_the_one_that_the_documented_programs_print() {
        let claims = Claims {
            sub: UserId::new(VECTOR_SHOPPER).unwrap(),
            exp: VECTOR_EXPIRES.parse().unwrap(),
            scope: "events:write recommendations:read".to_owned(),
        };
        assert_eq!(claims.sign(&VECTOR_SECRET.parse().unwrap()), VECTOR_TOKEN);
    }

    #[test]
    fn the_secret_is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", secret()), "SigningSecret");
    }
}
