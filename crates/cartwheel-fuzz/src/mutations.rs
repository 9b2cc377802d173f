//! Many damaged files in one call, for fault tables.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cartwheel_forest::Forest;
use serde_json::{Value, json};

use crate::damage::{SplitMix64, damage};
use crate::lake::{EVENTS, beside_an_intact_part};
use crate::model::evaluate;
use crate::scratch::scratch;

const MODELS: [&[u8]; 4] = [
    include_bytes!("../../cartwheel-forest/tests/fixtures/v3.2-logistic.json"),
    include_bytes!("../../cartwheel-forest/tests/fixtures/v1.7-pairwise.json"),
    include_bytes!("../../cartwheel-forest/tests/fixtures/v3.2-pairwise.ubj"),
    include_bytes!("../../cartwheel-forest/tests/fixtures/v1.7-logistic.ubj"),
];
/// Maximum number of failures that are described.
const MAX_FAILURES: usize = 20;

/// Results for some damaged files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MutationReport {
    /// Number of files tried.
    pub tried: usize,
    /// Number of files that were rejected.
    pub refused: usize,
    /// Broken guarantees, each with the seed that reproduces it; at most 20.
    pub failures: Vec<String>,
}

/// A damaged model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedModel {
    /// A description of the damage.
    pub damage: &'static str,
    /// Whether every reader must reject it; other damage may leave a valid model.
    pub must_be_refused: bool,
    /// The file's content.
    pub bytes: Vec<u8>,
}

/// Returns an endless sequence of model files with seeded damage. Three of four have random
/// byte damage, the others a structural fault: cycles, children outside the tree, leaves that
/// are not finite, or headers that promise too much.
pub fn damaged_models(seed: u64) -> impl Iterator<Item = DamagedModel> {
    let mut rng = SplitMix64(seed);
    std::iter::repeat_with(move || {
        let file = MODELS[rng.below(MODELS.len())];
        let fault = if rng.below(4) == 0 { structural(file, &mut rng) } else { None };
        fault.unwrap_or_else(|| {
            let mut bytes = file.to_vec();
            damage(&mut bytes, &mut rng);
            DamagedModel { damage: "random bytes", must_be_refused: false, bytes }
        })
    })
}

/// Adds a structural fault. Returns `None` if the chosen fault is impossible in this file.
fn structural(file: &[u8], rng: &mut SplitMix64) -> Option<DamagedModel> {
    let refused = |damage, bytes| DamagedModel { damage, must_be_refused: true, bytes };
    let Ok(mut model) = serde_json::from_slice::<Value>(file) else {
        return structural_ubj(file, rng).map(|(damage, bytes)| refused(damage, bytes));
    };
    let trees = model.pointer("/learner/gradient_booster/model/trees")?.as_array()?.len();
    let at = rng.below(trees);
    let side = ["left_children", "right_children"][rng.below(2)];
    let kind = rng.below(5);
    let tree = model.pointer_mut(&format!("/learner/gradient_booster/model/trees/{at}"))?;
    let lefts = tree["left_children"].as_array()?;
    let (inner, leaves): (Vec<usize>, Vec<usize>) =
        (0..lefts.len()).partition(|&node| lefts[node] != -1);
    let node = *inner.get(rng.below(inner.len()))?;
    let damage = match kind {
        // The child is the node itself, or the root.
        0 => {
            tree[side][node] = json!([node, 0][rng.below(2)]);
            "a cycle"
        }
        1 => {
            let outside = [lefts.len() as i64, -2, i64::from(i32::MAX), i64::from(i32::MIN)];
            tree[side][node] = json!(outside[rng.below(4)]);
            "a child outside the tree"
        }
        2 => {
            let leaf = *leaves.get(rng.below(leaves.len()))?;
            tree["split_conditions"][leaf] = json!([1e39, -1e39][rng.below(2)]);
            "a leaf that is not finite"
        }
        3 => {
            tree["split_indices"][node] = json!([1_000_000_i64, -1][rng.below(2)]);
            "a feature that the model does not have"
        }
        _ => {
            let (pointer, name) = [
                ("/learner/learner_model_param", "num_feature"),
                ("/learner/gradient_booster/model/gbtree_model_param", "num_trees"),
                ("/learner/gradient_booster/model/trees/0/tree_param", "num_nodes"),
            ][rng.below(3)];
            model.pointer_mut(pointer)?[name] =
                json!(["4294967296", "18446744073709551615"][rng.below(2)]);
            "a header that promises too much"
        }
    };
    Some(refused(damage, model.to_string().into_bytes()))
}

/// Adds a fault that only UBJ can have: numbers that JSON cannot express, or invalid lengths.
fn structural_ubj(file: &[u8], rng: &mut SplitMix64) -> Option<(&'static str, Vec<u8>)> {
    const FLOATS: &[u8] = b"split_conditions[$d#L";
    let places: Vec<usize> = (0..file.len()).filter(|&at| file[at..].starts_with(FLOATS)).collect();
    let at = places.get(rng.below(places.len()))? + FLOATS.len();
    let mut bytes = file.to_vec();
    if rng.below(2) == 0 {
        let huge = [i64::MAX, i64::MIN, 1 << 40][rng.below(3)];
        bytes.get_mut(at..at + 8)?.copy_from_slice(&huge.to_be_bytes());
        return Some(("a header that promises too much", bytes));
    }
    let value = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][rng.below(3)];
    // The root's value, since an unreachable node may hold anything.
    bytes.get_mut(at + 8..at + 12)?.copy_from_slice(&value.to_be_bytes());
    Some(("a number that is not finite", bytes))
}

/// Reads `count` damaged model files. Each must be rejected or give finite numbers for any row;
/// structural faults must be rejected. Nothing may panic.
pub fn model_mutations(seed: u64, count: usize) -> MutationReport {
    let mut out = MutationReport::default();
    for (at, model) in damaged_models(seed).take(count).enumerate() {
        out.tried += 1;
        let read = catch_unwind(AssertUnwindSafe(|| {
            let forest = Forest::from_bytes(&model.bytes);
            forest.as_ref().map(evaluate).is_err()
        }));
        let failure = match read {
            Ok(true) => {
                out.refused += 1;
                continue;
            }
            Ok(false) if !model.must_be_refused => continue,
            Ok(false) => "accepted",
            Err(_) => "a panic",
        };
        out.fail(|| format!("seed {seed}, model {at}, {}: {failure}", model.damage));
    }
    out
}

/// Reads `count` damaged parts of the lake's events beside an intact part. An error must name
/// the file, the intact part must still be read, and nothing may panic.
pub fn parquet_mutations(seed: u64, count: usize) -> MutationReport {
    let mut out = MutationReport::default();
    let mut rng = SplitMix64(seed);
    let dir = match scratch() {
        Ok(dir) => dir,
        Err(error) => {
            out.fail(|| format!("no scratch directory: {error}"));
            return out;
        }
    };
    for at in 0..count {
        let mut bytes = EVENTS.to_vec();
        damage(&mut bytes, &mut rng);
        out.tried += 1;
        let read = catch_unwind(AssertUnwindSafe(|| beside_an_intact_part(dir.path(), &bytes)));
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

impl MutationReport {
    fn fail(&mut self, failure: impl FnOnce() -> String) {
        if self.failures.len() < MAX_FAILURES {
            self.failures.push(failure());
        }
    }
}
