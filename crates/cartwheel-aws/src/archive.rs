//! Makes earlier answers again from what an account stores.
//!
//! Firehose delivers impressions and events to the folders of the hours in which they came. The table
//! has the users' records and the journal of the catalogue, and the lake has releases and documents.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use cartwheel_api::{Archive, Filed, Replay, Replayer, SessionMark};
use cartwheel_engine::{Opened, ServingEngine};
use cartwheel_events::{EventRecord, Impression, UserId};
use cartwheel_lake::{Lake as Folder, Manifest, Past, day_folder, hour_folder};
use cartwheel_registry::{LiveDocument, Registry, RegistryError, Release};
use cartwheel_sessions::{CatalogueMark, LiveCatalogue, Session, UserStore};
use object_store::ObjectMeta;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::erasures::LakeErasures;
use crate::follow::{self, FollowError};
use crate::lake::{Lake, LakeError};
use crate::lake_copy::{LakeCopy, batches, place};
use crate::past_session::{accepted_ms, after, find};
use crate::products::Products;
use crate::users::Users;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// Longest time that Firehose collects records, in milliseconds.
const DELIVERY_MS: i64 = 15 * MINUTE_MS;
/// How much later than the answer its record may come, and how far clocks of instances may differ, in
/// milliseconds.
const LATE_MS: i64 = 5 * MINUTE_MS;
/// Days in which the beginning of a session is looked for. A session lasts while no seven days are
/// without an event.
const LOOK_BACK_DAYS: i64 = 28;
/// Most bytes, and most objects, that are copied at once.
const BATCH: u64 = 64 << 20;
const OBJECTS: usize = 64;
/// Most events of a shopper that are folded.
const MAX_EVENTS: usize = 5_000;
/// Most guests of a shopper whose events are read.
const MAX_GUESTS: usize = 16;

/// Makes earlier answers again from the lake and the table of an account.
pub struct CloudReplayer {
    lake: Lake,
    registry: Arc<dyn Registry>,
    users: Arc<Users>,
    products: Arc<Products>,
    engine: Arc<ServingEngine>,
    /// Longest time that one answer takes.
    limit: Duration,
    /// Held while an answer is made: a release may take much memory.
    turn: Mutex<()>,
}

impl CloudReplayer {
    /// Makes answers from these again, each in at most about `limit`. What takes longer is
    /// incomplete. `engine` serves the release that is not opened again.
    pub fn new(
        lake: Lake,
        registry: Arc<dyn Registry>,
        users: Arc<Users>,
        products: Arc<Products>,
        engine: Arc<ServingEngine>,
        limit: Duration,
    ) -> Self {
        Self { lake, registry, users, products, engine, limit, turn: Mutex::default() }
    }
}

impl Replayer for CloudReplayer {
    fn replay(&self, id: &str, now_ms: i64) -> Result<Option<Replay>, String> {
        // Its time begins here: the caller waits for the turn, too.
        let until = Instant::now() + self.limit;
        let Some(_turn) = self.turn.try_lock_for(self.limit) else {
            return Err("other answers are being made again: try again later".to_owned());
        };
        let reading = Reading { of: self, until, now_ms, erased_ms: OnceCell::new() };
        Replay::from(&reading, id, now_ms)
    }

    fn delay_ms(&self) -> i64 {
        DELIVERY_MS
    }
}

/// The archive, as far as there is time to read it.
struct Reading<'a> {
    of: &'a CloudReplayer,
    until: Instant,
    now_ms: i64,
    /// When the shopper is being erased, UTC milliseconds.
    erased_ms: OnceCell<i64>,
}

/// The guests whom events tie to their users, beside those that are `known`.
fn guests_of(events: &[EventRecord], known: &[UserId]) -> Vec<UserId> {
    let mut guests: Vec<UserId> = events.iter().filter_map(EventRecord::guest).collect();
    guests.sort_unstable();
    guests.dedup();
    guests.retain(|guest| !known.contains(guest));
    guests.truncate(MAX_GUESTS.saturating_sub(known.len()));
    guests
}

/// The newest object first, in batches that are copied at once.
fn newest_first(mut objects: Vec<ObjectMeta>) -> Vec<Vec<ObjectMeta>> {
    objects.retain(|object| object.location.as_ref().ends_with(".parquet"));
    objects.sort_by(|a, b| place(b).cmp(place(a)));
    let batches = batches(objects, BATCH);
    batches.iter().flat_map(|batch| batch.chunks(OBJECTS)).map(<[ObjectMeta]>::to_vec).collect()
}

