//! The cartwheel binary: parses, wires, runs.

mod audit;
mod cli;
mod client;
mod commands;
mod data_dir;
mod learn;
mod listen;
mod nearest;
mod operations;
mod origin;
mod pipeline;
mod settings;
mod show;
mod upkeep;

// Requests and folds allocate small and often; figures in docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gives free pages back to the system after so many milliseconds.
fn keep_free_pages(ms: std::ffi::c_long) {
    /// `mi_option_purge_delay` of mimalloc.h, which the bindings do not name.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: sets a number.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, ms) };
}

fn main() -> std::process::ExitCode {
    // Opening a release takes several times what stays.
    keep_free_pages(0);
    pipeline::become_job();
    // OpenMP's waiting threads otherwise spin, which costs a small machine twice
    // the time. SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("OMP_WAIT_POLICY", "passive") };
    match cli::run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
