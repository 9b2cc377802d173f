//! How a shop orders given products for a shopper.

use cartwheel_events::ProductId;
use cartwheel_recommend::{Candidate, Ranked, Relations, Value, by_value, order};
use rustc_hash::FxHashSet;

use crate::answer::{RankedProduct, Ranking, Unranked, UnrankedReason};
use crate::newcomers::with_newcomers;
use crate::qualify::Filter;
use crate::question::Query;
use crate::ranking::with_unscored;
use crate::scorer::Scorer;
use crate::shop::Shop;
use crate::shopper::Moment;

impl Shop {
    /// Orders products for a shopper: those in the cart too, since a page that lists them shows
    /// them. `hidden` tells to ignore the user's stored record.
    pub(crate) async fn rank(
        &self,
        query: &Query<'_>,
        products: &[ProductId],
        scorer: Option<&dyn Scorer>,
        hidden: bool,
    ) -> Ranking {
        let opened = &*self.opened;
        let moment = self.moment(query, hidden);
        let shopper = self.asking(query, &moment.state);
        let filter = self.filter_for(query, &shopper, None);
        let (given, unranked) = self.sorted_out(products, &filter);
        let relations = Relations::new(&opened.catalogue, &moment.state, &moment.cart);
        let chosen = relations.among(given.iter().copied());
        drop(relations);
        let scored = self.scored(scorer, &moment, &chosen).await;
        let ranked = self.ordered_given(&moment, chosen, scored.probabilities, &given);
        let item = |ranked: &Ranked| {
            let label = self.label(ranked.candidate.product)?;
            let product_id = ProductId::new(label.product_id).ok()?;
            Some(RankedProduct { product_id, probability: ranked.probability })
        };
        Ranking {
            items: ranked.iter().take(query.limit).filter_map(item).collect(),
            unranked,
            model_version: self.model_version().to_owned(),
            release: self.release(),
            degraded: moment.unreadable || scored.failed || opened.stands_in,
        }
    }

    /// Puts given products into the order for a shopper, each of them once.
    pub(crate) fn ordered_given(
        &self,
        moment: &Moment,
        chosen: Vec<Candidate>,
        probabilities: Vec<f32>,
        given: &FxHashSet<u32>,
    ) -> Vec<Ranked> {
        let Moment { state, held, .. } = moment;
        let ranked = order(&self.opened.catalogue, &chosen, probabilities);
        let is_given = |product| given.contains(&product);
        let ranked = with_newcomers(self, ranked, state, held, given.len(), is_given);
        let ranked = match self.value {
            Value::Off => ranked,
            Value::Price | Value::Margin => by_value(ranked, |product| self.worth(product)),
        };
        // New products in the cart: nothing tells whether they are bought again.
        with_unscored(ranked, given)
    }

    /// The products that have a place in the order, and the others with the reason. A product that
    /// is given again counts once.
    pub(crate) fn sorted_out(
        &self,
        products: &[ProductId],
        filter: &Filter<'_>,
    ) -> (FxHashSet<u32>, Vec<Unranked>) {
        let mut given = FxHashSet::default();
        let mut unranked = Vec::new();
        let mut seen = FxHashSet::default();
        for id in products.iter().filter(|id| seen.insert(*id)) {
            let index = self.find(id).filter(|&index| !self.overlay.is_deleted(index));
            let reason = match index {
                None => UnrankedReason::Unknown,
                Some(index) if !self.shows(index) => UnrankedReason::NotShown,
                Some(index) if !filter.passes(index) => UnrankedReason::Filtered,
                Some(index) => {
                    given.insert(index);
                    continue;
                }
            };
            unranked.push(Unranked { product_id: id.clone(), reason });
        }
        (given, unranked)
    }
}
