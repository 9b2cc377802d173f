//! A forest of perfect trees, from a model file as XGBoost writes it.

use anyhow::Result;
use cartwheel_forest::Forest;
use serde_json::{Value, json};

use crate::sequence::Sequence;

/// Number of trees.
const TREES: usize = 300;
/// Splits from the root of each to a leaf.
const DEPTH: u32 = 6;

/// Makes the forest over rows of `features` columns. Thresholds are from -0.5 to 0.5.
pub fn forest(features: usize) -> Result<Forest> {
    let mut sequence = Sequence::new(7);
    let trees: Vec<Value> = (0..TREES).map(|_| tree(&mut sequence, features)).collect();
    let file = json!({
        "version": [3, 2, 0],
        "learner": {
            "gradient_booster": {"name": "gbtree", "model": {
                "gbtree_model_param": {"num_trees": TREES.to_string()},
                "tree_info": vec![0; TREES],
                "trees": trees,
            }},
            "learner_model_param": {"base_score": "5E-1", "num_feature": features.to_string()},
            "objective": {"name": "binary:logistic"},
        },
    });
    Ok(Forest::from_bytes(file.to_string().as_bytes())?)
}

fn tree(sequence: &mut Sequence, features: usize) -> Value {
    let nodes = (1_usize << (DEPTH + 1)) - 1;
    let inner = nodes / 2;
    let children = |side: usize| -> Vec<i64> {
        (0..nodes).map(|node| if node < inner { (2 * node + side) as i64 } else { -1 }).collect()
    };
    let values: Vec<f32> = (0..nodes).map(|_| sequence.value()).collect();
    let indices: Vec<usize> = (0..nodes).map(|_| sequence.below(features)).collect();
    let missing: Vec<usize> = (0..nodes).map(|_| sequence.below(2)).collect();
    json!({
        "left_children": children(1),
        "right_children": children(2),
        "split_conditions": values,
        "split_indices": indices,
        "default_left": missing,
        "sum_hessian": vec![1.0; nodes],
        "loss_changes": vec![1.0; nodes],
        "tree_param": {"num_nodes": nodes.to_string()},
    })
}
