//! Names that are safe in headers, logs and metrics.

/// Longest name, in bytes.
const LONGEST: usize = 64;

/// Whether `text` is 1 to 64 of `A-Z a-z 0-9 . _ : @ -`.
pub(crate) fn is_plain_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@-".contains(&byte);
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(allowed)
}
