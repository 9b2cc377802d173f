//! Shops of 0 to 300 customers, from their checkouts to the answers.

use std::path::Path;

use cartwheel_events::UserId;
use cartwheel_feature_job::{Input, JobOptions, build};
use cartwheel_feature_set::FeatureSet;
use cartwheel_features::ProductInfo;
use cartwheel_forest::Forest;
use cartwheel_lake::CheckoutRow;
use cartwheel_registry::{LocalRegistry, archive, layout};
use futures::executor::block_on;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::shop::{DAY_MS, NOW_MS, model, model_file, product};
use crate::deployment::{decide, publish_features};
use crate::functions::{Archives, evaluate};
use crate::{
    Answer, Engine, Filters, JudgedBy, Opened, Query, Refused, ServingEngine, cross_validate,
    judged_by,
};

/// A shop whose customers order every few days, mostly what they ordered before.
#[derive(Debug, Clone, Copy)]
struct Size {
    customers: u32,
    products: u32,
    /// Most orders of a customer.
    orders: u32,
    seed: u64,
}

impl Size {
    /// A number below `below` that depends on `of` only.
    fn draw(&self, of: &str, below: u32) -> u32 {
        let text = format!("{}/{of}", self.seed);
        (cartwheel_features::stable_hash(text.as_bytes()) % u64::from(below.max(1))) as u32
    }

    fn checkouts(&self) -> Vec<CheckoutRow> {
        let mut rows = Vec::new();
        for user in 0..self.customers {
            let orders = 1 + self.draw(&format!("orders/{user}"), self.orders);
            for order in 0..orders {
                let days = i64::from((orders - order) * 7 + user % 7);
                let item = |n: u32| match n {
                    0 | 1 => self.draw(&format!("habit/{user}/{n}"), self.products),
                    _ => self.draw(&format!("other/{user}/{order}/{n}"), self.products),
                };
                let mut products: Vec<u32> = (0..3).map(item).collect();
                products.dedup();
                rows.push(CheckoutRow {
                    user_id: format!("u{user}"),
                    received_at_ms: NOW_MS - days * DAY_MS,
                    event_id: format!("e{user}-{order}"),
                    product_ids: products.iter().map(|p| format!("p{p}")).collect(),
                    quantities: vec![1; products.len()],
                    is_return: false,
                });
            }
        }
        rows
    }

    fn build(&self, lake: &Path) -> FeatureSet {
        let info = |n: u32| ProductInfo {
            product_id: format!("p{n}"),
            name: format!("Product {n}"),
            aisle: format!("aisle {}", n % 5),
            department: format!("department {}", n % 2),
            ..ProductInfo::default()
        };
        let input = Input {
            products: (0..self.products).map(info).collect(),
            checkouts: self.checkouts(),
            ..Input::default()
        };
        build(input, &lake.join(layout::FEATURES), &JobOptions::default(), &|_| {}).unwrap()
    }
}

fn ask(engine: &ServingEngine, user: &str, cart: &[String], limit: usize) -> Answer {
    let user_id = UserId::new(user).unwrap();
    block_on(engine.recommend(Query {
        user_id: &user_id,
        session: None,
        record: None,
        cart: Some(cart.iter().map(|id| product(id)).collect()),
        limit,
        filters: Filters::default(),
        rules: None,
        explain: false,
        now_ms: NOW_MS,
    }))
}

fn sizes() -> impl Strategy<Value = Size> {
    let customers = prop_oneof![0..12_u32, 0..301_u32];
    let products = prop_oneof![1..5_u32, 1..120_u32];
    (customers, products, 1..6_u32, any::<u64>())
        .prop_map(|(customers, products, orders, seed)| Size { customers, products, orders, seed })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_answer_is_empty_while_a_product_may_be_shown(
        size in sizes(),
        with_model in any::<bool>(),
        held in 0..4_u32,
        limit in 1..=100_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let set = size.build(dir.path());
        let registry = LocalRegistry::new(dir.path());
        block_on(publish_features(&registry, &set.manifest.version)).unwrap();
        let (opened, problem) = Opened::best(dir.path(), "UTC").unwrap();
        prop_assert!(problem.is_none());
        let opened = Opened { model: with_model.then(model), ..opened };
        let engine = ServingEngine::new(opened);
        prop_assert!(engine.status().ready && !engine.status().degraded);
        let cart: Vec<String> = (0..held.min(size.products)).map(|n| format!("p{n}")).collect();
        let others = size.products as usize - cart.len();
        for user in ["u0", "u1", "u299", "stranger"] {
            let answer = ask(&engine, user, &cart, limit);
            prop_assert!(!answer.degraded);
            prop_assert_eq!(answer.items.is_empty(), others == 0, "{}", user);
            prop_assert!(answer.items.len() <= limit);
            prop_assert!(answer.items.iter().all(|item| !cart.contains(&item.product_id.to_string())));
        }
        prop_assert_eq!(engine.popular(limit, &Filters::default(), NOW_MS).len(), limit.min(size.products as usize));
    }
}

