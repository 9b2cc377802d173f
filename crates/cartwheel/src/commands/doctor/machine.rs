//! What the machine gives: disk, memory, files, clock, the library for training.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cartwheel_ambient::Clock;
use cartwheel_node::{DataDir, files_needed};
use cartwheel_settings::Settings;
use cartwheel_training::Xgboost;

use super::finding::{Finding, bytes};
use crate::learn::libraries;
use crate::show::instant;

/// Free space below which the server can hardly work.
const LEAST_FREE: u64 = 512 << 20;
/// Free memory below which a training run may be ended by the system.
const LEAST_MEMORY: u64 = 1 << 30;
/// Syncs that are measured, and their size: that of a few events.
const SYNCS: usize = 15;
const SYNCED: [u8; 4096] = [0; 4096];
/// The time of a sync from which on every event is slow.
const SLOW_SYNC: Duration = Duration::from_millis(20);
/// 2025-01-01: this program did not exist before.
const EARLIEST_MS: i64 = 1_735_689_600_000;
/// How far a file may be ahead of the clock.
const AHEAD: Duration = Duration::from_secs(60);

pub(super) fn checks(data_dir: &DataDir, settings: &Settings, clock: &Clock) -> Vec<Finding> {
    let mut findings = vec![space(data_dir, settings)];
    findings.extend(sync(data_dir));
    findings.extend(memory());
    findings.extend(open_files(settings));
    findings.push(time(data_dir, clock));
    findings.push(library(settings));
    findings
}

/// The directory, or the nearest one above it that exists.
fn existing(dir: &Path) -> PathBuf {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let found = absolute.ancestors().find(|dir| dir.is_dir());
    found.unwrap_or(Path::new("/")).to_owned()
}

fn space(data_dir: &DataDir, settings: &Settings) -> Finding {
    const CHECK: &str = "disk space";
    let free = match free_bytes(&existing(&data_dir.0)) {
        Ok(free) => free,
        Err(error) => return Finding::error(CHECK, error.to_string(), "check the file system"),
    };
    let found = format!("{} free", bytes(free));
    let log = size(&data_dir.stream());
    let growth = settings.stream.max_bytes.saturating_sub(log);
    if free < LEAST_FREE {
        let next = "make space: events are refused when the disk is full";
        Finding::error(CHECK, found, next)
    } else if free < growth {
        let next = format!(
            "the event log may grow by {}: make space, or lower stream.max_bytes",
            bytes(growth)
        );
        Finding::warning(CHECK, found, next)
    } else {
        Finding::ok(CHECK, found)
    }
}

fn free_bytes(dir: &Path) -> io::Result<u64> {
    let path = CString::new(dir.as_os_str().as_bytes())?;
    // SAFETY: all fields are numbers, for which zero is a value.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends with a zero byte, and the call writes to the struct, which outlives it.
    if unsafe { libc::statvfs(path.as_ptr(), &mut found) } != 0 {
        return Err(io::Error::last_os_error());
    }
    #[allow(clippy::unnecessary_cast, reason = "the types differ by system")]
    Ok((found.f_bavail as u64).saturating_mul(found.f_frsize as u64))
}

/// The size of the files in a folder, without those in folders below.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
}

/// Writes and syncs a file of its own in the data directory, as the event log does.
fn sync(data_dir: &DataDir) -> Option<Finding> {
    const CHECK: &str = "disk writes";
    if !data_dir.0.is_dir() {
        return None;
    }
    let path = data_dir.0.join(format!("doctor-{}.tmp", std::process::id()));
    let measured = measure(&path);
    // What the measurement left behind does no harm.
    let _ = std::fs::remove_file(&path);
    Some(match measured {
        Ok(median) => {
            let found = format!("a sync takes {:.1} ms", median.as_secs_f64() * 1e3);
            match median < SLOW_SYNC {
                true => Finding::ok(CHECK, found),
                false => {
                    let next = "each event waits for one: put the data directory on a local SSD";
                    Finding::warning(CHECK, found, next)
                }
            }
        }
        Err(error) => {
            let found = format!("{}: {error}", data_dir.0.display());
            let next = "let this user write to the directory, or name another --data-dir";
            Finding::error(CHECK, found, next)
        }
    })
}

/// The median time of a sync.
fn measure(path: &Path) -> io::Result<Duration> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let mut times = [Duration::ZERO; SYNCS];
    for time in &mut times {
        let start = instant();
        file.write_all(&SYNCED)?;
        file.sync_data()?;
        *time = start.elapsed();
    }
    times.sort_unstable();
    Ok(times[SYNCS / 2])
}

fn memory() -> Option<Finding> {
    const CHECK: &str = "memory";
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    let free = kilobytes * 1024;
    let found = format!("{} available", bytes(free));
    Some(match free >= LEAST_MEMORY {
        true => Finding::ok(CHECK, found),
        false => {
            let next = "training may be ended by the system: see `cartwheel capacity`";
            Finding::warning(CHECK, found, next)
        }
    })
}

fn open_files(settings: &Settings) -> Option<Finding> {
    const CHECK: &str = "open files";
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call writes to the struct, which outlives it.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return None;
    }
    let needed = files_needed(settings.server.max_connections);
    let found = match limit.rlim_max {
        libc::RLIM_INFINITY => "no limit".to_owned(),
        most => format!("at most {most}"),
    };
    Some(match limit.rlim_max >= needed {
        true => Finding::ok(CHECK, found),
        false => {
            let next = format!(
                "raise the hard limit to {needed} (`ulimit -Hn`, or LimitNOFILE= of the service), \
                 or lower server.max_connections"
            );
            Finding::warning(CHECK, found, next)
        }
    })
}

fn time(data_dir: &DataDir, clock: &Clock) -> Finding {
    const CHECK: &str = "clock";
    const NEXT: &str = "synchronise the clock before the server starts, for instance with chrony: \
                        events are ordered by it";
    let now_ms = clock.now_ms();
    if now_ms < EARLIEST_MS {
        return Finding::error(CHECK, "the clock stands before 2025", NEXT);
    }
    let entries = std::fs::read_dir(data_dir.stream()).into_iter().flatten().flatten();
    let newest = entries.filter_map(|entry| entry.metadata().ok()?.modified().ok()).max();
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms.unsigned_abs());
    let ahead = newest.and_then(|newest| newest.duration_since(now).ok());
    match ahead.filter(|ahead| *ahead > AHEAD) {
        None => Finding::ok(CHECK, format!("{} UTC", crate::show::second(now_ms))),
        Some(ahead) => {
            let found = format!("the newest events are {} s ahead of it", ahead.as_secs());
            Finding::error(CHECK, found, NEXT)
        }
    }
}

fn library(settings: &Settings) -> Finding {
    const CHECK: &str = "libxgboost";
    match Xgboost::search(&libraries(&settings.train)) {
        Ok(library) => {
            let (major, minor, patch) = library.version();
            Finding::ok(CHECK, format!("version {major}.{minor}.{patch}"))
        }
        Err(error) => {
            let next = "install XGBoost 1.7 or later, and set train.library to its libxgboost.so. \
                        Without it nothing is trained; releases that exist are served";
            Finding::error(CHECK, error.to_string(), next)
        }
    }
}
