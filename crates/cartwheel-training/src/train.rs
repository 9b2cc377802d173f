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
    /// Row-major, one value a name; NaN = missing.
    pub rows: &'a [f32],
    /// One a row.
    pub labels: &'a [f32],
    /// Names of the columns.
    pub names: &'a [String],
}

/// Labelled rows that do not all count alike, or that are ranked in groups.
/// [`Data`] by itself is one group of equal rows.
#[derive(Debug, Clone, Copy)]
pub struct Examples<'a> {
    /// The rows.
    pub data: Data<'a>,
    /// One a row, at least 0; with groups, one a group.
    pub weights: Option<&'a [f32]>,
    /// How many rows each group has, in the order of the rows.
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
    /// From 0.
    pub round: u32,
    /// Such as `train-auc` and its value.
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
    /// The round that was best on validation, from 0; the last without any.
    pub best_round: u32,
    /// Every round that was run.
    pub rounds: Vec<Round>,
}

impl Xgboost {
    fn matrix(&self, examples: &Examples<'_>) -> Result<Matrix<'_>, TrainingError> {
        let Examples { data, weights, groups } = *examples;
        let matrix = Matrix::new(self, data.rows, data.names.len())?;
        let rows = data.rows.len() / data.names.len();
        if data.labels.len() != rows {
            return Err(TrainingError::Data("labels and rows differ in number"));
        }
        matrix.floats(c"label", data.labels)?;
        matrix.names(data.names)?;
        if let Some(groups) = groups {
            if groups.iter().map(|&size| u64::from(size)).sum::<u64>() != rows as u64 {
                return Err(TrainingError::Data("the groups do not add up to the rows"));
            }
            matrix.groups(groups)?;
        }
        if let Some(weights) = weights {
            if weights.len() != groups.map_or(rows, <[u32]>::len) {
                return Err(TrainingError::Data("weights and rows (or groups) differ in number"));
            }
            matrix.floats(c"weight", weights)?;
        }
        Ok(matrix)
    }

    /// Trains for at most `rounds` rounds; with `early_stopping` and validation
    /// rows, until the last metric of `valid` has not become better (smaller; for
    /// AUC and the like larger) for that many rounds. `on_round` may break off.
    /// With validation rows the model ends with its best round, however training
    /// came to its end.
    ///
    /// The same data, parameters, `seed` and `nthread` give the same bytes.
    /// `base_score` is better left out: libxgboost then estimates it.
    ///
    /// # Errors
    /// When the data does not fit or libxgboost refuses.
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
            return Err(TrainingError::Data("no rounds to train for"));
        }
        let train = train.into();
        let feature_names = train.data.names;
        let train = self.matrix(&train)?;
        let valid = valid.map(|examples| self.matrix(&examples.into())).transpose()?;
        let mut watched = vec![(train.handle, c"train".as_ptr())];
        watched.extend(valid.as_ref().map(|m| (m.handle, c"validation".as_ptr())));
        let (handles, names): (Vec<_>, Vec<*const c_char>) = watched.into_iter().unzip();
        // Declared after the matrices, and so dropped before them.
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
            // SAFETY: handles and names are live and of the same number; the text
            // belongs to the booster until its next call, and is copied.
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

    /// Margins that libxgboost gives for a model and rows: what an evaluator is
    /// compared with.
    ///
    /// # Errors
    /// When the model or the rows are refused.
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
        // SAFETY: handles are live; the result belongs to the booster until its
        // next call and holds one margin a row.
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

    /// The model in another format, `json` or `ubj`.
    ///
    /// # Errors
    /// When the model is refused.
    pub fn convert(&self, model: &[u8], format: &str) -> Result<Vec<u8>, TrainingError> {
        self.load_model(model)?.save(format)
    }
}
