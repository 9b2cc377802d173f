//! The largest values that a product may hold.

/// Longest name, in characters.
pub const MAX_NAME: usize = 500;
/// Longest description, in characters.
pub const MAX_DESCRIPTION: usize = 10_000;
/// Longest other text, such as a brand, a category or a tag, in characters.
pub const MAX_TEXT: usize = 200;
/// Longest URL, in bytes.
pub const MAX_URL: usize = 2_048;
/// Most levels of a category path.
pub const MAX_CATEGORIES: usize = 10;
/// Most tags.
pub const MAX_TAGS: usize = 100;
/// Most attributes.
pub const MAX_ATTRIBUTES: usize = 100;
/// Most texts in one attribute.
pub const MAX_ATTRIBUTE_LIST: usize = 50;
/// Largest stock, in pieces.
pub const MAX_STOCK: u32 = 1_000_000_000;
/// Largest product, as bytes of JSON.
pub const MAX_PRODUCT_BYTES: usize = 64 << 10;
