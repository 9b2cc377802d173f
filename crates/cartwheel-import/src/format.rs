//! Recognising the format of a source by its beginning.

use serde::Serialize;

/// The format of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Lines of cells.
    Delimited(Dialect),
    /// One JSON object a line.
    Json,
    /// Parquet.
    Parquet,
}

/// How lines are cut into cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Dialect {
    /// The character between cells.
    pub delimiter: char,
    /// Whether cells may be in double quotes. Otherwise a backslash escapes, as in the output of
    /// `COPY` and of `mysql --batch`.
    pub quoted: bool,
}

/// Characters that separate cells, the most frequent first.
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];
/// Lines that are looked at.
const LINES: usize = 50;

/// Recognises the format of a source that begins with `head`.
///
/// # Errors
/// A sentence that says what the content is and what to do.
pub(crate) fn format_of(head: &[u8]) -> Result<Format, String> {
    if head.starts_with(b"PAR1") {
        return Ok(Format::Parquet);
    }
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Err("the file is UTF-16: convert it with `iconv -f UTF-16 -t UTF-8`".to_owned());
    }
    if memchr::memchr(0, head).is_some() {
        return Err("the file is neither text nor Parquet".to_owned());
    }
    let text = valid_text(head)?.trim_start_matches('\u{feff}').trim_start();
    match text.chars().next() {
        None => Err("the file is empty".to_owned()),
        Some('{') => Ok(Format::Json),
        Some('[') => Err("the file is one JSON array: make it one object a line, for example \
                          with `jq -c '.[]'`"
            .to_owned()),
        _ => delimited(text).map(Format::Delimited),
    }
}

/// The text of a head, which may end within a character.
fn valid_text(head: &[u8]) -> Result<&str, String> {
    match std::str::from_utf8(head) {
        Ok(text) => Ok(text),
        Err(error) if error.error_len().is_none() => {
            Ok(std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default())
        }
        Err(error) => {
            let line = memchr::memchr_iter(b'\n', &head[..error.valid_up_to()]).count() + 1;
            Err(not_utf8(line as u64))
        }
    }
}

/// What to do about a line in another encoding.
pub(crate) fn not_utf8(line: u64) -> String {
    format!(
        "line {line} is not UTF-8: convert the file, for example with \
         `iconv -f WINDOWS-1252 -t UTF-8`"
    )
}

/// The delimiter with which all lines have the same number of cells, and most of them.
fn delimited(text: &str) -> Result<Dialect, String> {
    let mut best: Option<(usize, Dialect)> = None;
    for delimiter in DELIMITERS {
        for quoted in [false, true] {
            // Only tools of databases escape with a backslash, and they write tabs.
            if !quoted && (delimiter != '\t' || has_quoted_cells(text, delimiter)) {
                continue;
            }
            let dialect = Dialect { delimiter, quoted };
            let counts = cell_counts(text, dialect);
            let Some(&first) = counts.first() else { continue };
            let same = counts.iter().filter(|count| **count == first).count();
            // A line with another number of cells is rejected later; most have to fit.
            let fits = first > 1 && same * 10 >= counts.len() * 9;
            if fits && best.is_none_or(|(cells, _)| first > cells) {
                best = Some((first, dialect));
            }
        }
    }
    best.map(|(_, dialect)| dialect).ok_or_else(|| {
        let line: String = text.lines().next().unwrap_or_default().chars().take(80).collect();
        format!(
            "no separator of cells is recognised (comma, semicolon, tab and | are); the first \
             line is: {line}"
        )
    })
}

/// Whether a cell begins and ends with a quote.
fn has_quoted_cells(text: &str, delimiter: char) -> bool {
    let mut cells = text.lines().take(LINES).flat_map(|line| line.split(delimiter));
    cells.any(|cell| cell.len() > 1 && cell.starts_with('"') && cell.ends_with('"'))
}

fn cell_counts(text: &str, dialect: Dialect) -> Vec<usize> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(dialect.delimiter as u8)
        .quoting(dialect.quoted)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut record = csv::ByteRecord::new();
    let mut counts = Vec::new();
    // The last line may be cut off, and an open quote may swallow many lines.
    while counts.len() < LINES && reader.read_byte_record(&mut record).unwrap_or(false) {
        if !reader.is_done() || text.ends_with('\n') || counts.is_empty() {
            counts.push(record.len());
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(text: &str) -> (char, bool) {
        match format_of(text.as_bytes()).unwrap() {
            Format::Delimited(dialect) => (dialect.delimiter, dialect.quoted),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn separators_and_quotes_are_recognised() {
        assert_eq!(dialect("a,b,c\n1,\"x; y\",3\n"), (',', true));
        assert_eq!(dialect("a;b\n1,5;2,5\n"), (';', true));
        assert_eq!(dialect("a\tb\n1\t5\" pipe\n2\t\"open\n3\tx\n"), ('\t', false));
        assert_eq!(dialect("a\tb\n\"x\ty\"\t2\n"), ('\t', true));
        assert_eq!(dialect("\u{feff}a|b\n1|2\n"), ('|', true));
    }

    #[test]
    fn other_formats_are_named() {
        assert_eq!(format_of(b" {\"a\":1}").unwrap(), Format::Json);
        assert_eq!(format_of(b"PAR1...").unwrap(), Format::Parquet);
        for (head, expected) in [
            (&b"\xff\xfea\0"[..], "UTF-16"),
            (b"a\0b", "neither text nor Parquet"),
            (b"a,b\n1,\xe9\n", "line 2 is not UTF-8"),
            (b"", "empty"),
            (b"[{\"a\":1}]", "jq -c"),
            (b"one\ntwo\n", "no separator"),
        ] {
            let problem = format_of(head).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
