//! The same shop in every format, and exports of known products.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use cartwheel_import::{Content, Field, Mapping, Options};
use parquet::arrow::ArrowWriter;

use crate::shop::{Shop, options, preview};

/// Views, a cart, purchases and a return of two customers.
const EVENTS: &str = "\
customer,sku,time,qty,price,event
ada,p1,2025-03-01 10:00:00,1,2.50,view
ada,p1,2025-03-01 10:01:00,2,2.50,add_to_cart
ada,p1,2025-03-01 10:02:00,2,2.50,purchase
ada,p2,2025-03-01 10:02:00,1,9.99,purchase
bob,p2,2025-03-02 11:00:00,1,9.99,purchase
ada,p1,2025-03-05 09:00:00,1,2.50,refund
ada,p3,2025-03-06 09:00:00,1,1.00,wishlist
";

/// What the customer ada did, without ids.
const ADA: [&str; 4] = [
    "view p1×1 2025-03-01T10:00:00Z",
    "add_to_cart p1×2 2025-03-01T10:01:00Z",
    "checkout p1×2 p2×1 2025-03-01T10:02:00Z",
    "return p1×1 2025-03-05T09:00:00Z",
];

/// The events without their ids, which follow from the content.
fn without_ids(events: Vec<String>) -> Vec<String> {
    let without = |event: String| {
        let words: Vec<&str> = event.split(' ').collect();
        assert!(words[1].starts_with("import-"), "{event}");
        [&words[..1], &words[2..]].concat().join(" ")
    };
    events.into_iter().map(without).collect()
}

fn events() -> Options {
    options(Content::Events)
}

#[test]
fn rows_of_a_day_are_an_order_and_dates_stay() {
    let shop = Shop::new();
    let source = shop.file("events.csv", EVENTS);
    let done = shop.import(&source, &events()).unwrap();
    assert_eq!((done.summary.orders, done.summary.lines, done.summary.users), (2, 3, 2));
    assert_eq!((done.summary.events, done.summary.products, done.summary.rejected), (2, 2, 0));
    let assembled = done.assembled.unwrap();
    assert_eq!((assembled.returns, assembled.returns_netted), (1, 1));
    assert_eq!(done.understood.other_events["wishlist"], 1);
    assert_eq!(without_ids(shop.events("ada")), ADA);
}

#[test]
fn every_format_and_compression_gives_the_same_events() {
    let lines: Vec<Vec<&str>> = EVENTS.lines().map(|line| line.split(',').collect()).collect();
    let separated = |with: &str| lines.iter().map(|l| l.join(with) + "\n").collect::<String>();
    let json = |line: &Vec<&str>| {
        let fields = lines[0].iter().zip(line).map(|(name, cell)| format!("\"{name}\":\"{cell}\""));
        format!("{{{}}}\n", fields.collect::<Vec<_>>().join(","))
    };
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, separated(";").as_bytes()).unwrap();
    let variants = [
        ("tabs.tsv", separated("\t").into_bytes()),
        ("bars.txt", format!("\u{feff}{}", separated("|")).into_bytes()),
        ("semicolons.csv.gz", gzip.finish().unwrap()),
        ("commas.csv.zst", zstd::encode_all(EVENTS.as_bytes(), 1).unwrap()),
        ("events.ndjson", lines[1..].iter().map(json).collect::<String>().into_bytes()),
        ("events.parquet", parquet(&lines)),
    ];
    for (name, content) in variants {
        let shop = Shop::new();
        let source = shop.file(name, content);
        let done = shop.import(&source, &events());
        assert_eq!(done.unwrap().summary.rejected, 0, "{name}");
        assert_eq!(without_ids(shop.events("ada")), ADA, "{name}");
    }
}

