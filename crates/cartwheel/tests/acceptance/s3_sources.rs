//! Imports of objects on S3.

use std::process::Command;

use cartwheel_testkit::Emulator;
use serde_json::Value;

/// Runs `import orders` with the emulator's credentials.
fn import(moto: &Emulator, args: &[&str]) -> Result<Value, String> {
    let data = tempfile::tempdir().unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_cartwheel"))
        .arg("--data-dir")
        .arg(data.path())
        .args(["import", "orders", "--json"])
        .args(args)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_ENDPOINT_URL_S3", moto.url())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    match out.status.success() {
        true => Ok(serde_json::from_str(&text(out.stdout)).unwrap()),
        false => Err(text(out.stderr)),
    }
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
