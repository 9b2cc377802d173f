//! Rewriting Parquet files: several as one, or without some of their rows.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;

use crate::error::LakeError;
use crate::files::format::writer_properties;
use crate::files::scan::{footer, scan};
use crate::files::upload::Upload;
use crate::lake::Lake;

/// The counts of a rewrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Rewritten {
    /// Rows of the new file. If there are none, no file is written.
    pub rows: u64,
    /// Rows that were left out.
    pub dropped: u64,
    /// Rows that were left out as repetitions and yet differ from the row that was kept.
    pub conflicting: u64,
    /// Bytes of the new file.
    pub bytes: u64,
}

/// Why no file was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RewriteError {
    /// A source cannot be read.
    #[error("{}: {error}", path.display())]
    Source { path: PathBuf, error: io::Error },
    /// The new file cannot be written.
    #[error(transparent)]
    Target(#[from] LakeError),
}

impl RewriteError {
    /// Adds an unreadable source to `problems`, so that the work continues with other files.
    /// Returns the error if the target cannot be written.
    pub(crate) fn into_problem(self, problems: &mut Vec<String>) -> Result<(), LakeError> {
        match self {
            Self::Target(error) => Err(error),
            source @ Self::Source { .. } => {
                problems.push(source.to_string());
                Ok(())
            }
        }
    }
}

/// Writes the rows of `sources`, in their order, to `target`, which is relative to the lake and
/// may be one of the sources. `keep` returns for each row of a batch whether it is kept. If all
/// rows are kept and `only_changed` is set, nothing is written.
pub(crate) fn rewrite(
    lake: &Lake,
    sources: &[PathBuf],
    target: &Path,
    only_changed: bool,
    mut keep: impl FnMut(&RecordBatch) -> io::Result<Vec<bool>>,
) -> Result<Rewritten, RewriteError> {
    let schema = union(sources)?;
    let failed = |error: io::Error| RewriteError::Target(LakeError::file(target, error));
    let upload = Upload::new(lake, target)?;
    let writer = ArrowWriter::try_new(upload, schema.clone(), Some(writer_properties()));
    let mut writer = writer.map_err(|e| failed(e.into()))?;
    let mut done = Rewritten::default();
    for source in sources {
        let mut write_error = None;
        let read = scan(source, None, |batch| {
            let kept = keep(batch)?;
            let batch = with_schema(batch, &schema)?;
            let rows = kept.iter().filter(|kept| **kept).count() as u64;
            done.rows += rows;
            done.dropped += batch.num_rows() as u64 - rows;
            let mut at = 0;
            for run in kept.chunk_by(|a, b| a == b) {
                if run.first() == Some(&true)
                    && let Err(error) = writer.write(&batch.slice(at, run.len()))
                {
                    write_error = Some(io::Error::from(error));
                    return Err(io::ErrorKind::Other.into());
                }
                at += run.len();
            }
            Ok(())
        });
        match (write_error, read) {
            (Some(error), _) => return Err(failed(error)),
            (None, Err(error)) => return Err(RewriteError::Source { path: source.clone(), error }),
            (None, Ok(())) => {}
        }
    }
    if done.rows == 0 || (only_changed && done.dropped == 0) {
        return Ok(done);
    }
    let upload = writer.into_inner().map_err(|e| failed(e.into()))?;
    done.bytes = upload.finish_sealed().map_err(failed)?;
    Ok(done)
}

/// The columns of all files, since newer files may have more. A column that a file lacks is
/// nullable.
fn union(sources: &[PathBuf]) -> Result<SchemaRef, RewriteError> {
    let mut fields: Vec<Field> = Vec::new();
    for (index, path) in sources.iter().enumerate() {
        let bad = |error| RewriteError::Source { path: path.clone(), error };
        let schema = footer(path).map_err(bad)?.schema;
        for field in &mut fields {
            if schema.field_with_name(field.name()).map_or(true, Field::is_nullable) {
                field.set_nullable(true);
            }
        }
        for field in schema.fields() {
            match fields.iter().find(|other| other.name() == field.name()) {
                Some(other) if other.data_type() == field.data_type() => {}
                Some(other) => {
                    let problem = format!(
                        "column {} has type {}, but {} in the files before it",
                        field.name(),
                        field.data_type(),
                        other.data_type()
                    );
                    return Err(bad(io::Error::other(problem)));
                }
                None => {
                    let field = field.as_ref().clone();
                    let nullable = field.is_nullable() || index > 0;
                    fields.push(field.with_nullable(nullable));
                }
            }
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The batch with the columns of `schema`. Columns that it lacks are null.
fn with_schema(batch: &RecordBatch, schema: &SchemaRef) -> io::Result<RecordBatch> {
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        match batch.column_by_name(field.name()) {
            Some(column) => column.clone(),
            None => new_null_array(field.data_type(), batch.num_rows()),
        }
    });
    RecordBatch::try_new(schema.clone(), columns.collect()).map_err(io::Error::other)
}
