//! Makes an earlier answer again from what the data directory stores.
//!
//! The impression names what the answer was made from. Release, rules and placements are kept under
//! their versions. Catalogue and session are folded from their records up to the ones that were
//! applied then, by the code that folds them live, and compared with the marks of the impression.
//! Records that are not delivered yet are read from the stream, all others from the lake.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use anyhow::Result;
use cartwheel_api::{Archive, Filed, Replay, SessionMark};
use cartwheel_engine::Opened;
use cartwheel_events::{EventRecord, Impression, Record, UserId};
use cartwheel_registry::{LiveDocument, LocalRegistry, Release};
use cartwheel_sessions::{CatalogueMark, LiveCatalogue, Session};
use cartwheel_stream::{Position, Sequence, Stream as _};
use futures::executor::block_on;
use tokio::runtime::Handle;

use super::{BATCH, MAX_ROWS, Upkeep};

/// How far back the beginning of a session is looked for. A session lasts while no seven days are
/// without an event.
const LOOK_BACK_MS: i64 = 28 * 24 * 3_600_000;

/// The records that are not delivered yet, by place in the stream.
type Waiting = BTreeMap<Sequence, (u32, Arc<Record>)>;

impl Upkeep {
    /// Makes the answer `id` again. `None` if no such answer is stored. `now_ms` is the current time,
    /// UTC milliseconds. Blocks; must be called within a tokio runtime. One answer is made at a
    /// time, since a release may take much memory.
    ///
    /// # Errors
    /// When stream or lake cannot be read.
    pub fn replay(&self, id: &str, now_ms: i64) -> Result<Option<Replay>> {
        let _turn = self.replaying.lock().unwrap_or_else(PoisonError::into_inner);
        // What is delivered meanwhile is read twice, which changes nothing.
        Replay::from(&Stored { upkeep: self, waiting: self.waiting()? }, id, now_ms)
    }

    /// An event with what it carried from a guest, which the stream alone has.
    fn with_carried(&self, position: Position, event: EventRecord) -> Result<EventRecord> {
        if event.anonymous_id.is_none() {
            return Ok(event);
        }
        let read = self.log.read(position.shard, position.sequence, 1);
        let batch = Handle::current().block_on(read)?;
        Ok(match batch.records.into_iter().next() {
            Some((sequence, record)) if sequence == position.sequence => match &*record {
                Record::Event(stored) => stored.clone(),
                _ => event,
            },
            _ => event,
        })
    }

    /// Every record that is not delivered yet.
    fn waiting(&self) -> Result<Waiting> {
        let delivered = self.delivery.now().next;
        let mut waiting = Waiting::new();
        for shard in 0..self.log.shards() {
            let mut next = delivered.get(shard as usize).copied().unwrap_or_default();
            loop {
                let batch = Handle::current().block_on(self.log.read(shard, next, BATCH))?;
                let records = batch.records.into_iter();
                waiting.extend(records.map(|(sequence, record)| (sequence, (shard, record))));
                if batch.next == next {
                    break;
                }
                next = batch.next;
                anyhow::ensure!(
                    waiting.len() < MAX_ROWS,
                    "more than {MAX_ROWS} records wait for their delivery: try again later"
                );
            }
        }
        Ok(waiting)
    }

    /// The sequence number before which the records of a shopper are being erased.
    fn erased_before(&self, user_id: &UserId) -> Option<Sequence> {
        let pending = self.erasures().pending().into_iter();
        let own = pending.filter(|pending| pending.erasure.user_id == user_id.as_str());
        own.map(|pending| pending.erasure.before).max()
    }
}

/// Lake, stream and registry of the data directory.
struct Stored<'a> {
    upkeep: &'a Upkeep,
    waiting: Waiting,
}

