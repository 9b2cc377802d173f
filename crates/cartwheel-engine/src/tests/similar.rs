//! Products that are bought together with a product.

use cartwheel_features::{Catalogue, Line, Order, Partial, ProductInfo, SampleSizes, UserState};

use super::shop::{NOW_MS, product, release};
use crate::{Engine, Filters, Opened, ServingEngine, Similarity};

/// 200 customers with an order each. 40 of them buy chips; of these, 33 buy bananas, as 87 others
/// do, and 6 buy dip, as 4 others do.
fn snacks() -> Catalogue {
    const CHIPS: u32 = 0;
    const BANANAS: u32 = 1;
    const DIP: u32 = 2;
    const OTHER: u32 = 3;
    let mut partial = Partial::new(4, SampleSizes { baskets: 1000, shoppers: 1000, visits: 1 });
    for customer in 0..200_u64 {
        let basket: &[u32] = match customer {
            0..6 => &[CHIPS, BANANAS, DIP],
            6..33 => &[CHIPS, BANANAS],
            33..40 => &[CHIPS],
            40..44 => &[BANANAS, DIP],
            44..127 => &[BANANAS],
            _ => &[OTHER],
        };
        let line = |&product| Line { product, position: 1, reordered: None };
        let lines = basket.iter().map(line).collect();
        let order = Order { number: 1, lines, ..Order::default() };
        partial.order(&UserState::default(), &order, customer);
        partial.shopper(Vec::new(), [&order].into_iter(), customer);
    }
    let info = |name: &str| ProductInfo {
        product_id: name.to_owned(),
        name: name.to_owned(),
        ..ProductInfo::default()
    };
    Catalogue::finish(["chips", "bananas", "dip", "other"].map(info).into(), partial)
}

#[test]
fn a_product_that_everybody_buys_does_not_lead_what_is_bought_together() {
    let engine = ServingEngine::new(Opened { catalogue: snacks(), ..release(None) });
    let (chips, kind) = (product("chips"), Some(Similarity::BoughtTogether));
    let found = engine.similar(&chips, kind, &Filters::default(), 10, NOW_MS).unwrap();
    let ids: Vec<&str> = found.iter().map(|item| item.product_id.as_str()).collect();
    // Bananas are in 33 of the 40 baskets, but chance alone puts them into 24; dip into 2 of its 6.
    assert_eq!(ids, ["dip", "bananas"]);
    assert!(found.iter().all(|item| (0.0..=1.0).contains(&item.probability)));
}
