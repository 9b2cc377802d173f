use std::sync::Arc;

use cartwheel_aws::{Lake, LakeError};
use cartwheel_registry::Release;
use cartwheel_testkit::{Emulator, FaultProxy, Faults};
use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStore, ObjectStoreExt};

fn store(url: &str) -> Arc<dyn ObjectStore> {
    let store = AmazonS3Builder::new()
        .with_bucket_name("lake")
        .with_region("us-east-1")
        .with_access_key_id("test")
        .with_secret_access_key("test")
        .with_allow_http(true)
        .with_endpoint(url)
        .build();
    Arc::new(store.unwrap())
}

fn lake(moto: &Emulator, url: &str) -> Lake {
    moto.make_bucket("lake");
    Lake::on(store(url))
}

fn release(n: usize) -> Release {
    Release {
        feature_set: format!("fs-{n}"),
        model: Some(format!("m-{n}")),
        schema_hash: "h".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_release_is_replaced_by_one_at_a_time() {
    let moto = Emulator::moto();
    let lake = lake(&moto, &moto.url());
    assert!(lake.current().await.unwrap().is_none());
    assert!(matches!(lake.previous().await, Ok(None)));
    lake.publish(&release(0)).await.unwrap();
    let known = lake.current().await.unwrap().unwrap();
    assert_eq!(known.release, release(0));
    assert!(matches!(lake.changed(Some(&known)).await.unwrap(), (None, false)));
    lake.publish(&release(0)).await.unwrap();
    assert!(lake.previous().await.unwrap().is_none(), "the same again changes nothing");

    let tasks = (1..=6).map(|n| {
        let lake = lake.clone();
        tokio::spawn(async move { lake.publish(&release(n)).await })
    });
    let mut done = Vec::new();
    for (n, task) in (1..).zip(tasks.collect::<Vec<_>>()) {
        match task.await.unwrap() {
            Ok(()) => done.push(release(n)),
            Err(LakeError::Raced) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let current = lake.changed(Some(&known)).await.unwrap().0.unwrap().release;
    let previous = lake.previous().await.unwrap().unwrap();
    assert!(done.contains(&current), "{current:?} was published");
    assert_ne!(current, previous);
    assert!(previous == release(0) || done.contains(&previous));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_that_is_asked_too_much_is_asked_again() {
    let moto = Emulator::moto();
    let faults = Faults { error: 0.3, ..Faults::default() };
    let proxy = FaultProxy::start(moto.port(), 5, faults).await;
    let lake = lake(&moto, &proxy.url());
    for n in 0..20 {
        let key = format!("features/fs-1/users/part-{n:03}.parquet");
        lake.put(&key, vec![n as u8; 100]).await.unwrap();
        assert_eq!(lake.bytes(&key).await.unwrap(), vec![n as u8; 100]);
    }
    assert_eq!(lake.list("features/fs-1/users").await.unwrap().len(), 20);
    assert!(!lake.has("features/fs-1/manifest.json").await.unwrap());
    assert!(proxy.seen().errors > 5, "{:?}", proxy.seen());
    let plain = store(&moto.url());
    let path = object_store::path::Path::from("features/fs-1/users/part-007.parquet");
    assert_eq!(plain.get(&path).await.unwrap().bytes().await.unwrap(), vec![7; 100]);
}
