//! The semantics of [`deployment`](crate::deployment) and the state machine's
//! [`functions`], as checks to run over a registry.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use cartwheel_ambient::Clock;
use cartwheel_recommend::FEATURES;
use cartwheel_registry::conformance::{Backing, bundle, set_manifest};
use cartwheel_registry::{
    Challenger, Evaluation, ModelStatus, PackedBundle, Registry, RegistryError, Release, Variant,
    layout,
};
use serde_json::{Value, json};

use crate::deployment::{
    DeploymentError, challenge, decide, deploy, publish, publish_features, refresh_features,
    rollback, serving_model,
};
use crate::{ServingModel, functions};

/// A model of one leaf with the margin `leaf`, in XGBoost's JSON.
fn model(leaf: f64) -> Vec<u8> {
    let tree = json!({
        "default_left": [0], "left_children": [-1], "right_children": [-1],
        "split_conditions": [leaf], "split_indices": [0], "tree_param": {"num_nodes": "1"},
    });
    let model = json!({
        "version": [3, 2, 0],
        "learner": {
            "gradient_booster": {"name": "gbtree", "model": {
                "gbtree_model_param": {"num_trees": "1"}, "tree_info": [0], "trees": [tree],
            }},
            "learner_model_param": {
                "base_score": "5E-1", "num_feature": FEATURES.len().to_string(),
            },
            "objective": {"name": "binary:logistic"},
        },
    });
    model.to_string().into_bytes()
}

/// A lake with feature sets that can serve.
struct Shop<'a> {
    lake: &'a dyn Backing,
    registry: Arc<dyn Registry>,
}

impl<'a> Shop<'a> {
    fn new(lake: &'a dyn Backing) -> Self {
        Self { lake, registry: lake.registry() }
    }

    async fn add_features(&self, version: &str, schema_hash: &str) {
        let manifest = layout::set_manifest(version).unwrap();
        self.lake.put(&manifest, &set_manifest(version, schema_hash)).await;
        // A catalogue without products, of an earlier release: its five fields are zero.
        let catalogue = manifest.replace("manifest.json", "catalogue.bin");
        self.lake.put(&catalogue, &[0; 5]).await;
    }

    async fn add_model(&self, leaf: f64, feature_set: &str, schema_hash: &str) -> String {
        let bundle: PackedBundle = bundle(&model(leaf), &FEATURES, feature_set, schema_hash);
        self.registry.put_bundle(&bundle).await.unwrap();
        bundle.version
    }

    async fn current(&self) -> Option<Release> {
        self.registry.current().await.unwrap().map(|current| current.release)
    }

    async fn status(&self, version: &str) -> ModelStatus {
        let models = self.registry.models().await.unwrap();
        models.iter().find(|record| record.manifest.version == version).unwrap().status
    }
}

fn release(feature_set: &str, model: &str, schema_hash: &str) -> Release {
    Release {
        feature_set: feature_set.to_owned(),
        model: Some(model.to_owned()),
        schema_hash: schema_hash.to_owned(),
        variant: None,
        challenger: None,
    }
}

fn decision(passed: bool) -> Evaluation {
    let (run, report) = ("run-1".to_owned(), json!({"users": 20}));
    Evaluation { run, passed, provisional: false, decided_ms: 7, report }
}

/// Runs every check. `lake` makes an empty lake for each of them, by name. Needs a tokio
/// runtime with several threads.
///
/// # Panics
/// When deployment does not conform.
pub async fn deployment(lake: &(dyn Fn(&str) -> Arc<dyn Backing> + Sync)) {
    there_and_back(&*lake("there-and-back")).await;
    removed_features(&*lake("removed-features")).await;
    other_columns(&*lake("other-columns")).await;
    refusals(&*lake("refusals")).await;
    decisions(&*lake("decisions")).await;
    publish_function(&*lake("publish-function")).await;
    endpoint_variants(&*lake("endpoint-variants")).await;
    challenger(&*lake("challenger")).await;
}

