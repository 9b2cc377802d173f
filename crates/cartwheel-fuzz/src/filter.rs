//! Filter expressions of clients.

use cartwheel_catalogue::Product;
use cartwheel_events::ProductId;
use cartwheel_filter::{Context, Expression, Index, Item, MAX_LENGTH, Shopper, Source};
use serde_json::{Value, json};

/// The products that conditions are asked about: one with every field, and one with none.
fn products() -> Vec<Product> {
    let full = json!({
        "product_id": "a", "categories": ["b", "c"], "brand": "d", "tags": ["e", "f"],
        "price": "12.90", "list_price": "14.90", "currency": "EUR", "stock": 3,
        "created_at": 1_700_000_000_000_i64,
        "attributes": {"g": "h", "i": 1.5, "j": true, "k": ["l", "m"]},
    });
    let full = Product::from_json(full).ok();
    let empty = ProductId::new("n").ok().map(Product::new);
    full.into_iter().chain(empty).collect()
}

/// Any text is an expression or an error with a position in it. An expression that is written is
/// read as the same one, and its index selects the products that fulfil it. The first line is the
/// text if the rest is a JSON object, which is the context.
pub fn filter(bytes: &[u8]) {
    let Ok(input) = std::str::from_utf8(bytes) else { return };
    let split = input.split_once('\n').and_then(|(text, rest)| {
        let Ok(Value::Object(values)) = serde_json::from_str(rest) else { return None };
        Some((text, Context::from_json(values).ok()?))
    });
    let (text, context) = split.unwrap_or((input, Context::default()));
    let expression = match Expression::parse(text, context.clone(), Source::Shopper) {
        Ok(expression) => expression,
        Err(error) => {
            let length = text.chars().count();
            assert!((1..=length + 1).contains(&error.position()), "{error}");
            assert_eq!(error.excerpt().lines().count(), 2, "{error}");
            return;
        }
    };
    let written = expression.to_string();
    // A text may be short for its brackets and quotes.
    if written.chars().count() <= MAX_LENGTH {
        let read = Expression::parse(&written, context, Source::Shopper);
        assert_eq!(read.as_ref(), Ok(&expression), "{written}");
    }
    let products = products();
    let items: Vec<Item<'_>> = products.iter().map(item).collect();
    let index = Index::new(items.iter().map(|item| Some(*item)));
    let cart = items.iter().map(|item| (*item, 2)).collect();
    for shopper in [Shopper::default(), Shopper { is_guest: true, orders: 7, cart }] {
        let condition = expression.bind(&shopper);
        let selected = condition.select(&index, 1_780_000_000_000);
        for (place, item) in (0..).zip(&items) {
            let one = condition.matches(item, 1_780_000_000_000);
            assert_eq!(selected.contains(place), one, "{written}");
        }
    }
}

fn item(product: &Product) -> Item<'_> {
    Item {
        product_id: product.product_id.as_str(),
        department: product.department().unwrap_or_default(),
        aisle: product.aisle().unwrap_or_default(),
        product: Some(product),
        added_at_ms: Some(1_760_000_000_000),
    }
}
