//! Rows that an import leaves out, with the reason.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Longest text of a row that is kept.
const MAX_TEXT: usize = 500;
/// The first line of a rejects file.
pub(crate) const HEADER: &str = "file,line,reason,row";
/// Most rows that are written down; more are only counted.
const MAX_ROWS: u64 = 1_000_000;

/// The rejects file of one import, made with its first row.
pub(crate) struct Rejects {
    path: PathBuf,
    file: Option<BufWriter<std::fs::File>>,
    pub count: u64,
}

impl Rejects {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None, count: 0 }
    }

    pub(crate) fn add(&mut self, file: &str, line: u64, reason: &str, row: &str) -> io::Result<()> {
        self.count += 1;
        if self.count > MAX_ROWS {
            return Ok(());
        }
        let out = match &mut self.file {
            Some(out) => out,
            None => {
                if let Some(dir) = self.path.parent() {
                    std::fs::create_dir_all(dir)?;
                }
                let mut out = BufWriter::new(std::fs::File::create(&self.path)?);
                writeln!(out, "{HEADER}")?;
                self.file.insert(out)
            }
        };
        writeln!(out, "{file},{line},{},{}", quoted(reason), quoted(row))
    }

    pub(crate) fn finish(self) -> io::Result<Option<PathBuf>> {
        match self.file {
            Some(mut file) => {
                file.flush()?;
                Ok(Some(self.path))
            }
            None => Ok(None),
        }
    }
}

/// A CSV cell that no spreadsheet takes for a formula and no terminal for a command.
fn quoted(text: &str) -> String {
    let clean: String =
        text.chars().take(MAX_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let guard = if clean.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    format!("\"{guard}{}\"", clean.replace('"', "\"\""))
}

/// A row that an import left out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct RejectedRow {
    /// The file it was in.
    pub file: String,
    /// Its line there.
    pub line: String,
    /// Why.
    pub reason: String,
    /// What it said.
    pub row: String,
}

/// The first rows of a rejects file.
///
/// # Errors
/// When it cannot be read.
pub fn rejected(path: &Path, rows: usize) -> io::Result<Vec<RejectedRow>> {
    let mut reader = csv::Reader::from_path(path).map_err(io::Error::other)?;
    reader.deserialize().take(rows).map(|row| row.map_err(io::Error::other)).collect()
}
