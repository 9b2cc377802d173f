//! Cross-validation for a shop with too few gate users: each user is held out once.
//!
//! The rule is the gate's own. A user's newest order is never a label of a model that it
//! judges, while the user's earlier orders may be; only who is held out changes from fold to
//! fold. Questions of a visit share their answers: where the label is about visits, a user is held
//! out with all questions, as for the gate. A row is the same in every fold: its catalogue is over
//! other users, and the scaler contains no label.

use std::collections::BTreeMap;

use cartwheel_feature_set::Label;
use cartwheel_features::{CROSS_FOLDS, CROSS_USERS, Example, Fold, cross_fold_of};
use cartwheel_recommend::FEATURES;
use rustc_hash::FxHashSet;

use crate::assemble::{Assembled, Labelled};

/// The rows that a model of one fold is trained with.
pub(crate) struct FoldRows {
    pub train: Labelled,
    pub valid: Labelled,
}

/// The examples of cross-validation and the folds that a model can be trained in.
#[derive(Default)]
pub(crate) struct CrossValidation {
    /// The questions that a fold judges by, by user.
    pub examples: Vec<Example>,
    pub folds: Vec<u32>,
    /// Users with a question that has an answer.
    pub users: usize,
}

/// Decides whether and in which folds a set is cross-validated.
pub(crate) fn plan(assembled: &Assembled, gate_is_small: bool) -> CrossValidation {
    let held_out = HeldOut::of(assembled);
    let answered = held_out.examples.iter().filter(|example| !example.basket.is_empty());
    let users: FxHashSet<&str> = answered.clone().map(|e| e.user_id.as_str()).collect();
    let users = users.len();
    if !gate_is_small || (users as u64) < CROSS_USERS {
        return CrossValidation { users, ..CrossValidation::default() };
    }
    let judges = |fold: &u32| answered.clone().any(|e| use_in(*fold, e) == Fold::Gate);
    let learns = |fold: &u32| rows(assembled, *fold).train.labels.contains(&1.0);
    let folds: Vec<u32> = (0..CROSS_FOLDS).filter(judges).filter(learns).collect();
    let judged = |e: &&Example| folds.iter().any(|&fold| use_in(fold, e) == Fold::Gate);
    let examples = held_out.examples.iter().copied().filter(judged).cloned().collect();
    CrossValidation { examples, folds, users }
}

/// Selects the rows of a fold.
pub(crate) fn rows(assembled: &Assembled, fold: u32) -> FoldRows {
    let held_out = HeldOut::of(assembled);
    let mut selected = FoldRows { train: Labelled::default(), valid: Labelled::default() };
    for (rows, examples) in parts(assembled) {
        let cells = rows.rows.chunks_exact(FEATURES.len()).zip(&rows.labels).zip(&rows.keys);
        for ((row, label), key) in cells {
            let example = &examples[key.example as usize];
            let is_held_out = held_out.contains(example);
            let into = match use_in(fold, example) {
                Fold::Gate if is_held_out => continue,
                Fold::Valid if is_held_out => &mut selected.valid,
                _ => &mut selected.train,
            };
            into.rows.extend_from_slice(row);
            into.labels.push(*label);
        }
    }
    selected
}

fn use_in(fold: u32, example: &Example) -> Fold {
    cross_fold_of(&example.user_id, fold)
}

/// All rows, with the examples that their keys refer to.
fn parts(assembled: &Assembled) -> [(&Labelled, &[Example]); 3] {
    let Assembled { assembly, train, valid, few_gate, .. } = assembled;
    [(train, &assembly.train), (valid, &assembly.valid), (few_gate, &assembly.few_gate)]
}

/// The questions that the fold of their user holds out, by user: of baskets the newest, of visits
/// all.
struct HeldOut<'a> {
    examples: Vec<&'a Example>,
    keys: FxHashSet<(&'a str, u32)>,
}

impl<'a> HeldOut<'a> {
    fn of(assembled: &'a Assembled) -> Self {
        let mut examples: BTreeMap<(&str, u32), &Example> = BTreeMap::new();
        for example in parts(assembled).into_iter().flat_map(|(_, examples)| examples) {
            let number = match assembled.assembly.label {
                Label::NextBasket => 0,
                Label::NextInteraction | Label::RestOfVisit(_) => example.order_number,
            };
            let kept = examples.entry((&example.user_id, number)).or_insert(example);
            if example.order_number > kept.order_number {
                *kept = example;
            }
        }
        let examples: Vec<&Example> = examples.into_values().collect();
        let key = |example: &&'a Example| (example.user_id.as_str(), example.order_number);
        Self { keys: examples.iter().map(key).collect(), examples }
    }

    fn contains(&self, example: &Example) -> bool {
        self.keys.contains(&(example.user_id.as_str(), example.order_number))
    }
}
