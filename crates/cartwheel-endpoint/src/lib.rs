//! Scores rows over HTTP as SageMaker's built-in XGBoost container does, with our own forest.
//!
//! ```text
//! body ──rows──▶ blocks of rows ──forest──▶ scores ──answer──▶ body
//! ```
//!
//! Source of the protocol: `algorithm_mode/serve.py` and `serve_utils.py` of
//! github.com/aws/sagemaker-xgboost-container.
//!
//! Invariant: of a request, memory holds its body and scores, and one block of rows.
#![forbid(unsafe_code)]

mod answer;
mod body;
mod refusal;
mod router;
mod rows;

pub use answer::Format;
pub use router::{Settings, router};
