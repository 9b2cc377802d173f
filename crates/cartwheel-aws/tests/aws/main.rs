//! The adapters against stand-ins for the services, which the tests start themselves.

#![allow(clippy::disallowed_methods, reason = "real programs are measured in real time")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod backups;
mod conformance;
mod consumer;
mod erasure;
mod faults;
mod harness;
mod lake;
mod products;
mod runs;
