//! Puts together what an earlier answer was made from, whatever form of the shop keeps it.

use std::sync::Arc;

use cartwheel_engine::{Discovery, Erased, Opened, ServingEngine, Value};
use cartwheel_events::{Impression, UserId};
use cartwheel_registry::Release;
use cartwheel_sessions::{CatalogueMark, LiveCatalogue, Session};
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use crate::operate::replay::replay;
use crate::operate::replayer::made_at;
use crate::operate::views::replay::Replay;
use crate::shop::again::{Past, PastRecord};
use crate::shop::moment::{Moment, SessionMark, release_parts};
use crate::state::{PLACEMENTS, RULES};

/// A clock that is set back makes ids of the future.
const CLOCK_MS: i64 = 24 * 3_600_000;

/// An answer that is stored.
#[derive(Debug)]
pub enum Filed {
    /// Its shopper was erased after it.
    Erased(Impression),
    /// It may be made again.
    Found(Impression),
}

/// What a form of the shop keeps of that from which its answers were made. The calls block, and are
/// made within a tokio runtime. What is no longer kept is added to `missing`, a sentence for each.
pub trait Archive {
    /// Why the archive cannot be read.
    type Error;

    /// Finds the answer `id`, which was made at `at_ms` (UTC milliseconds).
    ///
    /// # Errors
    /// When the archive cannot be read.
    fn answer(&self, id: &str, at_ms: i64) -> Result<Option<Filed>, Self::Error>;

    /// The release that serves, to be shared.
    fn serving(&self) -> Option<Arc<Opened>>;

    /// Opens another release, with a time zone.
    ///
    /// # Errors
    /// When the archive cannot be read.
    fn open(
        &self,
        release: &Release,
        zone: &str,
        missing: &mut Vec<String>,
    ) -> Result<Option<Opened>, Self::Error>;

    /// The live catalogue as of a mark. The result is compared with the mark.
    ///
    /// # Errors
    /// When the archive cannot be read.
    fn catalogue(
        &self,
        mark: &CatalogueMark,
        missing: &mut Vec<String>,
    ) -> Result<Option<LiveCatalogue>, Self::Error>;

    /// The session of the impression's shopper as of a mark. The result is compared with the mark.
    ///
    /// # Errors
    /// When the archive cannot be read.
    fn session(
        &self,
        impression: &Impression,
        mark: &SessionMark,
        missing: &mut Vec<String>,
    ) -> Result<Option<Session>, Self::Error>;

    /// Which sessions cannot be put together, as a sentence.
    fn lost_sessions(&self) -> &'static str;

    /// A version of a document, from 1. `None` if it is no longer kept.
    ///
    /// # Errors
    /// With the reason, if it cannot be read.
    fn document(
        &self,
        name: &'static str,
        version: u64,
    ) -> Result<Option<serde_json::Value>, String>;

    /// The shopper's record in the user store, of a feature set that does not hold the records.
    ///
    /// # Errors
    /// When the archive cannot be read.
    fn record(
        &self,
        user_id: &UserId,
        feature_set: &str,
        missing: &mut Vec<String>,
    ) -> Result<Option<Vec<u8>>, Self::Error>;
}

impl Replay {
    /// Makes the answer `id` again from an archive. `None` if it has no such answer. `now_ms` is the
    /// current time, UTC milliseconds. Blocks; must be called within a tokio runtime. A release may
    /// take much memory: callers make one answer at a time.
    ///
    /// # Errors
    /// When the archive cannot be read.
    pub fn from<A: Archive>(archive: &A, id: &str, now_ms: i64) -> Result<Option<Self>, A::Error> {
        let at_ms = made_at(id).filter(|at_ms| *at_ms <= now_ms.saturating_add(CLOCK_MS));
        let Some(at_ms) = at_ms else { return Ok(None) };
        let impression = match archive.answer(id, at_ms)? {
            None => return Ok(None),
            Some(Filed::Erased(impression)) => return Ok(Some(Self::erased(&impression))),
            Some(Filed::Found(impression)) => impression,
        };
        let Some(moment) = &impression.moment else {
            let why = "What the answer was made from was not recorded: it is the answer of a route or \
                       of a release that does not record it, or its request was too long.";
            return Ok(Some(Self::incomplete(&impression, vec![why.to_owned()])));
        };
        let moment = match Moment::read(moment) {
            Ok(moment) => moment,
            Err(error) => {
                let why = format!("What was recorded cannot be read in this release: {error}.");
                return Ok(Some(Self::incomplete(&impression, vec![why])));
            }
        };
        let mut missing = Vec::new();
        let past = past(archive, &impression, &moment, &mut missing)?;
        Ok(Some(match past {
            Some(past) if missing.is_empty() => {
                Handle::current().block_on(replay(&impression, &moment, &past))
            }
            _ => Self::incomplete(&impression, missing),
        }))
    }
}

