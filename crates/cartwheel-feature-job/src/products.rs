//! The products of a job, by catalogue index.

use std::io;

use cartwheel_features::{ProductDetails, ProductInfo};
use cartwheel_lake::ProductRow;
use rustc_hash::FxHashMap;

/// Orders products by catalogue index, which is the order of their ids. Of products with
/// the same id the first one stays.
pub(crate) fn in_order(mut products: Vec<ProductInfo>) -> Vec<ProductInfo> {
    products.sort_by(|a, b| a.product_id.cmp(&b.product_id));
    products.dedup_by(|a, b| a.product_id == b.product_id);
    products
}

/// Finds catalogue indices by product id.
pub(crate) struct ProductIndex<'a>(FxHashMap<&'a str, u32>);

impl<'a> ProductIndex<'a> {
    /// Indexes products that are in order.
    pub(crate) fn new(products: &'a [ProductInfo]) -> Self {
        let ids = products.iter().enumerate();
        Self(ids.map(|(at, product)| (product.product_id.as_str(), at as u32)).collect())
    }

    pub(crate) fn get(&self, id: &str) -> io::Result<u32> {
        let unknown = || io::Error::other(format!("product {id} is not in the products table"));
        self.0.get(id).copied().ok_or_else(unknown)
    }

    pub(crate) fn all<'b>(&self, ids: impl Iterator<Item = &'b str>) -> io::Result<Vec<u32>> {
        ids.map(|id| self.get(id)).collect()
    }
}

/// A product of the lake as the job takes it.
pub fn product_info(row: ProductRow) -> ProductInfo {
    let ProductRow { categories, brand, tags, .. } = row;
    let price = row.price.map(|price| price.approximate() as f32);
    ProductInfo {
        product_id: row.product_id,
        name: row.product_name,
        aisle: row.aisle,
        department: row.department,
        details: ProductDetails { categories, brand, tags, price },
    }
}
