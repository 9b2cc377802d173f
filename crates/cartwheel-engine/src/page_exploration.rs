//! The places of a list that are given to products of which little is known.
//!
//! The last places of a list that no rule has filled are drawn, one after the other, from new products,
//! the products that would stand there, and those below the cut. The answer's id is the seed, so that
//! the same answer is drawn again from the same counts.

use cartwheel_events::ProductId;
use cartwheel_placements::Kind;
use cartwheel_recommend::exploration::{Arms, Belief, uniform};
use rustc_hash::FxHashSet;

use crate::answer::MovedBy;
use crate::newcomers;
use crate::page::Slot;
use crate::page_lists::{Listed, POOL, Sources, Why};
use crate::shop::Shop;
use crate::trials::{PRIOR, Tried, WEAK};
use crate::views::ExploredProduct;

/// Of the products to draw from, new ones: those that were tried the least.
const NEW: usize = 20;
/// The trials as which the prior of a product counts that shoppers buy.
const FIRM: f64 = 40.0;

/// A place of a list: its product, and the rule that has put it there.
pub(crate) type Entry<'a> = (Listed<'a>, Option<MovedBy>);

impl Shop {
    /// Draws the explored places of a list. `ranked` is the list before it was cut, and `shown` what is
    /// in earlier lists of the page.
    pub(crate) fn explored<'s>(
        &self,
        sources: &Sources<'_>,
        (at, slot): (usize, &Slot),
        mut list: Vec<Entry<'s>>,
        ranked: Vec<Listed<'s>>,
        shown: &FxHashSet<u32>,
    ) -> Vec<Entry<'s>> {
        let Some(id) = &slot.recommendation_id else { return list };
        let ruling = &sources.rulings[at];
        let mut kept: Vec<u32> = list.iter().map(|(listed, _)| listed.product).collect();
        let mut places = Vec::new();
        for (place, (Listed { product, .. }, moved_by)) in list.iter().enumerate().rev() {
            // A rule may demand a product that the ranking alone has put there.
            let is_demanded = ruling.demands().any(|demand| {
                let have = kept.iter().filter(|product| demand.is_about(**product)).count();
                demand.is_about(*product) && have <= demand.count
            });
            if places.len() < slot.explore && moved_by.is_none() && !is_demanded {
                places.push(place);
                kept.retain(|other| other != product);
            }
        }
        let mut room = ruling.room(|product, per| self.name_of(product, per));
        for &product in &kept {
            room.take(product);
        }
        let free = |product: u32| {
            !kept.contains(&product) && !shown.contains(&product) && room.fits(product)
        };
        // Those that give way come first, so that some product fits at every place.
        let gives_way = |product| places.iter().any(|&place| list[place].0.product == product);
        let (mut ranked, below): (Vec<_>, Vec<_>) =
            ranked.into_iter().partition(|listed| gives_way(listed.product));
        ranked.extend(below);
        let pool = self.arms(sources, (at, slot), ranked, free);
        let beliefs: Vec<Belief> = pool.iter().map(|listed| self.belief(listed)).collect();
        let mut arms = Arms::new(&beliefs);
        let mut empty = Vec::new();
        for (&place, number) in places.iter().rev().zip(0..) {
            for (arm, listed) in pool.iter().enumerate() {
                if !room.fits(listed.product) {
                    arms.remove(arm);
                }
            }
            let Some((arm, propensity)) = arms.draw(uniform(id, number)) else {
                empty.push(place);
                continue;
            };
            room.take(pool[arm].product);
            list[place] = (Listed { propensity: Some(propensity), ..pool[arm].clone() }, None);
        }
        // Where no product fits any more, the list is shorter.
        for place in empty.into_iter().rev() {
            list.remove(place);
        }
        list
    }

    /// The products to draw from that are `free`: new ones, then those of `ranked`.
    fn arms<'s>(
        &self,
        sources: &Sources<'_>,
        (at, slot): (usize, &Slot),
        ranked: Vec<Listed<'s>>,
        free: impl Fn(u32) -> bool,
    ) -> Vec<Listed<'s>> {
        let (Some(step), Some(&filter)) = (slot.steps.first(), sources.filter_of[at].first())
        else {
            return Vec::new();
        };
        let mut ranked: Vec<Listed<'s>> =
            ranked.into_iter().filter(|listed| free(listed.product)).collect();
        // What belongs to a product is not every new one.
        let newest = match step.kind.needs() {
            Some(_) => &[],
            None => self.overlay.newest(),
        };
        let qualifies = |product: &u32| free(*product) && sources.qualifies(filter, *product);
        let newest = newest.iter().copied().filter(qualifies);
        let mut newest: Vec<(u64, u32)> =
            newest.map(|product| (self.trials(product), product)).collect();
        // Stable: of equally many trials, the newest first.
        newest.sort_by_key(|(trials, _)| *trials);
        let mut pool: Vec<Listed<'s>> = Vec::new();
        for (_, product) in newest.into_iter().take(NEW) {
            let known = ranked.iter().position(|listed| listed.product == product);
            pool.push(known.map_or_else(
                || Listed {
                    kind: Kind::New,
                    product,
                    probability: 0.0,
                    why: Why::Said(newcomers::reason(self, product)),
                    propensity: None,
                },
                |known| ranked.remove(known),
            ));
        }
        let missing = POOL - pool.len();
        pool.extend(ranked.into_iter().take(missing));
        pool
    }

    fn trials(&self, product: u32) -> u64 {
        self.label(product).map_or(0, |label| self.attention.tried(label.product_id).trials)
    }

    /// What is believed of a product's click rate: the prior is the probability that the model
    /// predicts, and it is weak for a product that nobody has bought.
    fn belief(&self, listed: &Listed<'_>) -> Belief {
        let prior = match listed.why {
            Why::Ranked(_) => f64::from(listed.probability),
            Why::Said(_) => PRIOR,
        };
        let known = self.opened.catalogue.get(listed.product);
        let is_bought = known.is_some_and(|product| product.stats.orders > 0);
        let strength = if is_bought { FIRM } else { WEAK };
        let tried = self.label(listed.product).map(|label| self.attention.tried(label.product_id));
        tried.unwrap_or_default().belief(prior, strength)
    }

    /// The products that exploration has tried most often.
    pub(crate) fn explored_most(&self, limit: usize) -> Vec<ExploredProduct> {
        let product = |(id, tried): (ProductId, Tried)| {
            let estimate = tried.belief(PRIOR, WEAK).estimate();
            let label = self.find(&id).and_then(|index| self.label(index));
            ExploredProduct {
                product_name: label.map_or(id.as_str(), |label| label.name).to_owned(),
                product_id: id.as_str().to_owned(),
                trials: tried.trials,
                clicks: tried.clicks,
                mean: estimate.mean,
                low: estimate.low,
                high: estimate.high,
            }
        };
        self.attention.most_tried(limit).into_iter().map(product).collect()
    }
}
