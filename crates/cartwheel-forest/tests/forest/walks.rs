//! Every layout and every kind of walk gives the sums of the plain evaluation.

use cartwheel_forest::Forest;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::model::{Tree, file, rng, value};

fn rows(rng: &mut ChaCha8Rng, count: usize, features: usize) -> Vec<f32> {
    (0..count * features)
        .map(|_| match rng.random_range(0..20) {
            0..4 => f32::NAN,
            4 => f32::INFINITY,
            5 => f32::NEG_INFINITY,
            6 => -0.0,
            _ => value(rng),
        })
        .collect()
}

/// Compares `count` rows, as one batch and one by one.
fn compare(trees: &[Tree], features: usize, base: f32, rng: &mut ChaCha8Rng, count: usize) {
    let model = file(trees, features, "rank:ndcg", &format!("[{base:e}]"));
    let forest = Forest::from_bytes(model.to_string().as_bytes()).unwrap();
    assert_eq!((forest.trees(), forest.features()), (trees.len(), features));
    let rows = rows(rng, count, features);
    compare_rows(&forest, trees, base, &rows);
}

fn compare_rows(forest: &Forest, trees: &[Tree], base: f32, rows: &[f32]) {
    let features = forest.features();
    let mut batch = vec![f32::NAN; rows.len() / features];
    forest.margins(rows, &mut batch);
    for (row, &margin) in rows.chunks_exact(features).zip(&batch) {
        let plain = trees.iter().fold(base, |sum, tree| sum + tree.leaf(row));
        assert_eq!(margin.to_bits(), plain.to_bits(), "batch, {row:?}");
        let mut one = [f32::NAN];
        forest.margins(row, &mut one);
        assert_eq!(one[0].to_bits(), plain.to_bits(), "one row, {row:?}");
    }
}

#[test]
fn every_depth_of_padded_and_linked_trees_gives_the_plain_sums() {
    for depth in 0..=14 {
        let mut rng = rng(depth as u64);
        let trees: Vec<_> = (0..19).map(|_| Tree::random(&mut rng, depth, 5)).collect();
        compare(&trees, 5, 0.25, &mut rng, 203);
    }
}

#[test]
fn forests_of_mixed_depth_and_every_small_size_give_the_plain_sums() {
    for count in 0..=33 {
        let mut rng = rng(1000 + count);
        let trees: Vec<_> = (0..count)
            .map(|_| {
                let depth = rng.random_range(0..if count % 2 == 0 { 7 } else { 11 });
                Tree::random(&mut rng, depth, 3)
            })
            .collect();
        compare(&trees, 3, -0.125, &mut rng, 75);
    }
}

/// The candidates of a request share the values of user, cart and moment.
#[test]
fn rows_that_share_some_of_their_values_have_the_plain_sums() {
    let mut rng = rng(9);
    for shared in 0..=8 {
        let trees: Vec<_> = (0..21).map(|at| Tree::random(&mut rng, at % 10, 8)).collect();
        let model = file(&trees, 8, "rank:ndcg", "[2.5E-1]");
        let forest = Forest::from_bytes(model.to_string().as_bytes()).unwrap();
        let mut rows = rows(&mut rng, 300, 8);
        let (first, others) = rows.split_at_mut(8);
        for row in others.chunks_exact_mut(8) {
            row[..shared].copy_from_slice(&first[..shared]);
        }
        compare_rows(&forest, &trees, 0.25, &rows);
    }
}

#[test]
fn every_small_number_of_rows_gives_the_plain_sums() {
    let mut rng = rng(3);
    let trees: Vec<_> = (0..10).map(|_| Tree::random(&mut rng, 4, 4)).collect();
    for count in 0..=140 {
        compare(&trees, 4, 0.5, &mut rng, count);
    }
}

#[test]
fn wide_rows_and_deep_chains_give_the_plain_sums() {
    let mut rng = rng(5);
    let trees: Vec<_> = (0..9).map(|_| Tree::random(&mut rng, 5, 3000)).collect();
    compare(&trees, 3000, 0.5, &mut rng, 41);
    let trees = [Tree::random(&mut rng, 900, 7)];
    compare(&trees, 7, 0.5, &mut rng, 41);
}

#[test]
fn a_sum_of_negative_zeros_keeps_its_sign() {
    let leaf = Tree {
        left: vec![-1],
        right: vec![-1],
        value: vec![-0.0],
        feature: vec![0],
        default_left: vec![false],
    };
    compare(&[leaf], 1, -0.0, &mut rng(1), 9);
}

#[test]
fn a_forest_without_features_gives_its_base() {
    let model = file(&[], 0, "binary:logistic", "2.5E-1").to_string();
    let forest = Forest::from_bytes(model.as_bytes()).unwrap();
    let mut out = [0.0; 3];
    forest.margins(&[], &mut out);
    assert_eq!(out, [-(3.0f32.ln()); 3]);
    forest.probabilities(&[], &mut out);
    assert!(out.iter().all(|p| (p - 0.25).abs() < 1e-6), "{out:?}");
}
