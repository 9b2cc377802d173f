//! How the rules of the shop come into its lists.

use cartwheel_events::ProductId;
use cartwheel_filter::Shopper;
use cartwheel_recommend::Candidate;
use cartwheel_rules::{Conflict, Moved, Occasion, Per, RuleSet, Ruling, Selector, Selects};
use rustc_hash::FxHashSet;

use crate::answer::MovedBy;
use crate::question::Query;
use crate::shop::Shop;
use crate::shopper::Moment;

/// The name by which scopes call a list that no placement asks for.
pub(crate) const RECOMMENDATIONS: &str = "recommendations";
/// The value of a request that names the category of its page.
const CATEGORY: &str = "category";
/// Best sellers that are looked at to fill a list which rules limit: a bound on the work.
const LOOKED_AT: usize = 10_000;

impl Shop {
    /// The rules that hold for a list of a placement.
    pub(crate) fn ruling<'a>(
        &'a self,
        query: &'a Query<'_>,
        shopper: &Shopper<'_>,
        placement: &str,
    ) -> Ruling<'a> {
        let Some(ruled) = query.rules.filter(|ruled| !ruled.rules.is_empty()) else {
            return Ruling::default();
        };
        let mut categories = [&query.filters.departments[..], &query.filters.aisles[..]].concat();
        categories.extend(ruled.context.text(CATEGORY).map(str::to_owned));
        let occasion = Occasion {
            placement,
            categories: &categories,
            shopper,
            context: ruled.context,
            today: self.opened.calendar.day(self.now_ms),
            now_ms: self.now_ms,
        };
        ruled.rules.ruling(&occasion, |selector| self.selects(selector))
    }

    /// Rules that contradict one another, with what the catalogue knows of their products.
    pub(crate) fn conflicts(&self, rules: &RuleSet) -> Vec<Conflict> {
        let known = |id: &ProductId| self.find(id).and_then(|index| self.item(index));
        rules.conflicts(self.opened.calendar.day(self.now_ms), &known, self.now_ms)
    }

    fn selects<'a>(&'a self, selector: &'a Selector) -> Selects<'a> {
        match selector {
            Selector::Ids(ids) => {
                let ids: FxHashSet<u32> = ids.iter().filter_map(|id| self.find(id)).collect();
                Box::new(move |product| ids.contains(&product))
            }
            Selector::Condition(condition) => {
                let selected = self.selected(condition);
                Box::new(move |product| self.fulfils(condition, selected.as_ref(), product))
            }
        }
    }

    /// The category or brand of a product by which rules count.
    pub(crate) fn name_of(&self, product: u32, per: Per) -> Option<&str> {
        let name = match per {
            Per::Department => self.label(product)?.department,
            Per::Aisle => self.label(product)?.aisle,
            Per::Brand => self.live(product)?.brand.as_deref()?,
        };
        Some(name).filter(|name| !name.is_empty())
    }

    /// Products that rules demand and that are not `known`, the ones that sell best first.
    pub(crate) fn demanded(
        &self,
        ruling: &Ruling<'_>,
        known: &FxHashSet<u32>,
        qualifies: impl Fn(u32) -> bool,
    ) -> Vec<u32> {
        let mut demanded: Vec<u32> = Vec::new();
        for demand in ruling.demands() {
            let all = known.iter().chain(&demanded);
            let have = all.filter(|product| demand.is_about(**product)).count();
            let is_missing = |product: &u32| {
                !known.contains(product)
                    && !demanded.contains(product)
                    && demand.is_about(*product)
                    && qualifies(*product)
            };
            let missing = demand.count.saturating_sub(have);
            let found: Vec<u32> = match demand.selector {
                Selector::Ids(ids) => {
                    let mut found: Vec<u32> =
                        ids.iter().filter_map(|id| self.find(id)).filter(is_missing).collect();
                    found.sort_by_key(|&product| self.place(product));
                    found
                }
                Selector::Condition(_) if missing == 0 => Vec::new(),
                Selector::Condition(_) => self.indices().filter(is_missing).take(missing).collect(),
            };
            demanded.extend(found.into_iter().take(missing));
        }
        demanded
    }

    /// Products that a ranking lacks: those that rules demand, and others to fill a list of `limit`
    /// products that rules limit.
    pub(crate) fn lacking(
        &self,
        moment: &Moment,
        ruling: &Ruling<'_>,
        chosen: &[Candidate],
        limit: usize,
        qualifies: impl Fn(u32) -> bool,
    ) -> FxHashSet<u32> {
        if ruling.is_empty() {
            return FxHashSet::default();
        }
        let mut known: FxHashSet<u32> = chosen.iter().map(|candidate| candidate.product).collect();
        known.extend(&moment.held);
        let mut lacking = self.demanded(ruling, &known, &qualifies);
        known.extend(&lacking);
        if ruling.limits() {
            let mut room = ruling.room(|product, per| self.name_of(product, per));
            let all = chosen.iter().map(|candidate| candidate.product).chain(lacking.clone());
            let fitting = all.filter(|product| room.take(*product)).take(limit).count();
            let others = self.indices().take(LOOKED_AT);
            let others = others.filter(|p| !known.contains(p) && qualifies(*p) && room.take(*p));
            lacking.extend(others.take(limit - fitting));
        }
        lacking.into_iter().collect()
    }

    /// Arranges a list as the rules demand it, and cuts it to its limit. `of` gives the product and
    /// the probability of an entry. The one place where a list of a shopper is cut.
    pub(crate) fn arranged<T>(
        &self,
        ruling: &Ruling<'_>,
        list: Vec<T>,
        limit: usize,
        of: impl Fn(&T) -> (u32, f32),
    ) -> Vec<(T, Option<MovedBy>)> {
        let ranked: Vec<(u32, f32)> = list.iter().map(of).collect();
        let placed = ruling.arrange(&ranked, limit, |product, per| self.name_of(product, per));
        let mut entries: Vec<Option<T>> = list.into_iter().map(Some).collect();
        let moved =
            |Moved { rule, from, to }: Moved<'_>| MovedBy { rule: rule.to_owned(), from, to };
        let entry = placed
            .into_iter()
            .filter_map(|placed| Some((entries[placed.rank].take()?, placed.moved_by.map(moved))));
        entry.collect()
    }
}
