//! How the texts of a feed become the fields of a product.

use serde_json::{Map, Value, json};

use crate::feed::columns::{ATTRIBUTES, COLUMNS};
use crate::feed::mapping::FeedMapping;
use crate::feed::row::FeedRow;
use crate::field::plain;

/// The column of each field in a feed: the field, and its columns, the best first.
pub(super) type FeedColumns = Vec<(String, Vec<String>)>;

/// Finds the columns of the fields among those of a feed. A column that is mapped has no other
/// meaning.
pub(super) fn find(columns: &[String], given: &FeedMapping) -> FeedColumns {
    let mut found = Vec::new();
    let existing = |mapped: &[String]| -> Vec<String> {
        mapped.iter().filter(|column| columns.contains(column)).cloned().collect()
    };
    for (field, names) in COLUMNS {
        if let Some(mapped) = given.columns(field) {
            found.push((field.to_owned(), existing(mapped)));
            continue;
        }
        let mut matches: Vec<(usize, &String)> = columns
            .iter()
            .filter(|column| !given.names(column))
            .filter_map(|column| {
                let plain = plain(column);
                Some((names.iter().position(|name| *name == plain)?, column))
            })
            .collect();
        matches.sort();
        if !matches.is_empty() {
            let columns = matches.into_iter().map(|(_, column)| column.clone()).collect();
            found.push((field.to_owned(), columns));
        }
    }
    found.extend(given.attributes().map(|(field, mapped)| (field.to_owned(), existing(mapped))));
    found.retain(|(_, columns)| !columns.is_empty());
    found
}

/// A row as the JSON of a product. What is wrong with it is for the product to find out.
pub(super) fn product(row: &FeedRow, columns: &FeedColumns) -> Value {
    let text = |field: &str| {
        let (_, names) = columns.iter().find(|(name, _)| *name == field)?;
        names.iter().find_map(|name| row.get(name))
    };
    let mut out = Map::new();
    let mut put = |field: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(field.to_owned(), value);
        }
    };
    put("product_id", text("product_id").map(Value::from));
    put("name", text("name").map(|name| without_markup(name, 500).into()));
    put("description", text("description").map(|t| without_markup(t, 10_000).into()));
    put("categories", text("categories").map(categories));
    put("brand", text("brand").map(Value::from));
    let [sale, price, list, cost] =
        ["sale_price", "price", "list_price", "cost"].map(|field| text(field).map(amount));
    let currency = [&price, &sale].into_iter().flatten().find_map(|amount| amount.currency);
    let currency = text("currency").or(currency).map(str::to_uppercase);
    put("currency", currency.map(Value::from));
    let value = |amount: &Option<Amount<'_>>| amount.as_ref().map(|a| Value::from(a.value.clone()));
    put("list_price", value(&list).or(value(&price).filter(|_| sale.is_some())));
    put("price", value(&sale).or(value(&price)));
    put("cost", value(&cost));
    put("url", text("url").map(Value::from));
    // Several pictures are separated by commas.
    put("image_url", text("image_url").and_then(|urls| urls.split(", ").next()).map(Value::from));
    put("in_stock", text("in_stock").and_then(availability).map(Value::from));
    let sells_without_stock = text("policy") == Some("continue");
    let stock = text("stock").filter(|_| !sells_without_stock);
    let pieces = stock.and_then(|stock| stock.parse::<f64>().ok()).map(|n| n.max(0.0) as u64);
    put("stock", pieces.map(Value::from));
    let is_hidden = text("hidden").and_then(flag).unwrap_or(false)
        || text("published").and_then(flag).is_some_and(|published| !published)
        || text("status").is_some_and(|s| matches!(s, "draft" | "archived" | "private"));
    put("hidden", Some(is_hidden.into()).filter(|_| is_hidden));
    for field in ["available_from", "available_until", "created_at"] {
        put(field, text(field).map(Value::from));
    }
    let tags = text("tags").map(|tags| {
        tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect::<Vec<_>>()
    });
    put("tags", tags.map(|tags| json!(tags)));
    let attributes = columns.iter().filter_map(|(field, columns)| {
        let name = field.strip_prefix(ATTRIBUTES)?;
        Some((name.to_owned(), columns.iter().find_map(|column| row.get(column))?.into()))
    });
    let attributes: Map<String, Value> = attributes.collect();
    put("attributes", Some(attributes).filter(|all| !all.is_empty()).map(Value::Object));
    Value::Object(out)
}

/// An amount such as `12.90 EUR`.
struct Amount<'a> {
    value: String,
    currency: Option<&'a str>,
}

fn amount(text: &str) -> Amount<'_> {
    let mut words = text.split_whitespace();
    let currency =
        words.clone().find(|word| word.len() == 3 && word.bytes().all(|b| b.is_ascii_alphabetic()));
    let value = words.find(|word| word.contains(|c: char| c.is_ascii_digit())).unwrap_or(text);
    let value = value.trim_matches(|c: char| !c.is_ascii_digit() && c != '-');
    Amount { value: value.to_owned(), currency }
}

/// A value of JSON or Parquet as a text, as a table has it. The elements of a list are separated by
/// commas, and those of a path of categories by `>`.
pub(super) fn text(value: &Value, is_path: bool) -> String {
    match value {
        Value::Null | Value::Object(_) => String::new(),
        Value::String(text) => text.trim().to_owned(),
        Value::Array(elements) => {
            let elements: Vec<String> =
                elements.iter().map(|element| text(element, false)).collect();
            elements.join(if is_path { " > " } else { ", " })
        }
        value => value.to_string(),
    }
}

/// The path of the first category: `Food > Tea, Gifts` is `Food`, then `Tea`.
fn categories(text: &str) -> Value {
    let first = if text.contains('>') { text.split(", ").next().unwrap_or(text) } else { text };
    let levels = first.split(['>', '/']).map(str::trim).filter(|level| !level.is_empty());
    json!(levels.take(10).collect::<Vec<_>>())
}

/// Whether a product can be bought: a flag, or a state of Google Merchant Center.
fn availability(text: &str) -> Option<bool> {
    match plain(text).as_str() {
        "instock" | "backorder" | "preorder" | "available" | "limitedavailability" => Some(true),
        "outofstock" | "soldout" | "discontinued" | "unavailable" => Some(false),
        _ => flag(text),
    }
}

fn flag(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" | "-1" => Some(false),
        _ => None,
    }
}

/// A text without the tags of HTML, in one line, of at most `limit` characters.
fn without_markup(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut is_tag = false;
    for c in text.chars() {
        match c {
            '<' => is_tag = true,
            '>' if is_tag => {
                is_tag = false;
                out.push(' ');
            }
            _ if is_tag => {}
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(limit).collect()
}
