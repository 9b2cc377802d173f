//! The forest: loading, scoring and explaining.

use crate::columns;
use crate::error::{ExplainError, ModelError};
use crate::file::{self, Learner};
use crate::layout::{self, Group, Tree};
use crate::shap;
use crate::statistics::{Importance, Statistics};
use crate::verify::{self, Node, VerifiedTree};
use crate::walk;

/// The largest accepted number of trees.
const MAX_TREES: usize = 10_000;
/// The largest accepted number of features.
const MAX_FEATURES: usize = 65_536;
/// Fewer rows are walked down the trees one by one.
const FEW_ROWS: usize = 16;

/// The objective that the model was trained for; it determines how a margin becomes a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Objective {
    /// `binary:logistic`: a score is a probability.
    BinaryLogistic,
    /// `reg:squarederror`: a score is the margin.
    SquaredError,
    /// `rank:ndcg`: a score is the margin.
    RankNdcg,
    /// `rank:pairwise`: a score is the margin.
    RankPairwise,
    /// `rank:map`: a score is the margin.
    RankMap,
}

impl Objective {
    const ALL: [Self; 5] = [
        Self::BinaryLogistic,
        Self::SquaredError,
        Self::RankNdcg,
        Self::RankPairwise,
        Self::RankMap,
    ];

    /// Returns XGBoost's name of the objective.
    pub fn name(self) -> &'static str {
        match self {
            Self::BinaryLogistic => "binary:logistic",
            Self::SquaredError => "reg:squarederror",
            Self::RankNdcg => "rank:ndcg",
            Self::RankPairwise => "rank:pairwise",
            Self::RankMap => "rank:map",
        }
    }

    /// Whether a score is a probability.
    pub fn is_probability(self) -> bool {
        self == Self::BinaryLogistic
    }
}

/// A verified forest of gradient-boosted trees, ready for evaluation.
#[derive(Debug, Clone)]
pub struct Forest {
    features: usize,
    objective: Objective,
    feature_names: Vec<String>,
    /// The margin before the first tree.
    base: f32,
    trees: Vec<Tree>,
    groups: Vec<Group>,
    /// Separate from the groups, so that scoring does not load it into the cache.
    statistics: Result<Statistics, ExplainError>,
}

impl Forest {
    /// Reads a model file of XGBoost 1.7 or later, JSON or UBJ.
    ///
    /// # Errors
    ///
    /// When the bytes are not a model, the model is damaged, or this crate does not
    /// evaluate it: boosters other than `gbtree`, categorical splits, several outputs, and
    /// objectives not in [`Objective`]. Limits: 10,000 trees, 1,000 levels, 65,536
    /// features, 512 MiB.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let learner = file::read(bytes)?.learner;
        let objective = objective(&learner.objective.name)?;
        check_single_output(&learner)?;
        let features = features(&learner)?;
        let base = base_margin(&learner.learner_model_param.base_score, objective)?;

        let booster = learner.gradient_booster;
        if booster.name != "gbtree" {
            return Err(ModelError::Unsupported(format!("the booster `{}`", booster.name)));
        }
        let missing = |array: &'static str| ModelError::Length { array, expected: 1, found: 0 };
        let model = booster.model.ok_or_else(|| missing("model"))?;
        let declared = model.trees.ok_or_else(|| missing("trees"))?;
        let info = model.tree_info.ok_or_else(|| missing("tree_info"))?;
        let parameters = model.gbtree_model_param.ok_or_else(|| missing("gbtree_model_param"))?;
        if declared.len() > MAX_TREES {
            return Err(ModelError::TooLarge {
                unit: "trees",
                found: declared.len(),
                limit: MAX_TREES,
            });
        }
        if parameters.num_trees.parse() != Ok(declared.len()) {
            return Err(ModelError::Parameter {
                name: "num_trees",
                value: parameters.num_trees,
                reason: "it must be the number of trees in the file",
            });
        }
        if info.len() != declared.len() {
            return Err(ModelError::Length {
                array: "tree_info",
                expected: declared.len(),
                found: info.len(),
            });
        }
        if info.iter().any(|&output| output != 0) {
            return Err(ModelError::Unsupported("several outputs".to_owned()));
        }
        let verified = declared
            .iter()
            .enumerate()
            .map(|(tree, declared)| verify::verify(tree, declared, features))
            .collect::<Result<Vec<_>, _>>()?;
        check_sum(base, &verified)?;
        Ok(Self {
            features,
            objective,
            feature_names: learner.feature_names,
            base,
            trees: layout::trees(&verified),
            groups: layout::groups(&verified),
            statistics: Statistics::gather(&declared, &verified),
        })
    }

    /// Returns the width of a row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Returns the number of trees.
    pub fn trees(&self) -> usize {
        self.trees.len()
    }

    /// Returns the objective that the model was trained for.
    pub fn objective(&self) -> Objective {
        self.objective
    }

    /// Returns the feature names in the order of a row; empty if the model was saved
    /// without names.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// Writes the margin of every row to `out`, equal to XGBoost's `output_margin` to the
    /// last bit. `rows` is row-major and [`Self::features`] wide. NaN is a missing value;
    /// ±∞ compare like other numbers.
    ///
    /// # Panics
    ///
    /// If `rows` does not hold `out.len()` rows.
    pub fn margins(&self, rows: &[f32], out: &mut [f32]) {
        assert_eq!(rows.len(), out.len() * self.features, "rows and out differ in length");
        out.fill(self.base);
        if self.features > 0 && out.len() >= FEW_ROWS {
            return columns::add(&self.trees, rows, self.features, out);
        }
        // Without features no tree has a split, so any row will do.
        let mut doubled = vec![0.0; (2 * self.features).max(2)];
        for (at, margin) in out.iter_mut().enumerate() {
            layout::double(&rows[at * self.features..(at + 1) * self.features], &mut doubled);
            walk::one_row(&self.trees, &self.groups, &doubled, margin);
        }
    }

    /// Writes the score of every row to `out`, as XGBoost predicts it: a probability from 0
    /// to 1 for `binary:logistic`, the margin for other objectives. Shapes are as in
    /// [`Self::margins`].
    ///
    /// # Panics
    ///
    /// If `rows` does not hold `out.len()` rows.
    pub fn probabilities(&self, rows: &[f32], out: &mut [f32]) {
        self.margins(rows, out);
        if self.objective.is_probability() {
            out.iter_mut().for_each(|score| *score = sigmoid(*score));
        }
    }

    /// Writes the contribution of every feature to the margin of one row to `out`, and
    /// returns the expected margin of an unknown row; their sum is the row's margin except
    /// for rounding. `row` and `out` are [`Self::features`] wide; NaN is a missing value.
    /// The unit is that of the margin: log-odds for `binary:logistic`.
    ///
    /// These are the Shapley values (SHAP) of the game in which a missing feature sends a
    /// row down both sides of its splits, weighted by their `sum_hessian`: the
    /// path-dependent `TreeSHAP` of Lundberg et al. ("From local explanations to global
    /// understanding with explainable AI for trees", 2020), and XGBoost's `pred_contribs`.
    ///
    /// # Errors
    ///
    /// If the file lacks `sum_hessian` or `loss_changes` for a node, if these are invalid,
    /// or if a tree is deeper than 64 levels; `out` is then unchanged.
    ///
    /// # Panics
    ///
    /// If `row` or `out` is not [`Self::features`] wide.
    pub fn contributions(&self, row: &[f32], out: &mut [f32]) -> Result<f32, ExplainError> {
        assert_eq!(row.len(), self.features, "the row and the model differ in width");
        assert_eq!(out.len(), self.features, "out and the model differ in width");
        let statistics = self.statistics.as_ref().map_err(|&error| error)?;
        shap::contributions(statistics, row, out)?;
        Ok((f64::from(self.base) + statistics.expected) as f32)
    }

    /// Returns how much training used each feature, in the order of a row.
    ///
    /// # Errors
    ///
    /// As [`Self::contributions`], but without a limit on depth.
    pub fn importance(&self) -> Result<Vec<Importance>, ExplainError> {
        let statistics = self.statistics.as_ref().map_err(|&error| error)?;
        Ok(statistics.importance(self.features))
    }
}

