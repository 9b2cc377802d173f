//! Client requests: our events alone, in a list and line by line, and those of GA4,
//! Segment and Shopify; and the records that the stream stores for them.

use cartwheel_events::{
    Event, EventRecord, Foreign, MAX_BATCH, MAX_ITEMS, Record, check_id, shopify_order,
};
use serde_json::Value;

/// Reads `bytes` as everything that a client may send. An accepted event must be within bounds,
/// and its record must round-trip.
pub fn event(bytes: &[u8]) {
    if let Ok(Record::Event(record)) = Record::from_slice(bytes) {
        assert!(record.items().count() == record.product_ids.len());
        read_back(Record::Event(record));
    }
    for line in bytes.split(|&byte| byte == b'\n').take(MAX_BATCH) {
        if let Ok(value) = serde_json::from_slice::<Value>(line) {
            ours(&value);
        }
    }
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    value.as_array().into_iter().flatten().take(MAX_BATCH).for_each(ours);
    for format in [Foreign::Ga4, Foreign::Segment] {
        let Ok(events) = format.read(&value) else { continue };
        assert!((1..=MAX_BATCH).contains(&events.len()));
        events.into_iter().flatten().flatten().for_each(stored);
    }
    shopify_order(&value).into_iter().flatten().for_each(stored);
}

fn ours(value: &Value) {
    match Event::from_json(value) {
        Ok(event) => stored(event),
        Err(invalid) => assert!(invalid.field.chars().count() <= 128, "{invalid}"),
    }
}

fn stored(event: Event) {
    assert!(event.items.len() <= MAX_ITEMS);
    let id = event.event_id.clone().unwrap_or_else(|| "assigned".to_owned());
    assert_eq!(check_id(&id), Ok(()));
    read_back(Record::Event(EventRecord::new(event, id, 1)));
}

fn read_back(record: Record) {
    let read = Record::from_slice(&record.to_vec());
    assert!(read.as_ref().is_ok_and(|read| *read == record), "{record:?} became {read:?}");
}
