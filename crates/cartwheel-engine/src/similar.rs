//! Products that are similar to a product, in one sense or another.

use cartwheel_events::ProductId;
use cartwheel_features::{Content, Neighbour, Rarity, Terms};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::answer::Recommendation;
use crate::question::{Filters, Similarity};
use crate::shop::{Label, Shop};

/// Most products that are compared with one, the best sellers first.
const MAX_ALIKE: usize = 2_000;
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
            let alike = self.alike(index, &label, &taken, qualifies).into_iter().take(missing);
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
        let scored = product.neighbours.iter().filter_map(|n| Some((n.product, score(n)?)));
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

    fn seen_with(&self, index: u32) -> &[Neighbour] {
        self.opened.catalogue.visits.of(index).map_or(&[], |related| &related.together)
    }

    /// The products of the same aisle, brand or department that are most alike by what the shop says
    /// about them, or by their visits. `taken` are left out, and so is what does not qualify.
    fn alike(
        &self,
        index: u32,
        label: &Label<'_>,
        taken: &FxHashSet<u32>,
        qualifies: &dyn Fn(u32) -> bool,
    ) -> Vec<Found> {
        let brand = self.live(index).and_then(|product| product.brand.as_deref());
        let of_aisle = format!("Also in {}", label.aisle);
        let of_brand = format!("Also from {}", brand.unwrap_or_default());
        let of_department = format!("Also in {}", label.department);
        let related = |other: u32| {
            let others = self.label(other)?;
            let others_brand = self.live(other).and_then(|product| product.brand.as_deref());
            let same = |a: &str, b: &str| !a.is_empty() && a == b;
            let reason = if same(label.aisle, others.aisle) {
                &of_aisle
            } else if brand.is_some() && others_brand == brand {
                &of_brand
            } else if same(label.department, others.department) {
                &of_department
            } else {
                return None;
            };
            Some((other, self.terms(other, &others), reason))
        };
        let others = self.indices().filter(|p| !taken.contains(p) && qualifies(*p));
        let related: Vec<_> = others.filter_map(related).take(MAX_ALIKE).collect();
        let own = self.terms(index, label);
        let rarity = Rarity::among(related.iter().map(|(_, terms, _)| terms));
        let visits = self.seen_with(index).iter().map(|n| (n.product, n.score));
        let visits: FxHashMap<u32, f32> = visits.collect();
        let compared = related.into_iter().map(|(other, terms, reason)| {
            let apart = 1.0 - visits.get(&other).copied().unwrap_or_default().min(1.0);
            let likeness = 1.0 - (1.0 - rarity.likeness(&own, &terms)) * apart;
            (other, likeness, reason.clone())
        });
        let mut alike: Vec<Found> = compared.collect();
        // Stable: the better seller comes first among equals.
        alike.sort_by(|a, b| b.1.total_cmp(&a.1));
        alike
    }

    /// What likeness to other products is computed from.
    fn terms(&self, index: u32, label: &Label<'_>) -> Terms {
        let live = self.live(index);
        let path: Vec<&str> = match live.map_or(&[][..], |product| &product.categories) {
            [] => vec![label.department, label.aisle],
            path => path.iter().map(String::as_str).collect(),
        };
        Terms::of(&Content {
            categories: &path,
            brand: live.and_then(|product| product.brand.as_deref()),
            tags: live.map_or(&[][..], |product| &product.tags),
            name: label.name,
        })
    }
}
