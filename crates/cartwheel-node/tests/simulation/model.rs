//! What must hold: the records that were acknowledged, and what follows from them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};
use cartwheel_events::Record;
use cartwheel_sessions::Session;
use cartwheel_stream::{Position, shard_of};
use serde_json::Value;

/// Shards of the log.
pub const SHARDS: u32 = 3;

/// The text by which a record is recognised.
pub fn id(record: &Record) -> String {
    match record {
        Record::Event(event) => event.event_id.clone(),
        Record::Product(change) => {
            let name = change.product.as_ref().and_then(|product| product["name"].as_str());
            name.unwrap_or_default().to_owned()
        }
        Record::Impression(shown) => shown.recommendation_id.clone(),
    }
}

fn user(record: &Record) -> &str {
    record.user_id().map_or("", |user| user.as_str())
}

/// The records that a node must have.
#[derive(Default)]
pub struct Model {
    /// By number: acknowledged, or found after a restart, so that a consumer may have read them.
    pub records: BTreeMap<u64, Record>,
    /// By id: put and not acknowledged. Each is there once or not at all.
    unsure: BTreeMap<String, Record>,
    /// By user: records with smaller numbers are erased.
    erased: BTreeMap<String, u64>,
    /// The numbers of all erasures that were asked for; some were perhaps not recorded.
    maybe_erased: BTreeMap<String, BTreeSet<u64>>,
}

impl Model {
    /// A record is about to be put.
    pub fn put(&mut self, record: &Record) {
        self.unsure.insert(id(record), record.clone());
    }

    /// A put was refused before anything was written.
    pub fn refused(&mut self, record: &Record) {
        self.unsure.remove(&id(record));
    }

    /// A put was acknowledged.
    pub fn acknowledged(&mut self, sequence: u64, record: &Record) -> Result<()> {
        let last = self.records.last_key_value().map(|(last, _)| *last);
        ensure!(last < Some(sequence), "{} got number {sequence} after {last:?}", id(record));
        self.unsure.remove(&id(record));
        self.records.insert(sequence, record.clone());
        Ok(())
    }

    /// An erasure is asked for, or was acknowledged.
    pub fn erased(&mut self, user: &str, before: u64, is_acknowledged: bool) {
        if is_acknowledged {
            let at = self.erased.entry(user.to_owned()).or_default();
            *at = before.max(*at);
        } else {
            self.maybe_erased.entry(user.to_owned()).or_default().insert(before);
        }
    }

    fn is_maybe_erased(&self, sequence: u64, record: &Record) -> bool {
        let befores = self.maybe_erased.get(user(record));
        befores.and_then(BTreeSet::last).is_some_and(|before| sequence < *before)
    }

    /// Compares what the log has, from number `first` on, with what it must have.
    pub fn check_log(&mut self, found: BTreeMap<u64, Record>, first: u64) -> Result<()> {
        for (sequence, record) in self.records.range(first..) {
            let has = found.get(sequence).map(id);
            ensure!(
                has == Some(id(record))
                    || (has.is_none() && self.is_maybe_erased(*sequence, record)),
                "the log must have {} as {sequence} and has {has:?}",
                id(record)
            );
        }
        for (sequence, record) in found {
            self.found(sequence, record, "the log")?;
        }
        Ok(())
    }

    /// A record was found at a number.
    fn found(&mut self, sequence: u64, record: Record, place: &str) -> Result<()> {
        if self.records.contains_key(&sequence) {
            return Ok(());
        }
        let id = id(&record);
        let Some(record) = self.unsure.remove(&id) else {
            bail!("{place} has {id} as {sequence}, where it was not put");
        };
        self.records.insert(sequence, record);
        Ok(())
    }

    /// Compares the rows of a user's events in the lake with the records below `delivered`, by shard.
    /// `is_clean` tells that the user's erasure says it has removed everything.
    pub fn check_lake(
        &mut self,
        of: &str,
        rows: &[Value],
        delivered: &[u64],
        is_clean: bool,
    ) -> Result<()> {
        let mut found: BTreeMap<u64, &str> = BTreeMap::new();
        for row in rows {
            let (sequence, id) = (row["sequence"].as_u64(), row["event_id"].as_str());
            let (Some(sequence), Some(id)) = (sequence, id) else { bail!("a row without {row}") };
            ensure!(found.insert(sequence, id).is_none(), "the lake has {id} twice");
            if let Some(record) = self.unsure.get(id).cloned() {
                self.found(sequence, record, "the lake")?;
            }
            let known = self.records.get(&sequence).map(self::id);
            ensure!(known.as_deref() == Some(id), "the lake has {id} as {sequence}, not {known:?}");
            let erased = self.erased.get(of).copied().unwrap_or(0);
            ensure!(!is_clean || sequence >= erased, "the lake still has {id} of {of}, erased");
        }
        let next = delivered[shard_of(of, SHARDS) as usize];
        for (sequence, record) in self.records.range(..next) {
            let is_event = matches!(record, Record::Event(_)) && user(record) == of;
            if is_event && !self.is_maybe_erased(*sequence, record) {
                ensure!(
                    found.contains_key(sequence),
                    "{} has number {sequence} and is not in the lake, delivered up to {next}",
                    id(record)
                );
            }
        }
        Ok(())
    }

    /// Compares a session with the fold of the user's records.
    pub fn check_session(&self, of: &str, found: Option<&Session>) -> Result<()> {
        let erased = self.erased.get(of).copied().unwrap_or(0);
        let later = self.maybe_erased.get(of).into_iter().flatten().copied();
        let befores = std::iter::once(erased).chain(later.filter(|before| *before > erased));
        let seen = found.map(Seen::of).unwrap_or_default();
        let fold = |before: u64| {
            let mut session = Session::default();
            for (sequence, record) in self.records.range(before..) {
                if let Record::Event(event) = record
                    && user(record) == of
                {
                    let shard = shard_of(of, SHARDS);
                    session.apply(Position { shard, sequence: (*sequence).into() }, event);
                }
            }
            Seen::of(&session)
        };
        let expected: Vec<Seen> = befores.map(fold).collect();
        ensure!(expected.contains(&seen), "the session of {of} is {seen:?}, not {expected:?}");
        Ok(())
    }

    /// The newest change of a product: its number and its name.
    pub fn product(&self, of: &str) -> Option<(u64, String)> {
        let is_own = |record: &Record| match record {
            Record::Product(change) => change.product_id.as_str() == of,
            _ => false,
        };
        let newest = self.records.iter().rev().find(|(_, record)| is_own(record));
        newest.map(|(sequence, record)| (*sequence, id(record)))
    }
}

/// What of a session must be as the records say.
#[derive(Debug, PartialEq, Eq, Default)]
struct Seen {
    events: u64,
    cart: Vec<(String, u32)>,
    ids: Vec<String>,
    checkouts: Vec<String>,
}

impl Seen {
    fn of(session: &Session) -> Self {
        let items = session.cart.iter();
        let ids = session.checkouts.iter().map(|checkout| checkout.event_id.clone());
        Self {
            events: session.events,
            cart: items.map(|item| (item.product_id.to_string(), item.quantity)).collect(),
            ids: session.views.iter().map(|view| view.product_id.to_string()).collect(),
            checkouts: ids.collect(),
        }
    }
}
