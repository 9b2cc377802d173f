//! Encoding changes of products as parts of `catalogue`.

use std::io;
use std::sync::Arc;

use arrow_array::{BooleanArray, Int32Array, Int64Array};
use bytes::Bytes;
use cartwheel_catalogue::Product;
use cartwheel_events::ProductRecord;
use serde::Deserialize;

use crate::delivery::encode::{StreamRow, encode, positions, text_lists, texts};

/// Encodes changes of products as a part: the main fields as columns, and the whole product as
/// JSON in `product`, which is null after a deletion.
pub(super) fn encode_products(rows: &[StreamRow<'_, ProductRecord>]) -> io::Result<Bytes> {
    let records = || rows.iter().map(|row| row.record);
    let read =
        |record: &ProductRecord| record.product.as_ref().map(Product::deserialize).transpose();
    let products: Vec<Option<Product>> = records().map(read).collect::<Result<_, _>>()?;
    let products = || products.iter().map(Option::as_ref);
    let names = products().map(|p| p.and_then(|p| p.name.as_deref()));
    let brands = products().map(|p| p.and_then(|p| p.brand.as_deref()));
    let categories = products().map(|p| p.map_or(&[][..], |p| &p.categories));
    let categories = categories.map(|all| all.iter().map(String::as_str).collect());
    let prices: Vec<Option<String>> =
        products().map(|p| p.and_then(|p| p.price).map(|price| price.to_string())).collect();
    let currencies = products().map(|p| p.and_then(|p| p.currency.as_ref()).map(|c| c.as_str()));
    let stock = products().map(|p| p.and_then(|p| p.stock).map(i64::from));
    let json: Vec<Option<String>> =
        records().map(|record| record.product.as_ref().map(ToString::to_string)).collect();
    let [shard, sequence] = positions(rows);
    encode(vec![
        (
            "schema_version",
            Arc::new(Int32Array::from_iter_values(records().map(|r| r.schema_version as i32))),
        ),
        ("product_id", texts(records().map(|record| Some(record.product_id.as_str())))),
        (
            "deleted",
            Arc::new(records().map(|r| Some(r.product.is_none())).collect::<BooleanArray>()),
        ),
        ("name", texts(names)),
        ("brand", texts(brands)),
        ("categories", text_lists(categories)),
        ("price", texts(prices.iter().map(Option::as_deref))),
        ("currency", texts(currencies)),
        (
            "in_stock",
            Arc::new(products().map(|p| p.map(Product::is_in_stock)).collect::<BooleanArray>()),
        ),
        ("stock", Arc::new(Int64Array::from_iter(stock))),
        ("hidden", Arc::new(products().map(|p| p.map(|p| p.hidden)).collect::<BooleanArray>())),
        ("product", texts(json.iter().map(Option::as_deref))),
        (
            "received_at_ms",
            Arc::new(Int64Array::from_iter_values(records().map(|r| r.received_at_ms))),
        ),
        shard,
        sequence,
    ])
}
