//! A shopper's session: a bounded fold over the shopper's records in the stream.

use std::collections::VecDeque;

use cartwheel_events::{EventKind, EventRecord, ProductId, UserId};
use cartwheel_stream::{Position, Sequence};
use serde::{Deserialize, Serialize};

use crate::dedup::{DEDUP_MS, RecentEvent, event_key};
use crate::fingerprint::fingerprint;

/// Most products of a cart.
pub const MAX_CART: usize = 200;
/// Most views that a session keeps.
pub const MAX_VIEWS: usize = 50;
/// Most changes of the cart that a session keeps.
pub const MAX_CART_CHANGES: usize = 16;
/// Most searches that a session keeps.
pub const MAX_SEARCHES: usize = 8;
/// Most event ids that a session keeps for deduplication.
pub const MAX_RECENT: usize = 64;
/// Most checkouts that a session keeps.
pub const MAX_CHECKOUTS: usize = 64;
/// Most products of all checkouts that a session keeps; the newest checkout is kept in any case.
pub const MAX_CHECKED_OUT: usize = 1000;
/// A session expires this long after its last event, in milliseconds.
pub const SESSION_MS: i64 = 7 * 24 * 3_600_000;

/// A product in the cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartItem {
    /// The product.
    pub product_id: ProductId,
    /// Number of pieces, at least 1.
    pub quantity: u32,
}

/// A view of a product. It is stored as a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(ProductId, i64)", into = "(ProductId, i64)")]
pub struct ProductView {
    /// The product.
    pub product_id: ProductId,
    /// When the server accepted the view, UTC milliseconds.
    pub at_ms: i64,
}

impl From<(ProductId, i64)> for ProductView {
    fn from((product_id, at_ms): (ProductId, i64)) -> Self {
        Self { product_id, at_ms }
    }
}

impl From<ProductView> for (ProductId, i64) {
    fn from(view: ProductView) -> Self {
        (view.product_id, view.at_ms)
    }
}

/// A product that was put into the cart or taken out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartChange {
    /// The product.
    pub product_id: ProductId,
    /// Whether it was put into the cart.
    pub is_added: bool,
    /// When the server accepted the event, UTC milliseconds.
    pub at_ms: i64,
}

/// A search. It is stored as a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(String, i64)", into = "(String, i64)")]
pub struct SessionSearch {
    /// Its text.
    pub query: String,
    /// When the server accepted it, UTC milliseconds.
    pub at_ms: i64,
}

impl From<(String, i64)> for SessionSearch {
    fn from((query, at_ms): (String, i64)) -> Self {
        Self { query, at_ms }
    }
}

impl From<SessionSearch> for (String, i64) {
    fn from(search: SessionSearch) -> Self {
        (search.query, search.at_ms)
    }
}

/// A purchase of this session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCheckout {
    /// The event's id, which is also the order's.
    pub event_id: String,
    /// When the server accepted it, UTC milliseconds.
    pub received_at_ms: i64,
    /// The products, in the order in which they were added.
    pub items: Vec<ProductId>,
}

impl SessionCheckout {
    fn of(record: &EventRecord) -> Self {
        Self {
            event_id: record.event_id.clone(),
            received_at_ms: record.received_at_ms,
            items: record.product_ids.clone(),
        }
    }
}

/// A shopper's last seven days.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Session {
    /// The cart, in the order in which products were added.
    pub cart: Vec<CartItem>,
    /// Product views, newest last.
    pub views: VecDeque<ProductView>,
    /// Changes of the cart, newest last.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub cart_changes: VecDeque<CartChange>,
    /// Searches, newest last.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub searches: VecDeque<SessionSearch>,
    /// Recently accepted events, newest last.
    pub recent_events: VecDeque<RecentEvent>,
    /// Checkouts of the last seven days, newest last.
    pub checkouts: Vec<SessionCheckout>,
    /// Number of events applied.
    pub events: u64,
    /// Number of products put into the cart.
    pub adds: u64,
    /// Number of checkouts applied, whether the session still keeps them or not.
    pub checkout_count: u64,
    /// Sequence number of the first record that is not applied.
    pub next_sequence: Sequence,
    /// When the newest event was accepted, UTC milliseconds.
    pub updated_ms: i64,
    /// The user to whom this guest was tied last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tied_to: Option<UserId>,
    /// When the shopper was erased, UTC milliseconds. Imported events until then stay out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_ms: Option<i64>,
}

