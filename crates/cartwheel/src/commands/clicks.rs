//! Sessions of clicks in a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use cartwheel_features::{Action, Catalogue, Touch};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;

/// The clicks of a session.
pub(crate) struct ClickSession {
    pub id: String,
    /// At least two, oldest first.
    pub clicks: Vec<Touch>,
}

#[derive(Deserialize)]
struct Row {
    session_id: String,
    item_id: String,
    /// Seconds since 1970.
    timestamp: f64,
}

/// Reads `test.csv` or `test.csv.gz`. Clicks on products that the catalogue does not have are left
/// out, and then sessions with fewer than two clicks.
pub(crate) fn read(dir: &Path, catalogue: &Catalogue) -> Result<Vec<ClickSession>> {
    let (plain, packed) = (dir.join("test.csv"), dir.join("test.csv.gz"));
    let path = if packed.exists() { packed } else { plain };
    let named = || path.display().to_string();
    let file = File::open(&path).with_context(named)?;
    let input: Box<dyn Read> = match path.extension().is_some_and(|end| end == "gz") {
        true => Box::new(MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    let mut sessions: BTreeMap<String, Vec<Touch>> = BTreeMap::new();
    for row in csv::Reader::from_reader(input).deserialize() {
        let Row { session_id, item_id, timestamp } = row.with_context(named)?;
        if let Some(product) = catalogue.find(&item_id) {
            let at_ms = (timestamp * 1_000.0) as i64;
            let click = Touch { product, action: Action::View, at_ms };
            sessions.entry(session_id).or_default().push(click);
        }
    }
    let sessions = sessions.into_iter().map(|(id, mut clicks)| {
        clicks.sort_by_key(|click| click.at_ms);
        ClickSession { id, clicks }
    });
    let sessions: Vec<ClickSession> = sessions.filter(|s| s.clicks.len() > 1).collect();
    ensure!(!sessions.is_empty(), "{}: no session has two known products", named());
    Ok(sessions)
}
