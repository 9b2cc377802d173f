//! Makes an earlier answer again, by the code that made it.

use cartwheel_engine::{
    Engine as _, Filters, Query, Recommendation, Ruled, ServingEngine, Slot, StoredRecord,
};
use cartwheel_events::Impression;
use cartwheel_filter::{Context, Source};
use cartwheel_placements::Placements;
use cartwheel_rules::RuleBook;
use cartwheel_sessions::Session;

use crate::http::problem::Problem;
use crate::shop::expression::expression;
use crate::shop::moment::{ListsRequest, Moment, Remembered, ShopperRequest};
use crate::shop::placements::slot::slot;

/// What an answer was made from, put together again.
pub struct Past {
    /// The release, with the catalogue, the settings and the attention of that moment.
    pub engine: ServingEngine,
    /// The shopper's session.
    pub session: Option<Session>,
    /// The shopper's record, if it is not in the release.
    pub record: Option<PastRecord>,
    /// The rules.
    pub rules: RuleBook,
    /// The placements.
    pub placements: Placements,
}

/// A shopper's record in the user store.
pub struct PastRecord {
    /// The feature set to which it belongs.
    pub feature_set: String,
    /// The encoded record.
    pub bytes: Vec<u8>,
}

/// Makes an answer again, with the contribution of each feature.
///
/// # Errors
/// When its request is no longer valid.
pub(crate) async fn again(
    impression: &Impression,
    moment: &Moment,
    past: &Past,
) -> Result<Vec<Recommendation>, Problem> {
    match &moment.request {
        Remembered::Shopper(request) => recommendations(impression, request, past).await,
        Remembered::Lists(request) => list(impression, request, past).await,
    }
}

async fn recommendations(
    impression: &Impression,
    request: &ShopperRequest,
    past: &Past,
) -> Result<Vec<Recommendation>, Problem> {
    let ShopperRequest { limit, own_cart, filters, filter, context } = request.clone();
    let expression = expression(filter.as_deref(), Some(context.clone()), Source::Shopper)?;
    let context = Context::from_json(context)?;
    let filters = filters.checked(expression)?;
    let query = Query { filters, ..query(impression, past, &context, limit, own_cart) };
    Ok(past.engine.recommend(query).await.items)
}

async fn list(
    impression: &Impression,
    request: &ListsRequest,
    past: &Past,
) -> Result<Vec<Recommendation>, Problem> {
    let ListsRequest { lists, at, own_cart, context } = request.clone();
    let context = Context::from_json(context)?;
    let slots = lists.into_iter().map(|asked| slot(&past.placements, asked, &context, ""));
    let slots = slots.collect::<Result<Vec<Slot>, Problem>>()?;
    let limit = slots.iter().map(|slot| slot.limit).sum();
    let query = query(impression, past, &context, limit, own_cart);
    let mut lists = past.engine.page(query, &slots).await.lists;
    let list = if at < lists.len() { lists.swap_remove(at) } else { Vec::new() };
    Ok(list.into_iter().map(|placed| placed.recommendation).collect())
}

fn query<'a>(
    impression: &'a Impression,
    past: &'a Past,
    context: &'a Context,
    limit: usize,
    own_cart: bool,
) -> Query<'a> {
    Query {
        user_id: &impression.user_id,
        session: past.session.as_ref(),
        record: past.record.as_ref().map(|PastRecord { feature_set, bytes }| StoredRecord {
            feature_set,
            bytes: Some(bytes),
        }),
        cart: own_cart.then(|| impression.cart.clone()),
        limit,
        filters: Filters::default(),
        rules: Some(Ruled { rules: past.rules.set(), context }),
        explain: true,
        now_ms: impression.received_at_ms,
    }
}
