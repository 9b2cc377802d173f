//! Errors in the text form of a key.

/// A text that is not a key's hash with its scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The hash is not valid.
    #[error("a key's hash is 64 hexadecimal digits: printf %s \"$KEY\" | sha256sum")]
    Hash,
    /// The scope is unknown.
    #[error("a scope is events:write, recommendations:read or admin")]
    Scope,
    /// The name is not valid.
    #[error("a key's name is 1 to 64 of A-Z a-z 0-9 . _ : @ -")]
    Name,
}
