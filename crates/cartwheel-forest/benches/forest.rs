//! Time to load a forest, and to score and explain rows with it.
//!
//! `cargo bench -p cartwheel-forest`

use cartwheel_forest::Forest;
use divan::Bencher;
use divan::counter::ItemsCount;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const FEATURES: usize = 20;

fn main() {
    divan::main();
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn value(rng: &mut ChaCha8Rng) -> f32 {
    rng.random_range(-0.5..0.5)
}

/// A model file with perfect trees over [`FEATURES`] features, as XGBoost writes it.
fn file(trees: usize, depth: u32) -> String {
    let mut rng = rng(7);
    let nodes = (1usize << (depth + 1)) - 1;
    let inner = (1usize << depth) - 1;
    let list = |values: Vec<String>| format!("[{}]", values.join(","));
    let trees: Vec<String> = (0..trees)
        .map(|_| {
            let child =
                |node: usize, side| if node < inner { (2 * node + side) as i64 } else { -1 };
            let left = list((0..nodes).map(|node| child(node, 1).to_string()).collect());
            let right = list((0..nodes).map(|node| child(node, 2).to_string()).collect());
            let values = list((0..nodes).map(|_| value(&mut rng).to_string()).collect());
            let features = (0..nodes).map(|_| rng.random_range(0..FEATURES).to_string()).collect();
            // Each level has half the cover of the level above.
            let covers = |node: usize| 1234.5677_f32 / (1 << (node + 1).ilog2()) as f32;
            let covers = list((0..nodes).map(|node| covers(node).to_string()).collect());
            let missing = (0..nodes).map(|_| u8::from(rng.random_bool(0.5)).to_string()).collect();
            format!(
                r#"{{"left_children":{left},"right_children":{right},"split_conditions":{values},
                "split_indices":{},"default_left":{},"sum_hessian":{covers},"loss_changes":{covers},
                "tree_param":{{"num_nodes":"{nodes}"}}}}"#,
                list(features),
                list(missing),
            )
        })
        .collect();
    let info = list(trees.iter().map(|_| "0".to_owned()).collect());
    format!(
        r#"{{"learner":{{"gradient_booster":{{"name":"gbtree","model":{{
        "gbtree_model_param":{{"num_trees":"{}"}},"tree_info":{info},"trees":[{}]}}}},
        "learner_model_param":{{"base_score":"[2.35E-1]","num_feature":"{FEATURES}"}},
        "objective":{{"name":"binary:logistic"}}}},"version":[3,2,0]}}"#,
        trees.len(),
        trees.join(","),
    )
}

fn forest(trees: usize, depth: u32) -> Forest {
    match Forest::from_bytes(file(trees, depth).as_bytes()) {
        Ok(forest) => forest,
        Err(error) => panic!("the benchmark's model is rejected: {error}"),
    }
}

/// Number of trees, their depth, and number of rows.
const CASES: [(usize, u32, usize); 9] = [
    (100, 6, 1),
    (100, 6, 200),
    (100, 6, 1000),
    (500, 6, 1),
    (500, 6, 200),
    (500, 6, 1000),
    (500, 7, 1),
    (500, 7, 1000),
    (100, 10, 200),
];

#[divan::bench(args = CASES)]
fn probabilities(bencher: Bencher<'_, '_>, (trees, depth, rows): (usize, u32, usize)) {
    let forest = forest(trees, depth);
    let mut rng = rng(11);
    // One value in eight is missing.
    let values: Vec<f32> = (0..rows * FEATURES)
        .map(|_| if rng.random_ratio(1, 8) { f32::NAN } else { value(&mut rng) })
        .collect();
    let mut out = vec![0.0; rows];
    bencher
        .counter(ItemsCount::new(rows))
        .bench_local(|| forest.probabilities(divan::black_box(&values), &mut out));
}

/// Number of trees, their depth, number of rows, and of features that all rows share.
const REQUESTS: [(usize, u32, usize, usize); 4] =
    [(400, 5, 400, 0), (400, 5, 400, 8), (400, 5, 400, 12), (500, 7, 1000, 8)];

/// The candidates of a request share the values of user, cart and moment.
#[divan::bench(args = REQUESTS)]
fn request(bencher: Bencher<'_, '_>, (trees, depth, rows, shared): (usize, u32, usize, usize)) {
    let forest = forest(trees, depth);
    let mut rng = rng(11);
    let mut values: Vec<f32> = (0..rows * FEATURES).map(|_| value(&mut rng)).collect();
    let (first, others) = values.split_at_mut(FEATURES);
    for row in others.chunks_exact_mut(FEATURES) {
        row[..shared].copy_from_slice(&first[..shared]);
    }
    let mut out = vec![0.0; rows];
    bencher
        .counter(ItemsCount::new(rows))
        .bench_local(|| forest.probabilities(divan::black_box(&values), &mut out));
}

/// Number of trees, their depth, and number of rows.
const EXPLAINED: [(usize, u32, usize); 4] = [(100, 6, 1), (400, 5, 10), (400, 6, 10), (100, 10, 1)];

#[divan::bench(args = EXPLAINED)]
fn contributions(bencher: Bencher<'_, '_>, (trees, depth, rows): (usize, u32, usize)) {
    let forest = forest(trees, depth);
    let mut rng = rng(11);
    let rows: Vec<f32> = (0..rows * FEATURES).map(|_| value(&mut rng)).collect();
    let mut out = vec![0.0; FEATURES];
    bencher.bench_local(|| {
        let explain = |row| forest.contributions(divan::black_box(row), &mut out);
        rows.chunks_exact(FEATURES).map(explain).filter(Result::is_ok).count()
    });
}

#[divan::bench]
fn loading(bencher: Bencher<'_, '_>) {
    let file = file(300, 6);
    bencher.bench_local(|| Forest::from_bytes(divan::black_box(file.as_bytes())));
}
