//! A whole node over a simulated disk and clock, one step after another, as a seed says.
//!
//! Log, sessions, live catalogue, delivery, compaction, erasure and every checkpoint are the product's
//! own, put together as `serve` does it. The system calls of this program are replaced (`calls`), so
//! that a disk knows what a power cut leaves of everything that any of them, redb, Parquet and the
//! object store included, has written (`disk`). A world begins empty and takes some hundred steps:
//! puts, consumers, deliveries, compactions, erasures, the clock, a full disk, failed syncs, kills and
//! power cuts at any step of the disk, also while it starts (`world`). After every restart, and now
//! and then, all of it is compared with the records that were acknowledged (`model`).
//!
//! ```text
//! cargo test -p cartwheel-node --test simulation --profile checked -- --steps 1000000 --seed 7
//! cargo test -p cartwheel-node --test simulation -- --world 7000123
//! cargo test -p cartwheel-node --test simulation -- --forget-syncs .log
//! ```
//!
//! The first takes so many steps in worlds with the seeds 7000000, 7000001, …, optimised, but with every
//! assertion; the second repeats one world, step by step the same; the third drops the syncs of paths
//! that contain a text, and says after how many steps that was noticed.

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod disk;
#[cfg(target_os = "linux")]
mod model;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod world;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    run::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the simulation replaces system calls of Linux: not run here");
}
