//! Bundles, releases and the registry on disk.

use std::path::Path;

use cartwheel_features::Scaler;
use serde_json::json;

use crate::{
    BundleError, BundleParts, Evaluation, ModelStatus, Release, current, decide, list, previous,
    publish, read, rollback, write,
};

const MODEL: &[u8] = include_bytes!("../../cartwheel-forest/tests/fixtures/v3.2-logistic.json");

fn names() -> Vec<String> {
    let forest = cartwheel_forest::Forest::from_bytes(MODEL).unwrap();
    (0..forest.features()).map(|n| format!("f{n}")).collect()
}

fn written(models: &Path, eta: f64) -> String {
    let names = names();
    let features: Vec<&str> = names.iter().map(String::as_str).collect();
    let scaler = Scaler { mean: vec![0.0; features.len()], std: vec![1.0; features.len()] };
    let parts = BundleParts {
        model: MODEL,
        scaler: &scaler,
        features: &features,
        metrics: json!([]),
        parameters: json!({"eta": eta}),
        feature_set: "fs-1",
        schema_hash: "s",
    };
    write(models, &parts).unwrap()
}

fn release(model: &str) -> Release {
    Release { feature_set: "fs-1".into(), model: Some(model.to_owned()), schema_hash: "s".into() }
}

#[test]
fn a_bundle_is_read_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let version = written(dir.path(), 0.1);
    assert_eq!(written(dir.path(), 0.1), version, "the same content has the same name");
    let bundle = read(dir.path(), &version).unwrap();
    assert_eq!(bundle.manifest.parameters, json!({"eta": 0.1}));
    assert_eq!(bundle.forest.features(), names().len());
}

#[test]
fn a_bundle_with_any_file_damaged_or_missing_is_refused() {
    for name in ["model.tar.gz", "scaler.json", "features.json", "manifest.json"] {
        let dir = tempfile::tempdir().unwrap();
        let version = written(dir.path(), 0.1);
        let path = dir.path().join(&version).join(name);
        let bytes = std::fs::read(&path).unwrap();
        let mut cut = bytes.clone();
        cut.truncate(bytes.len() / 2);
        std::fs::write(&path, cut).unwrap();
        assert!(matches!(read(dir.path(), &version), Err(BundleError::Model { .. })), "{name} cut");
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(read(dir.path(), &version), Err(BundleError::File { .. })), "{name} gone");
    }
    let dir = tempfile::tempdir().unwrap();
    let version = written(dir.path(), 0.1);
    std::fs::write(dir.path().join(&version).join("features.json"), "[\"one\"]").unwrap();
    let refused = read(dir.path(), &version).unwrap_err().to_string();
    assert!(refused.contains("features.json names 1"), "{refused}");
}

#[test]
fn a_release_rolls_back_and_forth() {
    let dir = tempfile::tempdir().unwrap();
    assert!(current(dir.path()).unwrap().is_none());
    assert!(rollback(dir.path()).is_err());
    publish(dir.path(), &release("a")).unwrap();
    publish(dir.path(), &release("b")).unwrap();
    publish(dir.path(), &release("b")).unwrap();
    assert_eq!(previous(dir.path()).unwrap(), Some(release("a")));
    assert_eq!(rollback(dir.path()).unwrap(), release("a"));
    assert_eq!(current(dir.path()).unwrap(), Some(release("a")));
    assert_eq!(rollback(dir.path()).unwrap(), release("b"));
    std::fs::write(dir.path().join("current.json"), "{").unwrap();
    assert!(current(dir.path()).is_err());
}

#[test]
fn the_registry_tells_where_each_model_stands() {
    let dir = tempfile::tempdir().unwrap();
    let (models, releases) = (dir.path().join("models"), dir.path().join("releases"));
    assert!(list(&models, &releases).unwrap().is_empty());
    let versions: Vec<String> = [0.1, 0.2, 0.3, 0.4, 0.5].map(|eta| written(&models, eta)).into();
    let evaluation = |passed| Evaluation {
        run: "r".into(),
        passed,
        decided_ms: 1,
        report: json!({"recall": 0.3}),
    };
    for version in &versions[..3] {
        decide(&models, version, &evaluation(true)).unwrap();
        publish(&releases, &release(version)).unwrap();
    }
    decide(&models, &versions[3], &evaluation(false)).unwrap();
    std::fs::create_dir(models.join("rubbish")).unwrap();
    let found = list(&models, &releases).unwrap();
    let status = |version: &String| {
        found.iter().find(|record| record.manifest.version == *version).unwrap().status
    };
    assert_eq!(
        versions.iter().map(status).collect::<Vec<_>>(),
        [
            ModelStatus::Retired,
            ModelStatus::Previous,
            ModelStatus::Serving,
            ModelStatus::Rejected,
            ModelStatus::Candidate,
        ]
    );
}
