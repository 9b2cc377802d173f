use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::{GenerateError, ShopSpec, generate};

mod dated;

const FILES: [&str; 5] =
    ["orders.csv", "order_products.csv", "products.csv", "aisles.csv", "departments.csv"];

fn spec() -> ShopSpec {
    ShopSpec { users: 400, products: 1_000, orders: 6_000, seed: 7 }
}

fn write(spec: &ShopSpec) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    generate(spec, dir.path(), &mut |_| {}).unwrap();
    dir
}

fn rows(dir: &Path, name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(dir.join(name)).unwrap();
    text.lines().skip(1).map(|l| l.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn the_same_seed_writes_the_same_bytes() {
    let (a, b) = (write(&spec()), write(&spec()));
    let other = write(&ShopSpec { seed: 8, ..spec() });
    for name in FILES {
        let read = |dir: &tempfile::TempDir| std::fs::read(dir.path().join(name)).unwrap();
        assert_eq!(read(&a), read(&b), "{name}");
        if name.starts_with("order") {
            assert_ne!(read(&a), read(&other), "{name}");
        }
    }
    assert_eq!(
        std::fs::read_dir(a.path()).unwrap().count(),
        FILES.len(),
        "no scratch file is left"
    );
}

#[test]
fn histories_are_complete_and_consistent() {
    let dir = write(&spec());
    let orders = rows(dir.path(), "orders.csv");
    assert_eq!(orders.len() as u64, spec().orders);
    let mut next: BTreeMap<&str, u64> = BTreeMap::new();
    let mut owner = BTreeMap::new();
    for row in &orders {
        let number = next.entry(&row[1]).or_insert(0);
        *number += 1;
        assert_eq!(row[3], number.to_string(), "orders of a user are contiguous");
        assert_eq!(row[6].is_empty(), *number == 1);
        owner.insert(&row[0], &row[1]);
    }
    assert_eq!(next.len(), 400);
    assert!(next.values().all(|&n| n >= 3));
    let products: BTreeSet<String> =
        rows(dir.path(), "products.csv").into_iter().map(|r| r[0].clone()).collect();
    let names: BTreeSet<String> =
        rows(dir.path(), "products.csv").into_iter().map(|r| r[1].clone()).collect();
    assert_eq!(names.len(), products.len(), "names are distinct");
    let mut seen: BTreeSet<(&str, String)> = BTreeSet::new();
    let mut place = ("", 0);
    let lines = rows(dir.path(), "order_products.csv");
    for row in &lines {
        assert!(products.contains(&row[1]));
        place = if place.0 == row[0] { (place.0, place.1 + 1) } else { (&row[0], 1) };
        assert_eq!(row[2], place.1.to_string());
        let new = seen.insert((owner[&row[0]], row[1].clone()));
        assert_eq!(row[3], u8::from(!new).to_string(), "reordered agrees with the history");
    }
}

#[test]
fn the_shop_resembles_a_real_one() {
    let dir = write(&ShopSpec { users: 1_000, products: 3_000, orders: 15_000, seed: 1 });
    let lines = rows(dir.path(), "order_products.csv");
    let basket = lines.len() as f64 / 15_000.0;
    assert!((8.0..12.0).contains(&basket), "lines an order: {basket}");
    let again = lines.iter().filter(|l| l[3] == "1").count() as f64 / lines.len() as f64;
    assert!((0.5..0.68).contains(&again), "reordered: {again}");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    lines.iter().for_each(|l| *counts.entry(&l[1]).or_default() += 1);
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let head = counts.iter().take(300).sum::<usize>() as f64 / lines.len() as f64;
    assert!((0.35..0.85).contains(&head), "share of the top tenth: {head}");
}

#[test]
fn numbers_out_of_range_are_rejected_with_the_range() {
    for (spec, expected) in [
        (ShopSpec { users: 0, ..spec() }, "1 to 10000000"),
        (ShopSpec { products: 9, ..spec() }, "100 to 100000"),
        (ShopSpec { orders: 1, ..spec() }, "1200 to 40000"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let error = generate(&spec, dir.path(), &mut |_| {}).unwrap_err();
        assert!(matches!(error, GenerateError::Spec(_)));
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
