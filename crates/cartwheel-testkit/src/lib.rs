//! Tools for tests: emulators of AWS services, a proxy that injects faults in front of them,
//! a Lambda runtime, and a client of servers.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::disallowed_methods, reason = "it waits for processes, in real time")]

mod asked;
mod emulators;
mod faults;
mod http;
mod lambda;
mod rights;

pub use emulators::{Emulator, free_port};
pub use faults::{FaultProxy, Faults, Seen, Slow};
pub use http::request;
pub use lambda::Function;
pub use rights::Rights;
