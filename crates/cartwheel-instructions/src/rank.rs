//! One recommendation: from a shopper's record and session to ten products, in memory.

use std::hint::black_box;

use anyhow::Result;
use cartwheel_engine::{Engine as _, Filters, Opened, Query, ServingEngine, StoredRecord};
use cartwheel_events::{ProductId, UserId};
use cartwheel_features::{
    Catalogue, Context, Event, Line, Order, Partial, ProductInfo, SampleSizes, Scaler, UserState,
};
use cartwheel_recommend::{FEATURES, Model};
use cartwheel_registry::Release;
use cartwheel_sessions::{CartItem, ProductView, Session};
use futures::executor::block_on;

use crate::measured::measure;
use crate::model;
use crate::sequence::Sequence;

const FEATURE_SET: &str = "fs-1";
const DAY_MS: i64 = 86_400_000;
/// Noon of a day in 2026.
const NOW_MS: i64 = 1_780_000_000_000;
const PRODUCTS: usize = 500;
const SHOPPERS: u64 = 400;
/// Orders of each shopper, one a week.
const ORDERS: u32 = 8;

/// Recommends ten products to a shopper with a history, a cart and views.
pub fn rank() -> Result<()> {
    let (opened, record) = shop()?;
    let engine = ServingEngine::new(opened);
    let user = UserId::new("u")?;
    let view = |at_ms| Ok(ProductView { product_id: product(at_ms as usize % PRODUCTS)?, at_ms });
    let session = Session {
        cart: vec![CartItem { product_id: product(3)?, quantity: 1 }],
        views: (1..6).rev().map(|n| view(NOW_MS - 60_001 * n)).collect::<Result<_>>()?,
        ..Session::default()
    };
    let query = || Query {
        user_id: &user,
        session: Some(&session),
        record: Some(StoredRecord { feature_set: FEATURE_SET, bytes: Some(&record) }),
        cart: None,
        limit: 10,
        filters: Filters::default(),
        rules: None,
        explain: false,
        now_ms: NOW_MS,
    };
    let answer = block_on(engine.recommend(Query { explain: true, ..query() }));
    let candidates: usize = answer.candidates.iter().map(|source| source.candidates).sum();
    anyhow::ensure!(!answer.degraded && answer.items.len() == 10, "the answer is whole");
    anyhow::ensure!(candidates >= 100, "there are only {candidates} candidates");
    measure(|| drop(black_box(block_on(engine.recommend(black_box(query()))))));
    Ok(())
}

fn product(number: usize) -> Result<ProductId> {
    Ok(ProductId::new(format!("p{number}"))?)
}

/// A release with a model, and the record of its first shopper.
fn shop() -> Result<(Opened, Vec<u8>)> {
    let sizes = SampleSizes { baskets: 10_000, shoppers: 1_000, visits: 100 };
    let mut partial = Partial::new(PRODUCTS, sizes);
    let mut sequence = Sequence::new(5);
    let mut record = Vec::new();
    for shopper in 0..SHOPPERS {
        let mut state = UserState::default();
        for number in 1..=ORDERS {
            let order = order(number, shopper as usize, &mut sequence);
            partial.order(&state, &order, shopper);
            state.apply(Event::Order(&order));
        }
        if shopper == 0 {
            record = state.encode();
        }
    }
    let info = |p: usize| ProductInfo {
        product_id: format!("p{p}"),
        name: format!("Product {p}"),
        aisle: format!("aisle {}", p / 10),
        department: format!("department {}", p / 100),
        ..ProductInfo::default()
    };
    let width = FEATURES.len();
    let scaler = Scaler { mean: vec![0.0; width], std: vec![1.0; width] };
    let opened = Opened {
        release: Release {
            feature_set: FEATURE_SET.to_owned(),
            model: Some("m-1".to_owned()),
            schema_hash: "s".to_owned(),
            variant: None,
            challenger: None,
        },
        catalogue: Catalogue::finish((0..PRODUCTS).map(info).collect(), partial),
        users: None,
        user_count: SHOPPERS as usize,
        model: Some(Model::new(model::forest(width)?, scaler)?),
        challenger: None,
        trained_on: Some(FEATURE_SET.to_owned()),
        calendar: cartwheel_feature_set::Calendar::new("UTC")?,
        erasures: 0,
        stands_in: false,
    };
    Ok((opened, record))
}

/// Eight products: popular ones, and ones that the shopper's neighbours like.
fn order(number: u32, shopper: usize, sequence: &mut Sequence) -> Order {
    let mut products: Vec<u32> = (0..8)
        .map(|at| match at % 2 {
            0 => sequence.below(PRODUCTS).min(sequence.below(PRODUCTS)) as u32,
            _ => ((shopper % 20) * 25 + sequence.below(25)) as u32,
        })
        .collect();
    products.sort_unstable();
    products.dedup();
    let line = |(position, product)| Line { product, position, reordered: None };
    let at_ms = NOW_MS - i64::from(ORDERS + 1 - number) * 7 * DAY_MS;
    Order {
        number,
        context: Context { days_since_prior: Some(7.0), at_ms: Some(at_ms), ..Context::default() },
        lines: (1..).zip(products).map(line).collect(),
    }
}
