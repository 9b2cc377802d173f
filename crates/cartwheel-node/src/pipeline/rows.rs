//! The rows that a training learns from.

use cartwheel_feature_set::files;
use cartwheel_features::CROSS_FOLDS;

/// Rows of a feature set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// All of them.
    All,
    /// Those of a fold of cross-validation.
    Fold(u32),
    /// The sample on which hyperparameters are searched.
    Sample,
}

impl Rows {
    /// The feature set that a file of training rows belongs to, and which rows they are. `name` is
    /// the file's name in the lake.
    pub fn find(name: &str) -> Option<(&str, Self)> {
        let (set, name) = name.strip_prefix("features/")?.split_once('/')?;
        let rows = match name {
            files::TRAIN => Self::All,
            files::SEARCH_TRAIN => Self::Sample,
            _ => Self::Fold((0..CROSS_FOLDS).find(|fold| name == files::fold_train(*fold))?),
        };
        Some((set, rows))
    }

    /// The arguments of `cartwheel train` that choose them, without `--out`.
    pub fn arguments(self) -> Vec<String> {
        match self {
            Self::All => Vec::new(),
            Self::Fold(fold) => vec!["--fold".to_owned(), fold.to_string()],
            Self::Sample => vec!["--sample".to_owned()],
        }
    }
}