/// The events as Parquet, with numbers as numbers and times as milliseconds.
fn parquet(lines: &[Vec<&str>]) -> Vec<u8> {
    let text = |at: usize| {
        Arc::new(StringArray::from_iter_values(lines[1..].iter().map(|l| l[at]))) as ArrayRef
    };
    let times = lines[1..].iter().map(|l| {
        let time: jiff::Timestamp = format!("{}Z", l[2]).parse().unwrap();
        time.as_millisecond()
    });
    let pieces = lines[1..].iter().map(|l| l[3].parse::<i64>().unwrap());
    let batch = RecordBatch::try_from_iter([
        ("customer", text(0)),
        ("sku", text(1)),
        ("time", Arc::new(Int64Array::from_iter_values(times)) as ArrayRef),
        ("qty", Arc::new(Int64Array::from_iter_values(pieces)) as ArrayRef),
        ("event", text(5)),
    ])
    .unwrap();
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    out
}

#[test]
fn a_retail_export_needs_no_mapping() {
    // Lines of the UCI Online Retail data set.
    let retail = "\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,71053,WHITE METAL LANTERN,6,2010-12-01 08:26:00,3.39,17850.0,United Kingdom
536370,22728,\"ALARM CLOCK, PINK\",24,2010-12-01 08:45:00,3.75,12583.0,France
536370,POST,POSTAGE,3,2010-12-01 08:45:00,18.0,12583.0,France
C536379,85123A,WHITE HANGING HEART T-LIGHT HOLDER,-4,2010-12-01 09:41:00,2.55,17850.0,United Kingdom
536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom
536544,21773,DECORATIVE ROSE BATHROOM BOTTLE,1,2010-12-01 14:32:00,2.51,,United Kingdom
536544,22728,\"ALARM CLOCK, PINK\",2,2010-12-01 14:32:00,7.02,,United Kingdom
";
    let shop = Shop::new();
    let source = shop.file("retail.csv", retail);
    let seen = preview(&source, &options(Content::Orders)).unwrap();
    assert_eq!(seen.ignored_columns, ["Country"]);
    assert_eq!((seen.rows, seen.lines, seen.stock_corrections), (8, 7, 1));
    assert_eq!(seen.first_rows[0].user_id.as_deref(), Some("17850"));
    assert!(shop.files().is_empty(), "a preview writes nothing");

    let done = shop.import(&source, &options(Content::Orders)).unwrap();
    assert_eq!((done.summary.orders, done.summary.baskets, done.summary.products), (2, 1, 4));
    assert_eq!(done.understood.service_codes[0].product_id, "POST");
    assert_eq!(
        shop.events("17850"),
        [
            "checkout 536365 85123A×6 71053×6 2010-12-01T08:26:00Z",
            "return C536379 85123A×4 2010-12-01T09:41:00Z",
        ]
    );
    assert_eq!(shop.events("12583"), ["checkout 536370 22728×24 2010-12-01T08:45:00Z"]);
    let products = shop.lake().read_products().unwrap();
    let names: Vec<&str> = products.iter().map(|p| p.product_name.as_str()).collect();
    assert_eq!(
        names,
        [
            "DECORATIVE ROSE BATHROOM BOTTLE",
            "ALARM CLOCK, PINK",
            "WHITE METAL LANTERN",
            "WHITE HANGING HEART T-LIGHT HOLDER",
        ]
    );

    let kept = Options { products: vec!["POST".to_owned()], ..options(Content::Orders) };
    let shop = Shop::new();
    let source = shop.file("retail.csv", retail);
    assert_eq!(shop.import(&source, &kept).unwrap().summary.products, 5);
}

