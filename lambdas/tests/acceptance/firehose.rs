//! Delivers to the lake as Firehose does: Parquet with the columns of the Glue tables. The emulator
//! writes impressions as they come, and has no delivery from a stream.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::builder::{
    ArrayBuilder, Float64Builder, Int32Builder, Int64Builder, ListBuilder, StringBuilder,
    StructBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field};
use cartwheel_aws::KinesisStream;
use cartwheel_lake::hour_folder;
use cartwheel_stream::{Sequence, Stream};
use object_store::ObjectStoreExt;
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use crate::cloud::Account;

/// The delivery of both tables.
pub struct Firehose {
    stream: KinesisStream,
    next: BTreeMap<u32, Sequence>,
    parts: usize,
    /// Every impression that was delivered.
    pub impressions: Vec<Value>,
}

impl Firehose {
    pub async fn open(account: &Account) -> Self {
        let stream = account.stream().await;
        Self { stream, next: BTreeMap::new(), parts: 0, impressions: Vec::new() }
    }

    /// Delivers what has come since the last call.
    pub async fn deliver(&mut self, account: &Account) {
        let mut events = Vec::new();
        for shard in 0..self.stream.shards() {
            loop {
                let from = self.next.get(&shard).copied().unwrap_or_default();
                let batch = self.stream.read(shard, from, 1000).await.unwrap();
                let read = batch.records.iter();
                events.extend(read.map(|(_, record)| serde_json::to_value(&**record).unwrap()));
                self.next.insert(shard, batch.next);
                if batch.records.is_empty() {
                    break;
                }
            }
        }
        let lake = account.lake();
        let mut impressions: Vec<Value> = Vec::new();
        for key in account.keys("impressions").await {
            if !key.ends_with(".parquet") {
                let path = key.as_str().into();
                let bytes = lake.get(&path).await.unwrap().bytes().await.unwrap();
                let records = serde_json::Deserializer::from_slice(&bytes).into_iter();
                impressions.extend(records.map(Result::unwrap));
                lake.delete(&path).await.unwrap();
            }
        }
        self.impressions.extend(impressions.iter().cloned());
        for (table, rows) in [("events", events), ("impressions", impressions)] {
            // The folder is that of the oldest record.
            let Some(oldest) = rows.iter().filter_map(|row| row["received_at_ms"].as_i64()).min()
            else {
                continue;
            };
            self.parts += 1;
            let key = format!("{table}/{}/shop-{:05}.parquet", hour_folder(oldest), self.parts);
            account.put(&key, part(table, &rows)).await;
        }
    }
}

/// A part of a table.
fn part(table: &str, rows: &[Value]) -> Vec<u8> {
    let column = |(name, kind): &(String, String)| {
        let mut builder = builder(kind);
        rows.iter().for_each(|row| append(&mut *builder, kind, &row[name]));
        (name.clone(), builder.finish())
    };
    let columns: Vec<(String, ArrayRef)> = columns(table).iter().map(column).collect();
    let nullable = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(nullable).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// Names and types of a table's columns in the Glue Data Catalog.
fn columns(table: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/modules/delivery/tables.tf");
    let text = std::fs::read_to_string(path).unwrap();
    let rest = text.split_once(&format!("    {table} = [\n")).unwrap().1;
    let lines = rest.lines().take_while(|line| line.trim() != "]");
    let column = |line: &str| {
        let (name, kind) = line.trim().strip_prefix("[\"")?.split_once("\", \"")?;
        Some((name.to_owned(), kind.strip_suffix("\"],")?.to_owned()))
    };
    lines.map(|line| column(line).unwrap()).collect()
}

fn inside<'a>(kind: &'a str, outer: &str) -> Option<&'a str> {
    kind.strip_prefix(outer)?.strip_prefix('<')?.strip_suffix('>')
}

fn fields(of: &str) -> Vec<(&str, &str)> {
    of.split(',').map(|field| field.split_once(':').unwrap()).collect()
}

fn builder(kind: &str) -> Box<dyn ArrayBuilder> {
    if let Some(item) = inside(kind, "array") {
        return Box::new(ListBuilder::new(builder(item)));
    }
    if let Some(of) = inside(kind, "struct") {
        let of = fields(of);
        let data_type = |kind: &str| match kind {
            "string" => DataType::Utf8,
            "int" => DataType::Int32,
            _ => DataType::Float64,
        };
        let named = of.iter().map(|(name, kind)| Field::new(*name, data_type(kind), true));
        let builders = of.iter().map(|(_, kind)| builder(kind)).collect();
        return Box::new(StructBuilder::new(named.collect::<Vec<_>>(), builders));
    }
    match kind {
        "string" => Box::new(StringBuilder::new()),
        "int" => Box::new(Int32Builder::new()),
        "bigint" => Box::new(Int64Builder::new()),
        "double" => Box::new(Float64Builder::new()),
        _ => panic!("a column of the type {kind}"),
    }
}

fn append(builder: &mut dyn ArrayBuilder, kind: &str, value: &Value) {
    fn of<T: 'static>(builder: &mut dyn ArrayBuilder) -> &mut T {
        builder.as_any_mut().downcast_mut().unwrap()
    }
    if let Some(item) = inside(kind, "array") {
        let list: &mut ListBuilder<Box<dyn ArrayBuilder>> = of(builder);
        let items = value.as_array();
        items.into_iter().flatten().for_each(|value| append(&mut **list.values(), item, value));
        list.append(items.is_some());
    } else if let Some(inner) = inside(kind, "struct") {
        let row: &mut StructBuilder = of(builder);
        for ((name, kind), builder) in fields(inner).into_iter().zip(row.field_builders_mut()) {
            append(&mut **builder, kind, &value[name]);
        }
        row.append(true);
    } else {
        match kind {
            "string" => of::<StringBuilder>(builder).append_option(value.as_str()),
            "int" => of::<Int32Builder>(builder).append_option(value.as_i64().map(|n| n as i32)),
            "bigint" => of::<Int64Builder>(builder).append_option(value.as_i64()),
            _ => of::<Float64Builder>(builder).append_option(value.as_f64()),
        }
    }
}
