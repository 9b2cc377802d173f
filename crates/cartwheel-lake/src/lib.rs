//! The lake: tables of Parquet files in a directory.
//!
//! An import fills `orders/`, `order_products/` and `products/`. Its manifest
//! `imports/current.json` names the parts, and readers read only those, so that an import
//! appears as a whole or not at all. Delivery fills `events/`, `impressions/`, `catalogue/` and
//! `errors/` from the stream, by hour. The name of a part states the range that it covers, so
//! that compaction replaces many parts by one at once. `feedback/` has what followed from
//! recommendations, a file a day, and `feedback_products/` the same by product.

mod compaction;
mod copying;
mod dates;
mod delivery;
mod erasure;
mod error;
mod files;
pub mod import;
mod lake;
mod manifest;
mod partial;
mod progress;
mod read;
mod rejects;
mod tables;

pub use compaction::{CompactionOptions, CompactionSummary, Compactor};
pub use copying::DeliveredFiles;
pub use dates::AssumedDates;
pub use delivery::{
    DeliveredFile, Delivery, DeliveryError, DeliveryOptions, DeliverySnapshot, DeliveryStatus,
    delivered_before,
};
pub use erasure::{
    Erasure, ErasureError, ErasureList, ErasureResult, Erasures, PendingErasure, Tombstone,
    append_tombstones, bury, parse_tombstones, read_tombstones,
};
pub use error::LakeError;
pub use files::guard::guarded;
pub use files::partition::{day_folder, hour_folder};
pub use import::{
    Basket, EarlierImports, ImportError, ImportOptions, ImportPart, ImportProgress, NewImport,
    Started,
};
pub use lake::Lake;
pub use manifest::{ImportEntry, ImportKind, ImportSummary, Manifest};
pub use progress::CompactionProgress;
pub use read::checkouts::{CheckoutRow, Checkouts};
pub use read::export::UserRecords;
pub use read::feedback::{Feedback, ProductFeedback};
pub use read::feedback_days::FeedbackDays;
pub use read::inspect::{Column, Inspector, Sample, Table, TableFile};
pub use read::past::Past;
pub use read::products::{CatalogueChanges, ProductRow};
pub use read::reactions::{FeedbackKey, ProductKey, Reactions};
pub use read::recent::{RecentEvents, RecentShopper};
pub use read::searches::{SearchCount, Searches};
pub use read::ties::Ties;
pub use read::touches::{Search, Touch, Touches};
pub use rejects::{RejectedRow, read_rejects};

#[cfg(test)]
mod tests;
