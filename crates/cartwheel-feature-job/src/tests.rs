mod phases;
mod skew;
mod sources;
mod visits;

use std::path::Path;

use arrow_array::cast::AsArray;
use cartwheel_feature_set::{FeatureSet, files};
use cartwheel_features::{
    CROSS_FOLDS, Fold, ProductInfo, UserState, cross_fold_of, fold_of, stable_hash,
};
use cartwheel_lake::{CheckoutRow, EarlierImports, ImportOptions, Lake, import};
use cartwheel_recommend::FEATURES;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rustc_hash::FxHashSet;

use crate::{Input, JobOptions, build, read_rows};

const DAY_MS: i64 = 86_400_000;
/// 2023-11-14T00:00Z.
const AS_OF_MS: i64 = 1_699_920_000_000;

/// Users a (3 orders, the last marked test), b (2 orders), c (1 order).
const ORDERS: &str =
    "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order
1,a,prior,1,2,9,
2,a,prior,2,3,10,10
3,a,test,3,4,11,5
4,b,prior,1,2,9,
5,b,prior,2,2,9,7
6,c,prior,1,2,9,
";
const LINES: &str = "order_id,product_id,add_to_cart_order,reordered
1,p0,1,0
1,p1,2,0
2,p0,1,1
2,p2,2,0
3,p9,1,0
4,p0,1,0
5,p1,1,0
6,p2,1,0
";

fn lake(orders: &str, lines: &str) -> (tempfile::TempDir, Input) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("orders.csv"), orders).unwrap();
    std::fs::write(dir.path().join("order_products.csv"), lines).unwrap();
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let options = ImportOptions {
        as_of_ms: Some(AS_OF_MS),
        now_ms: AS_OF_MS,
        earlier: EarlierImports::ReplaceKind,
    };
    import::instacart(&lake, dir.path(), &options, &mut |_| {}).unwrap();
    let manifest = lake.import_manifest().unwrap().unwrap();
    let products = lake.read_products().unwrap().into_iter();
    let input = Input {
        import_id: manifest.id,
        orders: manifest.orders,
        order_products: manifest.order_products,
        products: products
            .map(|p| ProductInfo { product_id: p.product_id, ..ProductInfo::default() })
            .collect(),
        ..Input::default()
    };
    (dir, input)
}

/// A checkout on the given day after the import.
fn checkout(user_id: &str, day: i64, event_id: &str, products: &[&str]) -> CheckoutRow {
    CheckoutRow {
        user_id: user_id.to_owned(),
        received_at_ms: AS_OF_MS + day * DAY_MS,
        event_id: event_id.to_owned(),
        product_ids: products.iter().map(|&id| id.to_owned()).collect(),
        quantities: vec![1; products.len()],
        is_return: false,
    }
}

fn job(dir: &Path, input: Input) -> FeatureSet {
    build(input, &dir.join("features"), &JobOptions::default(), &|_| {}).unwrap()
}

#[test]
fn records_match_values_computed_by_hand_and_contain_nothing_of_a_test_order() {
    let (dir, input) = lake(ORDERS, LINES);
    let set = job(dir.path(), input);
    assert_eq!((set.manifest.users, set.manifest.orders, set.manifest.lines), (3, 5, 7));
    let (users, catalogue) = (set.users().unwrap(), set.catalogue().unwrap());
    let a = users.get("a").unwrap().unwrap();
    assert_eq!((a.orders, a.days, a.lines, a.products.len()), (2, 10.0, 4, 3));
    assert_eq!(a.mean_days_since_prior(), 5.0);
    assert_eq!(a.reorder_ratio(), 0.5);
    let next = a.next.unwrap();
    assert_eq!((next.dow, next.hour, next.days_since_prior), (Some(4), Some(11), Some(5.0)));
    let p0 = a.product(catalogue.find("p0").unwrap()).unwrap();
    assert_eq!((p0.orders, p0.first, p0.last, p0.mean_position()), (2, 1, 2, 1.0));
    assert!(a.product(catalogue.find("p9").unwrap()).is_none(), "p9 is in the test order only");
    assert!(users.get("b").unwrap().unwrap().next.is_none());
    assert!(users.get("nobody").unwrap().is_none());
    let stats = |id: &str| {
        let s = catalogue.get(catalogue.find(id).unwrap()).unwrap().stats;
        (s.orders, s.reorders, s.first_orders, s.second_orders)
    };
    assert_eq!(stats("p0"), (3, 1, 2, 1));
    assert_eq!(stats("p1"), (2, 0, 2, 0));
    assert_eq!(stats("p9"), (0, 0, 0, 0));
}

