//! Product feeds, from files to recommendations.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, ids};

/// A feed of Google Merchant Center with some products, of which each fifth has no stock.
fn merchant_feed(products: std::ops::Range<usize>) -> String {
    let mut items = String::new();
    for n in products {
        let availability = if n % 5 == 0 { "out of stock" } else { "in stock" };
        let _ = write!(
            items,
            "<item><g:id>tea-{n}</g:id><title>Tea {n}</title><g:price>{n}.50 EUR</g:price>\
             <g:availability>{availability}</g:availability><g:brand>Leaf</g:brand>\
             <g:product_type>Food &gt; Tea</g:product_type><g:shade>green</g:shade></item>"
        );
    }
    format!(
        "<rss version=\"2.0\" xmlns:g=\"http://base.google.com/ns/1.0\"><channel>{items}</channel></rss>"
    )
}

fn import(data: &Path, args: &[&str]) -> Result<Value, String> {
    let out = cartwheel(data, &[&["import", "products", "--json"], args].concat())?;
    Ok(serde_json::from_str(&out).unwrap())
}

/// The number of products that the shop shows.
fn shown(server: &Server) -> u64 {
    server.get("/v1/products?limit=1").unwrap().1["total"].as_u64().unwrap()
}

#[test]
fn a_full_feed_of_any_size_is_the_catalogue() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let feed = |products: std::ops::Range<usize>| {
        std::fs::write(data.path().join("feed.xml"), merchant_feed(products)).unwrap();
    };
    feed(1..1_501);
    let seen = import(data.path(), &["feed.xml", "--dry-run"]).unwrap();
    assert_eq!(seen["ignored_columns"], json!(["shade"]));
    assert_eq!((&seen["products"], shown(&server)), (&json!(1_500), 0));
    assert_eq!(seen["first_products"].as_array().unwrap().len(), 10);

    let done = import(data.path(), &["feed.xml", "--full"]).unwrap();
    assert_eq!((&done["products"], &done["hidden"]), (&json!(1_500), &json!(0)));
    let (_, tea) = server.get("/v1/products/tea-7").unwrap();
    assert_eq!((&tea["product_name"], &tea["price"]), (&json!("Tea 7"), &json!("7.50")), "{tea}");
    assert_eq!((&tea["department"], &tea["aisle"]), (&json!("Food"), &json!("Tea")));
    let query = json!({"user_id": "u", "limit": 50});
    let answer = server.post("/v1/recommendations", &query).unwrap().1;
    let number = |id: &String| id.strip_prefix("tea-").unwrap().parse::<usize>().unwrap();
    let recommended: Vec<usize> = ids(&answer).iter().map(number).collect();
    assert_eq!(recommended.len(), 50);
    assert!(recommended.iter().all(|n| n % 5 != 0), "what is out of stock is not shown");

    // What the next feed lacks is gone from the next answer.
    let all = shown(&server);
    feed(1..1_401);
    let done = import(data.path(), &["feed.xml", "--full"]).unwrap();
    assert_eq!((&done["hidden"], shown(&server)), (&json!(100), all - 80));

    // A feed that lacks too much is taken for a broken one.
    feed(1..501);
    let refused = import(data.path(), &["feed.xml", "--full"]).unwrap_err();
    assert!(refused.contains("--confirm") && refused.contains("900 of the 1400"), "{refused}");
    assert_eq!(shown(&server), all - 80);
    let done = import(data.path(), &["feed.xml", "--full", "--confirm"]).unwrap();
    assert_eq!((&done["hidden"], shown(&server)), (&json!(900), 400));

    // What comes back is on offer again.
    feed(1..1_501);
    assert_eq!(import(data.path(), &["feed.xml", "--full"]).unwrap()["hidden"], 0);
    assert_eq!(shown(&server), all);
    server.stop();
}

#[test]
fn tables_of_products_come_from_patterns_and_standard_input() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let csv = |ids: [&str; 2]| format!("sku,title,price\n{},A,1.00\n{},B,2.00\n", ids[0], ids[1]);
    std::fs::write(data.path().join("feed-1.csv"), csv(["a", "b"])).unwrap();
    let zstd = zstd::encode_all(csv(["c", "d"]).as_bytes(), 1).unwrap();
    std::fs::write(data.path().join("feed-2.csv.zst"), zstd).unwrap();
    let done = import(data.path(), &["feed-*"]).unwrap();
    assert_eq!((&done["products"], shown(&server)), (&json!(4), 4));
    assert_eq!(done["hidden"], Value::Null, "it is no full feed");

    let mut child = Command::new(env!("CARGO_BIN_EXE_cartwheel"))
        .arg("--data-dir")
        .arg(data.path())
        .args(["import", "products", "-", "--map", "product_id=nr", "--map", "name=bez"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"{\"nr\":7,\"bez\":\"Cup\",\"ean\":1}\n").unwrap();
    let out = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(out.contains("Imported: 1 products") && out.contains("Ignored columns: ean"), "{out}");
    assert_eq!(server.get("/v1/products/7").unwrap().1["product_name"], "Cup");

    std::fs::write(data.path().join("bad.csv"), "sku,price\nx,1.00\ny,?\n").unwrap();
    let refused = import(data.path(), &["bad.csv"]).unwrap_err();
    assert!(refused.contains("1 of 2 products are rejected"), "{refused}");
    assert_eq!(server.get("/v1/products/x").unwrap().0, 404, "nothing is imported");
    server.stop();
    let stopped = import(data.path(), &["feed-1.csv"]).unwrap_err();
    assert!(stopped.contains("start `cartwheel serve`"), "{stopped}");
}

#[cfg(not(feature = "aws"))]
#[test]
fn a_program_without_s3_says_so() {
    let data = tempfile::tempdir().unwrap();
    let error = cartwheel(data.path(), &["import", "orders", "s3://bucket/a.csv"]).unwrap_err();
    assert!(error.contains("--features aws") && error.contains("aws s3 cp"), "{error}");
}
