//! Compares scores of XGBoost's model files with XGBoost's own predictions.

use std::path::PathBuf;

use cartwheel_forest::{Forest, Objective};

/// The models in the fixtures directory.
pub const MODELS: [&str; 4] = ["v1.7-logistic", "v1.7-pairwise", "v3.2-logistic", "v3.2-pairwise"];

/// Reads a file of the fixtures directory.
pub fn bytes(name: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", name].iter().collect();
    std::fs::read(&path).unwrap()
}

struct Expected {
    columns: usize,
    rows: Vec<f32>,
    margins: Vec<u32>,
    predictions: Vec<u32>,
}

fn expected(model: &str) -> Expected {
    let file: serde_json::Value =
        serde_json::from_slice(&bytes(&format!("{model}.expected.json"))).unwrap();
    let bits = |key: &str| -> Vec<u32> {
        file[key].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
    };
    Expected {
        columns: file["columns"].as_u64().unwrap() as usize,
        rows: bits("rows_bits").into_iter().map(f32::from_bits).collect(),
        margins: bits("margins_bits"),
        predictions: bits("predictions_bits"),
    }
}

fn to_bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn margins_and_predictions_equal_xgboosts_to_the_last_bit() {
    for model in MODELS {
        let expected = expected(model);
        assert_eq!(expected.margins.len(), 45);
        for format in ["json", "ubj"] {
            let forest = Forest::from_bytes(&bytes(&format!("{model}.{format}"))).unwrap();
            assert_eq!(forest.features(), expected.columns);
            let mut out = vec![0.0; expected.margins.len()];
            forest.margins(&expected.rows, &mut out);
            assert_eq!(to_bits(&out), expected.margins, "{model}.{format}");
            forest.probabilities(&expected.rows, &mut out);
            assert_eq!(to_bits(&out), expected.predictions, "{model}.{format}");
            for (row, &margin) in
                expected.rows.chunks_exact(expected.columns).zip(&expected.margins)
            {
                let mut one = [0.0];
                forest.margins(row, &mut one);
                assert_eq!(one[0].to_bits(), margin, "{model}.{format}");
            }
        }
    }
}

#[test]
fn headers_are_read() {
    for (model, objective) in MODELS
        .into_iter()
        .zip([Objective::BinaryLogistic, Objective::RankPairwise].into_iter().cycle())
    {
        for format in ["json", "ubj"] {
            let forest = Forest::from_bytes(&bytes(&format!("{model}.{format}"))).unwrap();
            assert_eq!(forest.trees(), 9);
            assert_eq!(forest.objective(), objective);
            assert_eq!(
                forest.feature_names(),
                ["n_orders", "price", "stock", "days_since", "rate_a", "rate_b"]
            );
        }
    }
}
