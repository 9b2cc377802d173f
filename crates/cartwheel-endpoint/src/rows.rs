//! Reads rows block by block, and scores each block.

use cartwheel_forest::Forest;
use memchr::memchr;

use crate::refusal::Refusal;

/// Values of a block.
const BLOCK: usize = 1 << 16;
/// Rows of a block.
const MOST_ROWS: usize = 1024;
/// The separators of CSV that are looked for in the first row, in this order.
const SEPARATORS: [u8; 4] = [b',', b'\t', b';', b' '];

/// How a body encodes its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// A row on each line, without header; an empty cell is a missing value.
    Csv,
    /// `label index:value …` on each line; what is not listed is a missing value. If no line has index 0,
    /// indices begin with 1.
    Libsvm,
}

impl Encoding {
    /// Reads a `Content-Type` header.
    pub fn of(content_type: Option<&str>) -> Result<Self, Refusal> {
        let Some(content_type) = content_type else { return Ok(Self::Libsvm) };
        let lower = content_type.to_ascii_lowercase();
        let mut parts = lower.split(';').map(str::trim);
        let encoding = match parts.next().unwrap_or_default() {
            "csv" | "text/csv" => Self::Csv,
            "libsvm" | "text/libsvm" | "text/x-libsvm" => return Ok(Self::Libsvm),
            _ => {
                return Err(Refusal::Unreadable(format!(
                    "{content_type:?} is not supported: send text/csv or text/libsvm"
                )));
            }
        };
        let labels = parts.filter_map(|parameter| parameter.strip_prefix("label_size="));
        if labels.map(|size| size.trim_matches('"')).any(|size| size != "1") {
            return Err(Refusal::Unreadable("label_size must be 1 if it is given".to_owned()));
        }
        Ok(encoding)
    }
}

/// Scores every row of a body.
///
/// # Errors
/// When the body is not rows in this encoding, or their width is not the model's.
pub fn score(forest: &Forest, encoding: Encoding, body: &[u8]) -> Result<Vec<f32>, Refusal> {
    let text = std::str::from_utf8(body).map_err(|_| unreadable("the body is not UTF-8"))?;
    let text = text.trim_matches(['\n', '\r']);
    if text.trim().is_empty() {
        return Err(unreadable("the body has no rows"));
    }
    let reader = Reader::new(encoding, text.as_bytes())?;
    let width = forest.features();
    let height = (BLOCK / width.max(1)).clamp(1, MOST_ROWS);
    let mut block = Vec::with_capacity(height.min(text.len()) * width);
    let mut scores = Vec::new();
    let mut flush = |block: &mut Vec<f32>, rows: usize| {
        let start = scores.len();
        scores.resize(start + rows, 0.0);
        forest.probabilities(block, &mut scores[start..]);
        block.clear();
    };
    let mut rows = 0;
    for (at, line) in text.split('\n').enumerate() {
        reader.read(line, at + 1, width, &mut block)?;
        rows += 1;
        if rows == height {
            flush(&mut block, rows);
            rows = 0;
        }
    }
    flush(&mut block, rows);
    Ok(scores)
}

fn unreadable(text: impl Into<String>) -> Refusal {
    Refusal::Unreadable(text.into())
}

/// What has to be known of a body before its first row is read.
enum Reader {
    Csv { separator: char, cells: usize },
    Libsvm { first: u32 },
}

impl Reader {
    fn new(encoding: Encoding, text: &[u8]) -> Result<Self, Refusal> {
        match encoding {
            Encoding::Csv => {
                let line = &text[..memchr(b'\n', text).unwrap_or(text.len())];
                let found = SEPARATORS.into_iter().find(|byte| memchr(*byte, line).is_some());
                let separator = found.unwrap_or(b',');
                let cells = 1 + line.iter().filter(|byte| **byte == separator).count();
                Ok(Self::Csv { separator: char::from(separator), cells })
            }
            Encoding::Libsvm => {
                let mut least = None;
                // Errors are reported with their line when it is read.
                for token in text.split(u8::is_ascii_whitespace) {
                    let Some(colon) = memchr(b':', token) else { continue };
                    let index = std::str::from_utf8(&token[..colon]).ok();
                    let index = index.and_then(|index| index.parse::<u32>().ok());
                    least = index
                        .map(|index| least.map_or(index, |least: u32| least.min(index)))
                        .or(least);
                }
                Ok(Self::Libsvm { first: u32::from(least.is_some_and(|least| least > 0)) })
            }
        }
    }

    /// Appends row number `at`, `width` values.
    fn read(&self, line: &str, at: usize, width: usize, out: &mut Vec<f32>) -> Result<(), Refusal> {
        match self {
            Self::Csv { separator, cells } => {
                let row = line.split(*separator).map(str::trim);
                for (column, cell) in row.enumerate() {
                    // A wider row than the model's is counted, but not kept.
                    if column == width {
                        break;
                    }
                    out.push(match cell {
                        "" => f32::NAN,
                        cell => number(cell, at)?,
                    });
                }
                let found = 1 + line.matches(*separator).count();
                if found != *cells {
                    return Err(unreadable(format!(
                        "row {at} has {found} values, the first row {cells}"
                    )));
                }
                if found != width {
                    return Err(Refusal::OtherWidth(format!(
                        "row {at} has {found} values, the model takes {width}: send its features \
                         in order, without a label"
                    )));
                }
                Ok(())
            }
            Self::Libsvm { first } => {
                let start = out.len();
                out.resize(start + width, f32::NAN);
                for token in line.split_ascii_whitespace() {
                    // A label, which is not used.
                    let Some((index, value)) = token.split_once(':') else { continue };
                    let bad = || unreadable(format!("row {at}: {token:?} is not index:value"));
                    let index = index.parse::<u32>().map_err(|_| bad())?;
                    let feature = (index - first) as usize;
                    if feature >= width {
                        return Err(Refusal::OtherWidth(format!(
                            "row {at} has index {index}, the model takes {width} features from \
                             index {first} on"
                        )));
                    }
                    let cell = &mut out[start + feature];
                    if !cell.is_nan() {
                        return Err(unreadable(format!("row {at} has index {index} twice")));
                    }
                    *cell = number(value, at)?;
                }
                Ok(())
            }
        }
    }
}

/// Reads a number as Python's `float`, narrowed as XGBoost narrows it.
fn number(text: &str, row: usize) -> Result<f32, Refusal> {
    let Ok(value) = text.parse::<f64>() else {
        return Err(unreadable(format!(
            "row {row}: {text:?} is not a number; send rows without a header"
        )));
    };
    let value = value as f32;
    if value.is_infinite() {
        return Err(unreadable(format!("row {row}: {text} is infinite or too large")));
    }
    Ok(value)
}
