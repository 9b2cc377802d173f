//! A request for lists, checked: asked with one set of rules, or with another for a preview.

use cartwheel_engine::{Filters, Page, Query, Ruled, Slot};
use cartwheel_events::{ProductId, UserId};
use cartwheel_filter::Context;
use cartwheel_placements::{NAME_EXPECTED, is_name};
use cartwheel_rules::RuleSet;
use serde_json::{Map, Value};
use tracing::Instrument;

use super::slot::{Asked, slot};
use crate::access::caller::{Caller, Permitted};
use crate::http::problem::Problem;
use crate::shop::known::Known;
use crate::shop::moment::{ListsRequest, Moment, Remembered};
use crate::shop::recommendations::{cart_within_bounds, known, shopper};
use crate::state::Shared;

/// The shopper and the page of a request.
pub(super) struct Visit {
    pub(super) user_id: Option<UserId>,
    pub(super) anonymous_id: Option<UserId>,
    pub(super) page: Option<String>,
    pub(super) cart: Option<Vec<ProductId>>,
    pub(super) context: Option<Map<String, Value>>,
}

/// A request that the engine can answer.
pub(super) struct Prepared {
    /// The placements.
    pub(super) names: Vec<String>,
    pub(super) shopper: Permitted,
    pub(super) page: Option<String>,
    /// When it was received, UTC milliseconds.
    pub(super) now_ms: i64,
    /// The request, as impressions record it.
    request: ListsRequest,
    /// The version of the placements.
    placements: u64,
    slots: Vec<Slot>,
    known: Known,
    cart: Option<Vec<ProductId>>,
    context: Context,
}

impl Prepared {
    /// Checks a request and reads its shopper. `at` is where the request describes a list, for
    /// errors.
    pub(super) async fn new(
        state: &Shared,
        caller: &Caller,
        visit: Visit,
        asked: Vec<Asked>,
        at: impl Fn(usize) -> String,
    ) -> Result<Self, Problem> {
        let Visit { user_id, anonymous_id, page, cart, context } = visit;
        let shopper = caller.permit(shopper(user_id, anonymous_id)?)?;
        if let Some(page) = page.as_deref().filter(|page| !is_name(page)) {
            let shown: String = page.chars().take(64).collect();
            return Err(Problem::field("page", format!("page is {shown:?}."), NAME_EXPECTED));
        }
        cart_within_bounds(cart.as_deref())?;
        let request = ListsRequest {
            lists: asked.clone(),
            at: 0,
            own_cart: cart.is_some(),
            context: context.clone().unwrap_or_default(),
        };
        let context = Context::from_json(context.unwrap_or_default())?;
        let document = state.placements.current();
        let (mut names, mut slots) = (Vec::new(), Vec::new());
        for (number, asked) in asked.into_iter().enumerate() {
            names.push(asked.name.clone());
            slots.push(slot(&document.content, asked, &context, &at(number))?);
        }
        let known = known(state, &shopper).await;
        let now_ms = state.clock.now_ms();
        let placements = document.version;
        Ok(Self { names, shopper, page, now_ms, request, placements, slots, known, cart, context })
    }

    /// Gives each list the id of its answer, and returns the ids.
    pub(super) fn name_answers(&mut self, state: &Shared) -> Vec<String> {
        let named = self.slots.iter_mut().map(|slot| {
            let id = state.ids.next(self.now_ms);
            slot.recommendation_id.insert(id).clone()
        });
        named.collect()
    }

    fn query<'a>(&'a self, rules: Option<Ruled<'a>>) -> Query<'a> {
        Query {
            user_id: self.shopper.id(),
            session: self.known.session(),
            record: self.known.record(),
            cart: self.cart.clone(),
            limit: self.slots.iter().map(|slot| slot.limit).sum(),
            filters: Filters::default(),
            rules,
            explain: false,
            now_ms: self.now_ms,
        }
    }

    /// The cart for which the lists are made.
    pub(super) fn cart_products(&self) -> Vec<ProductId> {
        self.query(None).cart_products()
    }

    /// What the impression of each list records of the moment of `page`, which the version `rules` of
    /// the rules made: nothing on a host that cannot make answers again.
    pub(super) fn moments(&self, state: &Shared, page: &Page, rules: u64) -> Vec<Option<String>> {
        let moment = |at| {
            let recording = state.recording.as_ref()?;
            let request = Remembered::Lists(ListsRequest { at, ..self.request.clone() });
            let (release, basis) = (&page.release, &page.basis);
            let moment = Moment::new(&self.known, release, basis, recording, request);
            Moment { rules, placements: self.placements, ..moment }.encoded()
        };
        (0..page.lists.len()).map(moment).collect()
    }

    /// The lists under some rules.
    pub(super) async fn fill(&self, state: &Shared, rules: &RuleSet) -> Page {
        let query = self.query(Some(Ruled { rules, context: &self.context }));
        let ranked = state.engine.page(query, &self.slots);
        let mut page = ranked.instrument(tracing::info_span!("rank")).await;
        page.degraded |= self.known.shopper.is_none();
        page
    }
}
