//! Importing `products.csv`, with the names of aisles and departments.

use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use cartwheel_events::check_id;
use rustc_hash::FxHashMap;

use crate::import::csv_file::CsvFile;
use crate::import::error::ImportError;
use crate::import::part_writer::{BATCH_ROWS, PartWriter};
use crate::import::state::Import;
use crate::read::products::ProductRow;

/// Maximum number of characters of a product's name.
const MAX_NAME: usize = 500;
/// The name of an aisle or department that no file names.
const UNKNOWN: &str = "unknown";

/// Names of aisles and departments, by id.
pub(super) struct CategoryNames {
    pub aisles: FxHashMap<String, String>,
    pub departments: FxHashMap<String, String>,
}

/// A row of `products`.
pub(super) struct Product {
    product_id: String,
    product_name: String,
    aisle_id: String,
    aisle: String,
    department_id: String,
    department: String,
}

impl Product {
    /// A product that only order lines mention.
    pub(super) fn unlisted(id: &str) -> Self {
        Self {
            product_id: id.to_owned(),
            product_name: default_name(id),
            aisle_id: String::new(),
            aisle: UNKNOWN.to_owned(),
            department_id: String::new(),
            department: UNKNOWN.to_owned(),
        }
    }
}

impl From<ProductRow> for Product {
    fn from(row: ProductRow) -> Self {
        Self {
            product_name: if row.product_name.is_empty() {
                default_name(&row.product_id)
            } else {
                row.product_name.chars().take(MAX_NAME).collect()
            },
            aisle: named(row.aisle),
            department: named(row.department),
            product_id: row.product_id,
            aisle_id: String::new(),
            department_id: String::new(),
        }
    }
}

/// The name of an aisle or department, which may be empty.
fn named(name: String) -> String {
    if name.is_empty() { UNKNOWN.to_owned() } else { name.chars().take(MAX_NAME).collect() }
}

fn default_name(id: &str) -> String {
    format!("Product {id}")
}

impl Import<'_> {
    /// Reads the names in a file of aisles or departments, by id. `columns` are those of id and
    /// name. Without a file there are no names.
    pub(super) fn names(
        &mut self,
        path: Option<&Path>,
        columns: [&str; 2],
        tick: &mut dyn FnMut(u64),
    ) -> Result<FxHashMap<String, String>, ImportError> {
        let mut names = FxHashMap::default();
        let Some(path) = path else { return Ok(names) };
        CsvFile::open(path, &columns)?.rows(tick, |row| {
            let row = match row {
                Ok(row) => row,
                Err(malformed) => return self.reject_malformed(&malformed),
            };
            let [id, name] = columns.map(|column| row.get(column).to_owned());
            names.insert(id, name);
            Ok(())
        })?;
        Ok(names)
    }

    /// Imports the products.
    pub(super) fn products(
        &mut self,
        path: &Path,
        names: &CategoryNames,
        writer: &mut PartWriter<'_>,
        tick: &mut dyn FnMut(u64),
    ) -> Result<(), ImportError> {
        let mut products = Vec::new();
        CsvFile::open(path, &["product_id"])?.rows(tick, |row| {
            let row = match row {
                Ok(row) => row,
                Err(malformed) => return self.reject_malformed(&malformed),
            };
            let id = row.get("product_id");
            if let Err(e) = check_id(id) {
                return self.reject(&row, &format!("product_id {e}"));
            }
            if !self.products.insert(id.into()) {
                return self.reject(&row, "duplicate product_id");
            }
            let product_name = match row.get("product_name") {
                "" => default_name(id),
                name => name.chars().take(MAX_NAME).collect(),
            };
            let name_of = |names: &FxHashMap<String, String>, id: &str| {
                names.get(id).map_or(UNKNOWN, String::as_str).to_owned()
            };
            let (aisle, department) = (row.get("aisle_id"), row.get("department_id"));
            products.push(Product {
                product_id: id.to_owned(),
                product_name,
                aisle_id: aisle.to_owned(),
                aisle: name_of(&names.aisles, aisle),
                department_id: department.to_owned(),
                department: name_of(&names.departments, department),
            });
            Ok(())
        })?;
        Ok(write_products(writer, &products)?)
    }
}

/// Writes rows of `products`.
pub(super) fn write_products(writer: &mut PartWriter<'_>, products: &[Product]) -> io::Result<()> {
    for products in products.chunks(BATCH_ROWS) {
        let column = |field: fn(&Product) -> &String| {
            Arc::new(StringArray::from_iter_values(products.iter().map(field))) as ArrayRef
        };
        writer.write(vec![
            column(|product| &product.product_id),
            column(|product| &product.product_name),
            column(|product| &product.aisle_id),
            column(|product| &product.aisle),
            column(|product| &product.department_id),
            column(|product| &product.department),
        ])?;
    }
    Ok(())
}
