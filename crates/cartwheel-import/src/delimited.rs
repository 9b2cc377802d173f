//! Lines of cells: cutting a source into chunks of whole rows, and a chunk into cells.

use std::io::{self, Read};

use crate::error::ImportError;
use crate::field::{Cells, Field};
use crate::format::{Dialect, not_utf8};
use crate::split::RowSplitter;

/// Bytes of a chunk.
const CHUNK: usize = 256 << 10;
/// Maximum number of bytes of a row.
const MAX_ROW: usize = 4 << 20;

/// Whole rows of a source.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The line of the first row, from 1.
    pub first_line: u64,
    pub bytes: Vec<u8>,
}

/// Cuts a source into chunks that end with a row.
pub(crate) struct Chunks<R> {
    reader: R,
    /// The character that quotes cells; `None` where each line is a row.
    quote: Option<u8>,
    delimiter: u8,
    line: u64,
    /// What follows the last whole row.
    rest: Vec<u8>,
    is_done: bool,
}

impl<R: Read> Chunks<R> {
    /// Rows of a dialect, or lines of JSON if there is none.
    pub(crate) fn new(reader: R, dialect: Option<Dialect>) -> Self {
        Self {
            reader,
            quote: dialect.filter(|dialect| dialect.quoted).map(|_| b'"'),
            delimiter: dialect.map_or(0, |dialect| dialect.delimiter as u8),
            line: 1,
            rest: Vec::new(),
            is_done: false,
        }
    }

    /// The next chunk. `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Chunk>> {
        let mut bytes = std::mem::take(&mut self.rest);
        while !self.is_done {
            let missing = CHUNK.saturating_sub(bytes.len()).max(CHUNK / 4);
            let read = self.reader.by_ref().take(missing as u64).read_to_end(&mut bytes)?;
            self.is_done = read == 0;
            let end = if self.is_done { bytes.len() } else { self.end_of_rows(&bytes) };
            if end > 0 && (bytes.len() >= CHUNK || self.is_done) {
                self.rest = bytes.split_off(end);
                break;
            }
            if bytes.len() > MAX_ROW {
                let problem = format!(
                    "the row at line {} is longer than {} MiB; is a quote missing?",
                    self.line,
                    MAX_ROW >> 20
                );
                return Err(io::Error::other(problem));
            }
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let chunk = Chunk { first_line: self.line, bytes };
        self.line += memchr::memchr_iter(b'\n', &chunk.bytes).count() as u64;
        Ok(Some(chunk))
    }

    /// The end of the last whole row.
    fn end_of_rows(&self, bytes: &[u8]) -> usize {
        let Some(quote) = self.quote else {
            return memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
        };
        let (mut end, mut start, mut is_open) = (0, 0, false);
        for at in memchr::memchr_iter(b'\n', bytes) {
            let line = &bytes[start..at];
            if is_open || memchr::memchr(quote, line).is_some() {
                is_open = ends_open(line, is_open, quote, self.delimiter);
            }
            start = at + 1;
            if !is_open {
                end = start;
            }
        }
        end
    }
}

/// Whether a line ends within a quoted cell. A quote opens a cell only at its beginning, and two
/// quotes are one quote within it.
fn ends_open(line: &[u8], mut is_open: bool, quote: u8, delimiter: u8) -> bool {
    let mut is_start = !is_open;
    let mut bytes = line.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if is_open {
            if byte == quote {
                if bytes.peek() == Some(&quote) {
                    bytes.next();
                } else {
                    is_open = false;
                }
            }
        } else {
            is_open = is_start && byte == quote;
            is_start = byte == delimiter;
        }
    }
    is_open
}

/// The columns of a file by field, as places in a row. The first one with a value counts.
pub(crate) type Places = Vec<(Field, Vec<usize>)>;

/// The cells of a row, or why they cannot be read.
pub(crate) type DelimitedRow<'a> = Result<Cells<'a>, String>;

/// How the rows of a file are read.
#[derive(Debug)]
pub(crate) struct DelimitedRows {
    /// The file's name in messages.
    pub name: String,
    pub dialect: Dialect,
    /// Whether the first row names the columns.
    pub has_header: bool,
    /// Number of columns.
    pub width: usize,
    pub places: Places,
}

