//! What a shopper is to buy again, by the date at which it is due.

use std::sync::Arc;

use cartwheel_features::{UserProduct, UserState};
use cartwheel_recommend::{Due, by_due_date, due_first, is_due};
use jiff::Timestamp;

use crate::answer::{Answer, Recommendation};
use crate::question::Query;
use crate::shop::Shop;
use crate::shopper::Moment;
use crate::similar::Found;

/// The source of these products in answers and impressions.
const SOURCE: &str = "buy_again";

impl Shop {
    /// Lists the products of the shopper's history that are bought again, by the date at which they
    /// are due. The cart is left out. `hidden` tells to ignore the user's stored record.
    pub(crate) fn buy_again(&self, query: &Query<'_>, hidden: bool) -> Answer {
        let moment = self.moment(query, hidden);
        let shopper = self.asking(query, &moment.state);
        // Rules that move products have no part in an order by date.
        let blocks = Arc::new(self.ruling(query, &shopper, SOURCE));
        let filter = self.filter_for(query, &shopper, Some(blocks));
        let qualifies = |product: u32| {
            !moment.held.contains(&product)
                && !query.filters.exclude_purchased
                && filter.qualifies(product)
        };
        let found = self.due_products(&moment, query.limit, qualifies).into_iter();
        let items = found.filter_map(|(product, probability, reason)| {
            let item = self.recommendation(product, probability, vec![reason])?;
            let item = self.dated(&moment.state, product, item);
            Some(Recommendation { source: Some(SOURCE.to_owned()), ..item })
        });
        Answer {
            items: items.collect(),
            candidates: Vec::new(),
            model_version: "none".to_owned(),
            release: self.opened.name(),
            degraded: moment.unreadable || self.opened.stands_in,
            basis: self.basis(hidden),
        }
    }

    /// The first `limit` products of the shopper's history that qualify and have a date, by the date:
    /// each with the probability that the shopper still buys it, and the reason. What was bought on
    /// the same day comes last.
    pub(crate) fn due_products(
        &self,
        moment: &Moment,
        limit: usize,
        qualifies: impl Fn(u32) -> bool,
    ) -> Vec<Found> {
        let Moment { state, context, .. } = moment;
        let own = state.products.iter().filter(|own| qualifies(own.product));
        let mut due: Vec<(&UserProduct, Due)> =
            own.filter_map(|own| Some((own, self.due(state, own.product)?))).collect();
        due.sort_by(|(a, due_a), (b, due_b)| {
            by_due_date(due_a, due_b).then(a.product.cmp(&b.product))
        });
        let due = due_first(due, |(own, _)| is_due(state, context, own.product)).into_iter();
        let found =
            |(own, due): (&UserProduct, Due)| (own.product, due.alive() as f32, reason(own, &due));
        due.take(limit).map(found).collect()
    }

    /// A product with the dates at which the shopper is due to buy it again, if it has any.
    pub(crate) fn dated(
        &self,
        state: &UserState,
        product: u32,
        item: Recommendation,
    ) -> Recommendation {
        let Some(due) = self.due(state, product) else { return item };
        Recommendation {
            due_at: date(due.at_ms()),
            due_earliest: date(due.earliest_ms()),
            due_latest: date(due.latest_ms()),
            ..item
        }
    }

    /// When the shopper buys a product of the history again.
    fn due(&self, state: &UserState, product: u32) -> Option<Due> {
        Due::of(&self.opened.catalogue, state, product, self.now_ms)
    }
}

/// A time in RFC 3339, to the second; `None` beyond the year 9999.
fn date(ms: i64) -> Option<String> {
    let second = Timestamp::from_second(ms.div_euclid(1000)).ok()?;
    Some(second.to_string())
}

fn reason(own: &UserProduct, due: &Due) -> String {
    let days = due.gap_days().round().max(1.0);
    match (own.orders, days == 1.0) {
        (1, true) => "Usually bought again after a day".to_owned(),
        (1, false) => format!("Usually bought again after about {days} days"),
        (_, true) => "You buy it about every day".to_owned(),
        (_, false) => format!("You buy it about every {days} days"),
    }
}
