//! A source as a table: its format, its columns and what they mean.

use std::collections::BTreeSet;
use std::fs::File;

use serde_json::Value;

use crate::delimited::{DelimitedRows, first_rows};
use crate::error::ImportError;
use crate::field::Field;
use crate::format::{Format, format_of};
use crate::nested::{self, Path, Paths};
use crate::parquet_rows;
use crate::recognise::{Recognised, Sample};
use crate::source::Opened;

/// Rows of a sample.
const SAMPLE_ROWS: usize = 1_000;

/// How the rows of a source are read.
pub(crate) enum Rows {
    Delimited(DelimitedRows),
    /// Of JSON or Parquet.
    Nested(NestedRows),
}

/// How nested rows become cells.
pub(crate) struct NestedRows {
    /// The source's name in messages.
    pub name: String,
    pub paths: Paths,
}

/// A source whose format is recognised.
pub(crate) struct Table {
    pub format: Format,
    pub sample: Sample,
    has_header: bool,
}

impl Table {
    /// Looks at the beginning of a source. `header` names the columns of a file without a header.
    pub(crate) fn of(opened: &Opened, header: Option<&[String]>) -> Result<Self, ImportError> {
        let failed = |problem: String| ImportError::source(&opened.name, problem);
        let format = format_of(&opened.head).map_err(failed)?;
        let sample = match format {
            Format::Delimited(dialect) => {
                let mut rows = first_rows(&opened.head, dialect, SAMPLE_ROWS + 1);
                let columns = match header {
                    Some(columns) => columns.to_vec(),
                    None => rows.remove(0),
                };
                rows.retain(|row| row.len() == columns.len());
                Sample { columns, rows }
            }
            Format::Json => {
                let values = whole_lines(&opened.head);
                let values = values.filter_map(|line| serde_json::from_str(line).ok());
                sample_of(values.map(nested::unwrapped))
            }
            Format::Parquet => Sample::default(),
        };
        let has_header = header.is_none();
        if sample.rows.is_empty() && format != Format::Parquet {
            return Err(failed("the file holds no row".to_owned()));
        }
        let columns: BTreeSet<&String> = sample.columns.iter().collect();
        if columns.len() < sample.columns.len() {
            let mut seen = BTreeSet::new();
            let twice = sample.columns.iter().find(|column| !seen.insert(*column));
            let problem =
                format!("two columns have the name {:?}", twice.unwrap_or(&String::new()));
            return Err(ImportError::mapping(&opened.name, problem));
        }
        if let Format::Delimited(_) = format
            && has_header
            && looks_like_data(&sample.columns)
        {
            let line = sample.columns.join(", ");
            let problem = format!(
                "the first line holds values, not the names of columns ({line}): name the columns, \
                 such as user_id,product_id,time,…"
            );
            return Err(ImportError::mapping(&opened.name, problem));
        }
        Ok(Self { format, sample, has_header })
    }

    /// Takes the sample of a Parquet file.
    pub(crate) fn sample_parquet(&mut self, name: &str, file: File) -> Result<(), ImportError> {
        let mut first = Vec::new();
        let read = parquet_rows::for_each_batch(file, SAMPLE_ROWS, |batch| {
            first = batch;
            false
        });
        read.map_err(|error| ImportError::source(name, parquet_rows::readable(&error)))?;
        self.sample = sample_of(first.into_iter());
        if self.sample.rows.is_empty() {
            return Err(ImportError::source(name, "the file holds no row"));
        }
        Ok(())
    }

    /// How the rows are read with these columns.
    pub(crate) fn rows(&self, name: &str, fields: &[Recognised]) -> Result<Rows, ImportError> {
        let Format::Delimited(dialect) = self.format else {
            let paths = fields.iter().map(|recognised| {
                let paths = recognised.columns.iter().map(|column| Path::parse(column)).collect();
                (recognised.field, paths)
            });
            let name = name.to_owned();
            return Ok(Rows::Nested(NestedRows { name, paths: paths.collect() }));
        };
        let columns = &self.sample.columns;
        let has_users = fields.iter().any(|recognised| recognised.field == Field::UserId);
        let mut places = Vec::new();
        for recognised in fields {
            let at = |column: &String| columns.iter().position(|name| name == column);
            let found: Vec<usize> = recognised.columns.iter().filter_map(at).collect();
            let is_required = match recognised.field {
                Field::ProductId | Field::Time | Field::UserId => true,
                Field::AnonymousId => !has_users,
                _ => false,
            };
            if found.is_empty() && is_required {
                let (wanted, columns) = (recognised.columns.join(", "), columns.join(", "));
                let problem = format!("column {wanted} is missing; the columns are: {columns}");
                return Err(ImportError::mapping(name, problem));
            }
            places.push((recognised.field, found));
        }
        Ok(Rows::Delimited(DelimitedRows {
            name: name.to_owned(),
            dialect,
            has_header: self.has_header,
            width: columns.len(),
            places,
        }))
    }
}

/// Whether the names of columns are rather values.
fn looks_like_data(names: &[String]) -> bool {
    let is_value = |name: &String| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit() || b".-:/ T".contains(&b))
    };
    names.iter().any(is_value)
}

/// The lines of a head without the last one, which may be cut off.
fn whole_lines(head: &[u8]) -> impl Iterator<Item = &str> {
    let end = memchr::memrchr(b'\n', head).map_or(head.len(), |at| at + 1);
    let text = std::str::from_utf8(&head[..end]).unwrap_or_default();
    text.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty())
}

fn sample_of(values: impl Iterator<Item = Value>) -> Sample {
    let values: Vec<Value> = values.take(SAMPLE_ROWS).collect();
    let mut columns = BTreeSet::new();
    values.iter().for_each(|value| nested::columns(value, &mut columns));
    let columns: Vec<String> = columns.into_iter().collect();
    let rows = values.iter().flat_map(|value| nested::sample_rows(value, &columns)).collect();
    Sample { columns, rows }
}
