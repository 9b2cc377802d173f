//! Documents, what they do to lists, and what they contradict.

use cartwheel_catalogue::Product;
use cartwheel_events::ProductId;
use cartwheel_filter::{Context, Item, Shopper};
use jiff::civil::{Date, date};
use serde_json::{Value, json};

use crate::*;

mod documents;
mod lists;
mod properties;

const NOW_MS: i64 = 1_795_824_000_000;
const TODAY: Date = date(2026, 11, 28);
const DEPARTMENTS: [&str; 5] = ["Tea", "Milk", "Bread", "Fruit", "Wine"];
const BRANDS: [&str; 2] = ["Uji", "Ito"];

/// Twenty products: `p0` to `p19`, four of each department in turn, two brands.
fn shop() -> Vec<Product> {
    let product = |n: usize| {
        let (department, brand) = (DEPARTMENTS[n % 5], BRANDS[n % 2]);
        Product::from_json(json!({
            "product_id": format!("p{n}"), "categories": [department], "brand": brand,
        }))
        .unwrap()
    };
    (0..20).map(product).collect()
}

fn item(product: &Product) -> Item<'_> {
    let department = product.department().unwrap_or_default();
    Item {
        product_id: product.product_id.as_str(),
        department,
        aisle: department,
        product: Some(product),
        added_at_ms: None,
    }
}

fn document(rules: Value) -> Rules {
    serde_json::from_value(json!({ "rules": rules })).unwrap()
}

fn rule_set(rules: Value) -> RuleSet {
    RuleSet::new(&document(rules)).unwrap()
}

/// What asks in a test.
struct Asked<'a> {
    placement: &'a str,
    cart: &'a [usize],
    context: Value,
}

const HOME: Asked<'static> = Asked { placement: "home", cart: &[], context: Value::Null };

/// Calls `with` with the rules that hold for a request, and with the names of categories and brands.
fn with_ruling<T>(
    set: &RuleSet,
    asked: &Asked<'_>,
    with: impl Fn(&Ruling<'_>, &dyn Fn(u32, Per) -> Option<&'static str>) -> T,
) -> T {
    let shop = shop();
    let cart = asked.cart.iter().map(|&n| (item(&shop[n]), 1)).collect();
    let shopper = Shopper { is_guest: false, orders: 3, cart };
    let values = if asked.context.is_null() { json!({}) } else { asked.context.clone() };
    let Value::Object(values) = values else { unreachable!() };
    let occasion = Occasion {
        placement: asked.placement,
        categories: &[],
        shopper: &shopper,
        context: &Context::from_json(values).unwrap(),
        today: TODAY,
        now_ms: NOW_MS,
    };
    let ruling = set.ruling(&occasion, |selector| {
        let shop = &shop;
        Box::new(move |n| selector.matches(&item(&shop[n as usize]), NOW_MS))
    });
    let name_of = |n: u32, per: Per| match per {
        Per::Department | Per::Aisle => Some(DEPARTMENTS[n as usize % 5]),
        Per::Brand => Some(BRANDS[n as usize % 2]),
    };
    with(&ruling, &name_of)
}

/// The list of the 20 products, of which the first is the most probable, with the moves by rules.
fn arrange(set: &RuleSet, limit: usize, asked: &Asked<'_>) -> (Vec<u32>, Vec<String>) {
    with_ruling(set, asked, |ruling, name_of| {
        let ranked: Vec<(u32, f32)> = (0..20)
            .filter(|&n| ruling.admits(n))
            .map(|n| (n, 0.5 * 0.8_f32.powi(n as i32)))
            .collect();
        let arranged = ruling.arrange(&ranked, limit, name_of);
        let list = arranged.iter().map(|placed| ranked[placed.rank].0).collect();
        let moves = arranged.iter().filter_map(|placed| {
            let Moved { rule, from, to } = placed.moved_by?;
            Some(format!("p{} {rule} {from}>{to}", ranked[placed.rank].0))
        });
        (list, moves.collect())
    })
}

fn listed(rules: Value, limit: usize) -> (Vec<u32>, Vec<String>) {
    arrange(&rule_set(rules), limit, &HOME)
}

/// The conflicts of rules, each as its kind, its rules and the one that wins.
fn conflicts(rules: Value) -> Vec<String> {
    let shop = shop();
    let known = |id: &ProductId| shop.iter().find(|p| p.product_id == *id).map(item);
    let found = rule_set(rules).conflicts(TODAY, &known, NOW_MS);
    let line = |conflict: &Conflict| {
        assert!(conflict.reason.ends_with('.'));
        let kind = serde_json::to_value(conflict.kind).unwrap();
        let wins = conflict.wins.as_deref().unwrap_or("-");
        format!("{} {} {wins}", kind.as_str().unwrap(), conflict.rules.join("+"))
    };
    found.iter().map(line).collect()
}
