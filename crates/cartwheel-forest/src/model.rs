//! From a model file's values to verified trees.

use serde_json::Value;

use crate::ubj;

/// Most trees of a model.
const MAX_TREES: usize = 10_000;
/// Most features of a model.
const MAX_FEATURES: usize = 1 << 20;
/// Deepest tree.
const MAX_DEPTH: usize = 64;

/// Why a model file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Neither JSON nor UBJ, or cut short.
    #[error("not a model file: {0}")]
    Format(String),
    /// A model that this evaluator does not know.
    #[error("unsupported model: {0}")]
    Unsupported(String),
    /// A tree that no training writes.
    #[error("tree {tree}: {problem}")]
    Tree {
        /// Which tree, from 0.
        tree: usize,
        /// What is wrong.
        problem: &'static str,
    },
}

/// What the margins mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// Log-odds of a probability.
    Logistic,
    /// A score to order by.
    Ranking,
    /// The value itself.
    Regression,
}

/// One verified tree, nodes in the file's order.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Feature of a split, or `u32::MAX` for a leaf.
    pub feature: Vec<u32>,
    /// Threshold of a split, or value of a leaf.
    pub value: Vec<f32>,
    pub left: Vec<u32>,
    pub right: Vec<u32>,
    pub default_left: Vec<bool>,
    pub depth: usize,
}

/// A verified model.
#[derive(Debug)]
pub(crate) struct Model {
    pub features: usize,
    pub names: Vec<String>,
    pub objective: Objective,
    pub base_margin: f32,
    pub trees: Vec<Tree>,
}

fn format(what: impl Into<String>) -> ModelError {
    ModelError::Format(what.into())
}

fn get<'a>(value: &'a Value, path: &str) -> Result<&'a Value, ModelError> {
    let mut at = value;
    for key in path.split('/') {
        at = at.get(key).ok_or_else(|| format(format!("{path} is missing")))?;
    }
    Ok(at)
}

/// XGBoost writes parameters as text.
fn number<T: std::str::FromStr>(value: &Value, path: &str) -> Result<T, ModelError> {
    let value = get(value, path)?;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse().map_err(|_| format(format!("{path} is not a number")))
}