/// Rollback serves the previous release, and once more undoes it.
async fn there_and_back(lake: &dyn Backing) {
    let shop = Shop::new(lake);
    let registry = &*shop.registry;
    shop.add_features("fs-1", "h").await;
    shop.add_features("fs-2", "h").await;
    let first = shop.add_model(0.1, "fs-1", "h").await;
    let second = shop.add_model(0.2, "fs-2", "h").await;
    assert!(matches!(rollback(registry).await, Err(DeploymentError::NoPrevious)));
    publish(registry, "fs-1", &first, None).await.unwrap();
    assert!(matches!(rollback(registry).await, Err(DeploymentError::NoPrevious)));
    publish(registry, "fs-2", &second, None).await.unwrap();
    for expected in [release("fs-1", &first, "h"), release("fs-2", &second, "h")] {
        assert_eq!(rollback(registry).await.unwrap(), expected);
        assert_eq!(shop.current().await, Some(expected));
    }
    assert_eq!(shop.status(&first).await, ModelStatus::Previous);
    assert_eq!(shop.status(&second).await, ModelStatus::Serving);
}

/// Rollback after the removal of the previous feature set: its model serves with the
/// current features.
async fn removed_features(lake: &dyn Backing) {
    let shop = Shop::new(lake);
    let registry = &*shop.registry;
    shop.add_features("fs-1", "h").await;
    shop.add_features("fs-2", "h").await;
    let first = shop.add_model(0.1, "fs-1", "h").await;
    let second = shop.add_model(0.2, "fs-2", "h").await;
    publish(registry, "fs-1", &first, None).await.unwrap();
    publish(registry, "fs-2", &second, None).await.unwrap();
    let removed = layout::set_manifest("fs-1").unwrap();
    lake.remove(&removed).await;
    for expected in [release("fs-2", &first, "h"), release("fs-2", &second, "h")] {
        assert_eq!(rollback(registry).await.unwrap(), expected);
        assert_eq!(shop.current().await, Some(expected));
    }

    // Without a model there is nothing to serve with other features.
    let bare = Release { model: None, ..release("fs-1", &first, "h") };
    let serving = shop.current().await.unwrap();
    registry.publish(&bare).await.unwrap();
    registry.publish(&serving).await.unwrap();
    let error = rollback(registry).await.unwrap_err();
    assert!(matches!(&error, DeploymentError::NoFeatureSet(set) if set == "fs-1"), "{error}");
    assert_eq!(shop.current().await, Some(serving));
}

/// A model is deployed with the current features if they have its columns.
async fn other_columns(lake: &dyn Backing) {
    let shop = Shop::new(lake);
    let registry = &*shop.registry;
    shop.add_features("fs-1", "h").await;
    shop.add_features("fs-2", "h").await;
    shop.add_features("fs-3", "other").await;
    let first = shop.add_model(0.1, "fs-1", "h").await;
    let third = shop.add_model(0.3, "fs-3", "other").await;
    let deployed = deploy(registry, &first).await.unwrap();
    assert_eq!(deployed, release("fs-1", &first, "h"), "nothing serves: its own features");
    publish(registry, "fs-2", &first, None).await.unwrap();
    assert_eq!(deploy(registry, &first).await.unwrap(), release("fs-2", &first, "h"));
    assert_eq!(deploy(registry, &third).await.unwrap(), release("fs-3", &third, "other"));
    assert_eq!(registry.previous().await.unwrap(), Some(release("fs-2", &first, "h")));
    // The pair has different columns.
    let error = publish(registry, "fs-2", &third, None).await.unwrap_err();
    assert!(matches!(error, DeploymentError::Open(_)), "{error}");
    assert_eq!(shop.current().await, Some(release("fs-3", &third, "other")));
}

