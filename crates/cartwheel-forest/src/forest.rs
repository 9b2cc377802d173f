//! Verified trees in one flat array, and their evaluation.

use crate::model::{Model, ModelError, Objective, Tree};

/// Rows that walk a tree together: their loads overlap.
const LANES: usize = 8;
/// Rows whose features stay in the cache while all trees pass.
const BLOCK: usize = 64;

/// A node: 12 bytes. Children are neighbours, so that one index names both.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// Threshold of a split, value of a leaf.
    value: f32,
    /// Index of the left child; of itself for a leaf, so that walking on stays.
    left: u32,
    /// Feature of the split; the top bit says that missing goes left. A leaf
    /// holds `LEAF`.
    feature: u32,
}

const DEFAULT_LEFT: u32 = 1 << 31;
const LEAF: u32 = 1 << 30;
const FEATURE: u32 = LEAF - 1;

/// A tree model, ready to score.
#[derive(Debug)]
pub struct Forest {
    features: usize,
    names: Vec<String>,
    objective: Objective,
    base_margin: f32,
    nodes: Vec<Node>,
    /// Root and depth of each tree.
    trees: Vec<(u32, u32)>,
}

impl Forest {
    /// Reads and verifies a model file, JSON or UBJ.
    ///
    /// # Errors
    /// When the file is damaged, or a model that is not evaluated here.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let model = Model::parse(bytes)?;
        let mut forest = Self {
            features: model.features,
            names: model.names,
            objective: model.objective,
            base_margin: model.base_margin,
            nodes: Vec::new(),
            trees: Vec::with_capacity(model.trees.len()),
        };
        for tree in &model.trees {
            let root = forest.flatten(tree);
            forest.trees.push((root, tree.depth as u32));
        }
        Ok(forest)
    }

    /// Lays a tree out level by level, children side by side.
    fn flatten(&mut self, tree: &Tree) -> u32 {
        let root = self.nodes.len() as u32;
        let mut order = vec![0_u32];
        let mut next = 0;
        while let Some(&at) = order.get(next) {
            let at = at as usize;
            let place = root + next as u32;
            next += 1;
            if tree.feature[at] == u32::MAX {
                self.nodes.push(Node { value: tree.value[at], left: place, feature: LEAF });
                continue;
            }
            let default = if tree.default_left[at] { DEFAULT_LEFT } else { 0 };
            self.nodes.push(Node {
                value: tree.value[at],
                left: root + order.len() as u32,
                feature: tree.feature[at] | default,
            });
            order.extend([tree.left[at], tree.right[at]]);
        }
        root
    }

    /// Columns of a row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.trees.len()
    }

    /// What the margins mean.
    pub fn objective(&self) -> Objective {
        self.objective
    }

    /// Names of the columns, where the file holds them.
    pub fn feature_names(&self) -> &[String] {
        &self.names
    }

    /// Margins of `rows` (row-major, `features()` wide, NaN = missing), one a row
    /// into `out`. Rows beyond the length of `out` are left out.
    pub fn margins(&self, rows: &[f32], out: &mut [f32]) {
        let rows = rows.chunks(BLOCK * self.features);
        for (rows, out) in rows.zip(out.chunks_mut(BLOCK)) {
            out.fill(self.base_margin);
            for &(root, depth) in &self.trees {
                let lanes = rows.chunks(LANES * self.features).zip(out.chunks_mut(LANES));
                for (rows, out) in lanes {
                    self.walk(root, depth, rows, out);
                }
            }
        }
    }

    /// Adds one tree's leaves to up to [`LANES`] margins.
    #[inline]
    fn walk(&self, root: u32, depth: u32, rows: &[f32], out: &mut [f32]) {
        let mut at = [root; LANES];
        for _ in 0..depth {
            for (at, row) in at.iter_mut().zip(rows.chunks_exact(self.features)) {
                let node = self.nodes[*at as usize];
                if node.feature == LEAF {
                    continue;
                }
                let x = row[(node.feature & FEATURE) as usize];
                let missing_right = x.is_nan() && node.feature & DEFAULT_LEFT == 0;
                let right = missing_right || x >= node.value;
                *at = node.left + u32::from(right);
            }
        }
        for (margin, at) in out.iter_mut().zip(at) {
            *margin += self.nodes[at as usize].value;
        }
    }

    /// What the objective predicts: probabilities for a logistic one, else margins.
    pub fn probabilities(&self, rows: &[f32], out: &mut [f32]) {
        self.margins(rows, out);
        if self.objective == Objective::Logistic {
            out.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp()));
        }
    }
}