/// Puts together what an answer was made from. Adds what is no longer stored to `missing`.
fn past<A: Archive>(
    archive: &A,
    impression: &Impression,
    moment: &Moment,
    missing: &mut Vec<String>,
) -> Result<Option<Past>, A::Error> {
    let opened = opened(archive, &impression.release, &moment.settings.timezone, missing)?;
    let live = catalogue(archive, &moment.catalogue, missing)?;
    let session = match &moment.session {
        Some(mark) => session(archive, impression, mark, missing)?,
        None => None,
    };
    let feature_set = release_parts(&impression.release).0;
    let record = match moment.stored {
        true => archive.record(&impression.user_id, feature_set, missing)?,
        false => None,
    };
    let record = record.map(|bytes| PastRecord { feature_set: feature_set.to_owned(), bytes });
    let rules = document(archive, RULES, moment.rules, missing);
    let placements = document(archive, PLACEMENTS, moment.placements, missing);
    let value = moment.settings.value.parse::<Value>();
    if let Err(error) = &value {
        missing.push(format!("{error}."));
    }
    let (Some(opened), Some(live), Some(rules), Some(placements)) =
        (opened, live, rules, placements)
    else {
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
    Ok(Some(Past { engine, session, record, rules, placements }))
}

/// Opens a release by its name, or shares the serving one.
fn opened<A: Archive>(
    archive: &A,
    name: &str,
    zone: &str,
    missing: &mut Vec<String>,
) -> Result<Option<Arc<Opened>>, A::Error> {
    if let Some(opened) = archive.serving().filter(|opened| opened.is(name, zone)) {
        return Ok(Some(opened));
    }
    let (features, model) = release_parts(name);
    let model = (model != "none").then(|| model.to_owned());
    let opened = match features {
        "none" => match Opened::nothing(zone) {
            Ok(opened) => Some(opened),
            Err(error) => {
                missing.push(format!("The release cannot be opened any more: {error}."));
                None
            }
        },
        _ => {
            let feature_set = features.to_owned();
            // A challenger's answer names the challenger in the place of the model.
            let schema_hash = String::new();
            let release =
                Release { feature_set, model, schema_hash, variant: None, challenger: None };
            archive.open(&release, zone, missing)?
        }
    };
    Ok(opened.map(Arc::new))
}

/// The live catalogue as it was. The catalogue before the first change has the default mark.
fn catalogue<A: Archive>(
    archive: &A,
    mark: &CatalogueMark,
    missing: &mut Vec<String>,
) -> Result<Option<LiveCatalogue>, A::Error> {
    let live = match *mark == CatalogueMark::default() {
        true => Some(LiveCatalogue::in_memory()),
        false => archive.catalogue(mark, missing)?,
    };
    if live.as_ref().is_some_and(|live| live.changed_since(0).mark != *mark) {
        missing.push(
            "The changes of products that are stored do not lead to the catalogue of that \
             moment: some are no longer kept, or were accepted at the very moment."
                .to_owned(),
        );
    }
    Ok(live)
}

/// The shopper's session as it was.
fn session<A: Archive>(
    archive: &A,
    impression: &Impression,
    mark: &SessionMark,
    missing: &mut Vec<String>,
) -> Result<Option<Session>, A::Error> {
    let session = archive.session(impression, mark, missing)?;
    if let Some(session) = session.as_ref().filter(|session| !mark.fits(session)) {
        missing.push(format!(
            "The session of that moment had {} events; those that are stored lead to {}. {}",
            mark.events(),
            session.events,
            archive.lost_sessions()
        ));
    }
    Ok(session)
}

/// A version of a document; 0 is the document that exists from the start.
fn document<A: Archive, T: Default + DeserializeOwned>(
    archive: &A,
    name: &'static str,
    version: u64,
    missing: &mut Vec<String>,
) -> Option<T> {
    if version == 0 {
        return Some(T::default());
    }
    let why = match archive.document(name, version) {
        Ok(Some(content)) => match serde_json::from_value(content) {
            Ok(document) => return Some(document),
            Err(error) => format!("is not valid any more: {error}"),
        },
        Ok(None) => "is no longer kept".to_owned(),
        Err(error) => format!("cannot be read: {error}"),
    };
    missing.push(format!("Version {version} of the {name} {why}."));
    None
}
