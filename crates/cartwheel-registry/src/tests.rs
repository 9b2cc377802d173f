//! Bundles, releases and the registry on disk.

use std::path::Path;
use std::sync::Arc;

use cartwheel_features::Scaler;
use serde_json::json;

use crate::conformance::{self, Backing, Directory};
use crate::{
    BundleError, BundleParts, LocalRegistry, ModelStatus, Release, current, document_conformance,
    list, previous, publish, read, write,
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
    Release {
        feature_set: "fs-1".into(),
        model: Some(model.to_owned()),
        schema_hash: "s".into(),
        variant: None,
        challenger: None,
    }
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
fn a_release_names_the_one_before_it() {
    let dir = tempfile::tempdir().unwrap();
    assert!(current(dir.path()).unwrap().is_none());
    publish(dir.path(), &release("a")).unwrap();
    publish(dir.path(), &release("b")).unwrap();
    publish(dir.path(), &release("b")).unwrap();
    assert_eq!(previous(dir.path()).unwrap(), Some(release("a")));
    publish(dir.path(), &release("a")).unwrap();
    assert_eq!(current(dir.path()).unwrap(), Some(release("a")));
    assert_eq!(previous(dir.path()).unwrap(), Some(release("b")));
    std::fs::write(dir.path().join("current.json"), "{").unwrap();
    let error = current(dir.path()).unwrap_err().to_string();
    assert!(error.contains("current.json is damaged"), "{error}");
}

#[test]
fn a_flipped_bit_in_a_release_is_refused_or_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    publish(dir.path(), &release("a")).unwrap();
    let path = dir.path().join("current.json");
    let whole = std::fs::read(&path).unwrap();
    let mut refused = 0;
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, flipped).unwrap();
        match current(dir.path()) {
            Ok(read) => assert_eq!(read, Some(release("a")), "bit {bit}"),
            Err(error) => {
                assert!(error.to_string().contains("current.json"), "{error}");
                refused += 1;
            }
        }
    }
    // The rest is in the name of the checksum's member, which is then one that nobody knows.
    assert!(refused > whole.len() * 8 * 3 / 4, "{refused}");
}

#[test]
fn a_flipped_bit_in_a_bundle_is_refused_or_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let version = written(dir.path(), 0.1);
    let original = read(dir.path(), &version).unwrap();
    for name in ["manifest.json", "scaler.json"] {
        let path = dir.path().join(&version).join(name);
        let whole = std::fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, flipped).unwrap();
            match read(dir.path(), &version) {
                Ok(bundle) => {
                    assert_eq!(bundle.manifest, original.manifest, "{name}, bit {bit}");
                    assert_eq!(bundle.scaler, original.scaler, "{name}, bit {bit}");
                }
                Err(error) => assert!(error.to_string().contains(name), "{error}"),
            }
        }
        std::fs::write(&path, whole).unwrap();
    }
}

/// The statuses are in the conformance suite; these are the files behind them.
#[test]
fn the_list_passes_over_bundles_that_are_being_written() {
    let dir = tempfile::tempdir().unwrap();
    let (models, releases) = (dir.path().join("models"), dir.path().join("releases"));
    assert!(list(&models, &releases).unwrap().is_empty());
    let version = written(&models, 0.1);
    let half = models.join(format!(".writing-{version}-1-0"));
    std::fs::create_dir(&half).unwrap();
    std::fs::copy(models.join(&version).join("manifest.json"), half.join("manifest.json")).unwrap();
    let found = list(&models, &releases).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].status, &found[0].evaluation), (ModelStatus::Candidate, &None));
}

#[test]
fn files_keep_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let registry = LocalRegistry::new(dir.path());
    let version = written(&dir.path().join("models"), 0.1);
    publish(&dir.path().join("releases"), &release("a")).unwrap();
    publish(&dir.path().join("releases"), &release("b")).unwrap();
    registry.note_built("run-1", "fs-1").unwrap();
    assert!(registry.note_built("../run", "fs-1").is_err());
    let names = |folder: &str| {
        let entries = std::fs::read_dir(dir.path().join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    assert_eq!(names("releases"), ["current.json", "previous.json"]);
    assert_eq!(
        names(&format!("models/{version}")),
        ["features.json", "manifest.json", "metrics.json", "model.tar.gz", "scaler.json"]
    );
    assert_eq!(names("features/runs"), ["run-1.json"]);
    let current = std::fs::read_to_string(dir.path().join("releases/current.json")).unwrap();
    assert_eq!(
        current,
        "{\"crc32c\":\"3dbdf105\",\n  \"feature_set\": \"fs-1\",\n  \"model\": \"b\",\n  \"schema_hash\": \"s\"\n}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_registry_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let lake = |name: &str| -> Arc<dyn Backing> { Arc::new(Directory(dir.path().join(name))) };
    conformance::registry(&lake).await;
    document_conformance::documents(&lake).await;
}
