//! How diversity and rules shape the lists of a page.

use cartwheel_recommend::Ranked;
use rustc_hash::FxHashSet;

use crate::page::Slot;
use crate::page_exploration::Entry;
use crate::page_lists::{Listed, Sources, Why};
use crate::shop::Shop;

/// The reason for a product that nothing but a rule has put into a list.
const PICKED: &str = "Picked by the shop";

impl Shop {
    /// The products that rules demand of a list which does not have them.
    pub(crate) fn demanded_of<'s>(
        &self,
        sources: &'s Sources<'_>,
        at: usize,
        slot: &Slot,
        taken: &FxHashSet<u32>,
    ) -> Vec<Listed<'s>> {
        let (Some(step), Some(&filter)) = (slot.steps.first(), sources.filter_of[at].first())
        else {
            return Vec::new();
        };
        let own: &[Ranked] = sources.personal.get(&filter).map_or(&[], Vec::as_slice);
        let listed = |product: u32| {
            let ranked = own.iter().find(|ranked| ranked.candidate.product == product);
            let probability = ranked.map_or(0.0, |ranked| ranked.probability);
            let why = ranked.map_or_else(|| Why::Said(PICKED.to_owned()), Why::Ranked);
            Listed { kind: step.kind, product, probability, why, propensity: None }
        };
        let qualifies = |product| sources.qualifies(filter, product);
        let demanded = self.demanded(&sources.rulings[at], taken, qualifies);
        demanded.into_iter().map(listed).collect()
    }

    /// Arranges a list by diversity and rules, cuts it to its limit, and draws its explored places.
    /// `shown` is in earlier lists of the page.
    pub(crate) fn cut<'s>(
        &self,
        sources: &Sources<'_>,
        (at, slot): (usize, &Slot),
        list: Vec<Listed<'s>>,
        shown: &FxHashSet<u32>,
    ) -> Vec<Entry<'s>> {
        let of = |listed: &Listed<'_>| (listed.product, listed.probability);
        let (catalogue, state) = (&self.opened.catalogue, &sources.moment.state);
        let list = slot.diversity.rearrange(catalogue, state, list, slot.limit, of);
        let ranked = if slot.explore > 0 { list.clone() } else { Vec::new() };
        let list = self.arranged(&sources.rulings[at], list, slot.limit, of);
        match slot.explore {
            0 => list,
            _ => self.explored(sources, (at, slot), list, ranked, shown),
        }
    }
}
