//! A guest's session goes over to the user to whom the guest is tied.

use std::collections::VecDeque;

use cartwheel_events::{Carried, CarriedCheckout, Tied, UserId};
use cartwheel_stream::Sequence;

use crate::session::{
    CartChange, CartItem, MAX_CART, MAX_CART_CHANGES, MAX_SEARCHES, MAX_VIEWS, ProductView,
    Session, SessionCheckout,
};

/// Most products of the purchases that go over with one tie, so that its record stays small.
const MAX_CARRIED: usize = 1000;

impl Session {
    /// Returns what goes over when this guest is tied to `user`, `None` if a tie would change
    /// nothing. A guest who was tied to somebody else starts afresh: nothing goes over.
    pub fn tie_to(&self, user: &UserId) -> Option<Carried> {
        match &self.tied_to {
            Some(other) if other != user => Some(Carried::default()),
            Some(_) => Some(self.carried()).filter(|carried| !carried.is_empty()),
            None => Some(self.carried()),
        }
    }

    fn carried(&self) -> Carried {
        let mut room = MAX_CARRIED;
        let fits = |checkout: &&SessionCheckout| {
            let fits = checkout.items.len() <= room;
            room = if fits { room - checkout.items.len() } else { 0 };
            fits
        };
        let mut checkouts: Vec<CarriedCheckout> =
            self.checkouts.iter().rev().take_while(fits).map(CarriedCheckout::from).collect();
        checkouts.reverse();
        let cart = self.cart.iter().map(|item| (item.product_id.clone(), item.quantity));
        let views = self.views.iter().map(|view| (view.product_id.clone(), view.at_ms));
        let change = |change: &CartChange| {
            let CartChange { product_id, is_added, at_ms } = change.clone();
            (product_id, is_added, at_ms)
        };
        Carried {
            cart: cart.collect(),
            views: views.collect(),
            cart_changes: self.cart_changes.iter().map(change).collect(),
            searches: self.searches.iter().cloned().map(Into::into).collect(),
            checkouts,
        }
    }

    /// Adds what goes over from a guest. What is here already is not added again, so that a tie
    /// may be repeated after a crash.
    pub fn take_over(&mut self, carried: &Carried) {
        for (product_id, quantity) in &carried.cart {
            let has_room = self.cart.len() < MAX_CART;
            match self.cart.iter_mut().find(|item| item.product_id == *product_id) {
                Some(item) => item.quantity = item.quantity.max(*quantity),
                None if has_room => {
                    self.cart
                        .push(CartItem { product_id: product_id.clone(), quantity: *quantity });
                }
                None => {}
            }
        }
        let views = carried.views.iter().cloned().map(ProductView::from);
        merge(&mut self.views, views, MAX_VIEWS, |view| view.at_ms);
        let changes = carried.cart_changes.iter().cloned();
        let changes =
            changes.map(|(product_id, is_added, at_ms)| CartChange { product_id, is_added, at_ms });
        merge(&mut self.cart_changes, changes, MAX_CART_CHANGES, |change| change.at_ms);
        let searches = carried.searches.iter().cloned().map(Into::into);
        merge(&mut self.searches, searches, MAX_SEARCHES, |search| search.at_ms);
        for checkout in &carried.checkouts {
            if self.checkouts.iter().any(|other| other.event_id == checkout.event_id) {
                continue;
            }
            let key = |c: &SessionCheckout| (c.received_at_ms, c.event_id.clone());
            let checkout = SessionCheckout::from(checkout);
            let at = self.checkouts.partition_point(|other| key(other) < key(&checkout));
            self.checkouts.insert(at, checkout);
            self.checkout_count += 1;
        }
        self.bound_checkouts();
    }

    /// Notes the user to whom this guest is tied, and lets go of what has gone over. `next` is
    /// the sequence number of the first record that was not applied before.
    ///
    /// If events have come since the session was read for the tie, everything stays until the
    /// next event of both: it goes over again, which changes nothing but adds the rest.
    pub(crate) fn let_go(&mut self, tied: &Tied, next: Sequence) {
        let all_gone = tied.until.parse().is_ok_and(|until: Sequence| next <= until);
        let is_other = self.tied_to.as_ref().is_some_and(|user| *user != tied.user_id);
        if all_gone || is_other {
            self.cart.clear();
            self.views = VecDeque::new();
            self.cart_changes = VecDeque::new();
            self.searches = VecDeque::new();
            self.checkouts.clear();
        }
        self.tied_to = Some(tied.user_id.clone());
    }
}

/// Inserts entries that are not there at their times, and keeps the `most` newest.
fn merge<T: PartialEq>(
    own: &mut VecDeque<T>,
    carried: impl Iterator<Item = T>,
    most: usize,
    at_ms: impl Fn(&T) -> i64,
) {
    for entry in carried {
        if !own.contains(&entry) {
            let at = own.partition_point(|other| at_ms(other) <= at_ms(&entry));
            own.insert(at, entry);
        }
    }
    let excess = own.len().saturating_sub(most);
    own.drain(..excess);
}

impl From<&SessionCheckout> for CarriedCheckout {
    fn from(checkout: &SessionCheckout) -> Self {
        let SessionCheckout { event_id, received_at_ms, items } = checkout.clone();
        Self { event_id, received_at_ms, items }
    }
}

impl From<&CarriedCheckout> for SessionCheckout {
    fn from(checkout: &CarriedCheckout) -> Self {
        let CarriedCheckout { event_id, received_at_ms, items } = checkout.clone();
        Self { event_id, received_at_ms, items }
    }
}