/// A release that cannot serve is refused, and the current one stands.
async fn refusals(lake: &dyn Backing) {
    let shop = Shop::new(lake);
    let registry = &*shop.registry;
    shop.add_features("fs-1", "h").await;
    let good = shop.add_model(0.1, "fs-1", "h").await;
    let bad = shop.add_model(0.2, "fs-1", "h").await;
    publish(registry, "fs-1", &good, None).await.unwrap();
    let archive = layout::model_file(&bad, layout::ARCHIVE).unwrap();
    lake.put(&archive, b"damaged").await;
    assert!(publish(registry, "fs-1", &bad, None).await.is_err());
    assert!(deploy(registry, &bad).await.is_err());
    lake.remove(&archive).await;
    assert!(deploy(registry, &bad).await.is_err());
    for unknown in ["m-0", "../models"] {
        let error = deploy(registry, unknown).await.unwrap_err();
        assert!(matches!(&error, DeploymentError::NoModel(model) if model == unknown), "{error}");
    }
    assert!(publish(registry, "fs-1", "m-0", None).await.unwrap_err().to_string().contains("m-0"));
    let error = publish(registry, "fs-0", &good, None).await.unwrap_err();
    assert!(matches!(&error, DeploymentError::NoFeatureSet(set) if set == "fs-0"), "{error}");
    assert_eq!(shop.current().await, Some(release("fs-1", &good, "h")));
    assert_eq!(registry.previous().await.unwrap(), None);

    lake.put(&layout::current(), b"{").await;
    for error in [deploy(registry, &good).await, publish(registry, "fs-1", &good, None).await] {
        let error = error.unwrap_err();
        let damaged = DeploymentError::Registry(RegistryError::damaged("", ""));
        assert_eq!(std::mem::discriminant(&error), std::mem::discriminant(&damaged), "{error}");
    }
}

/// The consequences of the gate's decision.
async fn decisions(lake: &dyn Backing) {
    let shop = Shop::new(lake);
    let registry = &*shop.registry;
    for (version, schema_hash) in [("fs-1", "h"), ("fs-2", "h"), ("fs-3", "other")] {
        shop.add_features(version, schema_hash).await;
    }
    let first = shop.add_model(0.1, "fs-1", "h").await;
    let second = shop.add_model(0.2, "fs-2", "h").await;
    let third = shop.add_model(0.3, "fs-3", "other").await;

    // Publication of an accepted model is a step of its own.
    assert_eq!(decide(registry, "fs-1", &first, decision(true)).await.unwrap(), None);
    assert_eq!(shop.current().await, None);

    // Without a serving model a rejection releases the features alone.
    let alone = decide(registry, "fs-1", &first, decision(false)).await.unwrap();
    assert_eq!(alone, Some(Release { model: None, ..release("fs-1", &first, "h") }));
    assert_eq!(shop.status(&first).await, ModelStatus::Rejected);
    assert_eq!(shop.current().await, alone);
    decide(registry, "fs-1", &first, decision(true)).await.unwrap();
    publish(registry, "fs-1", &first, None).await.unwrap();

    let released = decide(registry, "fs-2", &second, decision(false)).await.unwrap();
    assert_eq!(released, Some(release("fs-2", &first, "h")), "new features, serving model");
    assert_eq!(shop.current().await, released);
    assert_eq!(shop.status(&second).await, ModelStatus::Rejected);

    // The serving model, rejected against itself, keeps its decision.
    decide(registry, "fs-2", &first, decision(false)).await.unwrap();
    let models = registry.models().await.unwrap();
    let noted = models.iter().find(|record| record.manifest.version == first).unwrap();
    assert_eq!(noted.evaluation, Some(decision(true)));

    // The newest features serve before a model is trained on them.
    let served = refresh_features(registry, "fs-1").await.unwrap();
    assert_eq!(served, Some(release("fs-1", &first, "h")));
    assert_eq!(shop.current().await, served);
    assert_eq!(refresh_features(registry, "fs-3").await.unwrap(), None, "other columns");
    assert_eq!(shop.current().await, served, "the serving model stays");

    // Other columns: the serving model does not take them.
    let other = Release { model: None, ..release("fs-3", &third, "other") };
    for released in [
        decide(registry, "fs-3", &third, decision(false)).await.unwrap().unwrap(),
        publish_features(registry, "fs-3").await.unwrap(),
    ] {
        assert_eq!(released, other);
    }
    assert_eq!(shop.current().await, Some(other));
    assert_eq!(serving_model(registry, "h").await.unwrap(), None);

    // A provisional model is known as one.
    publish(registry, "fs-2", &second, None).await.unwrap();
    let provisional = Evaluation { provisional: true, ..decision(true) };
    decide(registry, "fs-2", &second, provisional).await.unwrap();
    let serving = serving_model(registry, "h").await.unwrap().unwrap();
    assert_eq!((serving.version.as_str(), serving.provisional), (second.as_str(), true));
    assert_eq!(ServingModel::standard(Some(&serving)), None);
}