#[test]
fn checkouts_continue_the_order_numbers_of_the_import() {
    let (dir, mut input) = lake(ORDERS, LINES);
    input.checkouts = vec![
        checkout("b", 4, "e1", &["p2", "new"]),
        checkout("b", 90, "e2", &["new"]),
        checkout("z", 1, "e3", &["p0"]),
    ];
    let set = job(dir.path(), input);
    assert_eq!(set.manifest.watermark_ms, AS_OF_MS + 90 * DAY_MS);
    let (users, catalogue) = (set.users().unwrap(), set.catalogue().unwrap());
    let b = users.get("b").unwrap().unwrap();
    assert_eq!(b.orders, 4);
    // 7 days of the import, then 4, then 86, which are capped at 30.
    assert_eq!(b.days, 7.0 + 4.0 + 30.0);
    let newest = b.last_checkout.as_ref().map(|c| (c.at_ms, c.event_id.as_str()));
    assert_eq!(newest, Some((AS_OF_MS + 90 * DAY_MS, "e2")));
    let new = b.product(catalogue.find("new").unwrap()).unwrap();
    assert_eq!((new.orders, new.first, new.last, new.mean_position()), (2, 3, 4, 1.5));
    assert_eq!(users.get("z").unwrap().unwrap().orders, 1);
}

/// Histories of 40 users. `newest` is the newest basket of the user [`trained`].
fn shop(newest: &str) -> (String, String) {
    let mut orders = ORDERS.lines().next().unwrap().to_owned() + "\n";
    let mut lines = LINES.lines().next().unwrap().to_owned() + "\n";
    let mut id = 0;
    for user in 0..40 {
        for number in 1..=6 {
            id += 1;
            let gap = if number == 1 { "" } else { "7" };
            orders.push_str(&format!("{id},u{user},prior,{number},1,9,{gap}\n"));
            let basket = if user == trained() && number == 6 {
                newest.to_owned()
            } else {
                format!("{} {} {}", user % 7, (user + number) % 7, 7 + (user * number) % 5)
            };
            let mut basket: Vec<&str> = basket.split(' ').collect();
            basket.dedup();
            for (at, product) in basket.iter().enumerate() {
                lines.push_str(&format!("{id},p{product},{},\n", at + 1));
            }
        }
    }
    (orders, lines)
}

/// Returns a user whose newest order is a training label that is asked with an empty cart.
fn trained() -> usize {
    let is_asked_without_cart =
        |u: &usize| !stable_hash(format!("cart/1/u{u}/6").as_bytes()).is_multiple_of(3);
    let mut trained = (0..40).filter(|u| fold_of(&format!("u{u}")) == Fold::Train);
    trained.find(is_asked_without_cart).unwrap()
}

/// A candidate of the newest order of [`trained`].
struct Candidate {
    product: String,
    features: Vec<String>,
    label: f32,
}

/// Returns the candidates of the newest order of [`trained`] with an empty cart. Features
/// are unscaled and rounded, because the scaler is fitted on other users' rows too.
fn candidates_of_newest(set: &FeatureSet) -> Vec<Candidate> {
    let scaler = set.scaler().unwrap();
    let (labels, rows) = read_rows(&set.path(files::TRAIN)).unwrap();
    let keys = std::fs::File::open(set.path(files::TRAIN_KEYS)).unwrap();
    let keys = ParquetRecordBatchReaderBuilder::try_new(keys).unwrap().build().unwrap();
    let mut out = Vec::new();
    let mut row = 0;
    for batch in keys {
        let batch = batch.unwrap();
        let (user, product) =
            (batch.column(0).as_string::<i32>(), batch.column(3).as_string::<i32>());
        let number = batch.column(1).as_primitive::<arrow_array::types::UInt32Type>();
        let cart = batch.column(2).as_primitive::<arrow_array::types::UInt32Type>();
        for at in 0..batch.num_rows() {
            if user.value(at) == format!("u{}", trained())
                && number.value(at) == 6
                && cart.value(at) == 0
            {
                let features = &rows[row * FEATURES.len()..(row + 1) * FEATURES.len()];
                let plain = features.iter().zip(scaler.mean.iter().zip(&scaler.std));
                let plain = plain.map(|(x, (mean, std))| format!("{:.2}", x * std + mean + 0.001));
                let product = product.value(at).to_owned();
                out.push(Candidate { product, features: plain.collect(), label: labels[row] });
            }
            row += 1;
        }
    }
    assert_eq!(row, labels.len());
    assert!(!out.is_empty());
    out
}

#[test]
fn a_label_order_does_not_affect_its_own_features() {
    let set = |newest: &str| {
        let (orders, lines) = shop(newest);
        let (dir, input) = lake(&orders, &lines);
        let set = job(dir.path(), input);
        let gate = set.gate().unwrap();
        assert!(gate.iter().all(|e| fold_of(&e.user_id) == Fold::Gate && e.order_number == 6));
        (dir, set)
    };
    let ((_a, first), (_b, second)) = (set("0 1"), set("9 11"));
    let (first, second) = (candidates_of_newest(&first), candidates_of_newest(&second));
    for (a, b) in first.iter().zip(&second) {
        assert_eq!((&a.product, &a.features), (&b.product, &b.features));
    }
    let bought = |candidates: &[Candidate]| -> Vec<String> {
        let bought = candidates.iter().filter(|c| c.label == 1.0);
        bought.map(|c| c.product.clone()).collect()
    };
    assert_ne!(bought(&first), bought(&second), "the labels differ");
}