impl Model {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ModelError> {
        let json = bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{')
            && bytes
                .iter()
                .skip_while(|b| **b != b'{')
                .nth(1)
                .is_some_and(|b| b.is_ascii_whitespace() || *b == b'"');
        let value: Value = if json {
            serde_json::from_slice(bytes).map_err(|e| format(e.to_string()))?
        } else {
            ubj::parse(bytes)?
        };
        let learner = get(&value, "learner")?;
        let booster = get(learner, "gradient_booster/name")?;
        if booster != "gbtree" {
            return Err(ModelError::Unsupported(format!("booster {booster}")));
        }
        let param = get(learner, "learner_model_param")?;
        for (key, most) in [("num_class", 0_i64), ("num_target", 1)] {
            let many = param.get(key).is_some() && number::<i64>(param, key)? > most;
            if many {
                return Err(ModelError::Unsupported("more than one output".to_owned()));
            }
        }
        let features: usize = number(param, "num_feature")?;
        if features == 0 || features > MAX_FEATURES {
            return Err(format("num_feature is out of range"));
        }
        let objective = get(learner, "objective/name")?.as_str().unwrap_or_default();
        let objective = match objective {
            "binary:logistic" | "reg:logistic" => Objective::Logistic,
            "rank:ndcg" | "rank:pairwise" | "rank:map" => Objective::Ranking,
            "reg:squarederror" => Objective::Regression,
            other => return Err(ModelError::Unsupported(format!("objective {other:?}"))),
        };
        let base = get(param, "base_score")?;
        let base = base.as_str().map_or_else(|| base.to_string(), str::to_owned);
        let base: f32 = base
            .trim_matches(['[', ']'])
            .parse()
            .map_err(|_| format("base_score is not a number"))?;
        let base_margin = match objective {
            Objective::Logistic => -(1.0 / base - 1.0).ln(),
            _ => base,
        };
        if !base_margin.is_finite() {
            return Err(format("base_score has no finite margin"));
        }
        let trees = get(learner, "gradient_booster/model/trees")?;
        let trees = trees.as_array().ok_or_else(|| format("trees is not a list"))?;
        if trees.len() > MAX_TREES {
            return Err(ModelError::Unsupported(format!("{} trees", trees.len())));
        }
        let trees = trees.iter().enumerate().map(|(at, t)| Tree::parse(t, features, at));
        let names = learner.get("feature_names").and_then(Value::as_array);
        let name = |v: &Value| v.as_str().map(str::to_owned);
        Ok(Self {
            features,
            names: names.map(|n| n.iter().filter_map(name).collect()).unwrap_or_default(),
            objective,
            base_margin,
            trees: trees.collect::<Result<_, _>>()?,
        })
    }
}

impl Tree {
    fn parse(value: &Value, features: usize, tree: usize) -> Result<Self, ModelError> {
        let bad = |problem| ModelError::Tree { tree, problem };
        let list = |key: &str| {
            let list = get(value, key).ok().and_then(Value::as_array);
            list.ok_or(bad("a list of nodes is missing"))
        };
        let integers = |key: &str| -> Result<Vec<i64>, ModelError> {
            let integer = |v: &Value| v.as_i64().or_else(|| v.as_bool().map(i64::from));
            list(key)?.iter().map(|v| integer(v).ok_or(bad("an index is not one"))).collect()
        };
        let left = integers("left_children")?;
        let right = integers("right_children")?;
        let split = integers("split_indices")?;
        let default_left = integers("default_left")?;
        let condition = list("split_conditions")?;
        let n = left.len();
        if n == 0 || [right.len(), split.len(), default_left.len(), condition.len()] != [n; 4] {
            return Err(bad("lists of nodes differ in length"));
        }
        if get(value, "categories").ok().and_then(Value::as_array).is_some_and(|c| !c.is_empty()) {
            return Err(ModelError::Unsupported("categorical splits".to_owned()));
        }
        let mut out = Self {
            feature: Vec::with_capacity(n),
            value: Vec::with_capacity(n),
            left: vec![0; n],
            right: vec![0; n],
            default_left: default_left.iter().map(|&d| d != 0).collect(),
            depth: 0,
        };
        for at in 0..n {
            // f64 text to f32 once: a decimal of nine digits names one float32.
            let number = condition[at].as_f64().ok_or(bad("a condition is not a number"))? as f32;
            if !number.is_finite() {
                return Err(bad("a threshold or leaf is not finite"));
            }
            let leaf = left[at] == -1 && right[at] == -1;
            let index = |i: i64| u32::try_from(i).ok().filter(|&i| (i as usize) < n);
            out.value.push(number);
            if leaf {
                out.feature.push(u32::MAX);
                continue;
            }
            let (Some(l), Some(r)) = (index(left[at]), index(right[at])) else {
                return Err(bad("a child is out of range"));
            };
            (out.left[at], out.right[at]) = (l, r);
            let feature = u32::try_from(split[at]).ok().filter(|&f| (f as usize) < features);
            out.feature.push(feature.ok_or(bad("a feature is out of range"))?);
        }
        out.depth = out.walk(bad)?;
        Ok(out)
    }

    /// Depth of the tree; every node is reached at most once.
    fn walk(&self, bad: impl Fn(&'static str) -> ModelError) -> Result<usize, ModelError> {
        let mut seen = vec![false; self.feature.len()];
        let mut stack = vec![(0_u32, 0)];
        let mut deepest = 0;
        while let Some((node, depth)) = stack.pop() {
            let at = node as usize;
            if std::mem::replace(&mut seen[at], true) {
                return Err(bad("a node has two parents"));
            }
            if depth > MAX_DEPTH {
                return Err(bad("deeper than 64 levels"));
            }
            deepest = deepest.max(depth);
            if self.feature[at] != u32::MAX {
                stack.push((self.left[at], depth + 1));
                stack.push((self.right[at], depth + 1));
            }
        }
        Ok(deepest)
    }
}
