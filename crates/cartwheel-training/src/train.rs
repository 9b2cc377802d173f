//! Boosting rounds with early stopping.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::ops::ControlFlow;
use std::ptr;

use serde::Serialize;

use crate::ffi::{Booster, Matrix, TrainingError, Xgboost};

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
    fn matrix(&self, data: &Data<'_>) -> Result<Matrix<'_>, TrainingError> {
        let matrix = Matrix::new(self, data.rows, data.names.len())?;
        if data.labels.len() * data.names.len() != data.rows.len() {
            return Err(TrainingError::Data("labels and rows differ in number"));
        }
        matrix.labels(data.labels)?;
        matrix.names(data.names)?;
        Ok(matrix)
    }

    /// Trains for at most `rounds` rounds; with `early_stopping` and validation
    /// rows, until the last metric of `valid` has not become better (smaller; for
    /// AUC and the like larger) for that many rounds. `on_round` may break off.
    ///
    /// # Errors
    /// When the data does not fit or libxgboost refuses.
    pub fn train(
        &self,
        parameters: &[(String, String)],
        rounds: u32,
        early_stopping: Option<u32>,
        train: &Data<'_>,
        valid: Option<&Data<'_>>,
        on_round: &mut dyn FnMut(&Round) -> ControlFlow<()>,
    ) -> Result<Trained, TrainingError> {
        let train = self.matrix(train)?;
        let valid = valid.map(|data| self.matrix(data)).transpose()?;
        let mut watched = vec![(train.handle, c"train".as_ptr())];
        watched.extend(valid.as_ref().map(|m| (m.handle, c"validation".as_ptr())));
        let (handles, names): (Vec<_>, Vec<*const c_char>) = watched.into_iter().unzip();
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
            // belongs to the booster until its next call.
            let line = unsafe {
                self.check((self.functions.XGBoosterEvalOneIter)(
                    booster.handle,
                    round as i32,
                    handles.as_ptr(),
                    names.as_ptr(),
                    handles.len() as u64,
                    &mut text,
                ))?;
                CStr::from_ptr(text).to_string_lossy()
            };
            let metric = |cell: &str| {
                let (name, value) = cell.rsplit_once(':')?;
                Some((name.to_owned(), value.parse().ok()?))
            };
            let metrics = line.split('\t').skip(1).filter_map(metric).collect();
            let now = Round { round, metrics };
            let flow = on_round(&now);
            let last = now.metrics.last().map_or((0.0, false), |(name, value)| {
                let larger = ["auc", "aucpr", "ndcg", "map", "pre"];
                (
                    *value,
                    larger.iter().any(|l| name.ends_with(l) || name.contains(&format!("-{l}@"))),
                )
            });
            let loss = if last.1 { -last.0 } else { last.0 };
            history.push(now);
            if valid.is_none() || loss < best {
                (best, best_round) = (loss, round);
            }
            let patience = early_stopping.filter(|_| valid.is_some());
            if flow.is_break() || patience.is_some_and(|p| round - best_round >= p) {
                break;
            }
        }
        let model = booster.slice(best_round as i32 + 1)?.save("json")?;
        Ok(Trained { model, best_round, rounds: history })
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
            let shape = std::slice::from_raw_parts(shape, dimensions as usize);
            let length: u64 = shape.iter().product();
            Ok(std::slice::from_raw_parts(out, length as usize).to_vec())
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
