//! The fault table: what is done to the real binary, and what has to hold then.
//!
//! Every row is one small function over `kit`. `cargo test -p cartwheel --test faults`
//! runs each in a short form; after `--` come `--full` (the scorecard's numbers),
//! `--soak` (row 25 with 50 million events), `--only 5,6`, `--seed N` and `--json FILE`.
//! docs/faults.md says what each row does, and what this machine cannot show.

#![allow(clippy::disallowed_methods, reason = "real programs are measured in real time")]

#[cfg(test)]
mod access;
#[cfg(test)]
mod case;
#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod elsewhere;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod lake;
#[cfg(test)]
mod load;
#[cfg(test)]
mod log_damage;
#[cfg(test)]
mod log_file;
#[cfg(test)]
mod maxima;
#[cfg(test)]
mod models;
#[cfg(test)]
mod names;
#[cfg(test)]
mod placements;
#[cfg(test)]
mod poison;
mod positions;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod run;
#[cfg(test)]
#[allow(dead_code, reason = "the acceptance tests use the rest")]
#[path = "../acceptance/shop.rs"]
mod shop;
#[cfg(test)]
mod slow_clients;
#[cfg(test)]
mod strace;
#[cfg(test)]
mod syscalls;
#[cfg(test)]
mod traffic;

fn main() -> std::process::ExitCode {
    run::main()
}
