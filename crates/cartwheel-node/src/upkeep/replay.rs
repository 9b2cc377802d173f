//! Makes an earlier answer again from what the data directory stores.
//!
//! The impression names what the answer was made from. Release, rules and placements are kept under
//! their versions. Catalogue and session are folded from their records up to the ones that were
//! applied then, by the code that folds them live, and compared with the marks of the impression.
//! Records that are not delivered yet are read from the stream, all others from the lake.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use anyhow::Result;
use cartwheel_api::{Moment, Past, Replay, SessionMark, replay};
use cartwheel_engine::{Discovery, Erased, Opened, ServingEngine, Value};
use cartwheel_events::{EventRecord, Impression, Record, UserId};
use cartwheel_feature_set::Calendar;
use cartwheel_registry::Release;
use cartwheel_sessions::{CatalogueMark, LiveCatalogue, Session};
use cartwheel_stream::{Position, Sequence, Stream as _};
use tokio::runtime::Handle;

use super::{BATCH, MAX_ROWS, Upkeep};
use crate::stored_document::StoredDocument;

/// How far back the beginning of a session is looked for. A session lasts while no seven days are
/// without an event.
const LOOK_BACK_MS: i64 = 28 * 24 * 3_600_000;
/// A clock that is set back makes ids of the future.
const CLOCK_MS: i64 = 24 * 3_600_000;

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
        let at_ms = made_at(id).filter(|at_ms| *at_ms <= now_ms.saturating_add(CLOCK_MS));
        let Some(at_ms) = at_ms else { return Ok(None) };
        let _turn = self.replaying.lock().unwrap_or_else(PoisonError::into_inner);
        // What is delivered meanwhile is read twice, which changes nothing.
        let waiting = self.waiting()?;
        let wanted = |(sequence, (_, record)): (&Sequence, &(u32, Arc<Record>))| match &**record {
            Record::Impression(shown) if shown.recommendation_id == id => {
                Some((*sequence, shown.clone()))
            }
            _ => None,
        };
        let found = match waiting.iter().find_map(wanted) {
            Some(found) => Some(found),
            None => self.lake.answer(id, at_ms)?.found,
        };
        let Some((sequence, impression)) = found else { return Ok(None) };
        if self.erased_before(&impression.user_id).is_some_and(|before| sequence < before) {
            return Ok(Some(Replay::erased(&impression)));
        }
        let Some(moment) = &impression.moment else {
            let why = "What the answer was made from was not recorded: it is the answer of a route or \
                       of a release that does not record it, or its request was too long.";
            return Ok(Some(Replay::incomplete(&impression, vec![why.to_owned()])));
        };
        let moment = match Moment::read(moment) {
            Ok(moment) => moment,
            Err(error) => {
                let why = format!("What was recorded cannot be read in this release: {error}.");
                return Ok(Some(Replay::incomplete(&impression, vec![why])));
            }
        };
        let mut missing = Vec::new();
        let past = self.past(&impression, &moment, &waiting, &mut missing)?;
        Ok(Some(match past {
            Some(past) if missing.is_empty() => {
                Handle::current().block_on(replay(&impression, &moment, &past))
            }
            _ => Replay::incomplete(&impression, missing),
        }))
    }

    /// Puts together what an answer was made from. Adds what is no longer stored to `missing`.
    fn past(
        &self,
        impression: &Impression,
        moment: &Moment,
        waiting: &Waiting,
        missing: &mut Vec<String>,
    ) -> Result<Option<Past>> {
        let opened = self.opened(&impression.release, &moment.settings.timezone, missing);
        let live = self.catalogue(moment, waiting, missing)?;
        let session = match &moment.session {
            Some(mark) => self.session(impression, mark, waiting, missing)?,
            None => None,
        };
        let mut check = |read: Result<()>| {
            if let Err(error) = read {
                missing.push(format!("{error:#}."));
            }
        };
        let (mut rules, mut placements) = (None, None);
        let document = StoredDocument::rules(&self.data_dir).version(moment.rules);
        check(document.map(|document| rules = Some(document)));
        let document = StoredDocument::placements(&self.data_dir).version(moment.placements);
        check(document.map(|document| placements = Some(document)));
        let value = moment.settings.value.parse::<Value>();
        check(value.as_ref().map(drop).map_err(|error| anyhow::anyhow!("{error}")));
        let (Some(opened), Some(rules), Some(placements)) = (opened, rules, placements) else {
            return Ok(None);
        };
        if moment.explored(&placements) {
            missing.push(
                "The list, or one before it on its page, explored: what was known of the products \
                 that it tried is not stored."
                    .to_owned(),
            );
        }
        let engine = ServingEngine::new(opened)
            .discovering(Discovery::new(moment.settings.discovery))
            .valuing(value.unwrap_or_default())
            .with_catalogue(Arc::new(live), moment.settings.accept_unknown)
            .with_attention(moment.attention());
        if moment.hidden {
            engine.hide(impression.user_id.clone(), Erased::InLake);
        }
        Ok(Some(Past { engine, session, rules, placements }))
    }

    /// Opens a release by its name, or shares the serving one.
    fn opened(&self, name: &str, zone: &str, missing: &mut Vec<String>) -> Option<Arc<Opened>> {
        let serving = self.engine.as_ref().map(|engine| engine.opened());
        let calendar = Calendar::new(zone).ok();
        let is_serving = |opened: &Arc<Opened>| {
            opened.name() == name && calendar.as_ref() == Some(&opened.calendar)
        };
        if let Some(opened) = serving.filter(is_serving) {
            return Some(opened);
        }
        let (features, model) = name.rsplit_once('+').unwrap_or((name, "none"));
        let model = (model != "none").then(|| model.to_owned());
        if features == "none" {
            return kept(Opened::nothing(zone), missing);
        }
        let mut is_there = |folder: std::path::PathBuf, what: &str, version: &str| {
            let exists = folder.join(version).exists();
            if !exists {
                missing.push(format!("The {what} {version} is no longer kept."));
            }
            exists
        };
        let has_features = is_there(self.data_dir.features(), "feature set", features);
        let has_model =
            model.as_deref().is_none_or(|v| is_there(self.data_dir.models(), "model", v));
        if !(has_features && has_model) {
            return None;
        }
        let feature_set = features.to_owned();
        // A challenger's answer names the challenger in the place of the model.
        let schema_hash = String::new();
        let release = Release { feature_set, model, schema_hash, variant: None, challenger: None };
        kept(Opened::open(&self.data_dir.lake(), &release, zone), missing)
    }

    /// The live catalogue as it was.
    fn catalogue(
        &self,
        moment: &Moment,
        waiting: &Waiting,
        missing: &mut Vec<String>,
    ) -> Result<LiveCatalogue> {
        let live = LiveCatalogue::in_memory();
        let newest = moment.catalogue.newest;
        // The first record of a stream has the number 0.
        if moment.catalogue != CatalogueMark::default() {
            let delivered = self.lake.catalogue_until(newest)?;
            missing.extend(delivered.problems.into_iter().map(unreadable));
            for (position, change) in &delivered.found {
                live.apply(*position, change);
            }
            for (&sequence, (shard, record)) in waiting.range(..=newest) {
                if let Record::Product(change) = &**record {
                    live.apply(Position { shard: *shard, sequence }, change);
                }
            }
        }
        if live.changed_since(0).mark != moment.catalogue {
            missing.push(
                "The changes of products that are stored do not lead to the catalogue of that \
                 moment: some are no longer kept, or were accepted at the very moment."
                    .to_owned(),
            );
        }
        Ok(live)
    }

    /// The shopper's session as it was.
    fn session(
        &self,
        impression: &Impression,
        mark: &SessionMark,
        waiting: &Waiting,
        missing: &mut Vec<String>,
    ) -> Result<Option<Session>> {
        let (user_id, at_ms) = (&impression.user_id, impression.received_at_ms);
        let from_ms = at_ms.saturating_sub(LOOK_BACK_MS);
        let delivered = self.lake.events_between(user_id, from_ms, at_ms)?;
        missing.extend(delivered.problems.into_iter().map(unreadable));
        let mut events: BTreeMap<Sequence, (Position, EventRecord)> = BTreeMap::new();
        for (position, event) in delivered.found {
            let event = self.with_carried(position, event)?;
            events.insert(position.sequence, (position, event));
        }
        for (&sequence, (shard, record)) in waiting.range(..mark.next) {
            if let Record::Event(event) = &**record
                && event.user_id == *user_id
            {
                let position = Position { shard: *shard, sequence };
                events.insert(sequence, (position, event.clone()));
            }
        }
        let from = self.erased_before(user_id).unwrap_or_default();
        let mut session = Session::default();
        if from < mark.next {
            for (position, event) in events.range(from..mark.next).map(|(_, event)| event) {
                session.apply(*position, event);
            }
        }
        if SessionMark::of(&session) != *mark {
            missing.push(format!(
                "The session of that moment had {} events; those that are stored lead to {}. Not put \
                 together again: events of an import, what a guest brought along before the \
                 stream's retention, a guest after the tie to a user, a session of more than 28 days.",
                mark.events, session.events
            ));
        }
        Ok(Some(session))
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

/// What could be read, or `None` with the reason in `missing`.
fn kept<T, E: std::fmt::Display>(read: Result<T, E>, missing: &mut Vec<String>) -> Option<Arc<T>> {
    match read {
        Ok(read) => Some(Arc::new(read)),
        Err(error) => {
            missing.push(format!("The release cannot be opened any more: {error}."));
            None
        }
    }
}

fn unreadable(problem: String) -> String {
    format!("A file of the lake cannot be read: {problem}.")
}

/// When an id was made, UTC milliseconds, as a UUID of version 7 tells.
fn made_at(id: &str) -> Option<i64> {
    let mut groups = id.split('-');
    let (high, low) = (groups.next()?, groups.next()?);
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_possible = high.len() == 8 && low.len() == 4 && is_hex(high) && is_hex(low);
    is_possible.then(|| i64::from_str_radix(&format!("{high}{low}"), 16).ok()).flatten()
}
