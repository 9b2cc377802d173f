//! Reading files of lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Maximum number of bytes of a line: the largest record in base64 and the other fields.
const MAX_LINE: u64 = 8 << 20;

/// The lines of a file, read one at a time.
pub(crate) struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { reader: BufReader::new(File::open(path)?), line: Vec::new() })
    }

    /// The next line, which ends with a line feed even if the file's last line does not. `None`
    /// at the end of the file.
    pub(crate) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let mut bounded = self.reader.by_ref().take(MAX_LINE);
        if bounded.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        if self.line.last() != Some(&b'\n') {
            if self.line.len() as u64 == MAX_LINE {
                return Err(io::Error::other(format!("a line is longer than {MAX_LINE} bytes")));
            }
            self.line.push(b'\n');
        }
        Ok(Some(&self.line))
    }
}
