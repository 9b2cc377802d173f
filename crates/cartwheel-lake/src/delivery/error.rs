//! The error of a delivery.

use std::io;

use cartwheel_stream::ReadError;

/// Why records were not delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// The stream cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The lake cannot be written.
    #[error("delivery: {0}")]
    Store(#[from] object_store::Error),
    /// The checkpoint cannot be written.
    #[error("delivery: {0}")]
    Io(#[from] io::Error),
}
