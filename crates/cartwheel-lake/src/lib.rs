//! The lake: Parquet tables in a directory, and the importers that fill them.
//!
//! `orders/`, `order_products/` and `products/` hold an import's parts, which
//! `imports/current.json` names; readers read only what it names, so that an
//! import appears whole or not at all. `events/`, `impressions/` and `errors/` hold
//! what delivery took from the stream, by hour; a part's name says what it covers,
//! so that compaction replaces many by one at once.

mod compact;
mod delivery;
mod erasure;
mod export;
mod guard;
pub mod import;
mod inspect;
mod manifest;
mod outcomes;
mod parts;
mod reading;
mod records;
mod rejects;
mod rewrite;
mod scan;
mod tables;
mod upload;

pub use compact::{Compacted, CompactionOptions, CompactionProgress, Compactor};
pub use delivery::{
    Delivered, DeliveredFile, Delivery, DeliveryError, DeliveryOptions, DeliveryStatus,
};
pub use erasure::{Erased, Erasure, ErasureError, Erasures};
pub use export::UserRecords;
pub use guard::guarded;
pub use import::{ImportError, ImportOptions, ImportSummary, Progress};
pub use inspect::{Column, Inspector, Sample, Table, TableFile};
pub use manifest::{Lake, LakeError, Manifest};
pub use outcomes::{Answered, Outcome, Outcomes};
pub use reading::{Checkouts, ProductRow};
pub use records::CheckoutRow;
pub use rejects::{RejectedRow, rejected};

#[cfg(test)]
mod tests;
