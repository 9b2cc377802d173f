//! Reading the products: the imported ones, and the changes of the live catalogue.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use cartwheel_catalogue::{Attribute, Money, Product};
use cartwheel_events::{ProductId, ProductRecord, SCHEMA_VERSION};
use cartwheel_stream::{Position, Sequence};
use serde::Deserialize;

use crate::error::LakeError;
use crate::files::parts::{PartsRead, read_parts};
use crate::files::scan::{numbers, scan, sequences, texts};
use crate::lake::Lake;

/// A product's texts, as an import and later changes give them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProductRow {
    /// The product's id.
    pub product_id: String,
    /// The product's name.
    pub product_name: String,
    /// The name of the product's aisle.
    pub aisle: String,
    /// The name of the product's department.
    pub department: String,
    /// The path of its category, from the widest to the narrowest; empty in an import.
    pub categories: Vec<String>,
    /// Its brand.
    pub brand: Option<String>,
    /// Its tags, and its attributes as `name: value`.
    pub tags: Vec<String>,
    /// The price of a piece.
    pub price: Option<Money>,
}

/// The newest delivered change of each product.
#[derive(Debug, Clone, Default)]
pub struct CatalogueChanges {
    /// By product id.
    pub newest: Vec<(Position, ProductRecord)>,
    /// Parts that could not be read, each with its path and the error.
    pub problems: Vec<String>,
}

impl Lake {
    /// Reads the products by id: those of the import, with the delivered changes of the live
    /// catalogue. A deleted product keeps its imported texts, because orders refer to it.
    ///
    /// # Errors
    /// When a part cannot be read; the error names it.
    pub fn read_products(&self) -> Result<Vec<ProductRow>, LakeError> {
        let mut products = Vec::new();
        for path in self.table_files("products")? {
            read(&path, &mut products).map_err(|e| LakeError::file(&path, e))?;
        }
        let changes = self.catalogue_changes()?;
        if changes.newest.is_empty() {
            return Ok(products);
        }
        // The first of two imported rows with the same id counts, as everywhere.
        let by_id = products.into_iter().rev().map(|row| (row.product_id.clone(), row));
        let mut rows: BTreeMap<String, ProductRow> = by_id.collect();
        for (_, change) in changes.newest {
            let Some(Ok(product)) = change.product.as_ref().map(Product::deserialize) else {
                continue;
            };
            let id = product.product_id.to_string();
            let row = rows.entry(id.clone()).or_insert_with(|| ProductRow {
                product_name: format!("Product {id}"),
                aisle: "unknown".to_owned(),
                department: "unknown".to_owned(),
                product_id: id,
                ..ProductRow::default()
            });
            let set = |text: &mut String, new: Option<&str>| {
                if let Some(new) = new {
                    new.clone_into(text);
                }
            };
            set(&mut row.product_name, product.name.as_deref());
            set(&mut row.aisle, product.aisle());
            set(&mut row.department, product.department());
            row.tags = product.tags;
            row.tags.extend(product.attributes.iter().filter_map(attribute));
            (row.categories, row.brand, row.price) =
                (product.categories, product.brand, product.price);
        }
        Ok(rows.into_values().collect())
    }

    /// Reads the newest delivered change of each product.
    ///
    /// # Errors
    /// When the table's folder cannot be listed.
    pub fn catalogue_changes(&self) -> Result<CatalogueChanges, LakeError> {
        type Newest = BTreeMap<String, (Position, ProductRecord)>;
        let PartsRead { content, problems } = read_parts(
            || self.table_files("catalogue"),
            |path, newest: &mut Newest| {
                read_changes(path, |position, change| {
                    let id = change.product_id.to_string();
                    // A product's changes have ascending sequence numbers.
                    if newest.get(&id).is_none_or(|(at, _)| at.sequence <= position.sequence) {
                        newest.insert(id, (position, change));
                    }
                })
            },
        )?;
        Ok(CatalogueChanges { newest: content.into_values().collect(), problems })
    }
}

fn read(path: &Path, products: &mut Vec<ProductRow>) -> io::Result<()> {
    scan(path, None, |batch| {
        let text = |name: &str| texts(batch, name);
        let (id, name) = (text("product_id")?, text("product_name")?);
        let (aisle, department) = (text("aisle")?, text("department")?);
        products.extend((0..batch.num_rows()).map(|row| ProductRow {
            product_id: id.value(row).to_owned(),
            product_name: name.value(row).to_owned(),
            aisle: aisle.value(row).to_owned(),
            department: department.value(row).to_owned(),
            ..ProductRow::default()
        }));
        Ok(())
    })
}

/// An attribute as a text that products can share; a number rarely says how alike two of them are.
fn attribute((name, value): (&String, &Attribute)) -> Option<String> {
    match value {
        Attribute::Flag(true) => Some(name.clone()),
        Attribute::Text(text) => Some(format!("{name}: {text}")),
        Attribute::List(texts) => Some(format!("{name}: {}", texts.join(", "))),
        Attribute::Flag(false) | Attribute::Number(_) => None,
    }
}

/// Visits the changes of a part of `catalogue`.
pub(super) fn read_changes(
    path: &Path,
    mut visit: impl FnMut(Position, ProductRecord),
) -> io::Result<()> {
    let columns = ["product_id", "product", "received_at_ms", "shard", "sequence"];
    scan(path, Some(&columns), |batch| {
        let (ids, products) = (texts(batch, "product_id")?, texts(batch, "product")?);
        let received = numbers(batch, "received_at_ms")?;
        let shards = batch.column_by_name("shard").and_then(|c| c.as_primitive_opt::<Int32Type>());
        let missing = || io::Error::other("a row has no position in the stream");
        let (shards, sequences) = shards.zip(sequences(batch)).ok_or_else(missing)?;
        for row in 0..batch.num_rows() {
            let product = match products.is_valid(row) {
                true => Some(serde_json::from_str(products.value(row))?),
                false => None,
            };
            let position = Position {
                shard: u32::try_from(shards.value(row)).map_err(io::Error::other)?,
                sequence: Sequence::from(sequences.value(row)),
            };
            visit(
                position,
                ProductRecord {
                    schema_version: SCHEMA_VERSION,
                    product_id: ProductId::new(ids.value(row)).map_err(io::Error::other)?,
                    product,
                    received_at_ms: received.value(row),
                },
            );
        }
        Ok(())
    })
}
