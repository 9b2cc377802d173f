//! Filling the catalogue of a data directory before a server starts.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cartwheel_ambient::Clock;
use cartwheel_catalogue::Product;
use cartwheel_events::{ProductRecord, Record, SCHEMA_VERSION};
use cartwheel_lake::{Delivery, DeliveryOptions, Lake};
use cartwheel_sessions::RedbSessionTable;
use cartwheel_settings::Settings;
use cartwheel_stream::{Log, Stream};

use crate::catalogue::open_catalogue;
use crate::data_dir::DataDir;
use crate::kept_numbers::{keep_numbers, read_before};
use crate::serve::log_options;

/// Products that are put at once.
const BATCH: usize = 500;

/// Puts products into the catalogue of a data directory that no server uses, and delivers them,
/// so that the next feature set knows them. Each replaces the product that was there.
///
/// # Errors
/// When the stream or the lake cannot be written.
pub async fn fill_catalogue(
    data_dir: &DataDir,
    settings: &Settings,
    products: &[Product],
) -> Result<()> {
    let log = Arc::new(Log::open(&data_dir.stream(), log_options(&settings.stream))?);
    let lake = Lake::open(&data_dir.lake())?;
    let sessions = RedbSessionTable::new(data_dir.sessions());
    let read = read_before(data_dir, &lake, &sessions, &open_catalogue(data_dir, &lake)?)?;
    keep_numbers(&log, read).await?;
    let clock = Clock::system();
    let record = |product: &Product| {
        Record::Product(ProductRecord {
            schema_version: SCHEMA_VERSION,
            product_id: product.product_id.clone(),
            product: Some(product.to_json()),
            received_at_ms: clock.now_ms(),
        })
    };
    for batch in products.chunks(BATCH) {
        let puts = log.put(batch.iter().map(record).collect()).await;
        puts.into_iter().collect::<Result<Vec<_>, _>>().context("the catalogue is not stored")?;
    }
    let options = DeliveryOptions {
        max_records: settings.delivery.max_records,
        max_age: Duration::ZERO,
        clock: clock.clone(),
    };
    let stream: Arc<dyn Stream> = log.clone();
    // Every record is read again by the server's own consumers, so none is released here.
    let mut delivery = Delivery::new(stream, &lake, options, &data_dir.delivery(), |_| {})?;
    delivery.deliver().await?;
    log.close();
    Ok(())
}