impl Session {
    /// Applies the record at `position` and returns `true`. A record that is already
    /// applied changes nothing and returns `false`, and so does a backfilled event that had
    /// expired when it came. A user's records must come in the order of the stream.
    pub fn apply(&mut self, position: Position, record: &EventRecord) -> bool {
        if position.sequence < self.next_sequence {
            return false;
        }
        let at_ms = record.received_at_ms;
        if let Some(accepted_ms) = record.backfilled_at_ms {
            if accepted_ms.saturating_sub(at_ms) > SESSION_MS {
                return false;
            }
            if at_ms < self.updated_ms {
                self.next_sequence = position.sequence.next();
                self.apply_late(Some(position), record);
                return true;
            }
        }
        self.begin_again_if_expired(at_ms);
        let next = std::mem::replace(&mut self.next_sequence, position.sequence.next());
        if let Some(carried) = &record.carried {
            self.take_over(carried);
        }
        if let Some(tied) = &record.tied {
            self.let_go(tied, next);
        }
        self.apply_next(Some(position), record);
        true
    }

    /// Applies an imported event at `now_ms` (UTC milliseconds), as a backfill at that time would,
    /// and returns `true`. An event that has expired, that the session has already, or that is
    /// older than the shopper's erasure changes nothing and returns `false`.
    pub fn apply_imported(&mut self, record: &EventRecord, now_ms: i64) -> bool {
        let at_ms = record.received_at_ms;
        let is_erased = self.erased_ms.is_some_and(|erased_ms| at_ms <= erased_ms);
        if is_erased || now_ms.saturating_sub(at_ms) > SESSION_MS || self.has(record) {
            return false;
        }
        if at_ms < self.updated_ms {
            self.apply_late(None, record);
        } else {
            self.begin_again_if_expired(at_ms);
            self.apply_next(None, record);
        }
        true
    }

    /// Whether the event is in the session: by its id, or as a view or search of the same moment.
    fn has(&self, record: &EventRecord) -> bool {
        let key = event_key(&record.event_id);
        let is_viewed = |product_id: &ProductId| {
            let is_same = |view: &ProductView| {
                view.at_ms == record.received_at_ms && view.product_id == *product_id
            };
            self.views.iter().any(is_same)
        };
        self.recent_events.iter().any(|recent| recent.event_key == key)
            || self.checkouts.iter().any(|checkout| checkout.event_id == record.event_id)
            || record.event == EventKind::View && record.product_ids.iter().all(is_viewed)
            || self.searches.iter().any(|search| {
                search.at_ms == record.received_at_ms
                    && Some(&search.query) == record.query.as_ref()
            })
    }

    fn begin_again_if_expired(&mut self, now_ms: i64) {
        if self.is_expired(now_ms) {
            *self = Self {
                next_sequence: self.next_sequence,
                tied_to: self.tied_to.take(),
                ..Self::default()
            };
        }
    }

    /// Applies an event that is not older than the newest one. `position` is `None` if it does not
    /// come from the stream.
    fn apply_next(&mut self, position: Option<Position>, record: &EventRecord) {
        let now_ms = record.received_at_ms;
        self.updated_ms = self.updated_ms.max(now_ms);
        if !record.event.is_action() {
            return;
        }
        self.events += 1;
        match record.event {
            EventKind::View => {
                for product_id in record.product_ids.iter().cloned() {
                    let view = ProductView { product_id, at_ms: now_ms };
                    push_bounded(&mut self.views, view, MAX_VIEWS);
                }
            }
            EventKind::AddToCart => {
                self.add(record);
                self.note_change(record, true);
            }
            EventKind::RemoveFromCart => {
                self.remove(&record.product_ids);
                self.note_change(record, false);
            }
            EventKind::UpdateCart => {
                self.cart.clear();
                self.add(record);
                self.note_change(record, true);
            }
            EventKind::Search => {
                if let Some(query) = record.query.clone() {
                    let search = SessionSearch { query, at_ms: now_ms };
                    push_bounded(&mut self.searches, search, MAX_SEARCHES);
                }
            }
            EventKind::Checkout => self.check_out(record),
            // A return changes the history, which the next feature set reads.
            EventKind::Return
            | EventKind::Identify
            | EventKind::GetRecommendations
            | EventKind::Impression => {}
        }
        push_bounded(&mut self.recent_events, RecentEvent::new(position, record), MAX_RECENT);
    }

