//! What the tools of the recipes in the documentation print.

use cartwheel_import::{Content, Mapping, Options};

use crate::shop::{Shop, options, preview};

#[test]
fn what_mysql_prints_with_batch_is_read() {
    // Tabs, a header, NULL for null, and backslashes before tabs, ends of lines and themselves.
    let printed = "order_id\tcustomer_id\ttime\tsku\tproduct_name\tquantity\tprice\n\
        1\t7\t2025-01-31 10:00:00\tcup\tCup\\t\"big\"\\nblue\t2\t8.00\n\
        1\t7\t2025-01-31 10:00:00\ttea\\\\green\tNULL\t1\tNULL\n\
        2\tNULL\t2025-02-01 09:30:00\tcup\tCup\t1\t8.00\n";
    let shop = Shop::new();
    let source = shop.file("mysql.tsv", printed);
    let berlin = Options { timezone: "Europe/Berlin".to_owned(), ..options(Content::Orders) };
    let done = shop.import(&source, &berlin).unwrap();
    assert_eq!((done.summary.orders, done.summary.baskets, done.summary.rejected), (1, 1, 0));
    assert_eq!(shop.events("7"), ["checkout 1 cup×2 tea\\green×1 2025-01-31T09:00:00Z"]);
    assert_eq!(done.understood.first_rows[0].product_name, "Cup\t\"big\"\nblue");
    assert_eq!(done.understood.first_rows[1].price, None);
}

#[test]
fn what_kcat_prints_is_read_with_and_without_envelopes() {
    let plain = "\
{\"user_id\":\"ada\",\"event\":\"view\",\"sku\":\"cup\",\"time\":\"2025-01-31T10:00:00Z\"}
{\"user_id\":\"ada\",\"event\":\"purchase\",\"sku\":\"cup\",\"time\":\"2025-01-31T10:05:00Z\"}
";
    let envelope = |(offset, line): (usize, &str)| {
        format!(
            "{{\"topic\":\"shop-events\",\"partition\":0,\"offset\":{offset},\"tstype\":\"create\",\
             \"ts\":1767225600000,\"broker\":1,\"key\":\"ada\",\"payload\":{}}}\n",
            serde_json::Value::from(line)
        )
    };
    let enveloped: String = plain.lines().enumerate().map(envelope).collect();
    let mut seen = Vec::new();
    for (name, printed) in [("plain.ndjson", plain), ("envelopes.ndjson", &enveloped)] {
        let shop = Shop::new();
        let source = shop.file(name, printed);
        shop.import(&source, &options(Content::Events)).unwrap();
        seen.push(shop.events("ada"));
    }
    assert_eq!(seen[0].len(), 2);
    assert_eq!(seen[0], seen[1]);

    // A message without a time has that of the topic.
    let timeless = enveloped.replace("time", "moment").replace("2025-01-31T10", "early");
    let shop = Shop::new();
    let source = shop.file("timeless.ndjson", timeless);
    let seen = preview(&source, &options(Content::Events)).unwrap();
    assert_eq!((seen.lines, seen.first_ms), (2, Some(1_767_225_600_000)));
}

#[test]
fn visitors_are_guests_unless_the_mapping_says_otherwise() {
    // The form of the RetailRocket data set.
    let visits = "timestamp,visitorid,event,itemid,transactionid\n\
        1433221332117,257597,view,355908,\n\
        1433224214164,257597,transaction,355908,11\n\
        1433223236124,111016,addtocart,318965,\n";
    let shop = Shop::new();
    let source = shop.file("events.csv", visits);
    let done = shop.import(&source, &options(Content::Events)).unwrap();
    assert_eq!((done.summary.orders, done.summary.users, done.summary.rejected), (1, 2, 0));
    assert_eq!((done.assembled.unwrap().guests, shop.events("~257597").len()), (2, 2));
    let note = done.understood.notes.iter().find(|note| note.contains("guests"));
    assert!(
        note.is_some_and(|note| note.contains("visitorid as the column of user_id")),
        "{note:?}"
    );

    let mut mapping = Mapping::default();
    mapping.assign("user_id=visitorid").unwrap();
    let shop = Shop::new();
    let source = shop.file("events.csv", visits);
    let done = shop.import(&source, &Options { mapping, ..options(Content::Events) }).unwrap();
    assert_eq!((done.assembled.unwrap().guests, shop.events("257597").len()), (0, 2));
    assert_eq!(done.understood.notes, Vec::<String>::new());
}
