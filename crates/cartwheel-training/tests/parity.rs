//! The pure evaluator gives libxgboost's margins to the last bit.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use cartwheel_forest::Forest;
use cartwheel_training::{Data, Trained, Xgboost};

const COLUMNS: usize = 7;

/// The library of `make setup`; a test without it fails.
fn xgboost() -> Xgboost {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/lib");
    let mut paths: Vec<PathBuf> =
        std::env::var_os("CARTWHEEL_TRAIN_LIBRARY").map(PathBuf::from).into_iter().collect();
    for entry in std::fs::read_dir(lib).into_iter().flatten().flatten() {
        paths.push(entry.path().join("site-packages/xgboost/lib/libxgboost.so"));
    }
    Xgboost::search(&paths).expect("run `make setup` first")
}

struct Random(u64);

impl Random {
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }
}

fn rows(n: usize, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    let mut value = || match random.unit() {
        x if x < 0.15 => f32::NAN,
        x if x < 0.3 => (random.unit() * 4.0).floor(),
        _ => random.unit() * 6.0 - 3.0,
    };
    (0..n * COLUMNS).map(|_| value()).collect()
}

fn labels(rows: &[f32]) -> Vec<f32> {
    let hit = |r: &[f32]| r[0] > 0.0 && (r[1].is_nan() || r[1] + r[2] > 1.0);
    rows.chunks(COLUMNS).map(|r| f32::from(u8::from(hit(r)))).collect()
}

fn train(objective: &str, depth: u32, rounds: u32, early: Option<u32>) -> Trained {
    let rows = rows(3000, 1);
    let labels = labels(&rows);
    let valid = self::rows(1000, 2);
    let valid_labels = self::labels(&valid);
    let names: Vec<String> = (0..COLUMNS).map(|c| format!("f{c}")).collect();
    let parameter = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    let parameters = [
        parameter("objective", objective),
        parameter("max_depth", &depth.to_string()),
        parameter("nthread", "2"),
        parameter("seed", "7"),
        parameter("subsample", "0.8"),
    ];
    let data = Data { rows: &rows, labels: &labels, names: &names };
    let valid = Data { rows: &valid, labels: &valid_labels, names: &names };
    let each = &mut |_: &_| ControlFlow::Continue(());
    xgboost().train(&parameters, rounds, early, &data, Some(&valid), each).unwrap()
}

#[test]
fn margins_are_equal_to_the_last_bit() {
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
            let mut margins = vec![0.0; expected.len()];
            forest.margins(&rows, &mut margins);
            let differ = margins.iter().zip(&expected).filter(|(a, b)| a.to_bits() != b.to_bits());
            assert_eq!(differ.count(), 0, "{objective}, depth {depth}, {format}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_model() {
    let model = || train("binary:logistic", 5, 10, None).model;
    assert_eq!(model(), model());
}

#[test]
fn training_stops_when_validation_no_longer_improves() {
    let trained = train("binary:logistic", 8, 500, Some(5));
    assert_eq!(trained.rounds.len() as u32, trained.best_round + 6);
    let forest = Forest::from_bytes(&trained.model).unwrap();
    assert_eq!(forest.trees() as u32, trained.best_round + 1);
}
