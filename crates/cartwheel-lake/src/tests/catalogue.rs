use cartwheel_stream::Sequence;

use super::*;
use crate::files::parts::live_parts;
use crate::{CompactionOptions, Compactor, Erasure, Inspector};

const HOUR_MS: i64 = 3_600_000;

/// The name, or whether it was deleted, of each product's newest change.
fn newest(lake: &Lake) -> Vec<(String, Option<String>)> {
    let changes = lake.catalogue_changes().unwrap();
    assert_eq!(changes.problems, Vec::<String>::new());
    let name = |product: serde_json::Value| product["name"].as_str().unwrap().to_owned();
    let newest = changes.newest.into_iter();
    newest.map(|(_, c)| (c.product_id.to_string(), c.product.map(name))).collect()
}

/// A lake with an import and these delivered records.
async fn lake_with(records: Vec<Record>) -> (tempfile::TempDir, Lake, Vec<Sequence>) {
    let dir = tempfile::tempdir().unwrap();
    import_shop(&dir.path().join("lake"), whole_shop().path()).unwrap();
    let stream = Arc::new(MemoryStream::new(2));
    for record in records {
        stream.put(vec![record]).await;
        // A part for each record.
        delivery(&stream, dir.path()).deliver().await.unwrap();
    }
    let next = delivery(&stream, dir.path()).status().now().next;
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    (dir, lake, next)
}

fn changes() -> Vec<Record> {
    vec![
        product("p1", Some("Oat milk"), 0),
        checkout("u", "e", 1),
        product("p1", Some("Oat drink"), 2),
        product("new", Some("Green tea"), HOUR_MS),
        product("p2", Some("Gone"), 3),
        product("p2", None, HOUR_MS + 1),
        product("ignored", None, HOUR_MS + 2),
    ]
}

#[tokio::test]
async fn products_are_those_of_the_import_with_later_changes() {
    let (_dir, lake, _) = lake_with(changes()).await;
    let rows = lake.read_products().unwrap();
    let texts: Vec<[&str; 4]> = rows
        .iter()
        .map(|r| [&*r.product_id, &*r.product_name, &*r.aisle, &*r.department])
        .collect();
    assert_eq!(
        texts,
        [
            ["new", "Green tea", "Tea", "Food"],
            ["p1", "Oat drink", "Tea", "Food"],
            // Deleted: orders still refer to it.
            ["p2", "Tea", "unknown", "unknown"],
            ["p7", "Product p7", "unknown", "unknown"],
        ]
    );
    assert_eq!(delivered(_dir.path()), ["e"], "events are delivered beside them");
    let tables = Inspector::new(lake).tables().unwrap();
    assert!(tables.iter().any(|table| table.name == "catalogue"));
}

#[tokio::test]
async fn merged_parts_lead_to_the_same_products() {
    let (_dir, lake, delivered) = lake_with(changes()).await;
    let before = newest(&lake);
    assert_eq!(before.len(), 4);
    let parts = live_parts(&lake.dir().join("catalogue")).unwrap().len();
    let options =
        CompactionOptions { grace: Duration::from_secs(1), max_parts: 1, ..Default::default() };
    let summary = Compactor::new(&lake, options)
        .compact(100 * HOUR_MS, &delivered, &[], &mut |_| {})
        .unwrap();
    assert_eq!((summary.rows_dropped, summary.problems.len()), (0, 0));
    assert!(live_parts(&lake.dir().join("catalogue")).unwrap().len() < parts);
    assert_eq!(newest(&lake), before);
}

#[tokio::test]
async fn the_erasure_of_a_user_leaves_products_alone() {
    let (_dir, lake, delivered) = lake_with(changes()).await;
    let erasure =
        Erasure { user_id: "p1".to_owned(), before: Sequence::from(1000), erased_at_ms: HOUR_MS };
    let summary = Compactor::new(&lake, CompactionOptions::default())
        .compact(HOUR_MS, &delivered, &[erasure], &mut |_| {})
        .unwrap();
    assert_eq!(summary.problems, Vec::<String>::new());
    assert_eq!(newest(&lake).len(), 4);
}
