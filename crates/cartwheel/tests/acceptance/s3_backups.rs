//! Backups in a bucket.

use std::path::Path;

use cartwheel_testkit::Emulator;
use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, delivered, on_account, wait_until};

/// Runs `backup` in the account.
fn backup(moto: &Emulator, data: &Path, args: &[&str]) -> Result<Value, String> {
    on_account(moto, data, &[&["backup"], args].concat())
}

#[test]
fn a_bucket_holds_backups_of_a_running_server() {
    let moto = Emulator::moto();
    moto.make_bucket("backups");
    let dest = "s3://backups/shop";
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let add = |id: &str| {
        server.submit(&json!({"user_id": "keeps", "event": "add_to_cart", "product_ids": ["7"],
                              "event_id": id}))
    };
    add("first");
    wait_until("delivered", || !delivered(data.path(), "event_id").is_empty());
    let first = backup(&moto, data.path(), &["create", dest]).unwrap();
    add("second");
    let second = backup(&moto, data.path(), &["create", &format!("{dest}/")]).unwrap();
    assert!(second["new_files"].as_u64() < first["new_files"].as_u64(), "{first} {second}");
    server.stop();
    let verified = backup(&moto, data.path(), &["verify", dest]).unwrap();
    assert_eq!(verified["backups"], json!([first["name"], second["name"]]));

    for (name, events) in [(&first["name"], 1), (&second["name"], 2)] {
        let to = tempfile::tempdir().unwrap();
        let name = name.as_str().unwrap();
        backup(&moto, to.path(), &["restore", dest, "--backup", name]).unwrap();
        let server = Server::start(to.path());
        let session = server.get("/v1/users/keeps").unwrap().1["session"].clone();
        assert_eq!(session["events"], events, "{name}: {session}");
        server.stop();
    }

    let pruned = backup(&moto, data.path(), &["prune", dest, "--keep", "1"]).unwrap();
    assert_eq!(pruned["removed"].as_array().unwrap().len(), 1, "{pruned}");
    assert!(pruned["objects"].as_u64() > Some(0), "{pruned}");
    backup(&moto, data.path(), &["verify", dest]).unwrap();
    let kept = backup(&moto, data.path(), &["list", dest]).unwrap();
    assert_eq!(kept["backups"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_no_place_for_backups_is_refused() {
    let moto = Emulator::moto();
    moto.make_bucket("backups");
    moto.put_object("backups", "photos/cat.txt", "x");
    moto.put_object("backups", "busy/lock", "another command");
    let data = tempfile::tempdir().unwrap();
    cartwheel(data.path(), &["keys", "create", "operator", "--scope", "admin"]).unwrap();
    let create = |dest: &str| backup(&moto, data.path(), &["create", dest]).unwrap_err();
    for (dest, expected) in [
        ("s3://backups/photos", "it is not empty"),
        ("s3://backups/busy", "another command writes to s3://backups/busy"),
        ("s3://elsewhere/shop", "s3://elsewhere/shop"),
        ("s3://", "is not an address"),
    ] {
        let error = create(dest);
        assert!(error.contains(expected), "{dest}: {error}");
    }
    let missing = backup(&moto, data.path(), &["list", "s3://backups/none"]).unwrap_err();
    assert!(missing.contains("run `cartwheel backup create`"), "{missing}");
    let safe = tempfile::tempdir().unwrap();
    let key = safe.path().join("backup.key");
    std::fs::write(&key, "5a".repeat(32)).unwrap();
    let key = ["--key-file", key.to_str().unwrap()];
    let sealed = [&["create", "s3://backups/sealed"], &key[..]].concat();
    backup(&moto, data.path(), &sealed).unwrap();
    let error = create("s3://backups/sealed");
    assert!(error.contains("is encrypted"), "{error}");
    backup(&moto, data.path(), &[&["verify", "s3://backups/sealed"], &key[..]].concat()).unwrap();
}
