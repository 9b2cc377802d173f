//! CSV files, plain or gzip, by column name.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use csv::{ByteRecord, StringRecord};
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::ImportError;

/// Rows between two reports of progress.
const TICK: u64 = 4096;

/// The file of that name, or its gzip form.
pub(crate) fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    [dir.join(name), dir.join(format!("{name}.gz"))].into_iter().find(|p| p.is_file())
}

/// Names the content of all files.
pub(crate) fn digest(files: &[&PathBuf], as_of_ms: Option<i64>) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    for path in files {
        let mut file = File::open(path)?;
        hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update(file.metadata()?.len().to_le_bytes());
        loop {
            let n = file.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            hash.update(&buffer[..n]);
        }
    }
    hash.update(format!("{as_of_ms:?}"));
    Ok(hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect())
}

/// Counts the bytes that pass.
struct Counted<R>(R, Rc<Cell<u64>>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(buffer)?;
        self.1.set(self.1.get() + n as u64);
        Ok(n)
    }
}

/// A CSV file with a header line.
pub(crate) struct CsvFile {
    path: PathBuf,
    name: String,
    header: Vec<String>,
    reader: csv::Reader<Box<dyn Read>>,
    read: Rc<Cell<u64>>,
}

/// One row, by column name.
pub(crate) struct Row<'a> {
    pub file: &'a str,
    /// 1 = the header.
    pub line: u64,
    header: &'a [String],
    cells: &'a StringRecord,
}

/// A row that is no row: file, line, reason.
pub(crate) struct Broken<'a>(pub &'a str, pub u64, pub String);

impl CsvFile {
    /// Opens a file that must have the given columns.
    pub(crate) fn open(path: &Path, required: &[&str]) -> Result<Self, ImportError> {
        let unusable = |problem: String| ImportError::Unusable { path: path.to_owned(), problem };
        let read = Rc::new(Cell::new(0));
        let file = Counted(BufReader::with_capacity(1 << 18, File::open(path)?), read.clone());
        let inner: Box<dyn Read> = if path.extension().is_some_and(|x| x == "gz") {
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(inner);
        let header = reader.byte_headers().map_err(|e| unusable(e.to_string()))?;
        let header: Vec<String> = header
            .iter()
            .map(|c| String::from_utf8_lossy(c).trim_start_matches('\u{feff}').trim().to_owned())
            .collect();
        for name in required {
            if !header.iter().any(|h| h == name) {
                let found = header.join(", ");
                return Err(unusable(format!("column {name} is missing; the header is: {found}")));
            }
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { path: path.to_owned(), name, header, reader, read })
    }

    /// Calls `each` with every row; ends at the first byte that cannot be read,
    /// with what was read before it kept.
    pub(crate) fn rows(
        &mut self,
        tick: &mut dyn FnMut(u64),
        mut each: impl FnMut(Result<Row<'_>, Broken<'_>>) -> io::Result<()>,
    ) -> Result<(), ImportError> {
        let mut record = ByteRecord::new();
        let (mut ticked, mut rows) = (0, 0_u64);
        loop {
            let line = self.reader.position().line();
            match self.reader.read_byte_record(&mut record) {
                Ok(false) => break,
                Ok(true) => {}
                Err(error) => {
                    if rows == 0 {
                        let problem = error.to_string();
                        return Err(ImportError::Unusable { path: self.path.clone(), problem });
                    }
                    each(Err(Broken(
                        &self.name,
                        line,
                        format!("the rest is unreadable: {error}"),
                    )))?;
                    break;
                }
            }
            rows += 1;
            match StringRecord::from_byte_record(std::mem::take(&mut record)) {
                Ok(cells) => {
                    if cells.len() == self.header.len() {
                        let (file, header) = (&*self.name, &*self.header);
                        each(Ok(Row { file, line, header, cells: &cells }))?;
                    } else {
                        let reason =
                            format!("{} cells in place of {}", cells.len(), self.header.len());
                        each(Err(Broken(&self.name, line, reason)))?;
                    }
                    record = cells.into_byte_record();
                }
                Err(error) => {
                    record = error.into_byte_record();
                    each(Err(Broken(&self.name, line, "is not UTF-8".to_owned())))?;
                }
            }
            if rows.is_multiple_of(TICK) {
                tick(self.read.get() - ticked);
                ticked = self.read.get();
            }
        }
        tick(self.read.get() - ticked);
        Ok(())
    }
}

impl Row<'_> {
    /// The cell of that column; empty where the file has none.
    pub(crate) fn get(&self, column: &str) -> &str {
        let at = self.header.iter().position(|h| h == column);
        at.and_then(|at| self.cells.get(at)).map_or("", str::trim)
    }

    /// The cell as a number in a range; "7.0" is 7.
    pub(crate) fn number(&self, column: &str, least: f64, most: f64) -> Option<f64> {
        self.get(column).parse().ok().filter(|x| (least..=most).contains(x))
    }

    /// The row as it was, for the rejects.
    pub(crate) fn text(&self) -> String {
        self.cells.iter().collect::<Vec<_>>().join(",")
    }
}
