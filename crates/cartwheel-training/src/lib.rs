//! Training with libxgboost, which is found and loaded at run time.
//!
//! The build does not need the library. The same parameters, data, threads and seed give the
//! same trees as in Python.

mod ffi;
mod metric;
mod train;

pub use ffi::{TrainingError, Xgboost};
pub use train::{Data, Examples, Round, Trained};
