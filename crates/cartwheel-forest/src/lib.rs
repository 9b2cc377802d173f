//! Reads and verifies XGBoost model files, and evaluates them without XGBoost, equal to it
//! to the last bit.
//!
//! ```text
//! bytes ──file──▶ declared trees ──verify──▶ verified trees ──layout──▶ trees, groups ──columns, walk──▶ margins
//!        (ubj)                            │
//!                                         └──statistics──▶ nodes ──shap──▶ contributions
//! ```
//!
//! Invariants: this crate does no I/O, starts no thread, has no `unsafe`, and allocates at
//! most a fixed multiple of its input's size. A file that [`Forest::from_bytes`] accepts can
//! be evaluated on any rows without a panic.
#![forbid(unsafe_code)]

mod columns;
mod error;
mod file;
mod forest;
mod layout;
mod shap;
mod statistics;
mod ubj;
mod verify;
mod walk;

pub use error::{ExplainError, ModelError};
pub use forest::{Forest, Objective};
pub use statistics::Importance;
