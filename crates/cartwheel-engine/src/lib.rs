//! Answers from a release, the evaluation of models, and which release serves.
//!
//! [`Opened`] is a release that was opened as a whole; [`Current`] answers requests from
//! the one that serves and swaps it without a pause. [`evaluate()`] measures a model through
//! the code that serves. [`deployment`] and the [`functions`] of the state machine work on any
//! [`Registry`](cartwheel_registry::Registry). libxgboost is not needed, so that
//! the functions in the cloud run the same code.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod deployment;
mod engine;
mod evaluation;
pub mod functions;
mod gate;
mod release;

pub use engine::{Current, ScoreError, Scorer};
pub use evaluation::{Comparison, Method, Refused, Report, evaluate};
pub use gate::summary;
pub use release::{OpenError, Opened};

#[cfg(test)]
mod tests;
