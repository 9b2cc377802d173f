//! Compares the forest's margins with libxgboost's, to the last bit, and tests training.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use cartwheel_forest::Forest;
use cartwheel_training::{Data, Examples, Trained, TrainingError, Xgboost};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const COLUMNS: usize = 7;

/// Loads the library that `make setup` installs. Tests fail without it.
fn xgboost() -> Xgboost {
    Xgboost::search(&installed()).expect("run `make setup` first")
}

fn installed() -> Vec<PathBuf> {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/lib");
    let mut paths: Vec<PathBuf> =
        std::env::var_os("CARTWHEEL_TRAIN_LIBRARY").map(PathBuf::from).into_iter().collect();
    for entry in std::fs::read_dir(lib).into_iter().flatten().flatten() {
        paths.push(entry.path().join("site-packages/xgboost/lib/libxgboost.so"));
    }
    paths
}

fn rows(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut value = || match rng.random_range(0..20) {
        0..3 => f32::NAN,
        3..6 => rng.random_range(0..4) as f32,
        _ => rng.random_range(-3.0..3.0),
    };
    (0..n * COLUMNS).map(|_| value()).collect()
}

fn labels(rows: &[f32]) -> Vec<f32> {
    let hit = |r: &[f32]| r[0] > 0.0 && (r[1].is_nan() || r[1] + r[2] > 1.0);
    rows.chunks(COLUMNS).map(|r| f32::from(u8::from(hit(r)))).collect()
}