#[test]
fn only_the_first_line_of_a_shopify_order_names_the_customer() {
    let orders = "\
Name,Email,Financial Status,Paid at,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku
#1001,ada@x.org,paid,2025-02-01 10:00:01 +0100,2025-02-01 10:00:00 +0100,2,Tea,3.50,tea-1
#1001,,,,,1,Cup,8.00,
#1002,bob@x.org,refunded,2025-02-02 10:00:01 +0100,2025-02-02 10:00:00 +0100,1,Tea,3.50,tea-1
";
    let shop = Shop::new();
    let source = shop.file("orders_export.csv", orders);
    let mapping = Mapping::preset("shopify-orders").unwrap();
    let done = shop.import(&source, &Options { mapping, ..options(Content::Orders) }).unwrap();
    assert_eq!((done.summary.orders, done.assembled.unwrap().orders_undone), (2, 1));
    assert!(done.understood.notes.iter().any(|note| note.contains("e-mail")));
    assert_eq!(shop.events("ada@x.org"), ["checkout #1001 tea-1×2 Cup×1 2025-02-01T09:00:00Z"]);
    assert_eq!(
        shop.events("bob@x.org"),
        [
            "checkout #1002 tea-1×1 2025-02-02T09:00:00Z",
            "return #1002:return tea-1×1 2025-02-02T09:00:00Z",
        ]
    );
}

#[test]
fn ga4_and_woocommerce_name_products_in_lists() {
    let ga4 = r#"{"event_name":"view_item","event_timestamp":"1735725600000000","user_pseudo_id":"v.1","user_id":null,"items":[{"item_id":"p1","item_name":"Tea","item_category":"Drinks","quantity":null}],"ecommerce":{"transaction_id":"(not set)"}}
{"event_name":"page_view","event_timestamp":"1735725600000000","user_pseudo_id":"v.1","items":[]}
{"event_name":"view_search_results","event_timestamp":"1735725650000000","user_pseudo_id":"v.1","event_params":[{"key":"page","value":{"int_value":"1"}},{"key":"search_term","value":{"string_value":"green tea"}}],"items":[{"item_id":"p1"},{"item_id":"p2"}]}
{"event_name":"purchase","event_timestamp":"1735725700000000","user_pseudo_id":"v.1","user_id":"ada","items":[{"item_id":"p1","quantity":2,"price":3.5},{"item_id":"p2","quantity":1}],"ecommerce":{"transaction_id":"T7"}}
"#;
    let shop = Shop::new();
    let source = shop.file("ga4.json", ga4);
    let mapping = Mapping::preset("ga4-bigquery").unwrap();
    let done = shop.import(&source, &Options { mapping, ..events() }).unwrap();
    assert_eq!((done.summary.rejected, done.understood.other_events["page_view"]), (0, 1));
    assert_eq!(shop.events("ada"), ["checkout T7 p1×2 p2×1 2025-01-01T10:01:40Z"]);
    let seen = ["view p1×1 2025-01-01T10:00:00Z", "search \"green tea\" 2025-01-01T10:00:50Z"];
    assert_eq!(without_ids(shop.events("~v.1")), seen);
    let guests = done.assembled.unwrap().guests;
    assert_eq!((guests, shop.lake().checkouts().unwrap().ties.guests("ada")), (1, vec!["~v.1"]));
    assert_eq!(shop.lake().read_products().unwrap()[0].department, "Drinks");

    let woo = r#"{"id":55,"status":"completed","date_created_gmt":"2025-01-01T10:00:00","customer_id":7,"line_items":[{"name":"Tea","product_id":12,"sku":"","quantity":2,"price":3.5}]}
{"id":56,"status":"processing","date_created_gmt":"2025-01-02T10:00:00","customer_id":0,"line_items":[{"name":"Tea","product_id":12,"sku":"tea","quantity":1,"price":3.5}]}
"#;
    let shop = Shop::new();
    let source = shop.file("woo.ndjson", woo);
    let mapping = Mapping::preset("woocommerce-orders").unwrap();
    let done = shop.import(&source, &Options { mapping, ..options(Content::Orders) }).unwrap();
    assert_eq!((done.summary.orders, done.summary.baskets), (1, 1));
    assert_eq!(shop.events("7"), ["checkout 55 12×2 2025-01-01T10:00:00Z"]);
}

