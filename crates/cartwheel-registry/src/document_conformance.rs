//! The semantics of the documents of a [`Registry`], as checks to run against an implementation.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use serde_json::{Value, json};

use crate::conformance::Backing;
use crate::{
    DocumentChange, DocumentVersion, KEPT_VERSIONS, LiveDocument, MAX_DOCUMENT, Registry,
    RegistryError, layout,
};

/// Runs every check. `lake` makes an empty lake for each of them, by name. Needs a tokio runtime
/// with several threads.
///
/// # Panics
/// When the registry does not conform.
pub async fn documents(lake: &(dyn Fn(&str) -> Arc<dyn Backing> + Sync)) {
    changes(&*lake("changes")).await;
    races(&*lake("document-races")).await;
    bounds(&*lake("bounds")).await;
    interrupted(&*lake("interrupted")).await;
    damage(&*lake("document-damage")).await;
    in_memory(&*lake("in-memory")).await;
}

async fn put(
    registry: &dyn Registry,
    name: &str,
    expected: u64,
    content: &Value,
) -> Result<DocumentVersion, RegistryError> {
    let at_ms = i64::try_from(expected).unwrap() * 10;
    let change = DocumentChange { name, expected, content, by: "operator", at_ms };
    registry.put_document(change).await
}

async fn versions(registry: &dyn Registry, name: &str, limit: usize) -> Vec<u64> {
    let history = registry.document_history(name, limit).await.unwrap();
    history.iter().map(|version| version.version).collect()
}

/// A document is replaced by those who know its version.
async fn changes(lake: &dyn Backing) {
    let registry = lake.registry();
    assert_eq!(registry.document("a").await.unwrap(), None);
    assert!(versions(&*registry, "a", 10).await.is_empty());
    let first = put(&*registry, "a", 0, &json!({"n": 1})).await.unwrap();
    assert_eq!((first.version, first.changed_at_ms, &*first.by), (1, 0, "operator"));
    assert_eq!(first.content, json!({"n": 1}));
    assert_eq!(registry.document("b").await.unwrap(), None, "documents do not share anything");

    for expected in [0, 2] {
        let error = put(&*registry, "a", expected, &json!({"n": 0})).await.unwrap_err();
        let RegistryError::Changed { found, .. } = error else { panic!("{error}") };
        assert_eq!(found, 1);
    }
    let error = put(&*registry, "b", 1, &json!({})).await.unwrap_err();
    assert!(matches!(error, RegistryError::Changed { found: 0, .. }), "{error}");
    assert_eq!(registry.document("a").await.unwrap(), Some(first.clone()));

    let second = put(&*registry, "a", 1, &json!({"n": "2"})).await.unwrap();
    // Another client sees the same.
    let other = lake.registry();
    assert_eq!(other.document("a").await.unwrap(), Some(second.clone()));
    assert_eq!(other.document_history("a", 10).await.unwrap(), [second.clone(), first]);
    assert_eq!(other.document_history("a", 1).await.unwrap(), [second]);
    for name in ["", ".", "../x", "a/b", ".hidden"] {
        let error = registry.document(name).await.unwrap_err();
        assert!(matches!(error, RegistryError::Name(_)), "{name:?}: {error}");
        assert!(put(&*registry, name, 0, &json!({})).await.is_err());
    }
}

