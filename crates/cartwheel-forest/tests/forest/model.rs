//! Models made on the spot, with a plain evaluation to compare with.

use serde_json::{Value, json};

/// Numbers that look random and follow from a seed (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number in `0..end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A number in -1..1, with few enough values that rows meet thresholds.
    pub fn value(&mut self) -> f32 {
        (self.below(401) as f32 - 200.0) / 200.0
    }
}

/// A tree in the arrays of the model file.
#[derive(Default, Clone)]
pub struct Tree {
    pub left: Vec<i32>,
    pub right: Vec<i32>,
    pub value: Vec<f32>,
    pub feature: Vec<usize>,
    pub default_left: Vec<bool>,
}

impl Tree {
    /// A tree that is `depth` deep along at least one way, with nodes in the
    /// order of a walk that goes deep first, which XGBoost does not use.
    pub fn random(numbers: &mut Numbers, depth: usize, features: usize) -> Self {
        let mut tree = Self::default();
        tree.grow(numbers, depth, features);
        tree
    }

    fn grow(&mut self, numbers: &mut Numbers, depth: usize, features: usize) -> i32 {
        let node = self.left.len();
        self.left.push(-1);
        self.right.push(-1);
        self.value.push(numbers.value());
        self.feature.push(if depth == 0 { 0 } else { numbers.below(features) });
        self.default_left.push(numbers.below(2) == 0);
        if depth > 0 {
            let other = if depth > 12 { 0 } else { numbers.below(depth) };
            let (left, right) =
                if numbers.below(2) == 0 { (depth - 1, other) } else { (other, depth - 1) };
            self.left[node] = self.grow(numbers, left, features);
            self.right[node] = self.grow(numbers, right, features);
        }
        node as i32
    }

    /// The leaf of a row, as plainly as it can be said.
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

/// A model file with these trees.
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
