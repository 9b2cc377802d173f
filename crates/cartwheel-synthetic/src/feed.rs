//! The products as the shop's feed describes them at the end of the history.

use serde::Serialize;

use crate::assortment::{Assortment, decimal};
use crate::catalogue::{Catalogue, Product};
use crate::words::{KINDS, SIZES};

/// The currency of the shop.
const CURRENCY: &str = "EUR";
/// The cost of a product, in percent of its list price.
const COST: u32 = 65;
/// The kind that becomes a tag.
const ORGANIC: &str = "Organic";

/// A line of products.ndjson: the fields of `PUT /v1/products/{id}`.
#[derive(Serialize)]
struct Line<'a> {
    product_id: String,
    name: &'a str,
    description: String,
    categories: [&'a str; 2],
    brand: &'a str,
    price: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    list_price: Option<String>,
    cost: String,
    currency: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_stock: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<i64>,
    available_from: i64,
    created_at: i64,
    tags: Vec<&'a str>,
}

/// Returns the contents of products.ndjson.
pub(crate) fn lines(catalogue: &Catalogue, assortment: &Assortment) -> String {
    let products = (0..).zip(&catalogue.products);
    products
        .map(|(at, product)| {
            // A struct of texts and numbers: serialising cannot fail.
            let line = serde_json::to_string(&line(catalogue, assortment, at, product));
            line.unwrap_or_default() + "\n"
        })
        .collect()
}

fn line<'a>(
    catalogue: &'a Catalogue,
    assortment: &'a Assortment,
    at: u32,
    product: &'a Product,
) -> Line<'a> {
    let (price, list_price) =
        (assortment.price(at, assortment.end_ms()), assortment.list_price(at));
    let aisle = catalogue.aisles[product.aisle].name;
    let brand = assortment.brand(at);
    let size = match SIZES[product.size] {
        "" => String::new(),
        size => format!(", {size}"),
    };
    let kind = KINDS.iter().find(|kind| product.name.starts_with(**kind)).unwrap_or(&"");
    let mut tags = vec![product.thing];
    if *kind == ORGANIC {
        tags.push("organic");
    }
    let stock = assortment.stock(at);
    Line {
        product_id: (at + 1).to_string(),
        name: &product.name,
        description: format!("{kind} {} by {brand}{size}.", product.thing),
        categories: [catalogue.department(product), aisle],
        brand,
        price: decimal(price),
        list_price: (list_price > price).then(|| decimal(list_price)),
        cost: decimal(list_price * COST / 100),
        currency: CURRENCY,
        in_stock: stock.is_none().then_some(true),
        stock,
        available_from: assortment.came_ms(at),
        created_at: assortment.came_ms(at),
        tags,
    }
}
