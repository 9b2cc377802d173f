//! Answers from a release, what a model is worth, and which one serves next.
//!
//! [`Opened`] is a release opened whole; [`Current`] answers requests from the one
//! that serves and swaps it without a pause. [`evaluate`] judges a model through the
//! code that serves, and [`decide`] draws the gate's conclusion. None of it needs
//! libxgboost, so that the functions of the cloud hold the same code.

mod engine;
mod evaluation;
mod gate;
mod release;

pub use engine::{Current, ScoreError, Scorer};
pub use evaluation::{Comparison, Method, Refused, Report, evaluate};
pub use gate::{Decision, decide, summary};
pub use release::{OpenError, Opened};
