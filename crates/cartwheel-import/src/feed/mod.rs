//! Product feeds: Google Merchant Center, Shopify, WooCommerce, or any table of products.

mod fields;
mod preview;
mod read;
mod row;
mod xml;

pub use preview::{FeedField, FeedPreview};
pub use read::{Feed, read_feed};
