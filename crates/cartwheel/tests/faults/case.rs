//! What a row is given, and what it gives back.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use crate::shop;

/// One row's run: its form, its seed, and a directory for all that it makes.
pub struct Case {
    /// The scorecard's numbers, or a few of each.
    pub full: bool,
    /// Whether row 25 takes its long form.
    pub long_soak: bool,
    /// What all randomness of the row comes from.
    pub seed: u64,
    dir: PathBuf,
    made: Cell<u32>,
}

impl Case {
    /// A run with an empty directory.
    pub fn new(full: bool, long_soak: bool, seed: u64, dir: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&dir)?;
        Ok(Self { full, long_soak, seed, dir, made: Cell::new(0) })
    }

    /// One of two numbers, by the form.
    pub fn pick<T>(&self, short: T, full: T) -> T {
        if self.full { full } else { short }
    }

    /// The row's generator, from its start.
    pub fn random(&self) -> Random {
        Random(self.seed)
    }

    /// A new empty directory.
    pub fn empty(&self) -> Result<PathBuf> {
        self.made.set(self.made.get() + 1);
        let dir = self.dir.join(self.made.get().to_string()).join("data");
        std::fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    /// A data directory with a released model, in one of its own.
    pub fn shop(&self) -> Result<PathBuf> {
        let dir = self.empty()?;
        copy_shop(&dir)?;
        Ok(dir)
    }

    /// What servers of this row wrote where somebody would look after a panic.
    pub fn panics(&self) -> Vec<String> {
        let mut found = Vec::new();
        let folders = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let files = folders.flat_map(|f| std::fs::read_dir(f.path()).into_iter().flatten());
        for path in files.flatten().map(|file| file.path()) {
            if path.extension().is_some_and(|x| x == "stderr") {
                let text = std::fs::read(&path).unwrap_or_default();
                let text = String::from_utf8_lossy(&text).into_owned();
                let lines = text.lines().filter(|line| line.contains("panicked"));
                found.extend(lines.map(str::to_owned));
            }
        }
        found
    }
}

/// Copies a small shop with a released model, which the process makes once, into `dir`.
pub fn copy_shop(dir: &Path) -> Result<()> {
    static MADE: OnceLock<Mutex<tempfile::TempDir>> = OnceLock::new();
    let made = MADE.get_or_init(|| Mutex::new(shop::shop()));
    let made = made.lock().unwrap_or_else(PoisonError::into_inner);
    copy(made.path(), dir)
}

/// Copies all that is in `from` into `to`.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").arg("-r").arg(from.join(".")).arg(to).status();
    ensure!(copied.context("cp")?.success(), "{} was not copied", from.display());
    Ok(())
}

/// What a row that holds has seen.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Shown {
    /// Cases that held.
    pub passed: u64,
    /// Cases.
    pub tried: u64,
    /// Memory, where the row is about it.
    pub memory: Option<Memory>,
    /// Figures worth a look.
    pub note: String,
    /// Why this machine cannot run it, where that is so.
    pub skipped: Option<String>,
}

impl Shown {
    /// All of `tried` cases held.
    pub fn all(tried: u64, note: impl Into<String>) -> Result<Self> {
        Ok(Self { passed: tried, tried, note: note.into(), ..Self::default() })
    }

    /// The same with memory.
    pub fn with(self, memory: Memory) -> Self {
        Self { memory: Some(memory), ..self }
    }

    /// The row was not run.
    pub fn skip(reason: impl Into<String>) -> Result<Self> {
        Ok(Self { skipped: Some(reason.into()), ..Self::default() })
    }
}

/// Resident memory of a process around a fault, in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Memory {
    /// Before it.
    pub before: u64,
    /// The most of it.
    pub peak: u64,
    /// After it.
    pub after: u64,
}

impl Memory {
    /// How much it rose, in MiB.
    pub fn rise(self) -> f64 {
        self.peak.saturating_sub(self.before) as f64 / 1024.0
    }
}

/// SplitMix64 (Steele et al., OOPSLA 2014): small, and the same everywhere.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for the `n`th part.
    pub fn part(&self, n: u64) -> Self {
        let mut part = Self(self.0 ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        part.next();
        part
    }

    /// 64 random bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// One of a list's indices.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// A time of so many milliseconds.
    pub fn ms(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(range.start + self.below(range.end - range.start))
    }
}
