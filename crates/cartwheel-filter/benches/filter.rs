//! Time to index a catalogue of 100,000 products, and to select from it.
//!
//! `cargo bench -p cartwheel-filter`

#![expect(clippy::expect_used, reason = "a benchmark that cannot run must stop")]

use cartwheel_catalogue::Product;
use cartwheel_filter::{Condition, Context, Expression, Index, Item, Shopper, Source};
use divan::Bencher;
use serde_json::json;

const PRODUCTS: usize = 100_000;
const NOW_MS: i64 = 1_780_000_000_000;

fn main() {
    divan::main();
}

fn products() -> Vec<Product> {
    let product = |n: usize| {
        let fields = json!({
            "product_id": format!("p{n}"), "price": format!("{}.{:02}", n % 97, n % 100),
            "list_price": format!("{}.50", n % 101), "brand": format!("brand {}", n % 1_000),
            "categories": [format!("department {}", n % 20), format!("aisle {}", n % 200)],
            "tags": [format!("tag {}", n % 50), format!("tag {}", n % 7)], "stock": 1 + n % 300,
            "created_at": NOW_MS - (n as i64 % 1_000) * 86_400_000,
            "attributes": {"colour": format!("colour {}", n % 12), "weight": n % 5_000},
        });
        Product::from_json(fields).expect("the product is valid")
    };
    (0..PRODUCTS).map(product).collect()
}

fn item(product: &Product) -> Item<'_> {
    Item {
        product_id: product.product_id.as_str(),
        department: product.department().unwrap_or_default(),
        aisle: product.aisle().unwrap_or_default(),
        product: Some(product),
        added_at_ms: None,
    }
}

const TEXTS: [&str; 5] = [
    "price < 20",
    "price < 20 and department = 'department 3' and not ('tag 1' in tags)",
    "price <= list_price * 0.8",
    "age_days < 30 and attributes.weight > 1000 and brand != 'brand 7'",
    "aisle in ['aisle 1', 'aisle 2', 'aisle 3'] or attributes.colour = 'colour 2'",
];

fn condition(text: &str) -> Condition {
    let expression = Expression::parse(text, Context::default(), Source::Everybody);
    expression.expect("the expression is valid").bind(&Shopper::default())
}

#[divan::bench(args = TEXTS)]
fn selecting(bencher: Bencher<'_, '_>, text: &str) {
    let products = products();
    let index = Index::new(products.iter().map(|product| Some(item(product))));
    let condition = condition(text);
    bencher.bench_local(|| condition.select(divan::black_box(&index), NOW_MS));
}

#[divan::bench(args = TEXTS)]
fn reading(bencher: Bencher<'_, '_>, text: &str) {
    bencher.bench_local(|| condition(divan::black_box(text)));
}

#[divan::bench(sample_count = 10)]
fn indexing(bencher: Bencher<'_, '_>) {
    let products = products();
    bencher.bench_local(|| Index::new(products.iter().map(|product| Some(item(product)))));
}
