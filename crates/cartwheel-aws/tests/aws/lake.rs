use cartwheel_aws::Lake;
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

#[test]
fn a_lake_has_an_address() {
    for uri in ["lake", "s3://", "s3:///prefix", "https://lake"] {
        let error = Lake::open(uri).unwrap_err().to_string();
        assert!(error.contains("s3://bucket"), "{error}");
    }
}
