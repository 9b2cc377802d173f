//! Compares contributions and importances with their definitions and with XGBoost.

use cartwheel_forest::{ExplainError, Forest, Importance};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::fixtures::{MODELS, bytes};
use crate::model::{Tree, file, rng, value};

const BASE: f32 = 0.25;

/// The statistics that training stores at the nodes of a tree.
struct Statistics {
    covers: Vec<f32>,
    gains: Vec<f32>,
}

impl Statistics {
    /// Assigns covers from the root down. `parts` returns the fractions of a split's cover
    /// for its children; its argument tells which of them are leaves.
    fn new(tree: &Tree, root: f32, mut parts: impl FnMut([bool; 2]) -> [f32; 2]) -> Self {
        let mut covers = vec![0.0; tree.left.len()];
        covers[0] = root;
        // Parents come before their children in these tests' trees.
        for (node, (&left, &right)) in tree.left.iter().zip(&tree.right).enumerate() {
            if left == -1 {
                continue;
            }
            let children = [left, right].map(|child| child as usize);
            let parts = parts(children.map(|child| tree.left[child] == -1));
            for (child, part) in children.into_iter().zip(parts) {
                covers[child] = covers[node] * part;
            }
        }
        let gains = covers.iter().map(|cover| cover / 8.0).collect();
        Self { covers, gains }
    }

    /// Random covers as training could produce them; a leaf occasionally has a cover of 0.
    fn random(tree: &Tree, rng: &mut ChaCha8Rng) -> Self {
        Self::new(tree, 1000.0, |leaves| {
            let left = match rng.random_range(0..10) {
                0 if leaves[0] => 0.0,
                1 if leaves[1] => 1.0,
                _ => 0.1 + 0.8 * rng.random_range(0..100) as f32 / 100.0,
            };
            [left, 1.0 - left]
        })
    }
}

/// A model file with statistics.
fn file_with(trees: &[Tree], statistics: &[Statistics], features: usize) -> Value {
    let mut model = file(trees, features, "rank:ndcg", &format!("[{BASE:e}]"));
    let declared = model["learner"]["gradient_booster"]["model"]["trees"].as_array_mut().unwrap();
    for (tree, statistics) in declared.iter_mut().zip(statistics) {
        tree["sum_hessian"] = json!(statistics.covers);
        tree["loss_changes"] = json!(statistics.gains);
    }
    model
}

fn read(model: &Value) -> Forest {
    Forest::from_bytes(model.to_string().as_bytes()).unwrap()
}

fn row(rng: &mut ChaCha8Rng, features: usize) -> Vec<f32> {
    (0..features).map(|_| if rng.random_ratio(1, 4) { f32::NAN } else { value(rng) }).collect()
}

/// Returns the contributions, followed by the expected margin.
fn explained(forest: &Forest, row: &[f32]) -> Vec<f32> {
    let mut out = vec![f32::NAN; row.len()];
    let expected = forest.contributions(row, &mut out).unwrap();
    out.push(expected);
    out
}

fn assert_sum_is_the_margin(forest: &Forest, row: &[f32]) {
    let mut margin = [0.0];
    forest.margins(row, &mut margin);
    let sum: f64 = explained(forest, row).into_iter().map(f64::from).sum();
    let off = (sum - f64::from(margin[0])).abs();
    assert!(off <= 1e-5 * (1.0 + sum.abs()), "{sum} is not {}, {row:?}", margin[0]);
}

/// Returns the expected leaf of a tree if only the features in the bit set `known` are known.
fn expectation(tree: &Tree, covers: &[f32], row: &[f32], known: usize, node: usize) -> f64 {
    if tree.left[node] == -1 {
        return f64::from(tree.value[node]);
    }
    let feature = tree.feature[node];
    let children = [tree.left[node], tree.right[node]].map(|child| child as usize);
    let below = |child| expectation(tree, covers, row, known, child);
    if known & (1 << feature) != 0 {
        let value = row[feature];
        let left = if value.is_nan() { tree.default_left[node] } else { value < tree.value[node] };
        return below(children[usize::from(!left)]);
    }
    let share = |child: usize| f64::from(covers[child]) / f64::from(covers[node]);
    children.into_iter().map(|child| share(child) * below(child)).sum()
}

