//! Products that are similar to a product, in one sense or another.

use cartwheel_events::ProductId;
use cartwheel_features::Neighbour;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::answer::Recommendation;
use crate::question::{Filters, Similarity};
use crate::shop::{Label, Shop};

/// Common buyers, as many observed as expected by chance, that are added before the two are
/// compared: a few customers are no evidence.
const PRIOR_BUYERS: f32 = 3.0;

/// A similar product with a score from 0 to 1 and the reason.
pub(crate) type Found = (u32, f32, String);

impl Shop {
    /// Products that are similar to a product in the given sense, the most similar first; without
    /// one, products bought together with it, and then those most alike.
    pub(crate) fn similar(
        &self,
        product_id: &ProductId,
        similarity: Option<Similarity>,
        filters: &Filters,
        limit: usize,
    ) -> Option<Vec<Recommendation>> {
        let index = self.find(product_id).filter(|&index| !self.overlay.is_deleted(index))?;
        let filter = self.filter(filters);
        let found = self.similar_to(index, similarity, limit, &|other| filter.qualifies(other));
        let item =
            |(product, score, reason): Found| self.recommendation(product, score, vec![reason]);
        Some(found.into_iter().filter_map(item).collect())
    }

    /// The first `limit` of these products that qualify, each with its score and the reason.
    pub(crate) fn similar_to(
        &self,
        index: u32,
        similarity: Option<Similarity>,
        limit: usize,
        qualifies: &dyn Fn(u32) -> bool,
    ) -> Vec<Found> {
        let Some(label) = self.label(index) else { return Vec::new() };
        let mut items = match similarity {
            Some(Similarity::Substitutes) => Vec::new(),
            Some(Similarity::AlsoViewed) => self.viewed(index, &label),
            Some(Similarity::BoughtTogether) | None => self.together(index, &label),
        };
        items.retain(|(product, ..)| qualifies(*product));
        items.truncate(limit);
        let missing = limit - items.len();
        if similarity != Some(Similarity::BoughtTogether) && missing > 0 {
            let mut taken: FxHashSet<u32> = items.iter().map(|(product, ..)| *product).collect();
            taken.insert(index);
            if similarity == Some(Similarity::Substitutes) {
                // Products that go into the same basket do not replace one another.
                taken.extend(self.together(index, &label).iter().map(|(product, ..)| *product));
            }
            // Scores fall along the list.
            let least = items.last().map_or(1.0, |(_, score, _)| *score);
            let accepts = |other: u32| !taken.contains(&other) && qualifies(other);
            let alike = self.alike(index, &label, missing, &accepts).into_iter();
            items.extend(alike.map(|(other, likeness, reason)| (other, likeness * least, reason)));
        }
        items
    }

    /// The products that are in more baskets with a product than by chance, and that more of its
    /// buyers buy than by chance: the geometric mean of both excesses, each a difference of cosines.
    /// Baskets alone would be led by single customers who buy the same two products every week.
    /// The mean is multiplied by the share of the common buyers that chance does not explain,
    /// `1 - 1 / lift`: an excess alone would favour the products that everybody buys.
    fn together(&self, index: u32, label: &Label<'_>) -> Vec<Found> {
        let catalogue = &self.opened.catalogue;
        let Some(product) = catalogue.get(index) else { return Vec::new() };
        let (own, all) = (&product.stats, catalogue);
        let excess = |score: f32, own: u32, other: u32, all: u64| {
            (score - (own as f32 * other as f32).sqrt() / all.max(1) as f32).max(0.0)
        };
        let companions = all.affinities.companions(index);
        let companions: FxHashMap<u32, f32> =
            companions.iter().map(|companion| (companion.product, companion.score)).collect();
        let score = |neighbour: &Neighbour| {
            let other = &all.get(neighbour.product)?.stats;
            let baskets = excess(neighbour.score, own.orders, other.orders, all.orders);
            if companions.is_empty() {
                // Of a shop without reference shoppers, baskets tell all.
                return Some(baskets);
            }
            let cosine = *companions.get(&neighbour.product)?;
            let buyers = excess(cosine, own.first_orders, other.first_orders, all.users);
            let either = own.first_orders as f32 * other.first_orders as f32;
            let (common, by_chance) = (cosine * either.sqrt(), either / all.users.max(1) as f32);
            let explained = (by_chance + PRIOR_BUYERS) / (common + PRIOR_BUYERS);
            Some((baskets * buyers).sqrt() * (1.0 - explained).max(0.0))
        };
        let reason = format!("Bought together with {}", label.name);
        let scored =
            catalogue.neighbours.of(index).iter().filter_map(|n| Some((n.product, score(n)?)));
        let above = scored.filter(|(_, score)| *score > 0.0);
        let mut found: Vec<Found> = above.map(|(p, score)| (p, score, reason.clone())).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found
    }

    /// The products in the same visits as a product, the closest first.
    fn viewed(&self, index: u32, label: &Label<'_>) -> Vec<Found> {
        let reason = format!("Looked at together with {}", label.name);
        self.seen_with(index).iter().map(|n| (n.product, n.score, reason.clone())).collect()
    }

    pub(crate) fn seen_with(&self, index: u32) -> &[Neighbour] {
        self.opened.catalogue.visits.related.together.of(index)
    }
}