/// 80 customers, of whom about 8 are the gate's.
const SMALL: Size = Size { customers: 80, products: 40, orders: 8, seed: 1 };

#[test]
fn a_small_shop_is_judged_by_the_fold_that_held_each_customer_out() {
    let dir = tempfile::tempdir().unwrap();
    let set = SMALL.build(dir.path());
    let forest = || Forest::from_bytes(&model_file()).unwrap();
    let folds = set.manifest.cross_folds.clone();
    assert_eq!(folds, [0, 1, 2, 3, 4]);
    assert_eq!(judged_by(&set.manifest, &Default::default()), JudgedBy::CrossValidation);
    let models = || folds.iter().map(|fold| (*fold, forest())).collect();
    let report = cross_validate(&set, "m-1", models()).unwrap();
    assert_eq!((report.users as u64, report.folds), (set.manifest.judged_users, 5));
    assert_eq!(
        (report.comparison.reference.as_str(), report.comparison.serving),
        ("popular", false)
    );
    let popular = report.comparison.recall_at_10.unwrap().mean;
    let difference = report.comparison.difference.mean;
    assert!(difference > 0.1, "customers buy again: {difference} over {popular}");
    let own = report.recall_at_10().unwrap().mean;
    assert!((own - popular - difference).abs() < 1e-9, "{own} {popular} {difference}");
    assert!(report.comparison.p_value.unwrap() < 0.01, "{:?}", report.comparison);
    let method = |name: &str| report.methods.iter().find(|m| m.name == name).unwrap();
    let strongest = report.strongest().unwrap();
    assert!(strongest.recall_at_10.mean >= method("personal").recall_at_10.mean);
    for name in ["TIFU-KNN", "UP-CF"] {
        let baseline = method(name);
        let lead = own - baseline.recall_at_10.mean;
        assert!((baseline.model_lead.unwrap().mean - lead).abs() < 1e-9, "{name}");
        assert!(baseline.recall_at_10.mean > popular + 0.1, "{name} knows the user's orders");
        let guests = baseline.slices.unwrap().guest_recall_at_10;
        assert_eq!((guests.users, guests.mean), (report.users, popular), "{name}");
    }
    let slices = method("model").slices.unwrap();
    assert!(slices.rep_recall_at_10.mean > slices.expl_recall_at_10.mean, "{slices:?}");
    assert!((0.0..=1.0).contains(&slices.coverage) && slices.coverage > 0.5);
    std::fs::remove_file(set.path(cartwheel_feature_set::files::HISTORIES)).unwrap();
    let early = cross_validate(&set, "m-1", models()).unwrap();
    assert_eq!(early.methods.len() + 2, report.methods.len(), "a set of an earlier version");
    let without_one = models().into_iter().skip(1).collect();
    let refused = cross_validate(&set, "m-1", without_one).unwrap_err();
    assert!(matches!(&refused, Refused::Folds(set) if *set == report.feature_set), "{refused}");
}

#[test]
fn a_small_shop_gets_a_provisional_model_and_keeps_answering_when_it_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let set = SMALL.build(dir.path());
    let registry = LocalRegistry::new(dir.path());
    let payload = |min_users: u64| {
        let folds: Vec<Value> = (0..5)
            .map(|fold| json!({"fold": fold, "artifacts": format!("s3://lake/training/run-fold-{fold}/output/model.tar.gz")}))
            .collect();
        serde_json::from_value(json!({
            "lake": "s3://lake", "feature_set": set.manifest.version, "folds": folds,
            "artifacts": "s3://lake/training/run/output/model.tar.gz",
            "hyperparameters": {}, "gate": {"margin": 0.0, "min_users": min_users},
        }))
        .unwrap()
    };
    let packed = archive(&model_file()).unwrap();
    let archives = Archives { model: packed.clone(), folds: vec![packed; 5] };
    let evaluation = block_on(evaluate(&registry, &archives, payload(20))).unwrap();
    let verdict = &evaluation["verdict"];
    assert_eq!(verdict["outcome"], "provisional");
    let (reason, gate_users) = (verdict["reason"].as_str().unwrap(), set.manifest.gate_examples);
    let begin = format!("{gate_users} of the 20 users that the gate asks for; judged by 5-fold");
    assert!(reason.starts_with(&begin), "{reason}");
    assert_eq!(verdict["figures"]["users"], set.manifest.judged_users);

    let model = evaluation["model"].as_str().unwrap();
    let rejection = cartwheel_registry::Evaluation {
        run: "run".to_owned(),
        passed: false,
        provisional: false,
        decided_ms: NOW_MS,
        report: evaluation.clone(),
    };
    let released = block_on(decide(&registry, &set.manifest.version, model, rejection)).unwrap();
    assert_eq!(released.unwrap().model, None);
    let (opened, problem) = Opened::best(dir.path(), "UTC").unwrap();
    assert!(problem.is_none());
    assert_eq!(ask(&ServingEngine::new(opened), "u1", &[], 10).items.len(), 10);
}
