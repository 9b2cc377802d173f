//! The lake: Parquet tables in a directory, and the importers that fill them.
//!
//! `orders/`, `order_products/` and `products/` hold an import's parts, which
//! `imports/current.json` names; readers read only what it names, so that an
//! import appears whole or not at all.

mod delivery;
pub mod import;
mod manifest;
mod reading;
mod records;
mod rejects;
mod tables;

pub use delivery::{Delivery, DeliveryError, DeliveryOptions};
pub use import::{ImportError, ImportOptions, ImportSummary, Progress};
pub use manifest::{Lake, LakeError, Manifest};
pub use reading::{Checkouts, ProductRow};
pub use records::CheckoutRow;

#[cfg(test)]
mod tests;