impl Reading<'_> {
    /// Waits for work as long as there is time. `None` if that was not long enough.
    fn wait<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<Option<T>, E> {
        Handle::current().block_on(tokio::time::timeout_at(self.until, work)).ok().transpose()
    }

    fn too_long(&self, what: &str) -> String {
        format!("{what} took longer than {} s.", self.of.limit.as_secs())
    }

    /// Copies objects of the lake and reads them.
    async fn read<T: Send + 'static>(
        &self,
        objects: &[ObjectMeta],
        read: impl FnOnce(&Folder) -> Result<Past<T>, cartwheel_lake::LakeError> + Send + 'static,
    ) -> Result<Past<T>, LakeError> {
        let copy = LakeCopy::of(&self.of.lake, objects, &Manifest::default()).await?;
        let read = tokio::task::spawn_blocking(move || copy.open().and_then(|lake| read(&lake)));
        let failed = |error| LakeError::file("temporary files", std::io::Error::other(error));
        match read.await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    async fn impression(&self, id: &str, at_ms: i64) -> Result<Option<Impression>, LakeError> {
        // An object is in the folder of the hour of its oldest record.
        let (from_ms, to_ms) = (at_ms - DELIVERY_MS - LATE_MS, at_ms + LATE_MS);
        let mut folders = vec![hour_folder(from_ms), hour_folder(at_ms), hour_folder(to_ms)];
        folders.dedup();
        for folder in folders.iter().rev() {
            let objects = self.of.lake.objects(&format!("impressions/{folder}")).await?;
            for batch in newest_first(objects) {
                let id = id.to_owned();
                let read = move |lake: &Folder| lake.answer_between(&id, from_ms, to_ms);
                let read = self.read(&batch, read).await?;
                for problem in read.problems {
                    tracing::warn!(problem, "a part of the lake cannot be read");
                }
                if let Some((_, impression)) = read.found {
                    return Ok(Some(impression));
                }
            }
        }
        Ok(None)
    }

    /// The events of a day that may be in the session of an answer at `at_ms`, in batches, the newest
    /// first.
    async fn objects_of(&self, day_ms: i64, at_ms: i64) -> Result<Vec<Vec<ObjectMeta>>, LakeError> {
        let mut objects = self.of.lake.objects(&format!("events/{}", day_folder(day_ms))).await?;
        let last = format!("events/{}/~", hour_folder(at_ms + LATE_MS));
        objects.retain(|object| object.location.as_ref() <= last.as_str());
        Ok(newest_first(objects))
    }

    /// Reads the shopper's events until the session fits; the newest first, since most sessions are
    /// short. Returns the one that comes nearest otherwise.
    fn fitting(
        &self,
        impression: &Impression,
        mark: &SessionMark,
        missing: &mut Vec<String>,
    ) -> Result<Option<Session>, LakeError> {
        let (user_id, at_ms) = (&impression.user_id, impression.received_at_ms);
        let erased_ms = self.erased_ms.get().copied();
        let (mut events, mut problems): (Vec<EventRecord>, Vec<String>) = Default::default();
        let mut guests: Vec<UserId> = Vec::new();
        for day in 0..=LOOK_BACK_DAYS {
            let day_ms = at_ms + LATE_MS - day * DAY_MS;
            let Some(batches) = self.wait(self.objects_of(day_ms, at_ms))? else {
                missing.push(self.too_long("Reading the events"));
                return Ok(None);
            };
            for batch in batches {
                let (mut users, from_ms, to_ms) =
                    (guests.clone(), day_ms - DAY_MS, day_ms + DAY_MS);
                users.push(user_id.clone());
                let read = move |lake: &Folder| loop {
                    let read = lake.unplaced_events(&users, from_ms, to_ms)?;
                    // Their events before a tie are in the same parts or in older ones.
                    let new = guests_of(&read.found, &users);
                    if new.is_empty() {
                        return Ok(read);
                    }
                    users.extend(new);
                };
                let Some(read) = self.wait(self.read(&batch, read))? else {
                    missing.push(self.too_long("Reading the events"));
                    return Ok(None);
                };
                problems.extend(read.problems);
                let is_kept = |event: &EventRecord| {
                    erased_ms.is_none_or(|erased_ms| accepted_ms(event) > erased_ms)
                };
                let older: Vec<EventRecord> = read.found.into_iter().filter(is_kept).collect();
                if older.is_empty() {
                    continue;
                }
                let known = [guests.as_slice(), std::slice::from_ref(user_id)].concat();
                guests.extend(guests_of(&older, &known));
                events.splice(0..0, older);
                if let Some(session) = find(&events, user_id, mark, at_ms) {
                    return Ok(Some(session));
                }
                if events.len() > MAX_EVENTS {
                    missing.push(format!("The shopper has more than {MAX_EVENTS} events."));
                    return Ok(None);
                }
            }
        }
        // They do not matter to a session that fits.
        let unreadable = |problem| format!("A file of the lake cannot be read: {problem}.");
        missing.extend(problems.into_iter().map(unreadable));
        Ok(Some(after(&events, user_id, at_ms)))
    }
}

