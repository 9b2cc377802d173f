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
    /// The publishable half is not valid.
    #[error(
        "a publishable key is cwp_ and 32 hexadecimal digits, as `cartwheel keys create` prints it"
    )]
    Publishable,
    /// The signing secret is not valid.
    #[error(
        "a signing secret is cws_ and 64 hexadecimal digits, as `cartwheel keys create` prints it"
    )]
    SigningSecret,
    /// A part of the key is unknown.
    #[error("after a key's hash come ;publishable=cwp_… and ;signing=cws_…, or neither")]
    Part,
    /// The name is not valid.
    #[error("a key's name is 1 to 64 of A-Z a-z 0-9 . _ : @ -")]
    Name,
}
