//! Runs one part of the server on fixed inputs, under Valgrind, which counts the instructions of
//! [`measured::cartwheel_measured`]: `scripts/instruction-counts` compares them with those of earlier
//! commits.
//!
//! `cartwheel-instructions forest-batch | forest-row | rank | accept`

mod accept;
mod forest;
mod measured;
mod model;
mod rank;
mod sequence;

use anyhow::{Result, bail};

/// As in the server, so that counts do not depend on the C library's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("forest-batch") => forest::batch(),
        Some("forest-row") => forest::row(),
        Some("rank") => rank::rank(),
        Some("accept") => accept::accept(),
        _ => bail!("name a part: forest-batch, forest-row, rank or accept"),
    }
}