#[test]
fn searches_keep_their_text_and_name_no_product() {
    let log = "event_id,user,sku,time,event,search_term\n\
               s1,ada,,2025-03-01 10:00:00,search,green tea\n\
               v1,ada,p1,2025-03-01 10:01:00,view,\n\
               ,ada,p1,2025-03-01 10:02:00,Products Searched,mug\n\
               ,ada,p2,2025-03-01 10:02:00,Products Searched,mug\n\
               s2,ada,,2025-03-01 10:03:00,search,\n";
    let shop = Shop::new();
    let options = Options { max_rejects: 50.0, ..events() };
    let done = shop.import(&shop.file("log.csv", log), &options).unwrap();
    assert_eq!((done.summary.events, done.summary.products, done.summary.rejected), (3, 1, 1));
    assert_eq!(done.understood.reasons[0].reason, "query is missing");
    assert_eq!(done.understood.first_rows[0].query, "green tea");
    let stored = shop.events("ada");
    let expected =
        ["search s1 \"green tea\" 2025-03-01T10:00:00Z", "view v1 p1×1 2025-03-01T10:01:00Z"];
    assert_eq!(stored[..2], expected);
    assert_eq!(without_ids(stored[2..].to_vec()), ["search \"mug\" 2025-03-01T10:02:00Z"]);
}

#[test]
fn a_saved_mapping_gives_the_same_import() {
    let shop = Shop::new();
    let source = shop.file("events.csv", EVENTS);
    let first = shop.import(&source, &events()).unwrap();
    let mapping = Mapping::parse(&first.understood.mapping).unwrap();
    let again = shop.import(&source, &Options { mapping, ..events() }).unwrap();
    assert!(again.summary.unchanged);
}

#[test]
fn what_is_missing_is_said() {
    let shop = Shop::new();
    let error = |name: &str, text: &str, options: &Options| {
        let source = shop.file(name, text);
        let failed = shop.import(&source, options).unwrap_err().to_string();
        match preview(&source, options) {
            Ok(shown) => {
                // The preview names the same problem and shows the columns.
                assert!(failed.ends_with(&shown.problem.unwrap()), "{failed}");
                assert!(shown.columns.iter().any(|column| !column.examples.is_empty()));
            }
            Err(error) => assert_eq!(error.to_string(), failed),
        }
        failed
    };
    let orders = options(Content::Orders);
    let no_time = error("a.csv", "customer,sku\nada,p\n", &orders);
    assert!(no_time.contains("the column of time") && no_time.contains("customer, sku"));
    let no_event = error("b.csv", "customer,sku,time,qty\nada,p,2025-01-01,2\n", &events());
    assert!(no_event.contains("import orders"), "{no_event}");
    let no_header = error("c.csv", "17,p,2025-01-01\n18,q,2025-01-02\n", &orders);
    assert!(no_header.contains("name the columns"), "{no_header}");
    let dates = error("d.csv", "customer,sku,date\nada,p,3/4/2025\n", &orders);
    assert!(dates.contains("date_order, dmy"), "{dates}");
    let array = error("e.json", "[{\"a\":1}]", &orders);
    assert!(array.contains("jq -c"), "{array}");

    let source = shop.file("f.csv", "buyer,thing,date,shade\nada,p,2025-01-01,red\n");
    let unclear = preview(&source, &orders).unwrap();
    let recognised: Vec<Field> = unclear.fields.iter().map(|known| known.field).collect();
    assert_eq!(recognised, [Field::UserId, Field::Time]);
    assert_eq!(unclear.ignored_columns, ["thing", "shade"]);
    assert_eq!((unclear.rows, unclear.columns[1].examples.as_slice()), (0, &["p".to_owned()][..]));

    let columns = ["customer", "sku", "time"].map(str::to_owned).to_vec();
    let named = Options { header: Some(columns), ..orders };
    let source = shop.file("c.csv", "17,p,2025-01-01\n18,q,2025-01-02\n");
    assert_eq!(preview(&source, &named).unwrap().lines, 2);
}