/// A challenger stays with the serving model, over new features too, and goes with it.
async fn challenger(lake: &dyn Backing) {
    let shop = Shop::new(lake);
    let registry = &*shop.registry;
    for set in ["fs-1", "fs-2"] {
        shop.add_features(set, "h").await;
    }
    shop.add_features("fs-3", "other").await;
    let first = shop.add_model(0.1, "fs-1", "h").await;
    let second = shop.add_model(0.2, "fs-1", "h").await;
    let foreign = shop.add_model(0.3, "fs-3", "other").await;
    let nobody = challenge(registry, &second, 10).await;
    assert!(matches!(nobody, Err(DeploymentError::Challenger(_))), "{nobody:?}");
    publish(registry, "fs-1", &first, None).await.unwrap();
    for (version, percent) in [(&first, 10), (&second, 100), (&second, 0)] {
        let refused = challenge(registry, version, percent).await;
        assert!(matches!(refused, Err(DeploymentError::Challenger(_))), "{refused:?}");
    }
    assert!(matches!(challenge(registry, "m-0", 10).await, Err(DeploymentError::NoModel(_))));
    assert!(matches!(challenge(registry, &foreign, 10).await, Err(DeploymentError::Open(_))));

    let payload =
        json!({"action": "challenge", "lake": "s3://lake", "model": second, "percent": 10});
    let payload = serde_json::from_value(payload).unwrap();
    functions::publish(registry, &Clock::fixed(42), payload).await.unwrap();
    let expected = Challenger { model: second.clone(), percent: 10 };
    assert_eq!(shop.current().await.unwrap().challenger.as_ref(), Some(&expected));
    assert_eq!(shop.status(&second).await, ModelStatus::Challenger);
    let kept = publish_features(registry, "fs-2").await.unwrap();
    assert_eq!((kept.feature_set.as_str(), kept.challenger), ("fs-2", Some(expected)));
    let ended = challenge(registry, &second, 0).await.unwrap();
    assert_eq!((ended.model.as_ref(), ended.challenger), (Some(&first), None));
    challenge(registry, &second, 99).await.unwrap();
    assert_eq!(deploy(registry, &second).await.unwrap().challenger, None);
}

