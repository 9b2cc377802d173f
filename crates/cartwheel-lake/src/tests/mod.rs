//! The tests of this crate, and the records and files that they share.

mod catalogue;
mod compaction;
mod damage;
mod delivery;
mod erasure;
mod feedback;
mod import;
mod positions;
mod read;
mod recent;
mod searches;
mod store;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cartwheel_ambient::Clock;
use cartwheel_events::{
    Event, EventRecord, Impression, ImpressionItem, ProductId, ProductRecord, Record, UserId,
};
use cartwheel_stream::{MemoryStream, Stream};
use serde_json::json;

use crate::{
    Delivery, DeliveryOptions, EarlierImports, ImportError, ImportOptions, ImportSummary, Lake,
};

const ORDERS: &str =
    "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order
1,a,prior,1,2,9,
2,a,prior,2,3,10,7.0
3,b,test,1,0,23,
bad\tid,b,prior,2,1,1,1
4,b,maybe,2,1,1,1
5,b,prior,x,1,1,1
6,b,prior,2,9,1,1
1,b,prior,2,1,1,1
7,b,prior,1,1,1,1
8,b,prior,2,1
";
const LINES: &str = "order_id,product_id,add_to_cart_order,reordered
1,p1,1,0
1,p2,2,0
1,p1,3,0
2,p1,1,1
2,p9,2,2
2,p8,zero,0
99,p1,1,0
2,,1,0
3,p7,1,0
";
const PRODUCTS: &str = "product_id,product_name,aisle_id,department_id
p1,\"Milk, whole\",1,2
p2,Tea,9,9
p1,Milk again,1,2
";

/// A folder with these files.
fn shop(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

/// A shop with all files, some rows of which are wrong.
fn whole_shop() -> tempfile::TempDir {
    shop(&[
        ("orders.csv", ORDERS),
        ("order_products.csv", LINES),
        ("products.csv", PRODUCTS),
        ("aisles.csv", "aisle_id,aisle\n1,milk\n"),
        ("departments.csv", "department_id,department\n2,dairy\n"),
    ])
}

fn import_shop(lake: &Path, dir: &Path) -> Result<ImportSummary, ImportError> {
    let options = ImportOptions {
        as_of_ms: Some(1_700_000_000_000),
        now_ms: 0,
        earlier: EarlierImports::ReplaceKind,
    };
    crate::import::instacart(&Lake::open(lake).unwrap(), dir, &options, &mut |_| {})
}

/// Every file below `dir` with its content, by path.
fn listing(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                out.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    out.sort();
    out
}

fn checkout(user: &str, id: &str, at: i64) -> Record {
    let body = json!({"user_id": user, "event": "checkout", "product_ids": ["p1", "p2"]});
    Record::Event(EventRecord::new(Event::from_json(&body).unwrap(), id.to_owned(), at))
}

fn delivery_options(max_records: usize, clock: Clock) -> DeliveryOptions {
    DeliveryOptions { max_records, max_age: Duration::from_millis(1), clock }
}

fn delivery(stream: &Arc<MemoryStream>, dir: &Path) -> Delivery {
    let options = delivery_options(10, Clock::system());
    let lake = Lake::open(&dir.join("lake")).unwrap();
    let checkpoint = dir.join("delivery.json");
    Delivery::new(Arc::clone(stream) as _, &lake, options, &checkpoint, |_| {}).unwrap()
}

/// The event ids of the delivered checkouts.
fn delivered(dir: &Path) -> Vec<String> {
    let found = Lake::open(&dir.join("lake")).unwrap().checkouts().unwrap();
    assert_eq!(found.problems, Vec::<String>::new());
    found.records.into_iter().map(|c| c.event_id).collect()
}

/// An event that may name a recommendation.
fn event(
    user: &str,
    event: &str,
    products: &[&str],
    recommendation: Option<&str>,
    at: i64,
) -> Record {
    let mut body = json!({"user_id": user, "event": event, "product_ids": products});
    if let Some(id) = recommendation {
        body["recommendation_id"] = json!(id);
    }
    let event = Event::from_json(&body).unwrap();
    Record::Event(EventRecord::new(event, format!("e{at}"), at))
}

fn impression(id: &str, user: &str, products: &[&str], at: i64) -> Record {
    let item = |(position, product): (u32, &&str)| ImpressionItem {
        product_id: ProductId::new(*product).unwrap(),
        position,
        score: 0.5,
        source: "popular".to_owned(),
        rule: (*product == "moved").then(|| "tea".to_owned()),
        propensity: (*product == "explored").then_some(0.25),
    };
    Record::Impression(Impression {
        schema_version: 1,
        recommendation_id: id.to_owned(),
        user_id: UserId::new(user).unwrap(),
        release: "f+m".to_owned(),
        cart: Vec::new(),
        shown: (0..).zip(products).map(item).collect(),
        received_at_ms: at,
        placement: Some("home".to_owned()),
        page: None,
        moment: None,
    })
}

/// A change that leaves the product with a name, or deletes it.
fn product(id: &str, name: Option<&str>, at: i64) -> Record {
    let product = name.map(|name| {
        json!({"product_id": id, "name": name, "categories": ["Food", "Tea"], "price": "1.50"})
    });
    Record::Product(ProductRecord {
        schema_version: 1,
        product_id: ProductId::new(id).unwrap(),
        product,
        received_at_ms: at,
    })
}
