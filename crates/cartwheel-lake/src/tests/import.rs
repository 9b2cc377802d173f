use std::io::Write;

use super::*;
use crate::{ImportOptions, Lake};

#[test]
fn wrong_rows_are_rejected_and_the_rest_is_imported() {
    let (lake, dir) = (tempfile::tempdir().unwrap(), whole_shop());
    let summary = import_shop(lake.path(), dir.path()).unwrap();
    assert_eq!((summary.orders, summary.lines, summary.users, summary.products), (3, 4, 2, 3));
    assert_eq!(summary.rejected, 13);
    let rejects = std::fs::read_to_string(summary.rejects.unwrap()).unwrap();
    for expected in [
        "orders.csv,5,\"order_id contains",
        "orders.csv,6,\"eval_set is not",
        "orders.csv,7,\"order_number is not",
        "orders.csv,8,\"order_dow is out",
        "orders.csv,9,\"duplicate order_id",
        "orders.csv,10,\"duplicate order_number of the user",
        "orders.csv,11,\"5 cells instead of 7",
        "products.csv,4,\"duplicate product_id",
        "order_products.csv,4,\"duplicate product_id of the order",
        "order_products.csv,6,\"reordered is not",
        "order_products.csv,7,\"add_to_cart_order is out",
        "order_products.csv,8,\"no imported order has this order_id",
        "order_products.csv,9,\"product_id is empty",
    ] {
        assert!(rejects.contains(expected), "{expected} is not in\n{rejects}");
    }
    let products = Lake::open(lake.path()).unwrap().read_products().unwrap();
    let texts: Vec<(&str, &str, &str)> = products
        .iter()
        .map(|p| (p.product_id.as_str(), p.product_name.as_str(), p.aisle.as_str()))
        .collect();
    let expected =
        [("p1", "Milk, whole", "milk"), ("p2", "Tea", "unknown"), ("p7", "Product p7", "unknown")];
    assert_eq!(texts, expected);
}

#[test]
fn importing_the_same_files_changes_nothing_and_other_files_replace_them() {
    let (lake, dir) = (tempfile::tempdir().unwrap(), whole_shop());
    let first = import_shop(lake.path(), dir.path()).unwrap();
    let listed = listing(lake.path());
    let again = import_shop(lake.path(), dir.path()).unwrap();
    assert!(again.unchanged && !first.unchanged);
    assert_eq!((again.orders, again.rejected), (first.orders, first.rejected));
    assert_eq!(listing(lake.path()), listed);
    std::fs::write(dir.path().join("order_products.csv"), "order_id,product_id\n1,p1\n").unwrap();
    assert_eq!(import_shop(lake.path(), dir.path()).unwrap().lines, 1);
    let manifest = Lake::open(lake.path()).unwrap().import_manifest().unwrap().unwrap();
    assert!(manifest.order_products.iter().all(|p| p.is_file()));
}

#[test]
fn gzip_and_byte_order_marks_and_two_files_of_lines_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let zip = |name: &str, text: &str| {
        let file = std::fs::File::create(dir.path().join(name)).unwrap();
        let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        gz.write_all(text.as_bytes()).unwrap();
        gz.finish().unwrap();
    };
    zip("orders.csv.gz", "\u{feff}order_id,user_id,order_number\r\n1,a,1\r\n2,a,2\r\n");
    zip("order_products__prior.csv.gz", "product_id,order_id\r\nx,1\r\ny,1\r\n");
    zip("order_products__train.csv.gz", "product_id,order_id\r\nx,2\r\n");
    let lake = tempfile::tempdir().unwrap();
    let summary = import_shop(lake.path(), dir.path()).unwrap();
    assert_eq!((summary.orders, summary.lines, summary.products), (2, 3, 2));
    assert_eq!(summary.rejected, 0);
}

#[test]
fn the_error_names_the_unusable_file() {
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[], "orders.csv"),
        (&[("orders.csv", ORDERS)], "order_products.csv"),
        (&[("orders.csv", "a,b\n1,2\n"), ("order_products.csv", LINES)], "column order_id"),
        (
            &[("orders.csv", ORDERS), ("order_products.csv", "order_id,product_id\n77,x\n")],
            "no usable line",
        ),
    ];
    for (files, expected) in cases {
        let lake = tempfile::tempdir().unwrap();
        let error = import_shop(lake.path(), shop(files).path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(Lake::open(lake.path()).unwrap().import_manifest().unwrap().is_none());
    }
}

#[test]
fn the_newest_orders_are_dated_today_or_on_the_day_of_the_first_import() {
    const DAY_MS: i64 = 86_400_000;
    let (dir, shop) = (tempfile::tempdir().unwrap(), whole_shop());
    let lake = Lake::open(dir.path()).unwrap();
    let import = |now_ms| {
        let options = ImportOptions { as_of_ms: None, now_ms };
        crate::import::instacart(&lake, shop.path(), &options, &mut |_| {}).unwrap();
        lake.import_manifest().unwrap().unwrap().as_of_ms.unwrap()
    };
    assert_eq!(import(20_000 * DAY_MS + 5), 20_000 * DAY_MS);
    let lines = "order_id,product_id\n1,p1\n";
    std::fs::write(shop.path().join("order_products.csv"), lines).unwrap();
    assert_eq!(import(20_009 * DAY_MS), 20_000 * DAY_MS);
}