/// Evaluates Shapley's formula over all coalitions, and appends the expectation of the empty
/// coalition.
fn shapley(trees: &[Tree], statistics: &[Statistics], row: &[f32]) -> Vec<f64> {
    let features = row.len();
    let worth: Vec<f64> = (0..1 << features)
        .map(|known| {
            let of = |(tree, statistics): (&Tree, &Statistics)| {
                expectation(tree, &statistics.covers, row, known, 0)
            };
            trees.iter().zip(statistics).map(of).sum::<f64>() + f64::from(BASE)
        })
        .collect();
    let factorial = |n: usize| (1..=n).map(|n| n as f64).product::<f64>();
    let mut values: Vec<f64> = (0..features)
        .map(|feature| {
            let without = (0..worth.len()).filter(|known| known & (1 << feature) == 0);
            without
                .map(|known| {
                    let size = known.count_ones() as usize;
                    let weight = factorial(size) * factorial(features - size - 1);
                    weight * (worth[known | (1 << feature)] - worth[known])
                })
                .sum::<f64>()
                / factorial(features)
        })
        .collect();
    values.push(worth[0]);
    values
}

fn assert_near(found: &[f32], expected: &[f64], tolerance: f64, of: &str) {
    assert_eq!(found.len(), expected.len());
    for (&found, &expected) in found.iter().zip(expected) {
        let off = (f64::from(found) - expected).abs();
        assert!(off <= tolerance * (expected.abs() + 0.01), "{found} is not {expected}: {of}");
    }
}

#[test]
fn contributions_equal_shapleys_formula_over_all_coalitions() {
    for seed in 0..60 {
        let mut rng = rng(seed);
        let features = rng.random_range(1..=8);
        let trees: Vec<_> = (0..rng.random_range(1..=4))
            .map(|_| {
                let depth = rng.random_range(0..10);
                Tree::random(&mut rng, depth, features)
            })
            .collect();
        let statistics: Vec<_> =
            trees.iter().map(|tree| Statistics::random(tree, &mut rng)).collect();
        let forest = read(&file_with(&trees, &statistics, features));
        for _ in 0..4 {
            let row = row(&mut rng, features);
            let expected = shapley(&trees, &statistics, &row);
            assert_near(&explained(&forest, &row), &expected, 1e-6, &format!("seed {seed}"));
        }
        let nothing = vec![f32::NAN; features];
        let expected = shapley(&trees, &statistics, &nothing);
        assert_near(&explained(&forest, &nothing), &expected, 1e-6, &format!("seed {seed}, NaN"));
    }
}

#[test]
fn contributions_of_long_paths_over_few_features_equal_shapleys_formula() {
    for depth in [12, 16, 17, 32, 33, 64] {
        let mut rng = rng(depth as u64);
        let trees = [Tree::random(&mut rng, depth, 6)];
        let statistics = [Statistics::random(&trees[0], &mut rng)];
        let forest = read(&file_with(&trees, &statistics, 6));
        for _ in 0..20 {
            let row = row(&mut rng, 6);
            let expected = shapley(&trees, &statistics, &row);
            assert_near(&explained(&forest, &row), &expected, 1e-6, &format!("depth {depth}"));
        }
    }
}

