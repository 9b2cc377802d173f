//! Imports: a mapping, and the rows of a shop.

use std::io::Cursor;
use std::sync::Arc;

use cartwheel_import::{
    Content, FeedMapping, Mapping, Options, Preview, Source, Stored, preview, read_feed_as,
};
use cartwheel_lake::{EarlierImports, Lake};

use crate::scratch::scratch;

/// Separates the mapping from the rows.
const SEPARATOR: &[u8] = b"\n---\n";
/// 2026-01-01, UTC milliseconds.
const NOW_MS: i64 = 1_767_225_600_000;

/// Imports rows with a mapping that stands before them. A mapping is read back from its own text;
/// each row counts once; an import takes exactly the rows that its preview shows, gives each
/// shopper's events together, and fails without a trace.
pub fn import(bytes: &[u8]) {
    let at = bytes.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
    let (mapping, rows) = match at {
        Some(at) => (&bytes[..at], &bytes[at + SEPARATOR.len()..]),
        None => (&[][..], bytes),
    };
    let mapping = std::str::from_utf8(mapping).ok().and_then(|text| Mapping::parse(text).ok());
    let mapping = mapping.unwrap_or_default();
    assert_eq!(Mapping::parse(&mapping.to_text()).ok().as_ref(), Some(&mapping));
    let source = source(rows);
    for content in [Content::Orders, Content::Events] {
        import_as(&source, content, &mapping);
    }
    if let Ok(feed) = read_feed_as(std::slice::from_ref(&source), &FeedMapping::default()) {
        assert!(feed.products.iter().all(|product| product.to_json().is_object()));
    }
}

fn source(rows: &[u8]) -> Source {
    let rows: Arc<[u8]> = rows.into();
    let open = {
        let rows = rows.clone();
        move || Ok(Box::new(Cursor::new(rows.clone())) as _)
    };
    Source::Stored(Stored::new("rows", rows.len() as u64, open))
}

fn import_as(source: &Source, content: Content, mapping: &Mapping) {
    let options = Options {
        content,
        mapping: mapping.clone(),
        timezone: "Europe/Berlin".to_owned(),
        header: None,
        max_rejects: 100.0,
        earlier: EarlierImports::Refuse,
        services: Vec::new(),
        products: Vec::new(),
        now_ms: NOW_MS,
        threads: 1,
    };
    let sources = std::slice::from_ref(source);
    let Ok(dir) = scratch() else { return };
    let Ok(lake) = Lake::open(dir.path()) else { return };
    let shown = preview(sources, &options, &mut |_| {}).ok();
    shown.iter().for_each(every_row_counts);
    match cartwheel_import::import(&lake, sources, &options, &mut |_| {}) {
        Ok(done) => {
            assert_eq!(shown.as_ref(), Some(&done.understood));
            let manifest = lake.import_manifest().ok().flatten().unwrap_or_default();
            let mut shoppers = 0;
            let read = manifest.imports.first().map(|import| {
                let mut each = |_| {
                    shoppers += 1;
                    true
                };
                lake.recent_events(&import.id, i64::MIN, &mut each)
            });
            assert!(matches!(&read, Some(Ok(read)) if read.problems.is_empty()), "{read:?}");
            assert_eq!(shoppers, done.summary.users);
        }
        Err(_) => assert!(matches!(lake.import_manifest(), Ok(None))),
    }
}

fn every_row_counts(shown: &Preview) {
    let others: u64 = shown.other_events.values().sum();
    let counted = shown.lines + shown.rejected + shown.stock_corrections + others;
    assert_eq!(shown.rows, counted, "{shown:?}");
}
