//! Documents of rules.

use std::collections::BTreeSet;

use cartwheel_filter::{Context, Item, Shopper};
use cartwheel_rules::{Occasion, Per, RuleBook, Ruling, Selects};
use jiff::civil::date;

/// The products that rules arrange.
const PRODUCTS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const NOW_MS: i64 = 1_780_000_000_000;

/// Any bytes are a document or an error. What is written is read as the same document. However its
/// rules are, a list has no product twice, none that is blocked, and no more than it may have, and
/// without rules that leave products out it is full.
pub fn rules(bytes: &[u8]) {
    let Ok(book) = serde_json::from_slice::<RuleBook>(bytes) else { return };
    let written = serde_json::to_vec(&book).unwrap_or_default();
    let read = serde_json::from_slice::<RuleBook>(&written);
    assert!(read.is_ok_and(|read| read == book));
    let items = PRODUCTS.map(|id| Item { department: "Tea", aisle: id, ..Item::unknown(id) });
    let known = |id: &cartwheel_events::ProductId| {
        items.iter().copied().find(|item| item.product_id == id.as_str())
    };
    let _ = book.set().conflicts(date(2026, 6, 1), &known, NOW_MS);
    for cart in [Vec::new(), vec![(items[5], 1)]] {
        let shopper = Shopper { is_guest: false, orders: 2, cart };
        let occasion = Occasion {
            placement: "home",
            categories: &["Tea".to_owned()],
            shopper: &shopper,
            context: &Context::default(),
            today: date(2026, 6, 1),
            now_ms: NOW_MS,
        };
        let ruling = book.set().ruling(&occasion, |selector| -> Selects<'_> {
            let items = &items;
            Box::new(move |n| items.get(n as usize).is_some_and(|i| selector.matches(i, NOW_MS)))
        });
        arranged(&ruling);
    }
}

fn arranged(ruling: &Ruling<'_>) {
    let all = (0..PRODUCTS.len() as u32).map(|n| (n, 0.9 - 0.15 * n as f32));
    let ranked: Vec<(u32, f32)> = all.filter(|(n, _)| ruling.admits(*n)).collect();
    let name_of = |n: u32, per: Per| match per {
        Per::Department => Some("Tea"),
        Per::Aisle => PRODUCTS.get(n as usize).copied(),
        Per::Brand => None,
    };
    for limit in [0, 1, 3, 10] {
        let list = ruling.arrange(&ranked, limit, name_of);
        let distinct: BTreeSet<usize> = list.iter().map(|placed| placed.rank).collect();
        assert_eq!(distinct.len(), list.len());
        assert!(list.len() <= limit && distinct.iter().all(|rank| *rank < ranked.len()));
        if ruling.guards().next().is_none() && !ruling.limits() {
            assert_eq!(list.len(), limit.min(ranked.len()));
        }
        for (at, placed) in list.iter().enumerate() {
            assert!(placed.moved_by.is_none_or(|m| m.to == at + 1 && m.from == placed.rank + 1));
        }
    }
}
