//! Files that the server embeds.

use std::borrow::Cow;

/// An embedded file.
#[derive(Debug, Clone)]
pub struct Asset {
    /// The content.
    pub body: Cow<'static, [u8]>,
    /// The media type.
    pub mime: Cow<'static, str>,
}

/// Finds a file by its path without the leading slash.
pub type Assets = fn(&str) -> Option<Asset>;
