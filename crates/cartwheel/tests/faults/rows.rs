//! The table: SCORECARD.md, part B.

use anyhow::Result;

use crate::case::{Case, Shown};
use crate::{
    access, catalogue, clock, disk, durability, elsewhere, floods, imports, load, log_damage,
    maxima, models, names, placements, poison, positions, slow_clients, syscalls,
};

/// One fault.
pub struct Row {
    /// Its number in the scorecard.
    pub number: u8,
    /// The fault, in a few words.
    pub fault: &'static str,
    /// Whether it measures time or memory, and so wants the machine for itself.
    pub alone: bool,
    /// Does it, and says what it saw; an error is a row that does not hold.
    pub run: fn(&Case) -> Result<Shown>,
}

const fn row(number: u8, fault: &'static str, run: fn(&Case) -> Result<Shown>) -> Row {
    Row { number, fault, alone: false, run }
}

const fn alone(number: u8, fault: &'static str, run: fn(&Case) -> Result<Shown>) -> Row {
    Row { number, fault, alone: true, run }
}

/// Every row, in the scorecard's order.
pub const ROWS: [Row; 42] = [
    row(1, "kill -9 at random moments under load", durability::kills),
    row(2, "power cut at every step", durability::power_cuts),
    row(3, "order of system calls", syscalls::order),
    row(4, "log truncated at each of its last 4,096 bytes", log_damage::truncations),
    row(5, "bit flips in the middle of the log", log_damage::bit_flips),
    row(6, "disk full", disk::full),
    row(7, "EIO on fdatasync", disk::failed_sync),
    row(8, "kill during a Parquet write", durability::kills_in_delivery),
    row(9, "same event id ten times", durability::repeated_ids),
    row(10, "clock jumps of 400 days", clock::jumps),
    row(11, "delivery stopped", disk::stopped_delivery),
    row(12, "one poison record among 500", poison::one_record),
    row(13, "mutated model files", models::mutations),
    row(14, "NaN and infinity, in requests and scores", models::extremes),
    row(15, "corrupt Parquet", poison::corrupt_parquet),
    alone(16, "very many distinct users", load::many_users),
    alone(17, "floods: body, headers, depth, numbers, gzip", floods::floods),
    row(18, "slow clients", slow_clients::slow_clients),
    row(19, "no, wrong and foreign keys; admin fields", access::keys),
    row(20, "paths, links and URLs in ids", access::paths),
    row(21, "hostile names; secrets in logs", names::names),
    row(22, "AWS: throttled, partial, down", elsewhere::aws),
    row(23, "kill -9 at each transition of a run", elsewhere::workflow),
    row(24, "data of other releases", elsewhere::releases),
    alone(25, "soak", load::soak),
    row(26, "kill -9 during changes of products", catalogue::kills),
    row(27, "kill -9 during an import", imports::kills),
    row(28, "kill -9 during changes of placements", placements::kills),
    row(29, "pages of other sites; DNS rebinding", elsewhere::sites),
    row(30, "keys removed while serving", elsewhere::removed_keys),
    row(31, "one shopper's page asks for another", elsewhere::shoppers),
    row(32, "unsynced pages read back, and lost", elsewhere::lost_pages),
    row(33, "bit flips in every small file", elsewhere::small_files),
    row(34, "the largest sessions", elsewhere::large_sessions),
    row(35, "each background task panics", elsewhere::dying_tasks),
    row(36, "SIGTERM under load and in a compaction", elsewhere::asked_to_end),
    row(37, "the disk is gone: backup and restore", elsewhere::backups),
    alone(38, "a whole node on a simulated disk", elsewhere::simulation),
    alone(39, "very many new products", maxima::new_products),
    row(40, "a thousand erasures in a large log", maxima::erasures),
    alone(41, "a thousand readers of the live view", maxima::live_readers),
    row(42, "delivery.json changed, put back, removed", positions::changed),
];
