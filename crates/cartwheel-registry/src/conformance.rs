//! The semantics of a [`Registry`], as checks to run against an implementation.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::sync::Arc;

use cartwheel_features::Scaler;
use serde_json::json;

use crate::layout::{self, ARCHIVE, BUNDLE, MODELS};
use crate::{
    Artifacts, BundleParts, Evaluation, ModelStatus, PackedBundle, Pending, Registry,
    RegistryError, Release, pack,
};

/// A lake with a registry, and access to its files behind the registry's back.
pub trait Backing: Send + Sync {
    /// The registry of this lake.
    fn registry(&self) -> Arc<dyn Registry>;

    /// Stores a file at `name`, relative to the lake.
    fn put<'a>(&'a self, name: &'a str, content: &'a [u8]) -> Pending<'a, ()>;

    /// Removes a file, which exists.
    fn remove<'a>(&'a self, name: &'a str) -> Pending<'a, ()>;
}

/// A local lake as a [`Backing`].
#[derive(Debug, Clone)]
pub struct Directory(pub PathBuf);

impl Backing for Directory {
    fn registry(&self) -> Arc<dyn Registry> {
        Arc::new(crate::LocalRegistry::new(&self.0))
    }

    fn put<'a>(&'a self, name: &'a str, content: &'a [u8]) -> Pending<'a, ()> {
        Box::pin(async move {
            let path = self.0.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> Pending<'a, ()> {
        Box::pin(async move { std::fs::remove_file(self.0.join(name)).unwrap() })
    }
}

/// The release number `n`.
pub fn release(n: usize) -> Release {
    Release {
        feature_set: format!("fs-{n}"),
        model: Some(format!("m-{n}")),
        schema_hash: "h".to_owned(),
        variant: None,
        challenger: None,
    }
}

/// A bundle with `model` as its model file.
///
/// # Panics
/// When it cannot be packed.
pub fn bundle(
    model: &[u8],
    columns: &[&str],
    feature_set: &str,
    schema_hash: &str,
) -> PackedBundle {
    let scaler = Scaler { mean: vec![0.0; columns.len()], std: vec![1.0; columns.len()] };
    let parts = BundleParts {
        model,
        scaler: &scaler,
        features: columns,
        metrics: json!([{"round": 0}, {"round": 1}]),
        parameters: json!({"eta": "0.1"}),
        feature_set,
        schema_hash,
    };
    pack(&parts).unwrap()
}

/// The manifest of a feature set.
pub fn set_manifest(version: &str, schema_hash: &str) -> Vec<u8> {
    let manifest = json!({
        "version": version, "schema_hash": schema_hash, "watermark_ms": 0, "users": 0,
        "orders": 0, "lines": 0, "products": 0, "train_rows": 0, "valid_rows": 0,
        "gate_examples": 0, "seed": 1,
    });
    manifest.to_string().into_bytes()
}

/// Runs every check. `lake` makes an empty lake for each of them, by name. Needs a tokio
/// runtime with several threads.
///
/// # Panics
/// When the registry does not conform.
pub async fn registry(lake: &(dyn Fn(&str) -> Arc<dyn Backing> + Sync)) {
    releases(&*lake("releases")).await;
    races(&*lake("races")).await;
    damage(&*lake("damage")).await;
    models(&*lake("models")).await;
    bundles(&*lake("bundles")).await;
    feature_sets(&*lake("feature-sets")).await;
    copies(&*lake("copies")).await;
}

/// Publication, back and forth.
async fn releases(lake: &dyn Backing) {
    let registry = lake.registry();
    assert_eq!(registry.current().await.unwrap(), None);
    assert_eq!(registry.previous().await.unwrap(), None);

    registry.publish(&release(1)).await.unwrap();
    let first = registry.current().await.unwrap().unwrap();
    assert_eq!(first.release, release(1));
    assert_eq!(registry.previous().await.unwrap(), None, "the first release has none before it");
    assert_eq!(registry.newer(Some(&first)).await.unwrap(), None, "it is not newer than itself");

    registry.publish(&release(1)).await.unwrap();
    assert_eq!(registry.previous().await.unwrap(), None, "the same again changes nothing");
    assert_eq!(registry.newer(Some(&first)).await.unwrap(), None);

    registry.publish(&release(2)).await.unwrap();
    let second = registry.newer(Some(&first)).await.unwrap().unwrap();
    assert_eq!(second.release, release(2));
    assert_eq!(registry.previous().await.unwrap(), Some(release(1)));
    registry.publish(&release(2)).await.unwrap();
    assert_eq!(registry.previous().await.unwrap(), Some(release(1)));

    registry.publish(&release(1)).await.unwrap();
    let back = registry.newer(Some(&second)).await.unwrap().unwrap();
    assert_eq!(back.release, release(1));
    assert_eq!(registry.previous().await.unwrap(), Some(release(2)));

    let without_model = Release { model: None, ..release(3) };
    registry.publish(&without_model).await.unwrap();
    assert_eq!(registry.current().await.unwrap().unwrap().release, without_model);

    // Another client sees the same.
    let other = lake.registry();
    assert_eq!(other.current().await.unwrap().unwrap().release, without_model);
    assert_eq!(other.previous().await.unwrap(), Some(release(1)));
}