/// XGBoost's sigmoid. The exponent is capped where `exp` would overflow.
fn sigmoid(margin: f32) -> f32 {
    1.0 / ((-margin).min(88.7).exp() + 1.0 + 1e-16)
}

fn objective(name: &str) -> Result<Objective, ModelError> {
    Objective::ALL
        .into_iter()
        .find(|objective| objective.name() == name)
        .ok_or_else(|| ModelError::Unsupported(format!("the objective {name:?}")))
}

fn check_single_output(learner: &Learner) -> Result<(), ModelError> {
    let parameters = &learner.learner_model_param;
    for outputs in [&parameters.num_class, &parameters.num_target].into_iter().flatten() {
        if !matches!(outputs.as_str(), "0" | "1") {
            return Err(ModelError::Unsupported("several outputs".to_owned()));
        }
    }
    Ok(())
}

/// Rejects a forest whose sum can overflow, which is possible with finite leaves.
fn check_sum(base: f32, trees: &[VerifiedTree]) -> Result<(), ModelError> {
    let mut largest = f64::from(base.abs());
    for (tree, VerifiedTree { nodes, .. }) in trees.iter().enumerate() {
        let leaf = |node: &Node| match node {
            Node::Leaf(value) => f64::from(value.abs()),
            Node::Split { .. } => 0.0,
        };
        largest += nodes.iter().map(leaf).fold(0.0, f64::max);
        // Half of the maximum, since every f32 addition may round up.
        if largest > f64::from(f32::MAX) / 2.0 {
            return Err(ModelError::Tree {
                tree,
                node: 0,
                fault: "the sum of leaves can overflow",
            });
        }
    }
    Ok(())
}

fn features(learner: &Learner) -> Result<usize, ModelError> {
    let declared = &learner.learner_model_param.num_feature;
    let features: usize = declared.parse().map_err(|_| ModelError::Parameter {
        name: "num_feature",
        value: declared.clone(),
        reason: "it must be the number of features",
    })?;
    if features > MAX_FEATURES {
        return Err(ModelError::TooLarge {
            unit: "features",
            found: features,
            limit: MAX_FEATURES,
        });
    }
    let names = learner.feature_names.len();
    if names != 0 && names != features {
        return Err(ModelError::Length {
            array: "feature_names",
            expected: features,
            found: names,
        });
    }
    Ok(features)
}

/// Converts `base_score` to a margin. It is written as `5E-1` up to XGBoost 3.0 and as
/// `[5E-1]` after, in the unit of a score.
fn base_margin(declared: &str, objective: Objective) -> Result<f32, ModelError> {
    let refuse = |reason: &'static str| ModelError::Parameter {
        name: "base_score",
        value: declared.to_owned(),
        reason,
    };
    let number = declared
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(declared)
        .parse::<f32>()
        .ok()
        .filter(|number| number.is_finite())
        .ok_or_else(|| refuse("it must be one finite number"))?;
    if objective != Objective::BinaryLogistic {
        return Ok(number);
    }
    let margin = -(1.0 / number - 1.0).ln();
    if number > 0.0 && number < 1.0 && margin.is_finite() {
        Ok(margin)
    } else {
        Err(refuse("it must lie between 0 and 1"))
    }
}
