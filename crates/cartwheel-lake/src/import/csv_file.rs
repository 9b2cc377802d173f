//! CSV files, plain or gzip, with cells by column name.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use csv::{ByteRecord, StringRecord};
use flate2::read::MultiGzDecoder;

use crate::import::error::ImportError;

/// Rows between two reports of progress.
const TICK_ROWS: u64 = 4096;

/// A reader that counts the bytes that it returns.
struct Counted<R> {
    inner: R,
    bytes: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.bytes.set(self.bytes.get() + n as u64);
        Ok(n)
    }
}

/// A CSV file with a header line.
pub(super) struct CsvFile {
    path: PathBuf,
    name: String,
    header: Vec<String>,
    reader: csv::Reader<Box<dyn Read>>,
    /// Bytes of the file read so far, before decompression.
    read: Rc<Cell<u64>>,
}

/// A row with as many cells as the header.
pub(super) struct Row<'a> {
    pub file: &'a str,
    /// The line in the file; the header is line 1.
    pub line: u64,
    header: &'a [String],
    cells: &'a StringRecord,
}

/// A row whose cells cannot be read.
pub(super) struct MalformedRow<'a> {
    pub file: &'a str,
    /// The line in the file; the header is line 1.
    pub line: u64,
    pub reason: String,
}

impl CsvFile {
    /// Opens a file that must have the required columns.
    pub(super) fn open(path: &Path, required: &[&str]) -> Result<Self, ImportError> {
        let unusable = |problem: String| ImportError::Unusable { path: path.to_owned(), problem };
        let read = Rc::new(Cell::new(0));
        let inner = BufReader::with_capacity(1 << 18, File::open(path)?);
        let file = Counted { inner, bytes: read.clone() };
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

    /// Calls `each` with every row, and `tick` now and then with the number of bytes read since
    /// the last call. If a part of the file cannot be read, `each` has received the rows before
    /// it, and the rest counts as one malformed row.
    pub(super) fn rows(
        &mut self,
        tick: &mut dyn FnMut(u64),
        mut each: impl FnMut(Result<Row<'_>, MalformedRow<'_>>) -> io::Result<()>,
    ) -> Result<(), ImportError> {
        let mut record = ByteRecord::new();
        let (mut ticked, mut rows) = (0, 0_u64);
        let (file, header) = (&*self.name, &*self.header);
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
                    let reason = format!("the rest of the file is unreadable: {error}");
                    each(Err(MalformedRow { file, line, reason }))?;
                    break;
                }
            }
            rows += 1;
            match StringRecord::from_byte_record(std::mem::take(&mut record)) {
                Ok(cells) => {
                    if cells.len() == header.len() {
                        each(Ok(Row { file, line, header, cells: &cells }))?;
                    } else {
                        let reason = format!("{} cells instead of {}", cells.len(), header.len());
                        each(Err(MalformedRow { file, line, reason }))?;
                    }
                    record = cells.into_byte_record();
                }
                Err(error) => {
                    record = error.into_byte_record();
                    let reason = "the row is not UTF-8".to_owned();
                    each(Err(MalformedRow { file, line, reason }))?;
                }
            }
            if rows.is_multiple_of(TICK_ROWS) {
                tick(self.read.get() - ticked);
                ticked = self.read.get();
            }
        }
        tick(self.read.get() - ticked);
        Ok(())
    }
}

impl Row<'_> {
    /// The cell of a column. Empty if the file lacks the column.
    pub(super) fn get(&self, column: &str) -> &str {
        let at = self.header.iter().position(|h| h == column);
        at.and_then(|at| self.cells.get(at)).map_or("", str::trim)
    }

    /// The cell as a number from `least` to `most`. `None` if it is not one. "7.0" is 7.
    pub(super) fn number(&self, column: &str, least: f64, most: f64) -> Option<f64> {
        self.get(column).parse().ok().filter(|x| (least..=most).contains(x))
    }

    /// The row as it is in the file, without quotes.
    pub(super) fn text(&self) -> String {
        self.cells.iter().collect::<Vec<_>>().join(",")
    }
}
