//! The lake: Parquet tables in a directory, and the importers that fill them.
//!
//! `orders/`, `order_products/` and `products/` hold an import's parts, which
//! `imports/current.json` names; readers read only what it names, so that an
//! import appears whole or not at all.

mod delivery;
pub mod import;
mod inspect;
mod manifest;
mod outcomes;
mod reading;
mod records;
mod rejects;
mod tables;

pub use delivery::{
    Delivered, DeliveredFile, Delivery, DeliveryError, DeliveryOptions, DeliveryStatus,
};
pub use import::{ImportError, ImportOptions, ImportSummary, Progress};
pub use inspect::{Column, Inspector, Sample, Table, TableFile};
pub use manifest::{Lake, LakeError, Manifest};
pub use outcomes::{Answered, Outcome, Outcomes};
pub use reading::{Checkouts, ProductRow};
pub use records::CheckoutRow;
pub use rejects::{RejectedRow, rejected};

#[cfg(test)]
mod tests;
