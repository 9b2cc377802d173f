//! Imports of objects on S3.

use cartwheel_testkit::Emulator;
use serde_json::Value;

use crate::shop::on_account;

/// Runs `import orders` in the account.
fn import(moto: &Emulator, sources: &[&str]) -> Result<Value, String> {
    let data = tempfile::tempdir().unwrap();
    on_account(moto, data.path(), &[&["import", "orders"], sources].concat())
}

#[test]
fn objects_are_imported_alone_by_folder_and_by_pattern() {
    let moto = Emulator::moto();
    moto.make_bucket("exports");
    let orders = |first: usize, count: usize| {
        let line = |n: usize| format!("o{n},c{},p{},2025-03-01 10:00:00\n", n % 900, n % 50);
        let lines: String = (first..first + count).map(line).collect();
        format!("order_id,customer,sku,time\n{lines}")
    };
    // The first object is read in more than one piece.
    moto.put_object("exports", "2025/march.csv", orders(0, 300_000));
    moto.put_object("exports", "2025/april.csv", orders(300_000, 10));
    moto.put_object("exports", "2025/deep/may.csv", orders(400_000, 10));
    moto.put_object("exports", "2025/readme.txt", "no table\n");
    for (sources, expected) in [
        (&["s3://exports/2025/march.csv"][..], 300_000),
        (&["s3://exports/2025/*.csv"], 300_010),
        (&["s3://exports/2025/april.csv", "s3://exports/2025/deep/"], 20),
    ] {
        let done = import(&moto, sources).unwrap();
        assert_eq!(done["orders"], expected, "{sources:?}");
    }
    let missing = import(&moto, &["s3://exports/2024/*.csv"]).unwrap_err();
    assert!(missing.contains("there is no such object"), "{missing}");
    let bucket = import(&moto, &["s3://other/a.csv"]).unwrap_err();
    assert!(bucket.contains("s3://other/a.csv"), "{bucket}");
}