/// The variants of an endpoint: a release names the one with its model, and that one keeps the model for
/// as long as the release serves.
async fn endpoint_variants(lake: &dyn Backing) {
    let shop = Shop::new(lake);
    let registry = &*shop.registry;
    shop.add_features("fs-1", "h").await;
    shop.add_features("fs-2", "h").await;
    let models = [shop.add_model(0.1, "fs-1", "h").await, shop.add_model(0.2, "fs-2", "h").await];
    let decide = async |run: &str, model: &str, passed: bool| {
        let payload = json!({
            "action": "decide", "passed": passed, "lake": "s3://lake", "run": run, "feature_set": "fs-2",
            "evaluation": {"model": model},
            "endpoint": {"mode": "sagemaker", "instance": "ml.m5.large", "name": "shop"},
        });
        let payload = serde_json::from_value(payload).unwrap();
        let decided = functions::publish(registry, &Clock::fixed(42), payload).await.unwrap();
        let pair = |of: &Value| (of["VariantName"].clone(), of["ModelName"].clone());
        let named: Vec<_> = decided["variants"].as_array().unwrap().iter().map(pair).collect();
        let variant: Variant = serde_json::from_value(decided["variant"].clone()).unwrap();
        assert_eq!(named[0], (json!(variant.name), json!(variant.model)));
        (variant, named[1].clone())
    };
    let current = async || shop.current().await.unwrap();

    let (a, other) = decide("run-1", &models[0], true).await;
    assert_eq!((a.name.as_str(), a.model.as_str()), ("a", "run-1"));
    assert_eq!(other, (json!("b"), json!("run-1")));
    publish(registry, "fs-1", &models[0], Some(a.clone())).await.unwrap();
    assert_eq!(current().await.variant.as_ref(), Some(&a));

    // New features with the same model, after a rejection too.
    refresh_features(registry, "fs-2").await.unwrap();
    let (b, serving) = decide("run-2", &models[1], false).await;
    assert_eq!((b.name.as_str(), serving), ("b", (json!("a"), json!("run-1"))));
    let release = current().await;
    assert_eq!((release.feature_set.as_str(), release.variant.as_ref()), ("fs-2", Some(&a)));

    let (b, serving) = decide("run-3", &models[1], true).await;
    assert_eq!(serving, (json!("a"), json!("run-1")));
    publish(registry, "fs-2", &models[1], Some(b.clone())).await.unwrap();
    assert_eq!(current().await.variant, Some(b));
    let (next, serving) = decide("run-4", &models[1], true).await;
    assert_eq!((next.name.as_str(), serving), ("a", (json!("b"), json!("run-3"))));

    // The variant of the previous release may have another model: its model scores in the process.
    assert_eq!(rollback(registry).await.unwrap().model.as_ref(), Some(&models[0]));
    assert_eq!(current().await.variant, None);
    let (_, other) = decide("run-5", &models[1], true).await;
    assert_eq!(other, (json!("b"), json!("run-5")));
}

/// `publish`, as the state machine calls it.
async fn publish_function(lake: &dyn Backing) {
    let shop = Shop::new(lake);
    shop.add_features("fs-1", "h").await;
    let first = shop.add_model(0.1, "fs-1", "h").await;
    let second = shop.add_model(0.2, "fs-1", "h").await;
    let call = async |payload: Value| {
        let payload = serde_json::from_value(payload).unwrap();
        functions::publish(&*shop.registry, &Clock::fixed(42), payload).await
    };
    let lake = "s3://lake";
    let decided = json!({"action": "decide", "passed": true, "lake": lake, "run": "run-1",
                         "feature_set": "fs-1", "evaluation": {"model": first, "users": 20}});
    let nothing = json!({"release": null, "variant": null, "variants": []});
    assert_eq!(call(decided).await.unwrap(), nothing);
    let records = shop.registry.models().await.unwrap();
    let record = records.iter().find(|record| record.manifest.version == first).unwrap();
    let noted = record.evaluation.as_ref().unwrap();
    assert_eq!((noted.decided_ms, noted.run.as_str(), noted.passed), (42, "run-1", true));
    assert_eq!(noted.report["users"], 20);
    for model in [&first, &second] {
        let named = json!({"action": "publish", "lake": lake, "run": "run-1",
                           "feature_set": "fs-1", "model": model});
        let expected =
            json!({"release": {"feature_set": "fs-1", "model": model, "schema_hash": "h"}});
        assert_eq!(call(named).await.unwrap(), expected);
    }
    let back = call(json!({"action": "rollback", "lake": lake})).await.unwrap();
    assert_eq!(back["release"]["model"], json!(first));
    let untrained = call(json!({"action": "features", "lake": lake, "feature_set": "fs-1"})).await;
    let untrained = untrained.unwrap();
    assert_eq!(untrained["release"]["model"], json!(first), "the serving model stays");
    assert_eq!(untrained["verdict"]["outcome"], "untrained");
    assert_eq!(untrained["verdict"]["figures"]["min_users"], 20);
    let no_model = json!({"action": "decide", "passed": true, "lake": lake, "run": "run-1",
                          "feature_set": "fs-1", "evaluation": {}});
    assert!(call(no_model).await.unwrap_err().to_string().contains("model"));
}
