//! The state of an import: the ids that the rows of later files refer to.

use std::io;
use std::path::Path;

use arrow_schema::SchemaRef;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::import::csv_file::{MalformedRow, Row};
use crate::import::part_writer::PartWriter;
use crate::lake::Lake;
use crate::rejects::Rejects;

/// An import in progress.
pub(super) struct Import<'a> {
    pub lake: &'a Lake,
    /// The folder of its parts in each table.
    pub folder: String,
    pub rejects: Rejects,
    /// Ids of users, by index.
    pub users: Vec<Box<str>>,
    pub orders: FxHashMap<Box<str>, Order>,
    pub products: FxHashSet<Box<str>>,
    /// Imported order lines.
    pub lines: u64,
}

/// The fields of an order that its lines need.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Order {
    /// An index into [`Import::users`].
    pub user: u32,
    pub number: u32,
}

impl<'a> Import<'a> {
    pub(super) fn new(lake: &'a Lake, folder: String, rejects: Rejects) -> Self {
        Self {
            lake,
            folder,
            rejects,
            users: Vec::new(),
            orders: FxHashMap::default(),
            products: FxHashSet::default(),
            lines: 0,
        }
    }

    /// A writer of this import's parts of a table.
    pub(super) fn writer(&self, table: &str, schema: SchemaRef) -> PartWriter<'a> {
        PartWriter::new(self.lake, Path::new(table).join(&self.folder), schema)
    }

    pub(super) fn reject(&mut self, row: &Row<'_>, reason: &str) -> io::Result<()> {
        self.rejects.add(row.file, row.line, reason, &row.text())
    }

    pub(super) fn reject_malformed(&mut self, row: &MalformedRow<'_>) -> io::Result<()> {
        self.rejects.add(row.file, row.line, &row.reason, "")
    }
}