#[test]
fn cross_validation_holds_out_the_newest_order_of_each_user_once() {
    let set = |newest: &str| {
        let (orders, lines) = shop(newest);
        let (dir, input) = lake(&orders, &lines);
        let set = job(dir.path(), input);
        (dir, set)
    };
    let ((_a, first), (_b, second)) = (set("0 1"), set("9"));
    assert_eq!(first.manifest.cross_folds, [0, 1, 2, 3, 4]);
    assert_eq!(first.manifest.judged_users, 40);
    let examples = first.cross_validation().unwrap();
    let users: FxHashSet<&str> = examples.iter().map(|e| e.user_id.as_str()).collect();
    assert_eq!((examples.len(), users.len()), (40, 40));
    assert!(examples.iter().all(|e| e.order_number == 6 && e.state.orders == 5));
    // The two shops differ in the newest order of one user, which has one product less. Every
    // product of the shop is a candidate.
    let user = format!("u{}", trained());
    for fold in 0..CROSS_FOLDS {
        let labels = |set: &FeatureSet, name: String| {
            read_rows(&set.path(&name)).unwrap().0.iter().sum::<f32>()
        };
        let same =
            |name: fn(u32) -> String| labels(&first, name(fold)) == labels(&second, name(fold));
        let (in_train, in_valid) = match cross_fold_of(&user, fold) {
            Fold::Train => (true, false),
            Fold::Valid => (false, true),
            Fold::Gate => (false, false),
        };
        assert_eq!(same(files::fold_train), !in_train, "fold {fold}");
        assert_eq!(same(files::fold_valid), !in_valid, "fold {fold}");
    }
}

#[test]
fn a_set_with_enough_gate_users_or_too_few_users_is_not_cross_validated() {
    let (orders, lines) = shop("0 1");
    let (dir, input) = lake(&orders, &lines);
    let options = JobOptions { min_gate_users: 1, ..JobOptions::default() };
    let set = build(input, &dir.path().join("features"), &options, &|_| {}).unwrap();
    assert!(set.manifest.gate_examples > 0);
    let (few, input) = lake(ORDERS, LINES);
    let two_orders = job(few.path(), input);
    assert_eq!(two_orders.manifest.judged_users, 2);
    for set in [set, two_orders] {
        assert!(set.manifest.cross_folds.is_empty() && !set.path(files::CROSS).exists());
        assert!(set.cross_validation().unwrap().is_empty());
    }
}

#[test]
fn the_same_input_is_built_once_and_a_failed_build_leaves_nothing() {
    let (dir, input) = lake(ORDERS, LINES);
    let again = Input {
        import_id: input.import_id.clone(),
        orders: input.orders.clone(),
        order_products: input.order_products.clone(),
        products: input.products.clone(),
        ..Input::default()
    };
    let broken = Input {
        import_id: "other".to_owned(),
        order_products: vec![dir.path().join("nowhere.parquet")],
        orders: input.orders.clone(),
        ..Input::default()
    };
    let first = job(dir.path(), input);
    let second = job(dir.path(), again);
    assert_eq!(first.manifest, second.manifest);
    let features = dir.path().join("features");
    let error = build(broken, &features, &JobOptions::default(), &|_| {}).unwrap_err();
    assert!(error.to_string().contains("nowhere.parquet"), "{error}");
    assert_eq!(std::fs::read_dir(&features).unwrap().count(), 1, "only the first set is left");
    assert_eq!(FeatureSet::latest(&features).unwrap().manifest, first.manifest);
}

#[test]
fn a_set_that_ends_before_the_data_knows_nothing_later() {
    let (dir, mut input) = lake(ORDERS, LINES);
    input.checkouts = vec![
        checkout("b", 4, "e1", &["p2"]),
        checkout("b", 20, "e2", &["new", "p0"]),
        checkout("b", 30, "e3", &["p1"]),
        checkout("z", 21, "e4", &["new"]),
        checkout("c", 5, "e5", &["p2"]),
    ];
    let until_ms = Some(AS_OF_MS + 10 * DAY_MS);
    let options = JobOptions { until_ms, ..JobOptions::default() };
    let set = build(input, &dir.path().join("features"), &options, &|_| {}).unwrap();
    let catalogue = set.catalogue().unwrap();
    let new = catalogue.find("new").unwrap();
    assert_eq!(catalogue.get(new).unwrap().stats.orders, 0, "it was first sold later");
    assert_eq!(set.manifest.orders, 5 + 2);
    let later = set.later().unwrap();
    let users: Vec<(&str, u32, usize)> =
        later.iter().map(|e| (e.user_id.as_str(), e.state.orders, e.basket.len())).collect();
    assert_eq!(users, [("b", 3, 2), ("z", 0, 1)], "the first later order of each user");
    let b = set.users().unwrap().get("b").unwrap().unwrap();
    assert_eq!(b, UserState { last_checkout: b.last_checkout.clone(), ..later[0].state.clone() });
    let judged = set.histories().unwrap().judged;
    let orders = |user: &str| judged.iter().find(|h| h.user_id == user).unwrap().baskets().len();
    assert_eq!((orders("b"), orders("z")), (3, 0));
}
