//! Boosting rounds with early stopping.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::ops::ControlFlow;
use std::ptr;

use serde::Serialize;

use crate::ffi::{Booster, Matrix, TrainingError, Xgboost, copied};
use crate::metric;

/// Labelled rows.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    /// Values, row-major and as wide as `names`; NaN is a missing value.
    pub rows: &'a [f32],
    /// One label per row.
    pub labels: &'a [f32],
    /// Names of the columns.
    pub names: &'a [String],
}

/// Labelled rows with weights, or with groups for ranking. [`Data`] converts into examples with
/// equal weights and a single group.
#[derive(Debug, Clone, Copy)]
pub struct Examples<'a> {
    /// The rows.
    pub data: Data<'a>,
    /// One weight per row, at least 0; with groups, one per group.
    pub weights: Option<&'a [f32]>,
    /// Number of rows of each group, in the order of the rows.
    pub groups: Option<&'a [u32]>,
}

impl<'a> From<&Data<'a>> for Examples<'a> {
    fn from(data: &Data<'a>) -> Self {
        Self { data: *data, weights: None, groups: None }
    }
}

/// The metrics of one round.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Round {
    /// The round, from 0.
    pub round: u32,
    /// Names and values, such as `train-auc`.
    pub metrics: Vec<(String, f64)>,
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.metrics.iter().enumerate() {
            write!(f, "{}{name} {value:.4}", if at > 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

/// A trained model.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model as JSON, up to the best round.
    pub model: Vec<u8>,
    /// The best round on validation data, from 0; without validation data the last round.
    pub best_round: u32,
    /// The metrics of every round.
    pub rounds: Vec<Round>,
}

impl Xgboost {
    fn matrix(&self, examples: &Examples<'_>) -> Result<Matrix<'_>, TrainingError> {
        let Examples { data, weights, groups } = *examples;
        let matrix = Matrix::new(self, data.rows, data.names.len())?;
        let rows = data.rows.len() / data.names.len();
        if data.labels.len() != rows {
            return Err(TrainingError::Data("the numbers of labels and rows differ"));
        }
        matrix.floats(c"label", data.labels)?;
        matrix.names(data.names)?;
        if let Some(groups) = groups {
            if groups.iter().map(|&size| u64::from(size)).sum::<u64>() != rows as u64 {
                return Err(TrainingError::Data("the group sizes do not add up to the rows"));
            }
            matrix.groups(groups)?;
        }
        if let Some(weights) = weights {
            if weights.len() != groups.map_or(rows, <[u32]>::len) {
                return Err(TrainingError::Data(
                    "the number of weights differs from that of the rows, or of the groups",
                ));
            }
            matrix.floats(c"weight", weights)?;
        }
        Ok(matrix)
    }

    /// Trains for at most `rounds` rounds. With `early_stopping` and validation rows, training
    /// stops once the last metric of `valid` has not improved for that many rounds: smaller is
    /// better, for AUC and similar metrics larger. `on_round` can stop training as well. With
    /// validation rows the model always ends with its best round.
    ///
    /// The same data, parameters, `seed` and `nthread` give the same bytes. Leave `base_score`
    /// unset, so that libxgboost estimates it.
    ///
    /// # Errors
    /// When the data does not fit together or libxgboost rejects it.
    pub fn train<'a, E: Into<Examples<'a>>>(
        &self,
        parameters: &[(String, String)],
        rounds: u32,
        early_stopping: Option<u32>,
        train: E,
        valid: Option<E>,
        on_round: &mut dyn FnMut(&Round) -> ControlFlow<()>,
    ) -> Result<Trained, TrainingError> {
        if rounds == 0 {
            return Err(TrainingError::Data("the number of rounds is 0"));
        }
        let train = train.into();
        let feature_names = train.data.names;
        let train = self.matrix(&train)?;
        let valid = valid.map(|examples| self.matrix(&examples.into())).transpose()?;
        let mut watched = vec![(train.handle, c"train".as_ptr())];
        watched.extend(valid.as_ref().map(|m| (m.handle, c"validation".as_ptr())));
        let (handles, names): (Vec<_>, Vec<*const c_char>) = watched.into_iter().unzip();
        // Declared after the matrices, so that it is dropped before them.
        let booster = Booster::new(self, &handles)?;
        for (name, value) in parameters {
            booster.set(name, value)?;
        }
        let mut history: Vec<Round> = Vec::new();
        let (mut best, mut best_round) = (f64::INFINITY, 0);
        for round in 0..rounds {
            // SAFETY: both handles are live.
            self.check(unsafe {
                (self.functions.XGBoosterUpdateOneIter)(booster.handle, round as i32, train.handle)
            })?;
            let mut text = ptr::null();
            // SAFETY: handles and names are live and equal in number; the text belongs to the
            // booster until its next call, and is copied.
            let line = unsafe {
                self.check((self.functions.XGBoosterEvalOneIter)(
                    booster.handle,
                    round as i32,
                    handles.as_ptr(),
                    names.as_ptr(),
                    handles.len() as u64,
                    &mut text,
                ))?;
                CStr::from_ptr(text).to_string_lossy().into_owned()
            };
            let now = Round { round, metrics: metric::parse(&line) };
            let flow = on_round(&now);
            let loss = now.metrics.last().map_or(f64::NAN, |(name, value)| {
                if metric::more_is_better(name) { -value } else { *value }
            });
            history.push(now);
            if valid.is_none() || loss < best {
                (best, best_round) = (loss, round);
            }
            let patience = early_stopping.filter(|_| valid.is_some());
            if flow.is_break() || patience.is_some_and(|p| round - best_round >= p) {
                break;
            }
        }
        let kept = booster.slice(best_round as i32 + 1)?;
        kept.names(feature_names)?;
        Ok(Trained { model: kept.save("json")?, best_round, rounds: history })
    }

    /// Returns the margins that libxgboost predicts with a model, for comparison with an
    /// evaluator.
    ///
    /// # Errors
    /// When libxgboost rejects the model or the rows.
    pub fn predict_margins(
        &self,
        model: &[u8],
        rows: &[f32],
        columns: usize,
    ) -> Result<Vec<f32>, TrainingError> {
        let booster = self.load_model(model)?;
        let matrix = Matrix::new(self, rows, columns)?;
        let config = c"{\"type\": 1, \"training\": false, \"iteration_begin\": 0, \
                       \"iteration_end\": 0, \"strict_shape\": false}";
        let (mut shape, mut dimensions, mut out) = (ptr::null(), 0, ptr::null());
        // SAFETY: the handles are live; the result belongs to the booster until its next call
        // and holds one margin per row.
        unsafe {
            self.check((self.functions.XGBoosterPredictFromDMatrix)(
                booster.handle,
                matrix.handle,
                config.as_ptr(),
                &mut shape,
                &mut dimensions,
                &mut out,
            ))?;
            let length = copied(shape, dimensions).iter().product();
            Ok(copied(out, length))
        }
    }

    fn load_model(&self, model: &[u8]) -> Result<Booster<'_>, TrainingError> {
        let booster = Booster::new(self, &[])?;
        // SAFETY: the handle is live; the call reads `model.len()` bytes.
        self.check(unsafe {
            (self.functions.XGBoosterLoadModelFromBuffer)(
                booster.handle,
                model.as_ptr().cast(),
                model.len() as u64,
            )
        })?;
        Ok(booster)
    }

    /// Converts the model to another format, `json` or `ubj`.
    ///
    /// # Errors
    /// When libxgboost rejects the model.
    pub fn convert(&self, model: &[u8], format: &str) -> Result<Vec<u8>, TrainingError> {
        self.load_model(model)?.save(format)
    }
}