/// A chain of 64 splits on 64 features with a leaf at every level. Its shares are equal, so
/// the values have a closed form by symmetry.
#[test]
fn contributions_of_the_longest_path_keep_their_digits() {
    const DEPTH: usize = 64;
    let share = 0.9_f64;
    let mut tree = Tree::default();
    let mut covers = Vec::new();
    for level in 0..=DEPTH {
        let cover = 1e6 * share.powi(level as i32);
        let last = level == DEPTH;
        let next = 2 * level as i32;
        tree.left.extend([if last { -1 } else { next + 2 }, -1]);
        tree.right.extend([if last { -1 } else { next + 1 }, -1]);
        tree.value.extend([if last { 1.0 } else { 0.5 }, 0.0]);
        tree.feature.extend([level.min(DEPTH - 1), 0]);
        tree.default_left.extend([true, true]);
        covers.extend([cover as f32, (cover * (1.0 - share)) as f32]);
    }
    // The last level has no leaf beside it.
    for list in [&mut tree.left, &mut tree.right] {
        list.pop();
    }
    tree.value.pop();
    tree.feature.pop();
    tree.default_left.pop();
    covers.pop();
    let gains = vec![1.0; covers.len()];
    let forest = read(&file_with(&[tree], &[Statistics { covers, gains }], DEPTH));

    // All features are followed to the only leaf that is not 0, and all are equal.
    let all_followed = explained(&forest, &[0.0; DEPTH]);
    let empty = share.powi(DEPTH as i32);
    let mut expected = vec![(1.0 - empty) / DEPTH as f64; DEPTH];
    expected.push(f64::from(BASE) + empty);
    assert_near(&all_followed, &expected, 1e-5, "all followed");

    // One feature is not followed. It alone makes the leaf unreachable.
    let mut row = [0.0; DEPTH];
    row[DEPTH / 2] = 1.0;
    let found = explained(&forest, &row);
    // The mean, over the feature's position in the order, of the worth that it removes.
    let lost: f64 = (0..DEPTH).map(|place| share.powi((DEPTH - place) as i32)).sum();
    let lost = lost / DEPTH as f64;
    let mut expected = vec![(lost - empty) / (DEPTH - 1) as f64; DEPTH];
    expected[DEPTH / 2] = -lost;
    expected.push(f64::from(BASE) + empty);
    assert_near(&found, &expected, 1e-5, "one not followed");
}

#[test]
fn contributions_sum_to_the_margin() {
    let mut rng = rng(77);
    let models = MODELS.into_iter().chain(["v3.2-deep"]);
    let mut forests: Vec<Forest> =
        models.map(|model| Forest::from_bytes(&bytes(&format!("{model}.ubj"))).unwrap()).collect();
    for (trees, depth, features) in [(30, 7, 12), (9, 11, 30), (3, 40, 300), (5, 0, 4)] {
        let trees: Vec<_> = (0..trees).map(|_| Tree::random(&mut rng, depth, features)).collect();
        let statistics: Vec<_> =
            trees.iter().map(|tree| Statistics::random(tree, &mut rng)).collect();
        forests.push(read(&file_with(&trees, &statistics, features)));
    }
    for forest in &forests {
        for _ in 0..50 {
            let row: Vec<f32> = row(&mut rng, forest.features());
            assert_sum_is_the_margin(forest, &row);
        }
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0] {
            assert_sum_is_the_margin(forest, &vec![value; forest.features()]);
        }
    }
}

#[test]
fn contributions_and_importances_equal_xgboosts() {
    for model in MODELS.into_iter().chain(["v3.2-deep"]) {
        let forest = Forest::from_bytes(&bytes(&format!("{model}.ubj"))).unwrap();
        let file: Value =
            serde_json::from_slice(&bytes(&format!("{model}.contributions.json"))).unwrap();
        let floats = |key: &str| -> Vec<f32> {
            let bits = file[key].as_array().unwrap().iter();
            bits.map(|bits| f32::from_bits(bits.as_u64().unwrap() as u32)).collect()
        };
        let (rows, contributions) = (floats("rows_bits"), floats("contributions_bits"));
        let features = forest.features();
        assert_eq!(rows.len(), 20 * features);
        for (row, expected) in rows.chunks(features).zip(contributions.chunks(features + 1)) {
            let expected: Vec<f64> = expected.iter().copied().map(f64::from).collect();
            assert_near(&explained(&forest, row), &expected, 1e-4, model);
        }
        let importance = forest.importance().unwrap();
        assert_eq!(importance.len(), features);
        for (feature, found) in importance.into_iter().enumerate() {
            let of = |key: &str| file[key][feature].as_f64().unwrap();
            assert_eq!(found.splits as f64, of("weight"), "{model}, feature {feature}");
            for (found, key) in [(found.gain, "total_gain"), (found.cover, "total_cover")] {
                let expected = of(key);
                assert!((found - expected).abs() <= 1e-4 * expected, "{model}: {found}, {key}");
            }
        }
    }
}

