//! The sequence numbers that the log of a data directory may not assign again.

use anyhow::{Context as _, Result};
use cartwheel_lake::{Erasures, Lake, delivered_before};
use cartwheel_sessions::{LiveCatalogue, RedbSessionTable};
use cartwheel_stream::{Log, Sequence};

use crate::data_dir::DataDir;

/// Numbers that are skipped beyond the newest checkpoint. A session is stored with the events that
/// a request has applied to it, and the checkpoint follows.
const BEYOND: u64 = 1 << 20;

/// Reads the sequence number below which a consumer of the data directory may have read every
/// record. The caller has the log open.
///
/// # Errors
/// When a file other than the sessions cannot be read or is damaged.
pub fn read_before(
    data_dir: &DataDir,
    lake: &Lake,
    sessions: &RedbSessionTable,
    catalogue: &LiveCatalogue,
) -> Result<u64> {
    // Without its sessions a server starts all the same, and accepts no event.
    let sessions = sessions.newest_checkpoint().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot compare the log with the sessions");
        Sequence::default()
    });
    let erasures = Erasures::open(&data_dir.erasures())?.pending();
    let ends = [
        sessions,
        catalogue.newest_checkpoint(),
        delivered_before(&data_dir.delivery(), lake)?,
        erasures.iter().map(|pending| pending.erasure.before).max().unwrap_or_default(),
    ];
    Ok(ends.into_iter().max().and_then(|end| end.as_u64()).unwrap_or(0))
}

/// Keeps the log from assigning numbers that a consumer has seen, if the log ends before `read`: it
/// has lost records then.
///
/// # Errors
/// When the log cannot be written.
pub async fn keep_numbers(log: &Log, read: u64) -> Result<()> {
    if log.stat().next < read {
        log.skip_to(read + BEYOND).await.context("the log ends before a checkpoint")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use cartwheel_ambient::Clock;
    use cartwheel_lake::{Delivery, DeliveryOptions};
    use cartwheel_settings::Settings;
    use cartwheel_stream::Stream;
    use std::sync::Arc;

    use super::*;
    use crate::log_options;

    async fn put(log: &Log) -> u64 {
        let body = serde_json::json!({"user_id": "u", "event": "view", "product_ids": ["p"]});
        let event = cartwheel_events::Event::from_json(&body).unwrap();
        let record = cartwheel_events::EventRecord::new(event, "e".to_owned(), 1_780_000_000_000);
        let put = log.put(vec![cartwheel_events::Record::Event(record)]).await;
        put[0].as_ref().unwrap().sequence.as_u64().unwrap()
    }

    #[tokio::test]
    async fn a_log_that_lost_its_end_goes_on_after_every_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = DataDir(dir.path().to_owned());
        let read_before = || {
            let sessions = RedbSessionTable::new(data_dir.sessions());
            let lake = Lake::open(&data_dir.lake()).unwrap();
            read_before(&data_dir, &lake, &sessions, &LiveCatalogue::in_memory()).unwrap()
        };
        assert_eq!(read_before(), 0);
        let open = || {
            Arc::new(
                Log::open(&data_dir.stream(), log_options(&Settings::default().stream)).unwrap(),
            )
        };
        let log = open();
        for n in 0..5 {
            assert_eq!(put(&log).await, n);
        }
        let lake = Lake::open(&data_dir.lake()).unwrap();
        let options = DeliveryOptions {
            max_records: 10,
            max_age: std::time::Duration::ZERO,
            clock: Clock::system(),
        };
        let stream: Arc<dyn Stream> = log.clone();
        let delivery = Delivery::new(stream, &lake, options, &data_dir.delivery(), |_| {});
        delivery.unwrap().deliver().await.unwrap();
        assert_eq!(read_before(), 5);
        keep_numbers(&log, 5).await.unwrap();
        assert_eq!(put(&log).await, 5, "a log that is whole skips nothing");
        drop(log);

        std::fs::remove_dir_all(data_dir.stream()).unwrap();
        let log = open();
        keep_numbers(&log, read_before()).await.unwrap();
        let first = put(&log).await;
        assert!(first >= 5 + BEYOND, "{first}");
        drop(log);
        let log = open();
        keep_numbers(&log, read_before()).await.unwrap();
        assert_eq!(put(&log).await, first + 1, "only once");
        drop(log);

        // Without the checkpoint, the names of the lake's parts tell.
        std::fs::remove_dir_all(data_dir.stream()).unwrap();
        std::fs::remove_file(data_dir.delivery()).unwrap();
        assert_eq!(read_before(), 5);
    }
}
