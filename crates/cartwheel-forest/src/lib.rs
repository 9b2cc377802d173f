//! Reads the model files of XGBoost, verifies them, and evaluates them as
//! XGBoost does, to the last bit, without XGBoost.
//!
//! ```text
//! bytes ──file──▶ declared trees ──verify──▶ sound trees ──layout──▶ groups ──walk──▶ margins
//!        (ubj)                            │
//!                                         └──statistics──▶ nodes ──shap──▶ contributions
//! ```
//!
//! Invariants: this crate does no I/O, starts no thread, has no `unsafe`, and
//! allocates no more than a fixed multiple of the bytes it is given. A file that
//! passes [`Forest::from_bytes`] can be evaluated on any rows without a panic.
#![forbid(unsafe_code)]

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
