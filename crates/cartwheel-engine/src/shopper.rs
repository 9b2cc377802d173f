//! A shopper at the moment of a query: the stored history with the session's later events.

use cartwheel_events::{ProductId, UserId};
use cartwheel_features::{Action, Context, Event, LastCheckout, Search, Touch, UserState};
use cartwheel_sessions::{Session, SessionCheckout, SessionSearch};

use crate::question::{Query, StoredRecord};
use crate::release::Opened;
use crate::shop::Shop;

/// The user's state for one query.
pub(crate) struct Shopper {
    pub(crate) state: UserState,
    /// Whether the stored record could not be read.
    pub(crate) unreadable: bool,
}

/// A shopper with a cart at the moment of a query.
pub(crate) struct Moment {
    pub(crate) state: UserState,
    /// Whether the stored record could not be read.
    pub(crate) unreadable: bool,
    pub(crate) context: Context,
    /// The products of the cart.
    pub(crate) held: Vec<u32>,
    /// Those of them that the release contains: new products are in no feature row, and only steer
    /// what is new.
    pub(crate) cart: Vec<u32>,
}

impl Shop {
    /// The shopper of a query. `hidden` tells to ignore the user's stored record.
    pub(crate) fn moment(&self, query: &Query<'_>, hidden: bool) -> Moment {
        let Shopper { state, unreadable } = self.opened.shopper(query, hidden);
        let context = self.opened.calendar.context(&state, query.now_ms);
        let held: Vec<u32> = query.cart_products().iter().filter_map(|id| self.find(id)).collect();
        let is_released = |product: &u32| self.opened.catalogue.get(*product).is_some();
        let cart = held.iter().copied().filter(is_released).collect();
        Moment { state, unreadable, context, held, cart }
    }
}

impl Opened {
    /// The user's stored state with the session's later events folded in.
    pub(crate) fn shopper(&self, query: &Query<'_>, hidden: bool) -> Shopper {
        let (mut state, unreadable) = match self.record(query.user_id, query.record) {
            Ok(state) => (state.filter(|_| !hidden).unwrap_or_default(), false),
            Err(error) => {
                tracing::error!(error, "cannot read the user's record");
                (UserState::default(), true)
            }
        };
        // What the record has is not folded in again.
        let recorded_ms = state.last_touch_ms().unwrap_or(i64::MIN);
        let searched_ms = state.last_search_ms().unwrap_or(i64::MIN);
        for event in query.session.into_iter().flat_map(later_events) {
            match event {
                Later::Checkout(checkout) => {
                    let key = LastCheckout {
                        at_ms: checkout.received_at_ms,
                        event_id: checkout.event_id.clone(),
                    };
                    if state.last_checkout.as_ref().is_some_and(|last| *last >= key) {
                        continue;
                    }
                    let products = self.indices(checkout.items.iter());
                    let order = self.calendar.order(&state, checkout.received_at_ms, &products);
                    state.apply(Event::Order(&order));
                    state.last_checkout = Some(key);
                }
                Later::Touch { product_id, action, at_ms } => {
                    if at_ms <= recorded_ms {
                        continue;
                    }
                    if let Some(product) = self.catalogue.find(product_id.as_str()) {
                        state.apply(Event::Touch(Touch { product, action, at_ms }));
                    }
                }
                Later::Search(SessionSearch { query, at_ms }) => {
                    let is_new = *at_ms > searched_ms;
                    if let Some(search) = Search::of(query, *at_ms).filter(|_| is_new) {
                        state.apply(Event::Search(&search));
                    }
                }
            }
        }
        Shopper { state, unreadable }
    }

    /// The user's record, from this release's file or from the query.
    pub(crate) fn record(
        &self,
        user_id: &UserId,
        record: Option<StoredRecord<'_>>,
    ) -> Result<Option<UserState>, String> {
        match (&self.users, record) {
            (Some(users), _) => users.get(user_id.as_str()).map_err(|e| e.to_string()),
            (None, Some(StoredRecord { feature_set, bytes })) => {
                // The record was read just before the release changed.
                if feature_set != self.release.feature_set {
                    return Err(format!("the record belongs to feature set {feature_set}"));
                }
                bytes.map(UserState::decode).transpose().map_err(|e| e.to_string())
            }
            (None, None) => Err("the user store did not answer".to_owned()),
        }
    }

    /// Catalogue indices of products; unknown products are dropped.
    fn indices<'a>(&self, ids: impl Iterator<Item = &'a ProductId>) -> Vec<u32> {
        ids.filter_map(|id| self.catalogue.find(id.as_str())).collect()
    }
}

/// An event of a session, as the fold takes it.
enum Later<'a> {
    Checkout(&'a SessionCheckout),
    Touch { product_id: &'a ProductId, action: Action, at_ms: i64 },
    Search(&'a SessionSearch),
}

impl Later<'_> {
    /// When it was accepted, UTC milliseconds.
    fn at_ms(&self) -> i64 {
        match self {
            Self::Checkout(checkout) => checkout.received_at_ms,
            Self::Touch { at_ms, .. } => *at_ms,
            Self::Search(search) => search.at_ms,
        }
    }
}

/// The events of a session by rising time.
fn later_events(session: &Session) -> Vec<Later<'_>> {
    let views = session.views.iter().map(|view| Later::Touch {
        product_id: &view.product_id,
        action: Action::View,
        at_ms: view.at_ms,
    });
    let changes = session.cart_changes.iter().map(|change| Later::Touch {
        product_id: &change.product_id,
        action: if change.is_added { Action::Add } else { Action::Remove },
        at_ms: change.at_ms,
    });
    let checkouts = session.checkouts.iter().map(Later::Checkout);
    // Of the same moment, a search comes first, as in the feature job.
    let searches = session.searches.iter().map(Later::Search);
    let mut events: Vec<Later<'_>> =
        searches.chain(views).chain(changes).chain(checkouts).collect();
    events.sort_by_key(Later::at_ms);
    events
}
