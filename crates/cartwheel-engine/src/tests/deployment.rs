//! Deployment and the functions over a local registry.

use std::sync::Arc;

use cartwheel_registry::conformance::{Backing, Directory};
use cartwheel_registry::{LocalRegistry, Pending, layout};
use serde_json::{Value, json};

use crate::conformance;
use crate::functions::{
    BoxError, Evaluate, FunctionError, Load, Loaded, Notify, UserRecords, load,
};

#[tokio::test(flavor = "multi_thread")]
async fn deployment_over_a_local_registry_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let lake = |name: &str| -> Arc<dyn Backing> { Arc::new(Directory(dir.path().join(name))) };
    conformance::deployment(&lake).await;
}

/// Records in two parts, of which the second cannot be read.
struct TwoParts;

impl UserRecords for TwoParts {
    fn parts<'a>(&'a self, feature_set: &'a str) -> Pending<'a, Result<Vec<String>, BoxError>> {
        Box::pin(async move { Ok(vec![format!("{feature_set}/1"), format!("{feature_set}/2")]) })
    }

    fn load<'a>(&'a self, _: &'a str, part: &'a str) -> Pending<'a, Result<Loaded, BoxError>> {
        Box::pin(async move {
            match part {
                "fs-1/1" => Ok(Loaded { users: 3, items: Some(4) }),
                _ => Err(format!("{part} is damaged").into()),
            }
        })
    }
}

#[tokio::test]
async fn load_lists_the_parts_of_a_run_and_loads_one() {
    let dir = tempfile::tempdir().unwrap();
    let registry = LocalRegistry::new(dir.path());
    let call = async |payload: Value| {
        let payload: Load = serde_json::from_value(payload).unwrap();
        assert_eq!(payload.lake(), "s3://lake");
        load(&registry, &TwoParts, payload).await
    };
    let list = json!({"action": "list", "lake": "s3://lake", "run": "run-1"});
    let error = call(list.clone()).await.unwrap_err();
    assert!(matches!(&error, FunctionError::NotBuilt(run) if run == "run-1"), "{error}");
    registry.note_built("run-1", "fs-1").unwrap();
    assert!(call(list.clone()).await.unwrap_err().to_string().contains("fs-1"));
    let lake = Directory(dir.path().to_owned());
    let manifest = cartwheel_registry::conformance::set_manifest("fs-1", "h");
    lake.put(&layout::set_manifest("fs-1").unwrap(), &manifest).await;
    assert_eq!(
        call(list).await.unwrap(),
        json!({"feature_set": "fs-1", "parts": ["fs-1/1", "fs-1/2"], "judged_by": "nothing",
               "folds": [], "hyperparameters": {"scale_pos_weight": "1"}})
    );
    let few = |gate_examples: u64, min_users: u64| {
        let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
        manifest["gate_examples"] = json!(gate_examples);
        manifest["cross_folds"] = json!([0, 2]);
        let gate = json!({"margin": 0.01, "min_users": min_users});
        let list = json!({"action": "list", "lake": "s3://lake", "run": "run-1", "gate": gate});
        (manifest.to_string().into_bytes(), list)
    };
    for (gate_examples, min_users, judged_by, folds) in [
        (11, 20, "cross_validation", json!([0, 2])),
        (11, 11, "gate", json!([])),
        (0, 0, "cross_validation", json!([0, 2])),
    ] {
        let (manifest, list) = few(gate_examples, min_users);
        lake.put(&layout::set_manifest("fs-1").unwrap(), &manifest).await;
        let listed = call(list).await.unwrap();
        assert_eq!((&listed["judged_by"], &listed["folds"]), (&json!(judged_by), &folds));
    }
    let part = |part: &str| json!({"action": "load", "lake": "s3://lake", "feature_set": "fs-1", "part": part});
    assert_eq!(call(part("fs-1/1")).await.unwrap(), json!({"users": 3, "items": 4}));
    let error = call(part("fs-1/2")).await.unwrap_err().to_string();
    assert_eq!(error, "user records: fs-1/2 is damaged");
}

#[test]
fn the_archive_of_training_is_in_the_lake() {
    let archive = |lake: &str, artifacts: &str| {
        let payload = json!({"lake": lake, "feature_set": "fs-1", "artifacts": artifacts});
        let payload: Evaluate = serde_json::from_value(payload).unwrap();
        payload.inside(&payload.artifacts).map(str::to_owned)
    };
    let inside = Some("models/m/model.tar.gz".to_owned());
    assert_eq!(archive("s3://lake", "s3://lake/models/m/model.tar.gz"), inside);
    assert_eq!(archive("s3://lake/", "s3://lake/models/m/model.tar.gz"), inside);
    assert_eq!(archive("s3://lake", "s3://lake-2/models/m/model.tar.gz"), None);
}

#[test]
fn a_notice_says_how_a_run_ended() {
    let notice = |payload: Value| serde_json::from_value::<Notify>(payload).unwrap();
    // As EventBridge tells of an execution.
    let failed = notice(json!({"name": "run-1", "status": "TIMED_OUT",
                               "error": "States.Timeout", "cause": "late"}));
    assert_eq!(failed.subject(), "cartwheel: run run-1 timed out");
    let message = "Run run-1 ended: timed out.\nError: States.Timeout\nCause: late\n";
    assert_eq!(failed.message(), message);
    let released = notice(json!({
        "run": "run-1", "outcome": "released", "released": {"release": {"model": "m-1"}},
        "evaluation": {"model": "m-1", "difference": 0.01, "reference": "popular",
                       "standard_error": 0.002, "users": 120,
                       "verdict": {"outcome": "released", "reason": "Better: released.",
                                   "advice": "Enjoy.", "figures": {}}},
    }));
    assert_eq!(
        released.message(),
        "Run run-1 ended: released.\nModel m-1: Recall@10 +0.0100 against popular (standard \
         error 0.0020, 120 users).\nBetter: released.\nEnjoy.\nReleased: {\"model\":\"m-1\"}\n"
    );
    let rejected =
        notice(json!({"run": "r", "outcome": "rejected", "released": {"release": null}}));
    assert_eq!(rejected.message(), "Run r ended: rejected.\n");
}