    /// Applies a backfilled or imported event that is older than the newest one. It joins the
    /// history at its time. The cart is of today and stays, and no newer entry makes room for it.
    fn apply_late(&mut self, position: Option<Position>, record: &EventRecord) {
        if !record.event.is_action() {
            return;
        }
        let at_ms = record.received_at_ms;
        self.events += 1;
        match record.event {
            EventKind::View => {
                let at = self.views.partition_point(|view| view.at_ms <= at_ms);
                for product_id in record.product_ids.iter().rev().cloned() {
                    if self.views.len() < MAX_VIEWS {
                        self.views.insert(at, ProductView { product_id, at_ms });
                    }
                }
            }
            EventKind::Search if self.searches.len() < MAX_SEARCHES => {
                let at = self.searches.partition_point(|search| search.at_ms <= at_ms);
                if let Some(query) = record.query.clone() {
                    self.searches.insert(at, SessionSearch { query, at_ms });
                }
            }
            EventKind::Checkout if self.has_room_for_checkout(record) => {
                self.checkout_count += 1;
                let key = (at_ms, &*record.event_id);
                let is_before = |c: &SessionCheckout| (c.received_at_ms, &*c.event_id) < key;
                let at = self.checkouts.partition_point(is_before);
                self.checkouts.insert(at, SessionCheckout::of(record));
            }
            _ => {}
        }
        let is_recent = self.updated_ms.saturating_sub(at_ms) <= DEDUP_MS;
        if is_recent && self.recent_events.len() < MAX_RECENT {
            let at = self.recent_events.partition_point(|recent| recent.received_at_ms <= at_ms);
            self.recent_events.insert(at, RecentEvent::new(position, record));
        }
    }

    /// Whether a checkout fits beside all others.
    fn has_room_for_checkout(&self, record: &EventRecord) -> bool {
        let products: usize = self.checkouts.iter().map(|checkout| checkout.items.len()).sum();
        self.checkouts.len() < MAX_CHECKOUTS
            && products + record.product_ids.len() <= MAX_CHECKED_OUT
    }

    /// Tells whether the session has expired at `now_ms` (UTC milliseconds).
    pub fn is_expired(&self, now_ms: i64) -> bool {
        self.events > 0 && now_ms.saturating_sub(self.updated_ms) > SESSION_MS
    }

    /// Returns the remains of a session that is erased at `erased_ms` (UTC milliseconds). They
    /// hide every record before `before` from a replay, and imported events until then.
    pub(crate) fn erased(before: Sequence, erased_ms: i64) -> Self {
        Self { next_sequence: before, erased_ms: Some(erased_ms), ..Self::default() }
    }

    /// Tells whether nothing of the session is needed: it has expired at `now_ms`, or it is
    /// erased and every record before `applied` is applied.
    pub(crate) fn is_over(&self, now_ms: i64, applied: Sequence) -> bool {
        match self.events {
            0 => self.next_sequence <= applied,
            _ => self.is_expired(now_ms),
        }
    }

    /// Tells whether the session is over, and no imported event would enter it if it were new.
    pub(crate) fn is_removable(&self, now_ms: i64, applied: Sequence) -> bool {
        let hides = |erased_ms: i64| now_ms.saturating_sub(erased_ms) <= SESSION_MS;
        self.is_over(now_ms, applied) && !self.erased_ms.is_some_and(hides)
    }

    /// The first bytes of a SHA-256 of all that answers are made from. It does not depend on places in
    /// the stream, which the lake of an account does not know.
    pub fn fingerprint(&self) -> u64 {
        let Self { cart, views, cart_changes, searches, checkouts, .. } = self;
        let counts = (self.events, self.adds, self.checkout_count, self.updated_ms);
        // Encoding these lists cannot fail.
        let content = serde_json::to_vec(&(cart, views, cart_changes, searches, checkouts, counts));
        fingerprint(&content.unwrap_or_default())
    }

