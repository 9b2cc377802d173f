//! What the phases hand on: named bytes as rows of an Arrow stream.
//!
//! Columns: `kind` and `key` (strings), `seq` (int32), `value` (binary). Bytes longer
//! than a piece are cut, since a row of Spark and a column of Arrow hold 2 GB at most.

use std::io::{self, Read, Write};
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Int32Builder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema, SchemaRef};

/// Bytes of a piece.
const PIECE: usize = 8 << 20;
/// A batch is written at this size, or
const BATCH_BYTES: usize = 4 << 20;
/// with as many rows.
const BATCH_ROWS: usize = 8192;

/// Writes pieces.
pub(crate) struct Pieces<W: Write> {
    writer: StreamWriter<W>,
    schema: SchemaRef,
    kind: StringBuilder,
    key: StringBuilder,
    seq: Int32Builder,
    value: BinaryBuilder,
    rows: usize,
    bytes: usize,
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

impl<W: Write> Pieces<W> {
    pub(crate) fn new(out: W) -> io::Result<Self> {
        let schema = Arc::new(Schema::new(vec![
            Field::new("kind", DataType::Utf8, false),
            Field::new("key", DataType::Utf8, false),
            Field::new("seq", DataType::Int32, false),
            Field::new("value", DataType::Binary, false),
        ]));
        Ok(Self {
            writer: StreamWriter::try_new(out, &schema).map_err(other)?,
            schema,
            kind: StringBuilder::new(),
            key: StringBuilder::new(),
            seq: Int32Builder::new(),
            value: BinaryBuilder::new(),
            rows: 0,
            bytes: 0,
        })
    }

    /// Writes bytes in as many pieces as they need, at least one.
    pub(crate) fn put(&mut self, kind: &str, key: &str, bytes: &[u8]) -> io::Result<()> {
        let count = bytes.len().div_ceil(PIECE).max(1);
        for seq in 0..count {
            let piece = &bytes[seq * PIECE..bytes.len().min((seq + 1) * PIECE)];
            self.kind.append_value(kind);
            self.key.append_value(key);
            self.seq.append_value(i32::try_from(seq).map_err(other)?);
            self.value.append_value(piece);
            self.rows += 1;
            self.bytes += piece.len();
            if self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.kind.finish()),
            Arc::new(self.key.finish()),
            Arc::new(self.seq.finish()),
            Arc::new(self.value.finish()),
        ];
        (self.rows, self.bytes) = (0, 0);
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(other)?;
        self.writer.write(&batch).map_err(other)
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.flush()?;
        }
        self.writer.finish().map_err(other)?;
        self.writer.get_mut().flush()
    }
}

/// Opens an Arrow stream.
pub(crate) fn open<R: Read>(input: R) -> io::Result<StreamReader<R>> {
    StreamReader::try_new(input, None)
        .map_err(|e| io::Error::other(format!("the input is no Arrow stream: {e}")))
}

/// Puts pieces together and calls `each` with kind, key and bytes.
pub(crate) fn read(
    input: impl Read,
    mut each: impl FnMut(&str, &str, Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let mut open: Option<(String, String, i32, Vec<u8>)> = None;
    for batch in self::open(input)? {
        let batch = batch.map_err(other)?;
        let text = |name: &str| -> io::Result<_> {
            let column = column(&batch, name)?.as_string_opt::<i32>();
            column.ok_or_else(|| mistyped(name)).cloned()
        };
        let (kinds, keys) = (text("kind")?, text("key")?);
        let seqs = column(&batch, "seq")?.as_primitive_opt::<Int32Type>();
        let seqs = seqs.ok_or_else(|| mistyped("seq"))?;
        let values = column(&batch, "value")?.as_binary_opt::<i32>();
        let values = values.ok_or_else(|| mistyped("value"))?;
        for at in 0..batch.num_rows() {
            let (kind, key, seq) = (kinds.value(at), keys.value(at), seqs.value(at));
            match &mut open {
                Some((k, n, last, bytes)) if k == kind && n == key && *last + 1 == seq => {
                    *last = seq;
                    bytes.extend_from_slice(values.value(at));
                }
                _ if seq == 0 => {
                    let next = (kind.to_owned(), key.to_owned(), 0, values.value(at).to_vec());
                    if let Some((kind, key, _, bytes)) = open.replace(next) {
                        each(&kind, &key, bytes)?;
                    }
                }
                _ => {
                    let what = format!("piece {seq} of {kind} {key:?} does not follow its first");
                    return Err(io::Error::other(what));
                }
            }
        }
    }
    match open {
        Some((kind, key, _, bytes)) => each(&kind, &key, bytes),
        None => Ok(()),
    }
}

/// A column by its name.
pub(crate) fn column<'a>(batch: &'a RecordBatch, name: &str) -> io::Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| io::Error::other(format!("column {name} is missing")))
}

/// The column holds another type.
pub(crate) fn mistyped(name: &str) -> io::Error {
    io::Error::other(format!("column {name} has another type"))
}
