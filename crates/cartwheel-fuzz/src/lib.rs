//! Targets of fuzzing: each takes any bytes and panics if a promise is broken.
//!
//! The promises are those of the crates: no input panics, what is refused is refused
//! with its name, what is accepted can be used, and what is whole is kept.

mod asl;
mod damage;
mod event;
mod features;
mod lake;
mod log;
mod model;
mod mutations;
mod scratch;

pub use asl::asl;
pub use damage::{Numbers, damage};
pub use event::event;
pub use features::features;
pub use lake::{manifest, parquet};
pub use log::log;
pub use model::{bundle, model};
pub use mutations::{Hostile, Tried, hostile_models, model_mutations, parquet_mutations};

/// A target with its name, which its corpus's folder has too.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// What takes the bytes.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 8] = [
    Target { name: "asl", run: asl },
    Target { name: "bundle", run: bundle },
    Target { name: "event", run: event },
    Target { name: "features", run: features },
    Target { name: "log", run: log },
    Target { name: "manifest", run: manifest },
    Target { name: "model", run: model },
    Target { name: "parquet", run: parquet },
];
