//! For tests: stand-ins for AWS services on this machine, and faults between them and
//! the adapters.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod emulators;
mod faults;
mod lambda;

pub use emulators::{Emulator, free_port};
pub use faults::{FaultProxy, Faults, Seen};
pub use lambda::Function;
