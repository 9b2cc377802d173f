//! What an impression records of its request and its moment, so that the answer can be made again.

use cartwheel_engine::{Basis, Noted};
use cartwheel_events::ProductId;
use cartwheel_placements::Placements;
use cartwheel_sessions::{CatalogueMark, Session};
use cartwheel_stream::Sequence;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::shop::filters::FiltersBody;
use crate::shop::known::Known;
use crate::shop::placements::slot::Asked;

/// Longest moment, in bytes of JSON. An answer with a longer one cannot be made again.
const MAX_MOMENT: usize = 8 << 10;

/// The settings on which answers depend.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AnswerSettings {
    /// `shop.timezone`.
    pub timezone: String,
    /// `recommend.discovery`.
    #[serde(skip_serializing_if = "is_default")]
    pub discovery: f32,
    /// `recommend.value`.
    pub value: String,
    /// `catalogue.accept_unknown`.
    #[serde(skip_serializing_if = "is_default")]
    pub accept_unknown: bool,
}

/// What a host records that can make answers again.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recording {
    /// The settings.
    pub settings: AnswerSettings,
    /// By what sessions are found again.
    pub sessions: MarkedBy,
}

/// By what the session of an answer is found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MarkedBy {
    /// By its place in the stream: the lake has the places of events.
    #[default]
    Place,
    /// By its content: the lake does not have them.
    Content,
}

/// Names the session that an answer was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SessionMark {
    /// By its place in the stream.
    Place {
        /// The sequence number of the shopper's first record that was not applied.
        next: Sequence,
        /// The number of events applied since the session began.
        events: u64,
    },
    /// By its content.
    Content {
        /// As of [`Session::fingerprint`].
        fingerprint: u64,
        /// The number of events applied since the session began.
        events: u64,
    },
}

impl SessionMark {
    /// The mark of a session.
    pub fn of(session: &Session, by: MarkedBy) -> Self {
        let events = session.events;
        match by {
            MarkedBy::Place => Self::Place { next: session.next_sequence, events },
            MarkedBy::Content => Self::Content { fingerprint: session.fingerprint(), events },
        }
    }

    /// The number of events applied since the session began.
    pub fn events(&self) -> u64 {
        match self {
            Self::Place { events, .. } | Self::Content { events, .. } => *events,
        }
    }

    /// Whether this is the mark of `session`.
    pub fn fits(&self, session: &Session) -> bool {
        let by = match self {
            Self::Place { .. } => MarkedBy::Place,
            Self::Content { .. } => MarkedBy::Content,
        };
        self.events() == session.events && *self == Self::of(session, by)
    }
}

/// All that an answer depended on, beside its release and the clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// The shopper's session, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionMark>,
    /// The state of the live catalogue.
    pub catalogue: CatalogueMark,
    /// What shoppers turned to: products with the bits of their counts, one reading after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attention: Vec<Vec<(ProductId, u64)>>,
    /// The version of the rules.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rules: u64,
    /// The version of the placements; 0 too for an answer without placement.
    #[serde(default, skip_serializing_if = "is_default")]
    pub placements: u64,
    /// Whether the shopper's stored record was ignored, because the shopper was being erased.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hidden: bool,
    /// Whether the user store had a record of the shopper for the answer's feature set. Never if the
    /// feature set itself holds the records.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stored: bool,
    /// The settings.
    pub settings: AnswerSettings,
    pub(crate) request: Remembered,
}

/// A request without its shopper and its cart, which the impression has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Remembered {
    /// For recommendations.
    Shopper(ShopperRequest),
    /// For the lists of a page, of which the impression is one.
    Lists(ListsRequest),
}

/// A request for recommendations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ShopperRequest {
    pub(crate) limit: usize,
    /// Whether the cart is the request's own, instead of the session's.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) own_cart: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) filters: FiltersBody,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) filter: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) context: Map<String, Value>,
}

/// A request for lists.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ListsRequest {
    pub(crate) lists: Vec<Asked>,
    /// The place of the impression's list among them, from 0.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) at: usize,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) own_cart: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) context: Map<String, Value>,
}

/// The versions of feature set and model in the name of a release.
pub(crate) fn release_parts(name: &str) -> (&str, &str) {
    name.rsplit_once('+').unwrap_or((name, "none"))
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Moment {
    /// The moment of an answer of `release`, with the version 0 of rules and placements.
    pub(crate) fn new(
        known: &Known,
        release: &str,
        basis: &Basis,
        recording: &Recording,
        request: Remembered,
    ) -> Self {
        let bits = |noted: &Noted| {
            noted.iter().map(|(product, count)| (product.clone(), count.to_bits())).collect()
        };
        Self {
            session: known.session().map(|session| SessionMark::of(session, recording.sessions)),
            catalogue: basis.catalogue,
            attention: basis.attention.iter().map(bits).collect(),
            rules: 0,
            placements: 0,
            hidden: basis.hidden,
            stored: known.record().is_some_and(|record| {
                record.bytes.is_some() && record.feature_set == release_parts(release).0
            }),
            settings: recording.settings.clone(),
            request,
        }
    }

    /// The moment as an impression records it; `None` if it is too long.
    pub(crate) fn encoded(&self) -> Option<String> {
        // Encoding these structs cannot fail.
        let text = serde_json::to_string(self).unwrap_or_default();
        (1..=MAX_MOMENT).contains(&text.len()).then_some(text)
    }

    /// Reads the moment of an impression.
    ///
    /// # Errors
    /// When it is damaged, or of a later release.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Whether the list, or one before it on the page, tried products of which little is known. Which
    /// ones it drew depends on counts that are not recorded.
    pub fn explored(&self, placements: &Placements) -> bool {
        let Remembered::Lists(ListsRequest { lists, at, .. }) = &self.request else { return false };
        lists.iter().take(at + 1).any(|asked| {
            let placement = placements.placements.get(&asked.name);
            placement.is_some_and(|placement| placement.explore.slots > 0)
        })
    }

    /// What shoppers turned to.
    pub fn attention(&self) -> Vec<Noted> {
        let noted = |noted: &Vec<(ProductId, u64)>| {
            noted.iter().map(|(product, bits)| (product.clone(), f64::from_bits(*bits))).collect()
        };
        self.attention.iter().map(noted).collect()
    }
}