/// A model with two trees of three nodes over three features.
fn small() -> Value {
    let tree = |feature| Tree {
        left: vec![1, -1, -1],
        right: vec![2, -1, -1],
        value: vec![0.5, -1.0, 2.0],
        feature: vec![feature, 0, 0],
        default_left: vec![true; 3],
    };
    let statistics = || Statistics { covers: vec![8.0, 6.0, 2.0], gains: vec![3.0, 0.0, 0.0] };
    file_with(&[tree(0), tree(2)], &[statistics(), statistics()], 3)
}

fn tree(model: &mut Value, tree: usize) -> &mut Value {
    &mut model["learner"]["gradient_booster"]["model"]["trees"][tree]
}

#[test]
fn a_feature_without_splits_has_no_contribution_and_no_importance() {
    let forest = read(&small());
    let values = explained(&forest, &[0.75, 0.75, f32::NAN]);
    assert_near(&values, &[2.25, 0.0, -0.75, -0.25], 1e-6, "two stumps");
    let once = Importance { gain: 3.0, cover: 8.0, splits: 1 };
    assert_eq!(forest.importance().unwrap(), [once, Importance::default(), once]);
}

#[test]
fn a_forest_without_trees_explains_only_its_base() {
    let forest = read(&file_with(&[], &[], 2));
    assert_eq!(explained(&forest, &[1.0, f32::NAN]), [0.0, 0.0, BASE]);
    let forest = read(&file_with(&[], &[], 0));
    assert_eq!(explained(&forest, &[]), [BASE]);
}

/// Returns the error, after checking that the margins are unaffected.
fn unexplained(edit: impl FnOnce(&mut Value)) -> ExplainError {
    let row = [0.75, 0.0, f32::NAN];
    let mut model = small();
    edit(&mut model);
    let forest = read(&model);
    let mut margin = [0.0];
    forest.margins(&row, &mut margin);
    assert_eq!(margin, [BASE + 2.0 - 1.0]);
    let mut out = [7.0; 3];
    let error = forest.contributions(&row, &mut out).unwrap_err();
    assert_eq!(out, [7.0; 3]);
    assert_eq!(forest.importance().unwrap_err(), error);
    error
}

#[test]
fn files_without_statistics_are_scored_but_not_explained() {
    for array in ["sum_hessian", "loss_changes"] {
        let missing = ExplainError::Missing { tree: 1, array };
        for absent in [Value::Null, json!([]), json!([8.0, 6.0]), json!([8.0, 6.0, 2.0, 1.0])] {
            assert_eq!(unexplained(|model| tree(model, 1)[array] = absent), missing);
        }
        let error = unexplained(|model| {
            tree(model, 1).as_object_mut().unwrap().remove(array);
        });
        assert_eq!(error, missing);
        assert_eq!(
            error.to_string(),
            format!("tree 1 does not have `{array}` for each of its nodes")
        );
    }
}

#[test]
fn invalid_statistics_are_not_explained() {
    for (array, node, value, says) in [
        ("sum_hessian", 1, json!(-1.0), "its `sum_hessian` is negative or not finite"),
        ("sum_hessian", 0, json!(-8.0), "its `sum_hessian` is negative or not finite"),
        ("sum_hessian", 0, json!(0.0), "it is a split with a `sum_hessian` of 0"),
        ("sum_hessian", 0, json!(-0.0), "it is a split with a `sum_hessian` of 0"),
        ("sum_hessian", 0, json!(1e-45), "its children have more `sum_hessian` than it has"),
        ("sum_hessian", 1, json!(6.1), "its children have more `sum_hessian` than it has"),
        ("sum_hessian", 2, json!(3e38), "its children have more `sum_hessian` than it has"),
    ] {
        let shown = format!("{array}[{node}] = {value}");
        let error = unexplained(|model| tree(model, 1)[array][node] = value);
        let node = if says.contains("children") { 0 } else { node };
        assert_eq!(error, ExplainError::Node { tree: 1, node, fault: says }, "{shown}");
    }
}

