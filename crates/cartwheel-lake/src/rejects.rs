//! The rejects file: rows that an import rejected, with the reasons.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Maximum number of characters of a row that are kept.
const MAX_TEXT: usize = 500;
/// The first line of a rejects file.
pub(crate) const HEADER: &str = "file,line,reason,row";
/// Maximum number of rows that are written. Further rows are only counted.
const MAX_ROWS: u64 = 1_000_000;

/// The rejects file of an import. It is created with the first row.
pub(crate) struct Rejects {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    /// Rejected rows.
    pub count: u64,
}

impl Rejects {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None, count: 0 }
    }

    /// Adds the row in line `line` of `file`.
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
                let mut out = BufWriter::new(File::create(&self.path)?);
                writeln!(out, "{HEADER}")?;
                self.file.insert(out)
            }
        };
        writeln!(out, "{file},{line},{},{}", quoted(reason), quoted(row))
    }

    /// Ends the file and returns its path. `None` if no row was rejected.
    pub(crate) fn finish(self) -> io::Result<Option<PathBuf>> {
        match self.file {
            Some(mut file) => {
                file.flush()?;
                file.get_ref().sync_all()?;
                // The manifest will name this file.
                self.path.parent().map_or(Ok(()), cartwheel_files::sync_dir)?;
                Ok(Some(self.path))
            }
            None => Ok(None),
        }
    }
}

/// A CSV cell that no spreadsheet takes for a formula and no terminal for a control sequence.
fn quoted(text: &str) -> String {
    let clean: String =
        text.chars().take(MAX_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let guard = if clean.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    format!("\"{guard}{}\"", clean.replace('"', "\"\""))
}

/// A row that an import rejected.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct RejectedRow {
    /// The name of the row's file.
    pub file: String,
    /// The row's line in the file.
    pub line: String,
    /// The reason.
    pub reason: String,
    /// The row's text, shortened.
    pub row: String,
}

/// Reads the first `limit` rows of a rejects file.
///
/// # Errors
/// When the file cannot be read.
pub fn read_rejects(path: &Path, limit: usize) -> io::Result<Vec<RejectedRow>> {
    let mut reader = csv::Reader::from_path(path).map_err(io::Error::other)?;
    reader.deserialize().take(limit).map(|row| row.map_err(io::Error::other)).collect()
}
