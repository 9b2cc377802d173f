//! Reading the views, adds, removes and searches of the event stream.

use std::io;
use std::path::Path;

use cartwheel_events::EventKind;
use rustc_hash::FxHashMap;

use crate::error::LakeError;
use crate::files::parts::{PartsRead, read_parts};
use crate::files::scan::{list_texts, lists, numbers, optional_texts, scan, texts};
use crate::lake::Lake;
use crate::read::ties::Ties;

/// Most touches and searches that are read, the newest: some 640 MB.
const MAX_TOUCHES: usize = 20_000_000;

/// A shopper's action on a product, other than a purchase or a return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch<'a> {
    /// The shopper.
    pub user_id: &'a str,
    /// The product.
    pub product_id: &'a str,
    /// The kind of event.
    pub kind: EventKind,
    /// When the server accepted the event, UTC milliseconds.
    pub received_at_ms: i64,
    /// Hash of the event's id.
    pub event: u64,
    /// Place of the product in the event.
    pub place: u32,
}

/// A shopper's search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search<'a> {
    /// The shopper.
    pub user_id: &'a str,
    /// Its text.
    pub query: &'a str,
    /// When the server accepted the event, UTC milliseconds.
    pub received_at_ms: i64,
    /// Hash of the event's id.
    pub event: u64,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    user: u32,
    /// The product, or the text of a search.
    object: u32,
    kind: EventKind,
    place: u32,
    received_at_ms: i64,
    event: u64,
}

/// Delivered touches and searches, without imported ones. Delivery may repeat them.
#[derive(Debug, Clone, Default)]
pub struct Touches {
    texts: Texts,
    rows: Vec<Row>,
    /// Parts that could not be read, each with its path and the error.
    pub problems: Vec<String>,
}

/// Ids and texts of searches by number.
#[derive(Debug, Clone, Default)]
struct Texts {
    all: Vec<String>,
    numbers: FxHashMap<String, u32>,
}

impl Texts {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = self.all.len() as u32;
        self.all.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

impl Touches {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All touches, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Touch<'_>> {
        let touches = self.rows.iter().filter(|row| row.kind != EventKind::Search);
        touches.map(|row| Touch {
            user_id: &self.texts.all[row.user as usize],
            product_id: &self.texts.all[row.object as usize],
            kind: row.kind,
            received_at_ms: row.received_at_ms,
            event: row.event,
            place: row.place,
        })
    }

    /// All searches, in no order.
    pub fn searches(&self) -> impl Iterator<Item = Search<'_>> {
        let searches = self.rows.iter().filter(|row| row.kind == EventKind::Search);
        searches.map(|row| Search {
            user_id: &self.texts.all[row.user as usize],
            query: &self.texts.all[row.object as usize],
            received_at_ms: row.received_at_ms,
            event: row.event,
        })
    }

    /// Adds a search.
    pub fn push_search(&mut self, search: Search<'_>) {
        let Search { user_id, query, received_at_ms, event } = search;
        let (user, object) = (self.texts.number(user_id), self.texts.number(query));
        let kind = EventKind::Search;
        self.rows.push(Row { user, object, kind, place: 0, received_at_ms, event });
    }

    fn push(&mut self, touch: Touch<'_>) {
        let Touch { user_id, product_id, kind, received_at_ms, event, place } = touch;
        let (user, object) = (self.texts.number(user_id), self.texts.number(product_id));
        self.rows.push(Row { user, object, kind, place, received_at_ms, event });
    }

    fn keep_newest(&mut self) {
        if self.rows.len() > MAX_TOUCHES {
            self.rows.select_nth_unstable_by_key(MAX_TOUCHES, |row| -row.received_at_ms);
            self.rows.truncate(MAX_TOUCHES);
        }
    }
}

impl<'a> FromIterator<Touch<'a>> for Touches {
    fn from_iter<T: IntoIterator<Item = Touch<'a>>>(touches: T) -> Self {
        let mut all = Self::default();
        touches.into_iter().for_each(|touch| all.push(touch));
        all
    }
}

impl Lake {
    /// Reads the newest delivered views, adds, removes and searches, some 20 million. Those of a guest who
    /// turned out to be a user are the user's, by `ties`. `hash` shortens the events' ids.
    ///
    /// # Errors
    /// When the folder of events cannot be listed.
    pub fn touches(&self, ties: &Ties, hash: fn(&[u8]) -> u64) -> Result<Touches, LakeError> {
        let read = |path: &Path, touches: &mut Touches| {
            let before = touches.rows.len();
            // The rows of a damaged part are not trusted, so the part counts as a whole or not
            // at all.
            read(path, ties, hash, touches).inspect_err(|_| touches.rows.truncate(before))?;
            if touches.rows.len() > 2 * MAX_TOUCHES {
                touches.keep_newest();
            }
            Ok(())
        };
        let PartsRead { content: mut touches, problems } =
            read_parts(|| self.delivered_files("events"), read)?;
        touches.keep_newest();
        touches.problems = problems;
        Ok(touches)
    }
}

fn read(path: &Path, ties: &Ties, hash: fn(&[u8]) -> u64, touches: &mut Touches) -> io::Result<()> {
    let columns = ["user_id", "event_id", "event", "product_ids", "query", "received_at_ms"];
    scan(path, Some(&columns), |batch| {
        let text = |name: &str| texts(batch, name);
        let (user, event, kind) = (text("user_id")?, text("event_id")?, text("event")?);
        let received = numbers(batch, "received_at_ms")?;
        let products = lists(batch, "product_ids")?;
        let queries = optional_texts(batch, "query");
        for row in 0..batch.num_rows() {
            let Some(kind) = EventKind::parse(kind.value(row)).filter(|kind| is_read(*kind)) else {
                continue;
            };
            let received_at_ms = received.value(row);
            let shopper = user.value(row);
            let owner = ties.user(shopper, received_at_ms).unwrap_or(shopper);
            let event = hash(event.value(row).as_bytes());
            if let Some(query) = queries.filter(|_| kind == EventKind::Search) {
                let (user_id, query) = (owner, query.value(row));
                touches.push_search(Search { user_id, query, received_at_ms, event });
            }
            for (place, id) in (0..).zip(list_texts(products, row)?) {
                let (user_id, product_id) = (owner, &*id);
                touches.push(Touch { user_id, product_id, kind, received_at_ms, event, place });
            }
        }
        Ok(())
    })
}

fn is_read(kind: EventKind) -> bool {
    use EventKind::{AddToCart, RemoveFromCart, Search, UpdateCart, View};
    matches!(kind, View | AddToCart | RemoveFromCart | UpdateCart | Search)
}
