//! cartwheel on one machine.

mod supervision;

pub use supervision::Supervisor;
