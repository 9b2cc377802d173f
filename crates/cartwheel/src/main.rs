//! The cartwheel binary: parses, wires, runs.

mod allocator;
mod arguments;
mod cli;
mod client;
mod commands;
mod context;
mod errors;
mod learn;
mod otlp;
mod proposals;
mod show;
mod traces;

fn main() -> std::process::ExitCode {
    // Opening a release takes several times the memory that stays in use.
    allocator::keep_free_pages(0);
    cartwheel_node::become_job();
    // By default OpenMP's waiting threads spin, which doubles the time on a small machine.
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("OMP_WAIT_POLICY", "passive") };
    cli::run()
}
