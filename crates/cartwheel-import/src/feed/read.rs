//! Reading a feed into products.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::sync::Arc;

use cartwheel_catalogue::Product;
use serde::Serialize;
use serde_json::Value;

use crate::columns::Column;
use crate::delimited::first_rows;
use crate::error::ImportError;
use crate::feed::fields::{FeedColumns, find, product, text};
use crate::feed::mapping::FeedMapping;
use crate::feed::row::FeedRow;
use crate::feed::xml;
use crate::field::plain;
use crate::format::{Dialect, Format, format_of, not_utf8};
use crate::parquet_rows;
use crate::source::{Opened, Source, readable};

/// Most products of a feed, all of which are in memory.
const MAX_PRODUCTS: usize = 2_000_000;
/// Rows of a Parquet file that are read at once.
const BATCH: usize = 1_000;
/// Columns that are shown.
const MAX_COLUMNS: usize = 1_000;
/// Rows whose values are shown as examples.
const SAMPLE_ROWS: usize = 100;
/// Rejected products that are kept with their reasons.
const MAX_REJECTED: usize = 1_000;

/// The products of a feed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Feed {
    /// The products, each once; the last row with an id counts.
    pub products: Vec<Product>,
    /// Rejected rows.
    pub rejected: u64,
    /// The first rejected rows, each with the reason.
    pub problems: Vec<String>,
    /// The columns of each field, the first one with a text counts.
    pub fields: BTreeMap<String, Vec<String>>,
    /// Columns that mean nothing to the import.
    pub ignored_columns: Vec<String>,
}

/// Reads the products of feeds: RSS 2.0, Atom, CSV, TSV, Parquet, or lines of JSON. Lines with a
/// `product_id` have the form of the catalogue's own products; others are rows of a table.
///
/// # Errors
/// When a source cannot be read as a whole, or has no column of ids.
pub fn read_feed(sources: &[Source]) -> Result<Feed, ImportError> {
    read_feed_as(sources, &FeedMapping::default())
}

/// Reads the products of feeds, some of whose columns are mapped.
///
/// # Errors
/// When a source cannot be read as a whole, or has no column of ids.
pub fn read_feed_as(sources: &[Source], mapping: &FeedMapping) -> Result<Feed, ImportError> {
    let mut reading = FeedReading::new(mapping);
    sources.iter().try_for_each(|source| reading.add(source))?;
    Ok(reading.finish())
}

/// A feed that is being read.
#[derive(Default)]
pub(super) struct FeedReading {
    name: String,
    mapping: FeedMapping,
    feed: Feed,
    /// The columns of rows, with their first values.
    seen: Vec<Column>,
    products: Vec<Product>,
    /// The row before, whose texts rows of the same product take: variants, further pictures.
    before: FeedRow,
}

impl FeedReading {
    pub(super) fn new(mapping: &FeedMapping) -> Self {
        Self { mapping: mapping.clone(), ..Self::default() }
    }

    /// Reads a source.
    pub(super) fn add(&mut self, source: &Source) -> Result<(), ImportError> {
        let opened = source.open(&Arc::default())?;
        self.name = source.name();
        self.source(opened)
    }

    /// The columns that were seen, with their first values.
    pub(super) fn take_columns(&mut self) -> Vec<Column> {
        std::mem::take(&mut self.seen)
    }

    /// The feed. Of rows with the same id, the last one counts.
    pub(super) fn finish(self) -> Feed {
        let mut feed = self.feed;
        let mut by_id = BTreeMap::new();
        for product in self.products {
            by_id.insert(product.product_id.clone(), product);
        }
        feed.products = by_id.into_values().collect();
        feed
    }

    fn source(&mut self, opened: Opened) -> Result<(), ImportError> {
        let name = self.name.clone();
        let failed = |problem: String| ImportError::source(&name, problem);
        let start = opened.head.trim_ascii_start();
        if start.starts_with(b"<") || start.starts_with(b"\xef\xbb\xbf<") {
            // Columns of an item are known when it is read.
            let reader = BufReader::new(opened.reader());
            return xml::items(reader, |row| self.open_row(row).map_err(|error| error.to_string()))
                .map_err(failed);
        }
        match format_of(&opened.head).map_err(failed)? {
            Format::Delimited(dialect) => self.delimited(opened, dialect),
            Format::Json => self.json(opened),
            Format::Parquet => self.parquet(opened),
        }
    }

    /// Adds a row whose columns are known when it is read.
    fn open_row(&mut self, row: FeedRow) -> Result<(), ImportError> {
        let columns: Vec<String> = row.columns().map(str::to_owned).collect();
        self.columns(&columns);
        if self.products.len() < SAMPLE_ROWS {
            self.see(row.cells());
        }
        let columns = find(&columns, &self.mapping);
        self.row(row, &columns)
    }

    fn parquet(&mut self, opened: Opened) -> Result<(), ImportError> {
        let name = self.name.clone();
        let file = opened.spooled().map_err(|error| ImportError::source(&name, readable(error)))?;
        let mut done = Ok(());
        parquet_rows::for_each_batch(file, BATCH, |rows| {
            done = rows.iter().try_for_each(|row| self.table_row(row));
            done.is_ok()
        })
        .map_err(|error| ImportError::source(&name, parquet_rows::readable(&error)))?;
        done
    }

    /// Adds an object as a row of a table.
    fn table_row(&mut self, value: &Value) -> Result<(), ImportError> {
        let mut row = FeedRow::default();
        for (column, value) in value.as_object().into_iter().flatten() {
            row.add(column.clone(), text(value, plain(column).starts_with("categor")));
        }
        self.open_row(row)
    }