fn parameters(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let fixed = [("nthread", "2"), ("seed", "7"), ("subsample", "0.8")];
    pairs.iter().chain(&fixed).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn names() -> Vec<String> {
    (0..COLUMNS).map(|c| format!("f{c}")).collect()
}

/// Trains on 3,000 rows and validates on 1,000; ranking uses groups of 20.
fn train(objective: &str, depth: u32, rounds: u32, early: Option<u32>) -> Trained {
    let (rows, valid) = (rows(3000, 1), rows(1000, 2));
    let (labels, valid_labels) = (labels(&rows), labels(&valid));
    let names = names();
    let parameters = parameters(&[("objective", objective), ("max_depth", &depth.to_string())]);
    let ranking = objective.starts_with("rank");
    let train = Examples {
        data: Data { rows: &rows, labels: &labels, names: &names },
        weights: None,
        groups: ranking.then_some(&[20; 150]),
    };
    let valid = Examples {
        data: Data { rows: &valid, labels: &valid_labels, names: &names },
        weights: None,
        groups: ranking.then_some(&[20; 50]),
    };
    let each = &mut |_: &_| ControlFlow::Continue(());
    xgboost().train(&parameters, rounds, early, train, Some(valid), each).unwrap()
}

#[test]
fn margins_equal_libxgboosts_to_the_last_bit() {
    let xgboost = xgboost();
    let rows = rows(12_000, 99);
    for (objective, depth) in
        [("binary:logistic", 3), ("binary:logistic", 9), ("rank:ndcg", 5), ("rank:pairwise", 4)]
    {
        let trained = train(objective, depth, 40, None);
        let expected = xgboost.predict_margins(&trained.model, &rows, COLUMNS).unwrap();
        for format in ["json", "ubj"] {
            let model = xgboost.convert(&trained.model, format).unwrap();
            let forest = Forest::from_bytes(&model).unwrap();
            assert!(forest.trees() > 0);
            assert_eq!((forest.features(), forest.feature_names()), (COLUMNS, &names()[..]));
            assert_eq!(forest.objective().name(), objective);
            let mut margins = vec![0.0; expected.len()];
            forest.margins(&rows, &mut margins);
            let differ = margins.iter().zip(&expected).filter(|(a, b)| a.to_bits() != b.to_bits());
            assert_eq!(differ.count(), 0, "{objective}, depth {depth}, {format}");
            let mut sorted: Vec<u32> = margins.iter().map(|m| m.to_bits()).collect();
            sorted.sort_unstable();
            sorted.dedup();
            assert!(sorted.len() > 10, "too few different margins for a meaningful test");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_model() {
    let model = || train("binary:logistic", 5, 10, None).model;
    assert_eq!(model(), model());
}

#[test]
fn training_stops_when_validation_stops_improving() {
    let trained = train("binary:logistic", 8, 500, Some(5));
    assert_eq!(trained.rounds.len() as u32, trained.best_round + 6);
    let forest = Forest::from_bytes(&trained.model).unwrap();
    assert_eq!(forest.trees() as u32, trained.best_round + 1);
}

#[test]
fn every_round_reports_its_metrics_and_can_stop_training() {
    let rows = rows(400, 3);
    let labels = labels(&rows);
    let names = names();
    let data = Data { rows: &rows, labels: &labels, names: &names };
    let pairs =
        [("objective", "binary:logistic"), ("eval_metric", "auc"), ("eval_metric", "logloss")];
    let mut seen = Vec::new();
    let trained = xgboost()
        .train(&parameters(&pairs), 50, None, &data, Some(&data), &mut |round| {
            seen.push(round.clone());
            if round.round == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(trained.rounds, seen);
    assert_eq!(seen.len(), 5);
    for round in &seen {
        let names: Vec<&str> = round.metrics.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["train-auc", "train-logloss", "validation-auc", "validation-logloss"]);
        // The validation rows are the training rows here.
        assert_eq!(round.metrics[1].1, round.metrics[3].1);
    }
    let loss = |round: usize| seen[round].metrics[3].1;
    assert!(loss(4) < loss(0) && loss(0) < 0.7, "{seen:?}");
}

#[test]
fn weights_affect_the_model() {
    let rows = rows(400, 4);
    let labels = labels(&rows);
    let names = names();
    let weights: Vec<f32> = labels.iter().map(|&l| if l > 0.5 { 9.0 } else { 1.0 }).collect();
    let mean = |weights: Option<&[f32]>| {
        let data = Data { rows: &rows, labels: &labels, names: &names };
        let examples = Examples { data, weights, groups: None };
        let each = &mut |_: &_| ControlFlow::Continue(());
        let parameters = parameters(&[("objective", "binary:logistic"), ("max_depth", "1")]);
        let trained = xgboost().train(&parameters, 5, None, examples, None, each).unwrap();
        let margins = xgboost().predict_margins(&trained.model, &rows, COLUMNS).unwrap();
        margins.iter().sum::<f32>() / margins.len() as f32
    };
    let (plain, weighted) = (mean(None), mean(Some(&weights)));
    assert!(weighted > plain + 0.3, "{plain} {weighted}");
}

#[test]
fn data_that_does_not_fit_together_is_rejected() {
    let xgboost = xgboost();
    let rows = rows(40, 5);
    let labels = labels(&rows);
    let names = names();
    let each = &mut |_: &_| ControlFlow::Continue(());
    let good = Examples {
        data: Data { rows: &rows, labels: &labels, names: &names },
        weights: None,
        groups: None,
    };
    let logistic = parameters(&[("objective", "binary:logistic")]);
    assert!(xgboost.train(&logistic, 1, None, good, None, each).is_ok());

    let data = |edit: &dyn Fn(&mut Examples<'_>)| {
        let mut bad = Examples {
            data: Data { rows: &rows, labels: &labels, names: &names },
            weights: None,
            groups: None,
        };
        edit(&mut bad);
        let each = &mut |_: &_| ControlFlow::Continue(());
        let refused = xgboost.train(&logistic, 1, None, bad, None, each).unwrap_err();
        assert!(matches!(refused, TrainingError::Data(_)), "{refused}");
    };
    data(&|e| e.data.rows = &[]);
    data(&|e| e.data.names = &[]);
    data(&|e| e.data.rows = &[0.0; COLUMNS + 1]);
    data(&|e| e.data.labels = &[1.0; 39]);
    data(&|e| e.weights = Some(&[1.0; 39]));
    data(&|e| e.groups = Some(&[20, 19]));
    data(&|e| {
        e.groups = Some(&[20, 20]);
        e.weights = Some(&[1.0; 40]);
    });
    assert!(matches!(
        xgboost.train(&logistic, 0, None, good, None, each),
        Err(TrainingError::Data(_))
    ));

    // Errors of libxgboost are passed on in its own words.
    let wrong = parameters(&[("objective", "binary:logistik")]);
    let error = xgboost.train(&wrong, 1, None, good, None, each).unwrap_err().to_string();
    assert!(error.contains("binary:logistik") && !error.contains("Stack trace"), "{error}");
    let infinite = [f32::INFINITY; COLUMNS];
    let bad = Examples { data: Data { rows: &infinite, labels: &[1.0], ..good.data }, ..good };
    let error = xgboost.train(&logistic, 1, None, bad, None, each).unwrap_err().to_string();
    assert!(error.contains("inf"), "{error}");
    let error = xgboost.predict_margins(b"{}", &rows, COLUMNS).unwrap_err();
    assert!(matches!(error, TrainingError::Xgboost(_)), "{error}");
}

#[test]
fn a_missing_or_invalid_library_is_an_error() {
    let error = |result: Result<Xgboost, TrainingError>| match result {
        Err(error) => error,
        Ok(_) => panic!("loaded"),
    };
    let missing = error(Xgboost::load(Some(Path::new("/nowhere/libxgboost.so"))));
    assert!(missing.to_string().contains("/nowhere/libxgboost.so"), "{missing}");
    assert!(missing.to_string().contains("make setup"), "{missing}");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let other = error(Xgboost::load(Some(&manifest)));
    assert!(matches!(other, TrainingError::Library(..)), "{other}");
    assert!(xgboost().version() >= (1, 7, 0));
}

#[test]
fn a_link_beside_the_program_finds_what_the_library_needs() {
    let file = installed().into_iter().find(|path| path.is_file()).unwrap();
    let folder = std::env::temp_dir().join(format!("cartwheel-link-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let link = folder.join("libxgboost.so");
    std::os::unix::fs::symlink(file, &link).unwrap();
    let loaded = Xgboost::load(Some(&link));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(loaded.is_ok(), "{:?}", loaded.err());
}