impl DelimitedRows {
    /// Calls `each` with the line and the cells of every row, and with the row's text.
    pub(crate) fn for_each(
        &self,
        chunk: &Chunk,
        mut each: impl FnMut(u64, DelimitedRow<'_>, &dyn Fn() -> String),
    ) -> Result<(), ImportError> {
        let Self { name, dialect, width, .. } = self;
        let text = std::str::from_utf8(&chunk.bytes).map_err(|error| {
            let before = &chunk.bytes[..error.valid_up_to()];
            let lines = memchr::memchr_iter(b'\n', before).count() as u64;
            ImportError::source(name, not_utf8(chunk.first_line + lines))
        })?;
        let mut rows = RowSplitter::new(text.strip_prefix('\u{feff}').unwrap_or(text), *dialect);
        let mut is_header = self.has_header && chunk.first_line == 1;
        while let Some((lines, row)) = rows.next() {
            let line = chunk.first_line + lines;
            if std::mem::take(&mut is_header) {
                continue;
            }
            let text = || row.iter().collect::<Vec<_>>().join(&dialect.delimiter.to_string());
            if row.len() != *width {
                let problem = format!("{} cells instead of {width}", row.len());
                each(line, Err(problem), &text);
                continue;
            }
            let mut cells = Cells::default();
            for (field, places) in &self.places {
                let mut values = places.iter().filter_map(|&at| row.get(at)).map(str::trim);
                if let Some(value) = values.find(|value| !is_missing(value)) {
                    if !dialect.quoted && value.contains('\\') {
                        cells.set(*field, unescaped(value));
                    } else {
                        cells.set(*field, value);
                    }
                }
            }
            each(line, Ok(cells), &text);
        }
        Ok(())
    }
}

/// The first rows of a text: the header and the cells below it.
pub(crate) fn first_rows(head: &[u8], dialect: Dialect, limit: usize) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut reader = reader_of(head, dialect);
    let mut record = csv::ByteRecord::new();
    while rows.len() < limit && reader.read_byte_record(&mut record).unwrap_or(false) {
        let text = |cell: &[u8]| String::from_utf8_lossy(cell).trim().to_owned();
        rows.push(record.iter().map(text).collect());
    }
    rows
}

fn reader_of(bytes: &[u8], dialect: Dialect) -> csv::Reader<&[u8]> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    csv::ReaderBuilder::new()
        .delimiter(dialect.delimiter as u8)
        .quoting(dialect.quoted)
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(16 << 10)
        .from_reader(bytes)
}

/// Whether a cell holds no value. Databases write `\N` or `NULL`.
pub(crate) fn is_missing(cell: &str) -> bool {
    matches!(cell, "" | "\\N" | "NULL")
}

/// A cell without backslash escapes.
fn unescaped(cell: &str) -> String {
    let mut out = String::with_capacity(cell.len());
    let mut chars = cell.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next() {
            Some('t') => '\t',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('0') => '\0',
            Some(other) => other,
            None => '\\',
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMMA: Dialect = Dialect { delimiter: ',', quoted: true };

    fn chunks(text: &[u8], dialect: Dialect) -> Vec<Chunk> {
        let mut chunks = Chunks::new(text, Some(dialect));
        std::iter::from_fn(|| chunks.next().unwrap()).collect()
    }

    fn rows(text: &str, dialect: Dialect) -> Vec<(u64, String)> {
        let mut out = Vec::new();
        for chunk in chunks(text.as_bytes(), dialect) {
            let places = vec![(Field::UserId, vec![0, 1])];
            let name = "x".to_owned();
            let rows = DelimitedRows { name, dialect, has_header: false, width: 2, places };
            let each = |line, row: DelimitedRow<'_>, _: &dyn Fn() -> String| {
                out.push(match row {
                    Ok(cells) => (line, cells.get(Field::UserId).to_owned()),
                    Err(problem) => (line, problem),
                });
            };
            rows.for_each(&chunk, each).unwrap();
        }
        out
    }

    #[test]
    fn the_first_cell_with_a_value_counts_and_lines_are_numbered() {
        let text = "a,b\n\"x\ny\",1\n,2\nNULL,3\n4\n";
        let expected = [(1, "a"), (2, "x\ny"), (4, "2"), (5, "3"), (6, "1 cells instead of 2")];
        assert_eq!(rows(text, COMMA), expected.map(|(line, cell)| (line, cell.to_owned())));
        let tab = Dialect { delimiter: '\t', quoted: false };
        assert_eq!(rows("a\\tb\\\\\t\\N\n", tab), [(1, "a\tb\\".to_owned())]);
    }

    #[test]
    fn a_row_without_an_end_is_an_error() {
        let text = format!("a,b\n1,\"{}", "x\n".repeat(MAX_ROW));
        let mut chunks = Chunks::new(text.as_bytes(), Some(COMMA));
        let error = std::iter::repeat_with(|| chunks.next()).find_map(Result::err);
        let error = error.unwrap().to_string();
        assert!(error.contains("is a quote missing"), "{error}");
    }

    #[test]
    fn another_encoding_is_an_error_with_its_line() {
        let chunk = Chunk { first_line: 7, bytes: b"a,b\n\xe9,1\n".to_vec() };
        let name = "f".to_owned();
        let rows =
            DelimitedRows { name, dialect: COMMA, has_header: true, width: 2, places: Vec::new() };
        let error = rows.for_each(&chunk, |_, _, _| {}).unwrap_err();
        assert!(error.to_string().contains("line 8 is not UTF-8"), "{error}");
    }

    proptest! {
        /// Chunks never cut a row, whatever its cells hold.
        #[test]
        fn cells_come_back_from_chunks(
            cells in prop::collection::vec(("[a\",\n]{0,9}", "[b\" ]{0,3}"), 1..200),
            repeats in 1..200_usize,
        ) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            for _ in 0..repeats {
                for (first, second) in &cells {
                    writer.write_record([first, second]).unwrap();
                }
            }
            let text = writer.into_inner().unwrap();
            let mut read = Vec::new();
            for chunk in chunks(&text, COMMA) {
                for row in first_rows(&chunk.bytes, COMMA, usize::MAX) {
                    read.push(row);
                }
            }
            prop_assert_eq!(read.len(), cells.len() * repeats);
        }
    }
}
