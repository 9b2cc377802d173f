//! An import appears as a whole, or the lake stays as it was.

use cartwheel_import::{Content, Options};
use cartwheel_lake::EarlierImports;

use crate::shop::{Shop, options};

fn orders(count: usize) -> String {
    let line = |n: usize| format!("o{n},c{},p{},2025-03-{:02}\n", n % 7, n % 5, n % 28 + 1);
    "order_id,customer,sku,date\n".to_owned() + &(0..count).map(line).collect::<String>()
}

fn with(earlier: EarlierImports) -> Options {
    Options { earlier, ..options(Content::Orders) }
}

#[test]
fn unusable_sources_leave_the_lake_as_it_was() {
    let shop = Shop::new();
    let good = shop.file("good.csv", orders(40));
    shop.import(&good, &options(Content::Orders)).unwrap();
    let before = shop.files();

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, orders(90_000).as_bytes()).unwrap();
    let mut truncated = gzip.finish().unwrap();
    truncated.truncate(truncated.len() / 2);
    let mut latin = orders(90_000).into_bytes();
    latin.extend(b"o,c,caf\xe9,2025-03-01\n");
    let mut damaged = b"PAR1".to_vec();
    damaged.extend([7; 400]);
    damaged.extend(b"PAR1");
    let rejected = orders(90) + &"o,c,,2025-03-01\n".repeat(10);
    for (name, content, expected) in [
        ("truncated.csv.gz", truncated, "truncated"),
        ("latin.csv", latin, "line 90002 is not UTF-8"),
        ("damaged.parquet", damaged, "damaged"),
        (
            "rejected.csv",
            rejected.into_bytes(),
            "10 of 100 rows are rejected, more than the accepted 5 %",
        ),
        ("none.csv", b"order_id,customer,sku,date\n".to_vec(), "holds no row"),
    ] {
        let source = shop.file(name, content);
        let error = shop.import(&source, &with(EarlierImports::Replace)).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
        assert_eq!(shop.files(), before, "{name}");
    }
}

#[test]
fn rejected_rows_are_kept_with_their_reasons() {
    let shop = Shop::new();
    let source = shop.file("orders.csv", orders(60) + "o,c,,2025-03-01\no,c,p\n=1,c,p,soon\n");
    let done = shop.import(&source, &options(Content::Orders)).unwrap();
    assert_eq!(done.summary.rejected, 3);
    let rows = cartwheel_lake::read_rejects(&done.summary.rejects.unwrap(), 9).unwrap();
    let rows: Vec<String> = rows.iter().map(|row| format!("{} {}", row.line, row.reason)).collect();
    assert_eq!(
        rows,
        [
            "62 product_id is missing",
            "63 3 cells instead of 4",
            "64 time is in no form that is understood",
        ]
    );
}

#[test]
fn earlier_data_stays_or_goes_as_the_caller_says() {
    let shop = Shop::new();
    let first = shop.file("first.csv", orders(40));
    let second = shop
        .file("second.csv", "order_id,customer,sku,date\no1,c1,p1,2025-03-02\nx,y,z,2025-04-01\n");
    shop.import(&first, &options(Content::Orders)).unwrap();
    let again = shop.import(&first, &options(Content::Orders)).unwrap();
    assert!(again.summary.unchanged);
    let refused = shop.import(&second, &options(Content::Orders)).unwrap_err().to_string();
    assert!(refused.contains("append") && refused.contains("40 orders"), "{refused}");

    shop.import(&second, &with(EarlierImports::Keep)).unwrap();
    assert_eq!((shop.events("y").len(), shop.events("c2").len()), (1, 6));
    let both = shop.lake().import_manifest().unwrap().unwrap();
    assert_eq!((both.imports.len(), both.events.len()), (2, 2));

    shop.import(&shop.file("third.csv", orders(7)), &with(EarlierImports::Replace)).unwrap();
    assert_eq!((shop.events("y").len(), shop.events("c2").len()), (0, 1));
    let only = shop.lake().import_manifest().unwrap().unwrap();
    assert_ne!(only.id, both.id);
    let parts = shop.files().into_iter().filter(|(path, _)| path.ends_with("part-00000.parquet"));
    assert_eq!(parts.count(), 2, "events and products of the newest import alone");
}

#[test]
fn parts_of_an_interrupted_import_are_not_visible_and_go_with_the_next_one() {
    let shop = Shop::new();
    shop.import(&shop.file("first.csv", orders(40)), &options(Content::Orders)).unwrap();
    let manifest = shop.lake().import_manifest().unwrap().unwrap();
    let orphan = shop.path().join("lake/events/import=0000000000000000/part-00000.parquet");
    std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    std::fs::copy(&manifest.events[0], &orphan).unwrap();
    assert_eq!(shop.events("c1").len(), 6);
    shop.import(&shop.file("second.csv", orders(41)), &with(EarlierImports::Replace)).unwrap();
    assert!(!orphan.parent().unwrap().exists());
}

#[test]
fn an_erased_customer_is_gone_from_imported_events() {
    use cartwheel_lake::{CompactionOptions, Compactor, Erasure};
    let shop = Shop::new();
    shop.import(&shop.file("first.csv", orders(40)), &options(Content::Orders)).unwrap();
    let before = shop.events("c2");
    let erasure = Erasure { user_id: "c1".to_owned(), before: 0.into(), erased_at_ms: 0 };
    let compactor = Compactor::new(&shop.lake(), CompactionOptions::default());
    let done = compactor.compact(crate::shop::NOW_MS, &[], &[erasure], &mut |_| {}).unwrap();
    assert!(done.erasures[0].complete && done.problems.is_empty(), "{done:?}");
    assert_eq!((shop.events("c1"), shop.events("c2")), (Vec::new(), before));
}
