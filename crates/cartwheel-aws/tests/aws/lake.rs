use cartwheel_aws::{Lake, S3Registry};
use cartwheel_registry::{Registry, conformance};
use cartwheel_testkit::{Emulator, FaultProxy, Faults};
use object_store::ObjectStoreExt;

use crate::harness::bucket;

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_that_is_asked_too_much_is_asked_again() {
    let moto = Emulator::moto();
    let faults = Faults { error: 0.3, ..Faults::default() };
    let proxy = FaultProxy::start(moto.port(), 5, faults).await;
    moto.make_bucket("lake");
    let lake = Lake::on(bucket(&proxy.url(), "lake"));
    for n in 0..20 {
        let key = format!("features/fs-1/users/part-{n:03}.parquet");
        lake.put(&key, vec![n as u8; 100]).await.unwrap();
        assert_eq!(lake.bytes(&key).await.unwrap(), vec![n as u8; 100]);
    }
    assert_eq!(lake.list("features/fs-1/users").await.unwrap().len(), 20);
    assert!(!lake.has("features/fs-1/manifest.json").await.unwrap());
    assert!(lake.find("features/fs-1/manifest.json").await.unwrap().is_none());
    assert!(proxy.seen().errors > 5, "{:?}", proxy.seen());
    let plain = bucket(&moto.url(), "lake");
    let path = object_store::path::Path::from("features/fs-1/users/part-007.parquet");
    assert_eq!(plain.get(&path).await.unwrap().bytes().await.unwrap(), vec![7; 100]);
}

#[tokio::test(flavor = "multi_thread")]
async fn models_that_were_listed_are_not_read_again() {
    let moto = Emulator::moto();
    let proxy = FaultProxy::start(moto.port(), 1, Faults::default()).await;
    moto.make_bucket("lake");
    let registry = S3Registry::new(Lake::on(bucket(&proxy.url(), "lake")));
    let bundle = |n: u8| conformance::bundle(&[n], &["a"], "fs-1", "h");
    for n in 0..5 {
        registry.put_bundle(&bundle(n)).await.unwrap();
    }
    let asks = async || {
        let before = proxy.seen().requests;
        let models = registry.models().await.unwrap();
        (models.len(), proxy.seen().requests - before)
    };
    // The two releases and the list, then manifest and metrics of each.
    assert_eq!(asks().await, (5, 3 + 10));
    assert_eq!(asks().await, (5, 3));
    let newest = bundle(9);
    registry.put_bundle(&newest).await.unwrap();
    let evaluation = cartwheel_registry::Evaluation {
        run: "r".to_owned(),
        passed: true,
        provisional: false,
        decided_ms: 1,
        report: serde_json::json!({}),
    };
    registry.put_evaluation(&newest.version, &evaluation).await.unwrap();
    assert_eq!(asks().await, (6, 3 + 3), "what is new is read");
    let again = cartwheel_registry::Evaluation { passed: false, ..evaluation };
    registry.put_evaluation(&newest.version, &again).await.unwrap();
    assert_eq!(asks().await, (6, 3 + 1), "what has changed is read");
    let models = registry.models().await.unwrap();
    let found = models.iter().find(|model| model.manifest.version == newest.version).unwrap();
    assert_eq!(found.evaluation.as_ref(), Some(&again));
}

#[test]
fn a_lake_has_an_address() {
    for uri in ["lake", "s3://", "s3:///prefix", "https://lake"] {
        let error = Lake::open(uri).unwrap_err().to_string();
        assert!(error.contains("s3://bucket"), "{error}");
    }
}