impl Archive for Stored<'_> {
    type Error = anyhow::Error;

    fn answer(&self, id: &str, at_ms: i64) -> Result<Option<Filed>> {
        let wanted = |(sequence, (_, record)): (&Sequence, &(u32, Arc<Record>))| match &**record {
            Record::Impression(shown) if shown.recommendation_id == id => {
                Some((Some(*sequence), shown.clone()))
            }
            _ => None,
        };
        let found = match self.waiting.iter().find_map(wanted) {
            Some(found) => Some(found),
            None => self.upkeep.lake.answer_between(id, at_ms, at_ms)?.found,
        };
        Ok(found.map(|(sequence, impression)| {
            let before = self.upkeep.erased_before(&impression.user_id);
            match before.is_some_and(|before| sequence.is_none_or(|sequence| sequence < before)) {
                true => Filed::Erased(impression),
                false => Filed::Found(impression),
            }
        }))
    }

    fn serving(&self) -> Option<Arc<Opened>> {
        self.upkeep.engine.as_ref().map(|engine| engine.opened())
    }

    fn open(
        &self,
        release: &Release,
        zone: &str,
        missing: &mut Vec<String>,
    ) -> Result<Option<Opened>> {
        let mut is_there = |folder: PathBuf, what: &str, version: &str| {
            let exists = folder.join(version).exists();
            if !exists {
                missing.push(format!("The {what} {version} is no longer kept."));
            }
            exists
        };
        let data_dir = &self.upkeep.data_dir;
        let has_features = is_there(data_dir.features(), "feature set", &release.feature_set);
        let model = release.model.as_deref();
        let has_model = model.is_none_or(|model| is_there(data_dir.models(), "model", model));
        if !(has_features && has_model) {
            return Ok(None);
        }
        let opened = Opened::open(&data_dir.lake(), release, zone);
        let failed =
            |error| missing.push(format!("The release cannot be opened any more: {error}."));
        Ok(opened.map_err(failed).ok())
    }

    fn catalogue(
        &self,
        mark: &CatalogueMark,
        missing: &mut Vec<String>,
    ) -> Result<Option<LiveCatalogue>> {
        let live = LiveCatalogue::in_memory();
        let delivered = self.upkeep.lake.catalogue_until(mark.newest)?;
        missing.extend(delivered.problems.into_iter().map(unreadable));
        for (position, change) in &delivered.found {
            live.apply(*position, change);
        }
        for (&sequence, (shard, record)) in self.waiting.range(..=mark.newest) {
            if let Record::Product(change) = &**record {
                live.apply(Position { shard: *shard, sequence }, change);
            }
        }
        Ok(Some(live))
    }

    fn session(
        &self,
        impression: &Impression,
        mark: &SessionMark,
        missing: &mut Vec<String>,
    ) -> Result<Option<Session>> {
        let SessionMark::Place { next, .. } = *mark else {
            missing
                .push("The session was recorded by an account, which has its events.".to_owned());
            return Ok(None);
        };
        let (user_id, at_ms) = (&impression.user_id, impression.received_at_ms);
        let from_ms = at_ms.saturating_sub(LOOK_BACK_MS);
        let delivered = self.upkeep.lake.events_between(user_id, from_ms, at_ms)?;
        missing.extend(delivered.problems.into_iter().map(unreadable));
        let mut events: BTreeMap<Sequence, (Position, EventRecord)> = BTreeMap::new();
        for (position, event) in delivered.found {
            let event = self.upkeep.with_carried(position, event)?;
            events.insert(position.sequence, (position, event));
        }
        for (&sequence, (shard, record)) in self.waiting.range(..next) {
            if let Record::Event(event) = &**record
                && event.user_id == *user_id
            {
                let position = Position { shard: *shard, sequence };
                events.insert(sequence, (position, event.clone()));
            }
        }
        let from = self.upkeep.erased_before(user_id).unwrap_or_default();
        let mut session = Session::default();
        if from < next {
            for (position, event) in events.range(from..next).map(|(_, event)| event) {
                session.apply(*position, event);
            }
        }
        Ok(Some(session))
    }

    fn lost_sessions(&self) -> &'static str {
        "Not put together again: events of an import, what a guest brought along before the \
         stream's retention, a guest after the tie to a user, a session of more than 28 days."
    }

    fn document(
        &self,
        name: &'static str,
        version: u64,
    ) -> Result<Option<serde_json::Value>, String> {
        let registry = Arc::new(LocalRegistry::new(self.upkeep.data_dir.lake()));
        let document = LiveDocument::<serde_json::Value>::new(registry, name);
        let found = block_on(document.version(version)).map_err(|error| error.to_string())?;
        Ok(found.map(|found| found.content))
    }

    /// Feature sets of a data directory hold the records.
    fn record(
        &self,
        _user_id: &UserId,
        feature_set: &str,
        missing: &mut Vec<String>,
    ) -> Result<Option<Vec<u8>>> {
        missing.push(format!("The feature set {feature_set} holds no records of its own here."));
        Ok(None)
    }
}

fn unreadable(problem: String) -> String {
    format!("A file of the lake cannot be read: {problem}.")
}
