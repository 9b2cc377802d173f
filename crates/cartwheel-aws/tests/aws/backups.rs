//! A bucket of backups.

use std::sync::Arc;

use cartwheel_ambient::Clock;
use cartwheel_aws::{BackupBucket, Lake};
use cartwheel_backup::Place;
use cartwheel_testkit::Emulator;
use object_store::prefix::PrefixStore;

use crate::harness::bucket;

fn place(moto: &Emulator, prefix: &str, clock: &Clock) -> Box<dyn Place> {
    let lake = Lake::on(Arc::new(PrefixStore::new(bucket(&moto.url(), "backups"), prefix)));
    Box::new(BackupBucket::on(&format!("backups/{prefix}"), lake, clock).unwrap())
}

#[test]
fn a_bucket_conforms() {
    let moto = Emulator::moto();
    moto.make_bucket("backups");
    for prefix in ["shop", "a/longer/one"] {
        cartwheel_backup::conformance::place(&|| place(&moto, prefix, &Clock::system()));
    }
}

/// What a killed writer leaves counts for 15 minutes. A writer that was only held up notices that
/// another has begun, and does not remove its lock.
#[test]
fn a_lock_that_nobody_renews_is_taken_over() {
    let moto = Emulator::moto();
    moto.make_bucket("backups");
    let late = |minutes: i64| Clock::new(move || Clock::system().now_ms() + minutes * 60_000);
    let mut first = place(&moto, "shop", &Clock::system());
    assert!(first.lock().unwrap());
    assert!(!place(&moto, "shop", &late(14)).lock().unwrap());
    let mut second = place(&moto, "shop", &late(16));
    assert!(second.lock().unwrap());

    let scratch = first.scratch().unwrap();
    let error = first.settle().unwrap_err();
    assert!(error.to_string().contains("another command writes"), "{error}");
    assert!(first.keep(scratch, "objects/aa/a").is_err());
    assert!(first.remove(&["backups/a.json".to_owned()]).is_err());
    drop(first);
    assert!(!place(&moto, "shop", &Clock::system()).lock().unwrap(), "the second still writes");
    second.settle().unwrap();
    drop(second);
    assert!(place(&moto, "shop", &Clock::system()).lock().unwrap());
}
