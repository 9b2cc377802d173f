//! Signatures by which another product shows that a request is its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The secret that Shopify shares with the receiver of its webhooks. `Debug` hides it.
#[derive(Clone)]
pub struct WebhookSecret(String);

impl WebhookSecret {
    /// The secret with this text; `None` if it is shorter than 16 characters.
    pub fn new(text: &str) -> Option<Self> {
        (text.len() >= 16).then(|| Self(text.to_owned()))
    }

    /// Whether `signature` is the HMAC-SHA256 of `body` in Base64.
    pub(crate) fn has_signed(&self, body: &[u8], signature: &str) -> bool {
        #[allow(clippy::expect_used, reason = "HMAC accepts keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("any length");
        mac.update(body);
        BASE64.decode(signature).is_ok_and(|signature| mac.verify_slice(&signature).is_ok())
    }
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret")
    }
}