#[test]
fn statistics_that_are_not_finite_are_not_explained() {
    // UBJ can hold NaN and infinity: overwrite a float of the first tree, whose nodes 0 to 2
    // are splits.
    let whole = bytes("v3.2-logistic.ubj");
    for (key, nodes) in [(&b"sum_hessian[$d#L"[..], 7), (b"loss_changes[$d#L", 3)] {
        let floats = whole.windows(key.len()).position(|w| w == key).unwrap() + key.len() + 8;
        for node in 0..nodes {
            for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut broken = whole.clone();
                broken[floats + 4 * node..][..4].copy_from_slice(&value.to_be_bytes());
                let forest = Forest::from_bytes(&broken).unwrap();
                let error = forest.contributions(&[0.5; 6], &mut [0.0; 6]).unwrap_err();
                assert!(matches!(error, ExplainError::Node { tree: 0, .. }), "{node}, {error}");
            }
        }
    }
}

#[test]
fn a_leaf_without_cover_contributes_nothing() {
    let mut model = small();
    tree(&mut model, 0)["sum_hessian"] = json!([8.0, 8.0, 0.0]);
    let forest = read(&model);
    let values = explained(&forest, &[0.75, 0.0, 0.0]);
    assert_near(&values, &[3.0, 0.0, -0.75, -1.0], 1e-6, "no cover");
}

#[test]
fn extreme_covers_give_finite_contributions() {
    let mut explained = 0;
    for seed in 0..200 {
        let mut rng = rng(seed);
        let depth = [3, 8, 30, 64][rng.random_range(0..4)];
        let trees = [Tree::random(&mut rng, depth, 9)];
        // From the largest f32 at the root down to the smallest at some nodes.
        let statistics = [Statistics::new(&trees[0], f32::MAX, |_| {
            [2, 2].map(|least| 0.5_f32.powi(least + rng.random_range(0..10)))
        })];
        let forest = read(&file_with(&trees, &statistics, 9));
        let mut out = [0.0; 9];
        if let Ok(expected) = forest.contributions(&row(&mut rng, 9), &mut out) {
            assert!(expected.is_finite() && out.iter().all(|v| v.is_finite()), "{out:?}");
            explained += 1;
        }
    }
    assert!(explained > 100, "{explained}");
}

#[test]
fn deep_trees_have_importances_but_no_contributions() {
    for depth in [64, 65, 1000] {
        let trees = [Tree::random(&mut rng(9), depth, 4)];
        // All cover goes to the side that continues, so that it never becomes 0.
        let statistics = [Statistics::new(&trees[0], 1000.0, |leaves| match leaves {
            [true, false] => [0.0, 1.0],
            [false, true] => [1.0, 0.0],
            _ => [0.5, 0.5],
        })];
        let forest = read(&file_with(&trees, &statistics, 4));
        let found = forest.contributions(&[0.5; 4], &mut [0.0; 4]).err();
        let too_deep = ExplainError::TooDeep { found: depth, limit: 64 };
        assert_eq!(found, (depth > 64).then_some(too_deep));
        let splits: usize = forest.importance().unwrap().iter().map(|entry| entry.splits).sum();
        assert_eq!(splits, trees[0].left.len() / 2);
    }
}

#[test]
#[should_panic(expected = "differ in width")]
fn a_row_of_the_wrong_width_panics() {
    let _ = read(&small()).contributions(&[0.0; 2], &mut [0.0; 3]);
}
