//! Files of the lake: delivered parts, and the documents that name the current versions.

use std::io;
use std::path::Path;

use cartwheel_ambient::Clock;
use cartwheel_feature_job::{RowGroups, read_rows};
use cartwheel_feature_set::FeatureSet;
use cartwheel_lake::{Delivery, DeliveryOptions, Inspector, Lake};
use cartwheel_stream::MemoryStream;

use crate::scratch::scratch;

/// An intact part of the lake's events, with 3 checkouts.
pub(crate) const EVENTS: &[u8] = include_bytes!("../../../fuzz/corpus/parquet/events.parquet");
/// Number of checkouts in it.
const CHECKOUTS: usize = 3;
const HOUR: &str = "year=2023/month=11/day=14/hour=22";
/// Its beginning and its length, in milliseconds.
const HOUR_FROM_MS: i64 = 1_699_999_200_000;
const HOUR_MS: i64 = 3_600_000;

/// Reads `bytes` as a delivered part of events and of impressions beside an intact part, and as
/// training rows. An error must name the file, and the intact part must still be read.
pub fn parquet(bytes: &[u8]) {
    let Ok(dir) = scratch() else { return };
    if let Err(problem) = beside_an_intact_part(dir.path(), bytes) {
        panic!("{problem}");
    }
}

/// Checks the guarantees of [`parquet`]. The error describes the broken one.
pub(crate) fn beside_an_intact_part(dir: &Path, bytes: &[u8]) -> Result<(), String> {
    let write = || -> io::Result<Lake> {
        for table in ["events", "impressions"] {
            let folder = dir.join(table).join(HOUR);
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join("damaged.parquet"), bytes)?;
        }
        std::fs::write(dir.join("events").join(HOUR).join("intact.parquet"), EVENTS)?;
        Lake::open(dir).map_err(io::Error::other)
    };
    let lake = write().map_err(|error| error.to_string())?;
    let named = |error: String| match error.contains("damaged.parquet") {
        true => Ok(()),
        false => Err(format!("an error does not name the file: {error}")),
    };

    let checkouts = lake.checkouts().map_err(|error| error.to_string())?;
    checkouts.problems.iter().cloned().try_for_each(named)?;
    let kept = (0..CHECKOUTS).filter(|at| {
        let id = format!("c-{at}");
        checkouts.records.iter().any(|checkout| checkout.event_id == id)
    });
    if kept.count() != CHECKOUTS {
        return Err("checkouts of the intact part are missing".to_owned());
    }
    if let Err(error) = lake.feedback(HOUR_FROM_MS, HOUR_FROM_MS + HOUR_MS, HOUR_MS, 1000) {
        named(error.to_string())?;
    }
    let inspector = Inspector::new(lake);
    if let Err(error) = inspector.tables() {
        named(error.to_string())?;
    }
    let path = Path::new("events").join(HOUR).join("damaged.parquet");
    if let Err(error) = inspector.sample(&path, 20) {
        named(error.to_string())?;
    }
    let path = dir.join(path);
    if let Err(error) = read_rows(&path) {
        named(error.to_string())?;
    }
    match RowGroups::of(std::slice::from_ref(&path)) {
        Ok(groups) => drop(groups.rows()),
        Err(error) => named(error.to_string())?,
    }
    Ok(())
}

/// Reads `bytes` as each document of the data directory: the manifests of an import and of a
/// feature set, the current release, and the delivery's checkpoint. An error must name the file.
pub fn manifest(bytes: &[u8]) {
    let Ok(dir) = scratch() else { return };
    let dir = dir.path();
    let write = || -> io::Result<()> {
        for name in [
            "imports/current.json",
            "features/fs/manifest.json",
            "releases/current.json",
            "delivery.json",
        ] {
            let path = dir.join(name);
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(path, bytes)?;
        }
        Ok(())
    };
    let (Ok(()), Ok(lake)) = (write(), Lake::open(dir)) else { return };
    let named = |error: String, name: &str| {
        assert!(error.contains(name), "an error does not name {name}: {error}");
    };
    match lake.import_manifest() {
        Ok(manifest) => {
            for part in manifest.into_iter().flat_map(|manifest| manifest.products) {
                assert!(part.starts_with(dir), "a part lies outside the lake: {}", part.display());
            }
            let _ = lake.read_products();
        }
        Err(error) => named(error.to_string(), "imports/current.json"),
    }
    if let Err(error) = FeatureSet::open(&dir.join("features/fs")) {
        named(error.to_string(), "features/fs/manifest.json");
    }
    if let Err(error) = cartwheel_registry::current(&dir.join("releases")) {
        named(error.to_string(), "releases/current.json");
    }
    let options = DeliveryOptions {
        max_records: 100,
        max_age: std::time::Duration::from_secs(1),
        clock: Clock::fixed(0),
    };
    let stream = std::sync::Arc::new(MemoryStream::new(2));
    let checkpoint = dir.join("delivery.json");
    if let Err(error) = Delivery::new(stream, &lake, options, &checkpoint, |_| {}) {
        named(error.to_string(), "delivery.json");
    }
}
