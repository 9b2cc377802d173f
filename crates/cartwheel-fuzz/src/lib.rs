//! Fuzz targets: each takes arbitrary bytes and panics if a guarantee is broken.
//!
//! The guarantees are those of the crates: no input causes a panic, a rejected file is named in
//! the error, accepted input can be used, and intact data is kept.

mod asl;
mod damage;
mod event;
mod features;
mod filter;
mod import;
mod lake;
mod log;
mod model;
mod mutations;
mod placements;
mod product;
mod rules;
mod scratch;

pub use asl::asl;
pub use damage::{SplitMix64, damage};
pub use event::event;
pub use features::features;
pub use filter::filter;
pub use import::import;
pub use lake::{manifest, parquet};
pub use log::log;
pub use model::{bundle, model};
pub use mutations::{
    DamagedModel, MutationReport, damaged_models, model_mutations, parquet_mutations,
};
pub use placements::placements;
pub use product::product;
pub use rules::rules;

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The target's name, which is also the name of its corpus directory.
    pub name: &'static str,
    /// Runs the target on some bytes.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 13] = [
    Target { name: "asl", run: asl },
    Target { name: "bundle", run: bundle },
    Target { name: "event", run: event },
    Target { name: "features", run: features },
    Target { name: "filter", run: filter },
    Target { name: "import", run: import },
    Target { name: "log", run: log },
    Target { name: "manifest", run: manifest },
    Target { name: "model", run: model },
    Target { name: "parquet", run: parquet },
    Target { name: "placements", run: placements },
    Target { name: "product", run: product },
    Target { name: "rules", run: rules },
];
