//! Random models, and a plain evaluation to compare with.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Random numbers that the seed determines.
pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Returns a number from -1 to 1, with so few different values that rows meet thresholds.
pub fn value(rng: &mut ChaCha8Rng) -> f32 {
    (rng.random_range(0..401) as f32 - 200.0) / 200.0
}

/// A tree as the arrays of the model file.
#[derive(Default, Clone)]
pub struct Tree {
    pub left: Vec<i32>,
    pub right: Vec<i32>,
    pub value: Vec<f32>,
    pub feature: Vec<usize>,
    pub default_left: Vec<bool>,
}

impl Tree {
    /// Creates a tree with at least one path of `depth` splits. Its nodes are in depth-first
    /// order, which XGBoost does not use.
    pub fn random(rng: &mut ChaCha8Rng, depth: usize, features: usize) -> Self {
        let mut tree = Self::default();
        tree.grow(rng, depth, features);
        tree
    }

    fn grow(&mut self, rng: &mut ChaCha8Rng, depth: usize, features: usize) -> i32 {
        let node = self.left.len();
        self.left.push(-1);
        self.right.push(-1);
        self.value.push(value(rng));
        self.feature.push(if depth == 0 { 0 } else { rng.random_range(0..features) });
        self.default_left.push(rng.random_bool(0.5));
        if depth > 0 {
            let other = if depth > 12 { 0 } else { rng.random_range(0..depth) };
            let (left, right) =
                if rng.random_bool(0.5) { (depth - 1, other) } else { (other, depth - 1) };
            self.left[node] = self.grow(rng, left, features);
            self.right[node] = self.grow(rng, right, features);
        }
        node as i32
    }

    /// Returns the leaf of a row, by the plainest possible walk.
    pub fn leaf(&self, row: &[f32]) -> f32 {
        let mut node = 0;
        while self.left[node] != -1 {
            let value = row[self.feature[node]];
            let left =
                if value.is_nan() { self.default_left[node] } else { value < self.value[node] };
            node = if left { self.left[node] } else { self.right[node] } as usize;
        }
        self.value[node]
    }

    fn to_json(&self) -> Value {
        json!({
            "left_children": self.left,
            "right_children": self.right,
            "split_conditions": self.value,
            "split_indices": self.feature,
            "default_left": self.default_left.iter().map(|&b| u8::from(b)).collect::<Vec<_>>(),
            "tree_param": { "num_nodes": self.left.len().to_string() },
        })
    }
}

/// A model file with the given trees.
pub fn file(trees: &[Tree], features: usize, objective: &str, base_score: &str) -> Value {
    json!({
        "learner": {
            "gradient_booster": {
                "name": "gbtree",
                "model": {
                    "gbtree_model_param": { "num_trees": trees.len().to_string() },
                    "tree_info": vec![0; trees.len()],
                    "trees": trees.iter().map(Tree::to_json).collect::<Vec<_>>(),
                },
            },
            "learner_model_param": {
                "base_score": base_score,
                "num_feature": features.to_string(),
            },
            "objective": { "name": objective },
        },
        "version": [3, 2, 0],
    })
}
