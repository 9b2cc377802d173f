use std::collections::BTreeMap;
use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::{EarlierImports, ImportOptions, Lake};

const DAY_MS: i64 = 86_400_000;

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
fn the_data_ends_today_or_on_the_day_of_the_first_import() {
    let (dir, shop) = (tempfile::tempdir().unwrap(), whole_shop());
    let lake = Lake::open(dir.path()).unwrap();
    let import = |now_ms| {
        let options =
            ImportOptions { as_of_ms: None, now_ms, earlier: EarlierImports::ReplaceKind };
        crate::import::instacart(&lake, shop.path(), &options, &mut |_| {}).unwrap();
        lake.import_manifest().unwrap().unwrap().as_of_ms.unwrap()
    };
    assert_eq!(import(20_000 * DAY_MS + 5), 20_000 * DAY_MS);
    let lines = "order_id,product_id\n1,p1\n";
    std::fs::write(shop.path().join("order_products.csv"), lines).unwrap();
    assert_eq!(import(20_009 * DAY_MS), 20_000 * DAY_MS);
}

/// The times of each user's orders, by order number.
fn times(lake: &Lake) -> BTreeMap<String, Vec<i64>> {
    let mut found: BTreeMap<String, BTreeMap<i32, i64>> = BTreeMap::new();
    for part in lake.import_manifest().unwrap().unwrap().orders {
        let file = std::fs::File::open(part).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        for batch in reader.map(Result::unwrap) {
            let column = |name: &str| batch.column_by_name(name).unwrap();
            let users = column("user_id").as_string::<i32>();
            let numbers = column("order_number").as_primitive::<Int32Type>();
            let times = column("ordered_at_ms").as_primitive::<Int64Type>();
            for at in 0..batch.num_rows() {
                let of_user = found.entry(users.value(at).to_owned()).or_default();
                of_user.insert(numbers.value(at), times.value(at));
            }
        }
    }
    found.into_iter().map(|(user, of)| (user, of.into_values().collect())).collect()
}

#[test]
fn orders_without_dates_keep_their_gaps_and_do_not_end_on_the_same_day() {
    let gap = |user: i64| 5 + user % 10;
    let mut orders =
        "order_id,user_id,order_number,order_hour_of_day,days_since_prior_order\n".to_owned();
    for user in 0..100 {
        for (number, days) in
            ["", &gap(user).to_string(), &gap(user).to_string()].iter().enumerate()
        {
            orders.push_str(&format!("{user}-{number},u{user},{},9,{days}\n", number + 1));
        }
    }
    let shop =
        shop(&[("orders.csv", &orders), ("order_products.csv", "order_id,product_id\n0-0,p\n")]);
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).unwrap();
    let as_of_ms = 20_000 * DAY_MS;
    let options = ImportOptions {
        as_of_ms: Some(as_of_ms),
        now_ms: as_of_ms,
        earlier: EarlierImports::ReplaceKind,
    };
    let summary = crate::import::instacart(&lake, shop.path(), &options, &mut |_| {}).unwrap();
    let told = summary.to_string();
    assert!(
        told.contains("Assumed: the data ends on 2024-10-04") && told.contains("median: 10 days"),
        "{told}"
    );
    let mut days: BTreeMap<i64, usize> = BTreeMap::new();
    for (user, times) in times(&lake) {
        let gap = gap(user[1..].parse().unwrap());
        let ago = (as_of_ms - times[2]).div_euclid(DAY_MS) + 1;
        assert!((0..gap).contains(&ago), "{user}: {ago} days ago, usual gap {gap}");
        *days.entry(ago).or_default() += 1;
        assert!(times.windows(2).all(|two| two[1] - two[0] == gap * DAY_MS), "{user}: {times:?}");
    }
    assert!(days.len() > 9 && days.values().all(|&users| users < 30), "{days:?}");
}

#[test]
fn orders_with_days_keep_them() {
    let orders = "order_id,user_id,order_number,order_hour_of_day,days_since_prior_order,order_date
1,a,1,9,,2011-01-18
2,a,2,10,,2011-03-20T16:30:00
3,b,1,9,,2011-02-30
4,c,1,9,,
";
    let shop =
        shop(&[("orders.csv", orders), ("order_products.csv", "order_id,product_id\n1,p\n")]);
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).unwrap();
    let as_of_ms = 20_000 * DAY_MS;
    let options = ImportOptions {
        as_of_ms: Some(as_of_ms),
        now_ms: as_of_ms,
        earlier: EarlierImports::ReplaceKind,
    };
    let summary = crate::import::instacart(&lake, shop.path(), &options, &mut |_| {}).unwrap();
    assert_eq!(summary.rejected, 1, "30 February");
    assert!(summary.to_string().contains("Assumed"), "the order of c has no day");
    let times = times(&lake);
    let (first, second) = (14_992 * DAY_MS, 15_053 * DAY_MS);
    assert_eq!(times["a"], [first + 9 * DAY_MS / 24, second + 10 * DAY_MS / 24]);
    assert!(times["c"][0] > as_of_ms - 31 * DAY_MS);
    let file = std::fs::File::open(&lake.import_manifest().unwrap().unwrap().orders[0]).unwrap();
    let mut reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let orders = reader.next().unwrap().unwrap();
    let days = orders.column_by_name("days_since_prior_order").unwrap();
    assert_eq!(days.as_primitive::<Float32Type>().value(1), 30.0, "61 days are as many as 30");
}
