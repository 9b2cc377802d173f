//! Reading the imported products.

use std::io;
use std::path::Path;

use crate::error::LakeError;
use crate::files::scan::{scan, texts};
use crate::lake::Lake;

/// A row of `products`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductRow {
    /// The product's id.
    pub product_id: String,
    /// The product's name.
    pub product_name: String,
    /// The name of the product's aisle.
    pub aisle: String,
    /// The name of the product's department.
    pub department: String,
}

impl Lake {
    /// Reads the imported products, by part and row.
    ///
    /// # Errors
    /// When a part cannot be read; the error names it.
    pub fn read_products(&self) -> Result<Vec<ProductRow>, LakeError> {
        let mut products = Vec::new();
        for path in self.table_files("products")? {
            read(&path, &mut products).map_err(|e| LakeError::file(&path, e))?;
        }
        Ok(products)
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
        }));
        Ok(())
    })
}
