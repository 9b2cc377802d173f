//! Importing the order lines.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, StringArray};
use cartwheel_events::check_id;
use rustc_hash::FxHashSet;

use crate::import::csv_file::CsvFile;
use crate::import::error::ImportError;
use crate::import::part_writer::{BATCH_ROWS, PartWriter};
use crate::import::products::{Product, write_products};
use crate::import::schemas;
use crate::import::state::{Import, Order};

/// The products of the order whose lines are being read. The lines of an order are consecutive.
#[derive(Default)]
struct Basket {
    order_id: String,
    products: FxHashSet<String>,
}

impl Import<'_> {
    /// Imports the order lines and returns the parts of `order_products`, relative to the lake.
    /// Products that no file lists are added to `products`.
    pub(super) fn lines(
        &mut self,
        paths: &[PathBuf],
        products: &mut PartWriter<'_>,
        tick: &mut dyn FnMut(u64),
    ) -> Result<Vec<PathBuf>, ImportError> {
        let mut writer = self.writer("order_products", schemas::order_products());
        let mut batch = LineBatch::default();
        let mut unlisted = Vec::new();
        let mut basket = Basket::default();
        for path in paths {
            let mut kept = 0_u64;
            CsvFile::open(path, &["order_id", "product_id"])?.rows(tick, |row| {
                let row = match row {
                    Ok(row) => row,
                    Err(malformed) => return self.reject_malformed(&malformed),
                };
                let (order_id, product_id) = (row.get("order_id"), row.get("product_id"));
                let Some(&Order { user, number }) = self.orders.get(order_id) else {
                    return self.reject(&row, "no imported order has this order_id");
                };
                if let Err(e) = check_id(product_id) {
                    return self.reject(&row, &format!("product_id {e}"));
                }
                if basket.order_id != order_id {
                    let order_id = order_id.to_owned();
                    basket = Basket { order_id, products: FxHashSet::default() };
                }
                if !basket.products.insert(product_id.to_owned()) {
                    return self.reject(&row, "duplicate product_id of the order");
                }
                let given = row.get("add_to_cart_order");
                let position = match row.number("add_to_cart_order", 1.0, 1e6) {
                    Some(position) => position as i32,
                    None if given.is_empty() => basket.products.len() as i32,
                    None => return self.reject(&row, "add_to_cart_order is out of range"),
                };
                let reordered = match row.get("reordered") {
                    "" => None,
                    "0" | "0.0" => Some(0),
                    "1" | "1.0" => Some(1),
                    _ => return self.reject(&row, "reordered is not 0 or 1"),
                };
                if !self.products.contains(product_id) {
                    self.products.insert(product_id.into());
                    unlisted.push(Product::unlisted(product_id));
                }
                batch.push(LineRow {
                    order_id,
                    product_id,
                    position,
                    reordered,
                    user_id: &self.users[user as usize],
                    order_number: number,
                });
                kept += 1;
                if batch.len() == BATCH_ROWS { writer.write(batch.take()) } else { Ok(()) }
            })?;
            if kept == 0 {
                let problem = "the file holds no usable line".to_owned();
                return Err(ImportError::Unusable { path: path.clone(), problem });
            }
            self.lines += kept;
        }
        writer.write(batch.take())?;
        write_products(products, &unlisted)?;
        Ok(writer.finish()?)
    }
}

/// A row of `order_products`.
struct LineRow<'a> {
    order_id: &'a str,
    product_id: &'a str,
    position: i32,
    reordered: Option<i32>,
    user_id: &'a str,
    order_number: u32,
}

/// A batch of lines, by column.
#[derive(Default)]
struct LineBatch {
    order_ids: Vec<String>,
    product_ids: Vec<String>,
    positions: Vec<i32>,
    reordered: Vec<Option<i32>>,
    user_ids: Vec<String>,
    order_numbers: Vec<i32>,
}

impl LineBatch {
    fn push(&mut self, row: LineRow<'_>) {
        self.order_ids.push(row.order_id.to_owned());
        self.product_ids.push(row.product_id.to_owned());
        self.positions.push(row.position);
        self.reordered.push(row.reordered);
        self.user_ids.push(row.user_id.to_owned());
        self.order_numbers.push(i32::try_from(row.order_number).unwrap_or(i32::MAX));
    }

    fn len(&self) -> usize {
        self.order_ids.len()
    }

    /// Takes the columns and leaves the batch empty.
    fn take(&mut self) -> Vec<ArrayRef> {
        let batch = std::mem::take(self);
        vec![
            Arc::new(StringArray::from(batch.order_ids)),
            Arc::new(StringArray::from(batch.product_ids)),
            Arc::new(Int32Array::from(batch.positions)),
            Arc::new(Int32Array::from(batch.reordered)),
            Arc::new(StringArray::from(batch.user_ids)),
            Arc::new(Int32Array::from(batch.order_numbers)),
        ]
    }
}