/// Of changes at the same time that replace the same version, one is stored.
async fn races(lake: &dyn Backing) {
    for expected in 0..4 {
        let tasks = (0..6).map(|writer| {
            let registry = lake.registry();
            let content = json!({"writer": writer});
            tokio::spawn(async move { put(&*registry, "a", expected, &content).await })
        });
        let mut stored = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            match task.await.unwrap() {
                Ok(version) => stored.push(version),
                Err(RegistryError::Changed { found, .. }) => assert_eq!(found, expected + 1),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(stored.len(), 1, "{stored:?}");
        assert_eq!(lake.registry().document("a").await.unwrap(), stored.pop());
    }
    assert_eq!(versions(&*lake.registry(), "a", 10).await, [4, 3, 2, 1]);
}

/// The last versions are kept, and nothing too large is stored.
async fn bounds(lake: &dyn Backing) {
    let registry = lake.registry();
    for n in 0..KEPT_VERSIONS + 3 {
        put(&*registry, "a", n, &json!({"n": n})).await.unwrap();
    }
    let kept = versions(&*registry, "a", 1000).await;
    let expected: Vec<u64> = (4..=KEPT_VERSIONS + 3).rev().collect();
    assert_eq!(kept, expected);
    let large = json!({"text": "x".repeat(MAX_DOCUMENT)});
    let error = put(&*registry, "a", KEPT_VERSIONS + 3, &large).await.unwrap_err();
    assert!(matches!(error, RegistryError::TooLarge { .. }), "{error}");
    assert_eq!(versions(&*registry, "a", 1).await, [KEPT_VERSIONS + 3]);
}

/// A writer that ended between its steps leaves the old document.
async fn interrupted(lake: &dyn Backing) {
    let registry = lake.registry();
    let first = put(&*registry, "a", 0, &json!({"n": 1})).await.unwrap();
    let copy = serde_json::to_vec(&first).unwrap();
    lake.put(&layout::document_version("a", 1).unwrap(), &copy).await;
    assert_eq!(registry.document("a").await.unwrap(), Some(first.clone()));
    assert_eq!(registry.document_history("a", 10).await.unwrap(), [first]);
    put(&*registry, "a", 1, &json!({"n": 2})).await.unwrap();
    assert_eq!(versions(&*registry, "a", 10).await, [2, 1]);
}

/// A damaged document is an error that names it, and is not overwritten.
async fn damage(lake: &dyn Backing) {
    let registry = lake.registry();
    put(&*registry, "a", 0, &json!({})).await.unwrap();
    lake.put(&layout::document("a").unwrap(), b"{\"version\": 1, \"by").await;
    let error = registry.document("a").await.unwrap_err();
    assert!(matches!(error, RegistryError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("current.json"), "{error}");
    assert!(registry.document_history("a", 10).await.is_err());
    assert!(put(&*registry, "a", 1, &json!({})).await.is_err());
    assert!(registry.document("a").await.is_err(), "it is still the damaged document");
}

/// A document in memory has what is durable.
async fn in_memory(lake: &dyn Backing) {
    let open = || LiveDocument::<Vec<u32>>::new(lake.registry(), "numbers");
    let (one, two) = (open(), open());
    assert_eq!((one.current().version, one.current().content.len()), (0, 0));
    assert!(!one.refresh().await.unwrap(), "nobody has stored one");
    let stored = one.put(0, &vec![1], "operator", 5).await.unwrap();
    assert_eq!((stored.version, stored.changed_at_ms), (1, Some(5)));
    assert_eq!((one.current(), &stored.content), (stored.clone(), &vec![1]));

    assert!(matches!(two.put(0, &vec![2], "x", 6).await, Err(RegistryError::Changed { .. })));
    assert_eq!(two.current().version, 0, "a refused change is not seen");
    assert!(two.refresh().await.unwrap());
    assert!(!two.refresh().await.unwrap());
    assert_eq!(two.current(), stored);
    two.put(1, &vec![2], "x", 6).await.unwrap();
    assert_eq!(two.history(10).await.unwrap().len(), 2);

    // Of a later release: the known version stands.
    put(&*lake.registry(), "numbers", 2, &json!({"numbers": [3]})).await.unwrap();
    let error = two.refresh().await.unwrap_err().to_string();
    assert!(error.contains("version 3 of the document numbers"), "{error}");
    assert_eq!(two.current().content, [2]);

    let reader = open().read_only();
    assert!(matches!(reader.put(3, &vec![], "x", 7).await, Err(RegistryError::ReadOnly(_))));
    let alone = LiveDocument::<Vec<u32>>::without_registry("numbers");
    assert!(!alone.refresh().await.unwrap());
    assert!(alone.put(0, &vec![], "x", 7).await.is_err());
}
