//! Product feeds: Google Merchant Center, Shopify, WooCommerce, or any table of products.

mod columns;
mod fields;
mod mapping;
mod preview;
mod read;
mod row;
mod xml;

pub use mapping::FeedMapping;
pub use preview::{FeedField, FeedPreview, preview_feed};
pub use read::{Feed, read_feed, read_feed_as};