    /// Finds an accepted event by its id, within [`DEDUP_MS`] before `now_ms`.
    pub fn recent(&self, event_id: &str, now_ms: i64) -> Option<&RecentEvent> {
        let key = event_key(event_id);
        self.recent_events.iter().rev().find(|recent| {
            recent.event_key == key && now_ms.saturating_sub(recent.received_at_ms) <= DEDUP_MS
        })
    }

    /// Returns the cart's products, in the order in which they were added.
    pub fn cart_products(&self) -> Vec<ProductId> {
        self.cart.iter().map(|item| item.product_id.clone()).collect()
    }

    fn add(&mut self, record: &EventRecord) {
        for (product_id, &quantity) in record.product_ids.iter().zip(&record.quantities) {
            self.adds += 1;
            let has_room = self.cart.len() < MAX_CART;
            match self.cart.iter_mut().find(|item| item.product_id == *product_id) {
                Some(item) => item.quantity = item.quantity.saturating_add(quantity),
                None if has_room => {
                    self.cart.push(CartItem { product_id: product_id.clone(), quantity });
                }
                None => {}
            }
        }
    }

    fn note_change(&mut self, record: &EventRecord, is_added: bool) {
        for product_id in record.product_ids.iter().cloned() {
            let change = CartChange { product_id, is_added, at_ms: record.received_at_ms };
            push_bounded(&mut self.cart_changes, change, MAX_CART_CHANGES);
        }
    }

    fn remove(&mut self, products: &[ProductId]) {
        self.cart.retain(|item| !products.contains(&item.product_id));
    }

    fn check_out(&mut self, record: &EventRecord) {
        self.checkout_count += 1;
        self.remove(&record.product_ids);
        let oldest = record.received_at_ms.saturating_sub(SESSION_MS);
        self.checkouts.retain(|checkout| checkout.received_at_ms >= oldest);
        self.checkouts.push(SessionCheckout::of(record));
        self.bound_checkouts();
    }

    /// Forgets the oldest checkouts beyond [`MAX_CHECKOUTS`] and [`MAX_CHECKED_OUT`].
    pub(crate) fn bound_checkouts(&mut self) {
        let mut products = 0;
        let fits = |checkout: &&SessionCheckout| {
            products += checkout.items.len();
            products <= MAX_CHECKED_OUT
        };
        let kept = self.checkouts.iter().rev().take(MAX_CHECKOUTS).take_while(fits).count();
        let excess = self.checkouts.len().saturating_sub(kept.max(1));
        self.checkouts.drain(..excess);
    }

    /// The memory that the session takes, in bytes: its fields, their elements, and the ids that are
    /// too long to stand in them.
    pub fn bytes(&self) -> usize {
        let views: usize = self.views.iter().map(|view| apart(&view.product_id)).sum();
        let changes: usize = self.cart_changes.iter().map(|c| apart(&c.product_id)).sum();
        let cart: usize = self.cart.iter().map(|item| apart(&item.product_id)).sum();
        let searches: usize = self.searches.iter().map(|search| search.query.len()).sum();
        let checkout = |checkout: &SessionCheckout| {
            let ids: usize = checkout.items.iter().map(apart).sum();
            checkout.event_id.len() + size_of_val(&checkout.items[..]) + ids
        };
        let checkouts: usize = self.checkouts.iter().map(checkout).sum();
        size_of::<Self>()
            + views
            + changes
            + cart
            + searches
            + checkouts
            + self.views.len() * size_of::<ProductView>()
            + self.cart_changes.len() * size_of::<CartChange>()
            + self.searches.len() * size_of::<SessionSearch>()
            + self.recent_events.len() * size_of::<RecentEvent>()
            + size_of_val(&self.cart[..])
            + size_of_val(&self.checkouts[..])
    }
}

/// The bytes of an id that does not stand in its field.
fn apart(id: &ProductId) -> usize {
    let len = id.as_str().len();
    if len < size_of::<ProductId>() { 0 } else { len }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, value: T, limit: usize) {
    if queue.len() >= limit {
        queue.pop_front();
    }
    queue.push_back(value);
}
