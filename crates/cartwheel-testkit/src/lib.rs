//! Tools for tests: emulators of AWS services, a proxy that injects faults in front of them,
//! and a Lambda runtime.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::disallowed_methods, reason = "it waits for processes, in real time")]

mod asked;
mod emulators;
mod faults;
mod lambda;

pub use emulators::{Emulator, free_port};
pub use faults::{FaultProxy, Faults, Seen, Slow};
pub use lambda::Function;