    fn delimited(&mut self, opened: Opened, dialect: Dialect) -> Result<(), ImportError> {
        let name = self.name.clone();
        let mut first = first_rows(&opened.head, dialect, SAMPLE_ROWS + 1).into_iter();
        let header = first.next().unwrap_or_default();
        first.for_each(|row| self.see(header.iter().zip(&row)));
        self.columns(&header);
        let columns = find(&header, &self.mapping);
        if columns.iter().all(|(field, _)| field != "product_id") {
            let problem = format!(
                "no column is recognised as the product's id: name the column of product_id; the \
                 columns are: {}",
                header.join(", ")
            );
            return Err(ImportError::mapping(&name, problem));
        }
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(dialect.delimiter as u8)
            .quoting(dialect.quoted)
            .flexible(true)
            .from_reader(opened.reader());
        for record in reader.records() {
            let record = record.map_err(|error| {
                let line = error.position().map_or(0, csv::Position::line);
                ImportError::source(
                    &name,
                    match error.into_kind() {
                        csv::ErrorKind::Utf8 { .. } => not_utf8(line),
                        csv::ErrorKind::Io(error) => readable(error),
                        other => format!("line {line}: {other:?}"),
                    },
                )
            })?;
            let mut row = FeedRow::default();
            for (column, cell) in header.iter().zip(&record) {
                row.add(column.clone(), cell.trim().to_owned());
            }
            self.variant(&mut row);
            self.row(row, &columns)?;
        }
        Ok(())
    }

    /// Completes a row of Shopify, which names a product's texts in its first row alone.
    fn variant(&mut self, row: &mut FeedRow) {
        const SHARED: [&str; 8] = [
            "Title",
            "Body (HTML)",
            "Vendor",
            "Product Category",
            "Type",
            "Tags",
            "Published",
            "Status",
        ];
        let handle = row.get("Handle").map(str::to_owned);
        if handle.is_none() || handle.as_deref() != self.before.get("Handle") {
            self.before = row.clone();
            return;
        }
        for column in SHARED {
            if row.get(column).is_none()
                && let Some(text) = self.before.get(column)
            {
                row.add(column.to_owned(), text.to_owned());
            }
        }
    }

    fn json(&mut self, opened: Opened) -> Result<(), ImportError> {
        let name = self.name.clone();
        for (line, number) in BufReader::new(opened.reader()).split(b'\n').zip(1..) {
            let line = line.map_err(|error| ImportError::source(&name, readable(error)))?;
            let line = std::str::from_utf8(&line)
                .map_err(|_| ImportError::source(&name, not_utf8(number)))?;
            if line.trim().is_empty() {
                continue;
            }
            match serde_json::from_str::<Value>(line) {
                Ok(value) if self.mapping.is_empty() && value.get("product_id").is_some() => {
                    self.product(value, &|| format!("line {number}"))?;
                }
                Ok(value) => self.table_row(&value)?,
                Err(error) => self.reject(format!("line {number}: {error}")),
            }
        }
        Ok(())
    }

    fn row(&mut self, row: FeedRow, columns: &FeedColumns) -> Result<(), ImportError> {
        let is_picture = row.get("Handle").is_some()
            && row.get("Variant Price").is_none()
            && row.get("Variant SKU").is_none();
        if is_picture && self.before != row {
            return Ok(());
        }
        self.product(product(&row, columns), &|| row.text().chars().take(200).collect())
    }

    fn product(&mut self, value: Value, text: &dyn Fn() -> String) -> Result<(), ImportError> {
        match Product::from_json(value) {
            Ok(product) => self.products.push(product),
            Err(problem) => self.reject(format!("{problem}: {}", text())),
        }
        if self.products.len() > MAX_PRODUCTS {
            let problem = format!("the feed has more than {MAX_PRODUCTS} products");
            return Err(ImportError::source(&self.name, problem));
        }
        Ok(())
    }

    fn reject(&mut self, problem: String) {
        self.feed.rejected += 1;
        if self.feed.problems.len() < MAX_REJECTED {
            self.feed.problems.push(problem);
        }
    }

    /// Notes the values of a row for people who map its columns.
    fn see<'a>(&mut self, row: impl Iterator<Item = (&'a String, &'a String)>) {
        for (name, value) in row.filter(|(name, _)| !name.is_empty()) {
            let place = self.seen.iter().position(|column| column.name == *name);
            let place = place.unwrap_or(self.seen.len());
            if place == MAX_COLUMNS {
                continue;
            }
            if place == self.seen.len() {
                self.seen.push(Column::new(name));
            }
            let column = &mut self.seen[place];
            let value = value.trim();
            if !value.is_empty() {
                column.show(value);
            }
        }
    }

    /// Notes the columns of the feed.
    fn columns(&mut self, columns: &[String]) {
        let known = find(columns, &self.mapping);
        for (field, names) in &known {
            let all = self.feed.fields.entry(field.clone()).or_default();
            names
                .iter()
                .filter(|name| !all.contains(name))
                .cloned()
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|name| all.push(name));
        }
        for column in columns {
            let is_known = known.iter().any(|(_, names)| names.contains(column));
            let ignored = &mut self.feed.ignored_columns;
            if !is_known && !plain(column).is_empty() && !ignored.contains(column) {
                ignored.push(column.clone());
            }
        }
    }
}
