//! Many damaged files in one call, for tables of faults.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cartwheel_forest::Forest;
use serde_json::{Value, json};

use crate::damage::{Numbers, damage};
use crate::lake::{EVENTS, beside_a_whole_part};
use crate::model::evaluate;
use crate::scratch::scratch;

const MODELS: [&[u8]; 4] = [
    include_bytes!("../../cartwheel-forest/tests/fixtures/v3.2-logistic.json"),
    include_bytes!("../../cartwheel-forest/tests/fixtures/v1.7-pairwise.json"),
    include_bytes!("../../cartwheel-forest/tests/fixtures/v3.2-pairwise.ubj"),
    include_bytes!("../../cartwheel-forest/tests/fixtures/v1.7-logistic.ubj"),
];
/// Most failures that are told; more are only counted by what was tried.
const TOLD: usize = 20;

/// What became of some damaged files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tried {
    /// Files tried.
    pub tried: usize,
    /// Of them, those that were refused.
    pub refused: usize,
    /// Broken promises, each with what brings it about again.
    pub failures: Vec<String>,
}

/// A model file with damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hostile {
    /// What was done to it.
    pub damage: &'static str,
    /// Whether no reader may accept it; other damage may leave a sound model.
    pub must_be_refused: bool,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Model files with seeded damage, one after the other: random bytes in three of four,
/// else a fault of structure (cycles, children outside the tree, leaves that are not
/// finite, headers that promise too much).
pub fn hostile_models(seed: u64) -> impl Iterator<Item = Hostile> {
    let mut numbers = Numbers(seed);
    std::iter::repeat_with(move || {
        let file = MODELS[numbers.below(MODELS.len())];
        let fault = if numbers.below(4) == 0 { broken(file, &mut numbers) } else { None };
        fault.unwrap_or_else(|| {
            let mut bytes = file.to_vec();
            damage(&mut bytes, &mut numbers);
            Hostile { damage: "random bytes", must_be_refused: false, bytes }
        })
    })
}

/// A fault of structure. None where the dice chose one that this file cannot have.
fn broken(file: &[u8], numbers: &mut Numbers) -> Option<Hostile> {
    let refused = |damage, bytes| Hostile { damage, must_be_refused: true, bytes };
    let Ok(mut model) = serde_json::from_slice::<Value>(file) else {
        return broken_ubj(file, numbers).map(|(damage, bytes)| refused(damage, bytes));
    };
    let trees = model.pointer("/learner/gradient_booster/model/trees")?.as_array()?.len();
    let at = numbers.below(trees);
    let side = ["left_children", "right_children"][numbers.below(2)];
    let kind = numbers.below(5);
    let tree = model.pointer_mut(&format!("/learner/gradient_booster/model/trees/{at}"))?;
    let lefts = tree["left_children"].as_array()?;
    let (inner, leaves): (Vec<usize>, Vec<usize>) =
        (0..lefts.len()).partition(|&node| lefts[node] != -1);
    let node = *inner.get(numbers.below(inner.len()))?;
    let damage = match kind {
        // A node is its own child, or the root is.
        0 => {
            tree[side][node] = json!([node, 0][numbers.below(2)]);
            "a cycle"
        }
        1 => {
            let outside = [lefts.len() as i64, -2, i64::from(i32::MAX), i64::from(i32::MIN)];
            tree[side][node] = json!(outside[numbers.below(4)]);
            "a child outside the tree"
        }
        2 => {
            let leaf = *leaves.get(numbers.below(leaves.len()))?;
            tree["split_conditions"][leaf] = json!([1e39, -1e39][numbers.below(2)]);
            "a leaf that is not finite"
        }
        3 => {
            tree["split_indices"][node] = json!([1_000_000_i64, -1][numbers.below(2)]);
            "a feature that the model does not have"
        }
        _ => {
            let (pointer, name) = [
                ("/learner/learner_model_param", "num_feature"),
                ("/learner/gradient_booster/model/gbtree_model_param", "num_trees"),
                ("/learner/gradient_booster/model/trees/0/tree_param", "num_nodes"),
            ][numbers.below(3)];
            model.pointer_mut(pointer)?[name] =
                json!(["4294967296", "18446744073709551615"][numbers.below(2)]);
            "a header that promises too much"
        }
    };
    Some(refused(damage, model.to_string().into_bytes()))
}

/// UBJ says numbers that JSON cannot, and lengths before what they measure.
fn broken_ubj(file: &[u8], numbers: &mut Numbers) -> Option<(&'static str, Vec<u8>)> {
    const FLOATS: &[u8] = b"split_conditions[$d#L";
    let places: Vec<usize> = (0..file.len()).filter(|&at| file[at..].starts_with(FLOATS)).collect();
    let at = places.get(numbers.below(places.len()))? + FLOATS.len();
    let mut bytes = file.to_vec();
    if numbers.below(2) == 0 {
        let huge = [i64::MAX, i64::MIN, 1 << 40][numbers.below(3)];
        bytes.get_mut(at..at + 8)?.copy_from_slice(&huge.to_be_bytes());
        return Some(("a header that promises too much", bytes));
    }
    let value = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][numbers.below(3)];
    // The root's: a node that cannot be reached may hold anything.
    bytes.get_mut(at + 8..at + 12)?.copy_from_slice(&value.to_be_bytes());
    Some(("a number that is not finite", bytes))
}

/// Reads `count` damaged model files. Each is refused, or gives finite numbers for any
/// row; faults of structure are refused. Nothing panics.
pub fn model_mutations(seed: u64, count: usize) -> Tried {
    let mut out = Tried::default();
    for (at, hostile) in hostile_models(seed).take(count).enumerate() {
        out.tried += 1;
        let read = catch_unwind(AssertUnwindSafe(|| {
            let forest = Forest::from_bytes(&hostile.bytes);
            forest.as_ref().map(evaluate).is_err()
        }));
        let failure = match read {
            Ok(true) => {
                out.refused += 1;
                continue;
            }
            Ok(false) if !hostile.must_be_refused => continue,
            Ok(false) => "accepted",
            Err(_) => "a panic",
        };
        out.fail(|| format!("seed {seed}, model {at}, {}: {failure}", hostile.damage));
    }
    out
}

/// Reads `count` damaged parts of the lake's events beside a whole one. An error names
/// the file, the whole part is read all the same, and nothing panics.
pub fn parquet_mutations(seed: u64, count: usize) -> Tried {
    let mut out = Tried::default();
    let mut numbers = Numbers(seed);
    let dir = match scratch() {
        Ok(dir) => dir,
        Err(error) => {
            out.fail(|| format!("no folder: {error}"));
            return out;
        }
    };
    for at in 0..count {
        let mut bytes = EVENTS.to_vec();
        damage(&mut bytes, &mut numbers);
        out.tried += 1;
        let read = catch_unwind(AssertUnwindSafe(|| beside_a_whole_part(dir.path(), &bytes)));
        let refused = cartwheel_lake::Lake::open(dir.path())
            .and_then(|lake| lake.checkouts())
            .is_ok_and(|checkouts| !checkouts.problems.is_empty());
        out.refused += usize::from(refused);
        match read {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => out.fail(|| format!("seed {seed}, part {at}: {problem}")),
            Err(_) => out.fail(|| format!("seed {seed}, part {at}: a panic")),
        }
    }
    out
}

impl Tried {
    fn fail(&mut self, failure: impl FnOnce() -> String) {
        if self.failures.len() < TOLD {
            self.failures.push(failure());
        }
    }
}