/// Publishers at the same time: each publication either stands, is the previous one, or
/// was followed by others.
async fn races(lake: &dyn Backing) {
    let registry = lake.registry();
    registry.publish(&release(0)).await.unwrap();
    let known = registry.current().await.unwrap().unwrap();
    let tasks = (1..=6).map(|n| {
        let registry = lake.registry();
        tokio::spawn(async move { registry.publish(&release(n)).await })
    });
    let mut published = Vec::new();
    for (n, task) in (1..).zip(tasks.collect::<Vec<_>>()) {
        match task.await.unwrap() {
            Ok(()) => published.push(release(n)),
            Err(RegistryError::Contended(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let current = registry.newer(Some(&known)).await.unwrap().unwrap().release;
    let previous = registry.previous().await.unwrap().unwrap();
    assert!(published.contains(&current), "{current:?} was published");
    assert_ne!(current, previous);
    assert!(previous == release(0) || published.contains(&previous), "{previous:?}");
}

/// A damaged document is an error that names it, and is not overwritten.
async fn damage(lake: &dyn Backing) {
    let registry = lake.registry();
    registry.publish(&release(1)).await.unwrap();
    registry.publish(&release(2)).await.unwrap();
    lake.put(&layout::current(), b"{\"feature_set\": \"fs").await;
    let error = registry.current().await.unwrap_err();
    assert!(matches!(error, RegistryError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("current.json"), "{error}");
    assert!(registry.publish(&release(3)).await.is_err());
    assert!(registry.current().await.is_err(), "it is still the damaged document");
    assert!(registry.models().await.is_err());
    assert_eq!(registry.previous().await.unwrap(), Some(release(1)), "the previous one is left");

    lake.remove(&layout::current()).await;
    assert_eq!(registry.current().await.unwrap(), None);
    registry.publish(&release(3)).await.unwrap();
    lake.put(&layout::previous(), b"[]").await;
    let error = registry.previous().await.unwrap_err().to_string();
    assert!(error.contains("previous.json"), "{error}");
    assert_eq!(registry.current().await.unwrap().unwrap().release, release(3));
}

/// The list of models and their status.
async fn models(lake: &dyn Backing) {
    let registry = lake.registry();
    assert!(registry.models().await.unwrap().is_empty());
    let mut versions = Vec::new();
    for n in 0..6 {
        let bundle = bundle(format!("model {n}").as_bytes(), &["a"], "fs-1", "h");
        registry.put_bundle(&bundle).await.unwrap();
        versions.push(bundle.version);
    }
    let evaluation = |passed| Evaluation {
        run: "r".to_owned(),
        passed,
        provisional: passed,
        decided_ms: 1,
        report: json!({"recall": 0.3}),
    };
    for version in &versions[..3] {
        registry.put_evaluation(version, &evaluation(true)).await.unwrap();
        let model = Some(version.clone());
        registry.publish(&Release { model, ..release(1) }).await.unwrap();
    }
    registry.put_evaluation(&versions[3], &evaluation(false)).await.unwrap();
    registry.put_evaluation(&versions[3], &evaluation(false)).await.unwrap();
    // A damaged evaluation counts as absent.
    lake.put(&layout::model_file(&versions[5], layout::EVALUATION).unwrap(), b"{").await;
    // Files that are not bundles: the output of a training job, a stray file, a damaged
    // manifest.
    lake.put(&format!("{MODELS}/training/run-1/output/{ARCHIVE}"), b"x").await;
    lake.put(&format!("{MODELS}/notes.txt"), b"x").await;
    lake.put(&layout::model_file("damaged", layout::MANIFEST).unwrap(), b"{").await;

    let found = registry.models().await.unwrap();
    assert_eq!(found.len(), versions.len());
    assert!(found.is_sorted_by(|a, b| a.created_ms >= b.created_ms), "the newest first");
    assert!(found.iter().all(|record| record.created_ms > 1_500_000_000_000));
    let of =
        |version: &String| found.iter().find(|record| record.manifest.version == *version).unwrap();
    assert_eq!(
        versions.iter().map(|version| of(version).status).collect::<Vec<_>>(),
        [
            ModelStatus::Retired,
            ModelStatus::Previous,
            ModelStatus::Serving,
            ModelStatus::Rejected,
            ModelStatus::Candidate,
            ModelStatus::Candidate,
        ]
    );
    assert_eq!(of(&versions[0]).evaluation, Some(evaluation(true)));
    assert_eq!(of(&versions[4]).evaluation, None);
    assert_eq!(of(&versions[4]).metrics, json!({"round": 1}), "of the last round");
}

/// Bundles are stored whole and once.
async fn bundles(lake: &dyn Backing) {
    let registry = lake.registry();
    let packed = bundle(b"model", &["a"], "fs-1", "h");
    let version = packed.version.as_str();
    assert_eq!(registry.model(version).await.unwrap(), None);
    let decision = Evaluation {
        run: "r".to_owned(),
        passed: true,
        provisional: false,
        decided_ms: 1,
        report: json!({}),
    };
    let error = registry.put_evaluation(version, &decision).await.unwrap_err();
    assert!(matches!(error, RegistryError::Missing(_)), "{error}");
    let (one, two) = (lake.registry(), lake.registry());
    let tasks = [one, two].map(|registry| {
        let packed = packed.clone();
        tokio::spawn(async move { registry.put_bundle(&packed).await })
    });
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let manifest = registry.model(version).await.unwrap().unwrap();
    assert_eq!((manifest.version.as_str(), manifest.feature_set.as_str()), (version, "fs-1"));
    assert_eq!(manifest.parameters, json!({"eta": "0.1"}));
    registry.put_evaluation(version, &decision).await.unwrap();
    registry.put_bundle(&packed).await.unwrap();
    let found = registry.models().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].evaluation, Some(decision), "a repetition leaves the bundle alone");

    for name in ["", ".", "..", "../x", "a/b", ".hidden", "m 1"] {
        let error = registry.model(name).await.unwrap_err();
        assert!(matches!(error, RegistryError::Name(_)), "{name:?}: {error}");
        assert!(registry.feature_set(name).await.is_err(), "{name:?}");
        assert!(registry.built_by(name).await.is_err(), "{name:?}");
    }
}

/// Manifests of feature sets, and the sets that runs built.
async fn feature_sets(lake: &dyn Backing) {
    let registry = lake.registry();
    assert!(registry.feature_set("fs-1").await.unwrap().is_none());
    assert_eq!(registry.built_by("run-1").await.unwrap(), None);
    let manifest = layout::set_manifest("fs-1").unwrap();
    lake.put(&manifest, &set_manifest("fs-1", "h")).await;
    let found = registry.feature_set("fs-1").await.unwrap().unwrap();
    assert_eq!((found.version.as_str(), found.schema_hash.as_str()), ("fs-1", "h"));
    let note = layout::run_note("run-1").unwrap();
    lake.put(&note, b"{\"feature_set\": \"fs-1\"}").await;
    assert_eq!(registry.built_by("run-1").await.unwrap().as_deref(), Some("fs-1"));
    lake.put(&manifest, b"{").await;
    let error = registry.feature_set("fs-1").await.unwrap_err();
    assert!(matches!(error, RegistryError::Damaged { .. }), "{error}");
    lake.remove(&manifest).await;
    assert!(registry.feature_set("fs-1").await.unwrap().is_none(), "it was removed");
}

/// Local copies have the files that were asked for.
async fn copies(lake: &dyn Backing) {
    let registry = lake.registry();
    let packed = bundle(b"model", &["a"], "fs-1", "h");
    registry.put_bundle(&packed).await.unwrap();
    let version = packed.version.as_str();
    let release = Release { model: Some(version.to_owned()), ..release(1) };
    let wanted = [
        Artifacts::Release(&release),
        Artifacts::Gate("fs-1"),
        Artifacts::CrossValidation("fs-1"),
        Artifacts::Models(&[version]),
        Artifacts::Trained(version),
    ];
    for artifacts in &wanted[..3] {
        for name in artifacts.files().unwrap() {
            if name.starts_with(layout::FEATURES) {
                lake.put(&name, name.as_bytes()).await;
            }
        }
    }
    for artifacts in wanted {
        let copy = registry.local_copy(artifacts).await.unwrap();
        for name in artifacts.files().unwrap() {
            let content = std::fs::read(copy.lake().join(&name)).unwrap();
            if name.starts_with(layout::FEATURES) {
                assert_eq!(content, name.as_bytes(), "{name}");
            }
        }
    }
    let copy = registry.local_copy(Artifacts::Models(&[version])).await.unwrap();
    for (name, content) in &packed.files {
        if BUNDLE.contains(name) {
            let copied = std::fs::read(copy.models().join(version).join(name)).unwrap();
            assert_eq!(copied, *content, "{name}");
        }
    }
}
