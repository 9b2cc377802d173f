//! The cartwheel binary: parses, wires, runs.

mod cli;
mod commands;
mod engine;
mod learn;
mod place;
mod release;
mod settings;
mod show;

// Requests and folds allocate small and often; figures in docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
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