impl Archive for Reading<'_> {
    type Error = String;

    fn answer(&self, id: &str, at_ms: i64) -> Result<Option<Filed>, String> {
        let found = self.wait(self.impression(id, at_ms)).map_err(|error| error.to_string())?;
        let found = found.ok_or_else(|| self.too_long("Looking for the answer"))?;
        let Some(impression) = found else { return Ok(None) };
        let erasures = LakeErasures::new(self.of.lake.clone());
        let list = self.wait(erasures.list()).map_err(|error| error.to_string())?;
        let list = list.ok_or_else(|| self.too_long("Reading the erasures"))?;
        if let Some(pending) = list.of(impression.user_id.as_str()) {
            let erased_ms = pending.erasure.erased_at_ms;
            if impression.received_at_ms <= erased_ms {
                return Ok(Some(Filed::Erased(impression)));
            }
            let _ = self.erased_ms.set(erased_ms);
        }
        Ok(Some(Filed::Found(impression)))
    }

    fn serving(&self) -> Option<Arc<Opened>> {
        Some(self.of.engine.opened())
    }

    fn open(
        &self,
        release: &Release,
        zone: &str,
        missing: &mut Vec<String>,
    ) -> Result<Option<Opened>, String> {
        match self.wait(follow::open(&*self.of.registry, release, zone)) {
            Ok(Some(opened)) => return Ok(Some(opened)),
            Ok(None) => missing.push(self.too_long("Opening the release")),
            Err(FollowError::Registry(RegistryError::Missing(file))) => {
                missing.push(format!("The file {file} of the release is no longer kept."));
            }
            Err(error) => {
                missing.push(format!("The release cannot be opened any more: {error}."));
            }
        }
        Ok(None)
    }

    fn catalogue(
        &self,
        mark: &CatalogueMark,
        missing: &mut Vec<String>,
    ) -> Result<Option<LiveCatalogue>, String> {
        let read = self.wait(self.of.products.after(mark.newest));
        let Some(found) = read.map_err(|error| error.to_string())? else {
            missing.push(self.too_long("Reading the live catalogue"));
            return Ok(None);
        };
        if found.is_none() {
            missing.push(
                "The live catalogue has changed since, and its earlier state is no longer stored: \
                 the journal keeps the changes since the last snapshot."
                    .to_owned(),
            );
        }
        Ok(found)
    }

    fn session(
        &self,
        impression: &Impression,
        mark: &SessionMark,
        missing: &mut Vec<String>,
    ) -> Result<Option<Session>, String> {
        if let SessionMark::Place { .. } = mark {
            missing
                .push("The session was recorded by a server with a stream of its own.".to_owned());
            return Ok(None);
        }
        self.fitting(impression, mark, missing).map_err(|error| error.to_string())
    }

    fn lost_sessions(&self) -> &'static str {
        "Events are delivered within 15 minutes. Not put together again: a guest after the tie to a \
         user, what such a guest brought along again, a session of more than 28 days."
    }

    fn document(
        &self,
        name: &'static str,
        version: u64,
    ) -> Result<Option<serde_json::Value>, String> {
        let document = LiveDocument::<serde_json::Value>::new(Arc::clone(&self.of.registry), name);
        let found = self.wait(document.version(version)).map_err(|error| error.to_string())?;
        let found = found.ok_or_else(|| self.too_long("reading it"))?;
        Ok(found.map(|found| found.content))
    }

    fn record(
        &self,
        user_id: &UserId,
        feature_set: &str,
        missing: &mut Vec<String>,
    ) -> Result<Option<Vec<u8>>, String> {
        let users = std::slice::from_ref(user_id);
        let found = self.wait(self.of.users.find(users, Some(feature_set), self.now_ms));
        let found = found.map_err(|error| error.to_string())?.and_then(|mut found| found.pop());
        let record = found.and_then(|shopper| shopper.record);
        if record.is_none() {
            missing.push(format!(
                "The shopper's record of the feature set {feature_set} is no longer in the table."
            ));
        }
        Ok(record)
    }
}
