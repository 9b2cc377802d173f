//! Reading the recent events of an import, shopper by shopper.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use arrow_array::{Array, RecordBatch};
use cartwheel_events::{EventKind, EventRecord, ProductId, SCHEMA_VERSION, UserId};

use crate::error::LakeError;
use crate::files::scan::{
    list_counts, list_texts, lists, numbers, optional_texts, scan_since, texts,
};
use crate::lake::Lake;

/// Most events of a shopper; older ones are left out.
const MAX_EVENTS: usize = 10_000;

/// The recent events of a shopper.
#[derive(Debug, Clone, PartialEq)]
pub struct RecentShopper {
    /// The shopper.
    pub user_id: UserId,
    /// The newest events, at most 10,000, by time and kind, with ids, products and pieces, and
    /// without the other columns.
    pub events: Vec<EventRecord>,
}

/// What became of reading recent events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecentEvents {
    /// Whether an erasure or another import has replaced a part meanwhile: read them again.
    pub is_stale: bool,
    /// Parts that cannot be read, each with its path and the error.
    pub problems: Vec<String>,
}

impl Lake {
    /// Reads the events of import `id` since `from_ms` (UTC milliseconds), and calls `each` with
    /// one shopper after another until it returns false. Memory holds the events of one shopper.
    ///
    /// # Errors
    /// When the manifest cannot be read.
    pub fn recent_events(
        &self,
        id: &str,
        from_ms: i64,
        each: &mut dyn FnMut(RecentShopper) -> bool,
    ) -> Result<RecentEvents, LakeError> {
        let manifest = self.import_manifest()?.unwrap_or_default();
        let mut read = RecentEvents::default();
        for part in manifest.events_of(id) {
            let mut shoppers = Shoppers { from_ms, open: None, each: &mut *each, is_ended: false };
            match shoppers.read(&part) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => read.is_stale = true,
                Err(error) => read.problems.push(format!("{}: {error}", part.display())),
            }
            if shoppers.is_ended {
                break;
            }
        }
        Ok(read)
    }
}

/// Gathers the events of a shopper, which are neighbours in a part.
struct Shoppers<'a> {
    from_ms: i64,
    open: Option<(UserId, VecDeque<EventRecord>)>,
    each: &'a mut dyn FnMut(RecentShopper) -> bool,
    is_ended: bool,
}

impl Shoppers<'_> {
    fn read(&mut self, path: &Path) -> io::Result<()> {
        const TIME: &str = "received_at_ms";
        let columns = ["user_id", "event_id", "event", "product_ids", "quantities", "query", TIME];
        let read = scan_since(path, &columns, TIME, self.from_ms, |batch| {
            if self.is_ended { Ok(()) } else { self.batch(batch) }
        });
        // The events before a damage count.
        self.close();
        read
    }

    fn batch(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let (users, ids) = (texts(batch, "user_id")?, texts(batch, "event_id")?);
        let (kinds, times) = (texts(batch, "event")?, numbers(batch, "received_at_ms")?);
        let (products, quantities) = (lists(batch, "product_ids")?, lists(batch, "quantities")?);
        let queries = optional_texts(batch, "query");
        for row in 0..batch.num_rows() {
            let at_ms = times.value(row);
            // A kind of a later release changes no session that this one knows.
            let Some(kind) = EventKind::parse(kinds.value(row)) else { continue };
            if times.is_null(row) || at_ms < self.from_ms {
                continue;
            }
            let damaged = |_| io::Error::other("an id has an impossible form");
            let user_id = UserId::new(users.value(row)).map_err(damaged)?;
            let product_ids = list_texts(products, row)?.into_iter().map(ProductId::new);
            let product_ids: Vec<ProductId> =
                product_ids.collect::<Result<_, _>>().map_err(damaged)?;
            let mut quantities = list_counts(quantities, row)?;
            quantities.resize(product_ids.len(), 1);
            let query = queries.filter(|queries| queries.is_valid(row));
            self.add(EventRecord {
                schema_version: SCHEMA_VERSION,
                event_id: ids.value(row).to_owned(),
                user_id,
                anonymous_id: None,
                session_id: None,
                event: kind,
                prices: vec![None; product_ids.len()],
                product_ids,
                quantities,
                query: query.map(|queries| queries.value(row).to_owned()),
                country: None,
                timestamp_ms: None,
                source: None,
                recommendation_id: None,
                received_at_ms: at_ms,
                backfilled_at_ms: None,
                carried: None,
                tied: None,
            });
        }
        Ok(())
    }

    fn add(&mut self, event: EventRecord) {
        if self.open.as_ref().is_none_or(|(user_id, _)| *user_id != event.user_id) {
            self.close();
        }
        let (_, events) = self.open.get_or_insert_with(|| (event.user_id.clone(), VecDeque::new()));
        if events.len() == MAX_EVENTS {
            events.pop_front();
        }
        events.push_back(event);
    }

    /// Hands the gathered events over.
    fn close(&mut self) {
        let Some((user_id, events)) = self.open.take() else { return };
        if self.is_ended {
            return;
        }
        let mut events = Vec::from(events);
        // Of one moment, such as a day without a time, a cart comes before its purchase.
        events.sort_by_key(|event| (event.received_at_ms, event.event as u8));
        self.is_ended = !(self.each)(RecentShopper { user_id, events });
    }
}
