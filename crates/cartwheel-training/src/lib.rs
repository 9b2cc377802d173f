//! Training with libxgboost, found and loaded at run time.
//!
//! Nothing is needed at build time; the same trees come out as from Python with
//! the same parameters, data, threads and seed.

mod ffi;
mod metric;
mod train;

pub use ffi::{TrainingError, Xgboost};
pub use train::{Data, Examples, Round, Trained};
