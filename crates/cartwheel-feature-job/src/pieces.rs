//! Named values in an Arrow stream: the form in which one phase hands its result to the
//! next.
//!
//! Columns: `kind` and `key` (strings), `seq` (int32), `value` (binary). A long value is
//! split into pieces numbered by `seq`, because a row of Spark and a column of Arrow hold
//! 2 GB at most.

use std::io::{self, Read, Write};
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Int32Builder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use cartwheel_feature_set::FeatureSetWriter;

use crate::columns::{binaries, numbers, strings};

/// Most bytes of a piece.
const PIECE: usize = 8 << 20;
/// A batch is written once it holds this many bytes,
const BATCH_BYTES: usize = 4 << 20;
/// or this many rows.
const BATCH_ROWS: usize = 8192;

/// Kind of a file of the feature set; the key is the file's name.
pub(crate) const FILE: &str = "file";

/// A value with its name.
struct Value {
    kind: String,
    key: String,
    /// Number of the newest piece.
    seq: i32,
    bytes: Vec<u8>,
}

/// Writes values.
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

    /// Writes a value in as many pieces as it needs, at least one.
    pub(crate) fn value(&mut self, kind: &str, key: &str, bytes: &[u8]) -> io::Result<()> {
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

impl<W: Write> FeatureSetWriter for Pieces<W> {
    fn put(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.value(FILE, name, content)
    }
}

/// Opens an Arrow stream.
pub(crate) fn open<R: Read>(input: R) -> io::Result<StreamReader<R>> {
    StreamReader::try_new(input, None)
        .map_err(|e| io::Error::other(format!("the input is not an Arrow stream: {e}")))
}

/// Joins the pieces of each value and calls `each` with kind, key and bytes.
pub(crate) fn read(
    input: impl Read,
    mut each: impl FnMut(&str, &str, Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let mut open: Option<Value> = None;
    for batch in self::open(input)? {
        let batch = batch.map_err(other)?;
        let (kinds, keys) = (strings(&batch, "kind")?, strings(&batch, "key")?);
        let seqs = numbers::<Int32Type>(&batch, "seq")?;
        let values = binaries(&batch, "value")?;
        for at in 0..batch.num_rows() {
            let (kind, key, seq) = (kinds.value(at), keys.value(at), seqs.value(at));
            match &mut open {
                Some(v) if v.kind == kind && v.key == key && v.seq + 1 == seq => {
                    v.seq = seq;
                    v.bytes.extend_from_slice(values.value(at));
                }
                _ if seq == 0 => {
                    let (kind, key) = (kind.to_owned(), key.to_owned());
                    let next = Value { kind, key, seq, bytes: values.value(at).to_vec() };
                    if let Some(Value { kind, key, bytes, .. }) = open.replace(next) {
                        each(&kind, &key, bytes)?;
                    }
                }
                _ => {
                    return Err(io::Error::other(format!(
                        "piece {seq} of {kind} {key:?} does not follow the piece before it"
                    )));
                }
            }
        }
    }
    match open {
        Some(Value { kind, key, bytes, .. }) => each(&kind, &key, bytes),
        None => Ok(()),
    }
}
