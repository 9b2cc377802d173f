//! How a shop fills the lists of a page.
//!
//! Candidates are made once for each filter of the page, and scored together: however many lists a
//! page has, its shopper is ranked for once. Each list then takes its products from that ranking,
//! or from what is the same for everybody, and none that an earlier list shows.

use std::cell::OnceCell;
use std::sync::Arc;

use cartwheel_features::Action;
use cartwheel_filter::Expression;
use cartwheel_placements::Kind;
use cartwheel_recommend::{Candidate, Ranked, Relations, Said};
use cartwheel_rules::Ruling;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::answer::{Explanation, MovedBy, Recommendation};
use crate::newcomers;
use crate::page::{Page, Placed, Slot, SlotStep};
use crate::qualify::Filter;
use crate::question::{Query, Similarity};
use crate::scorer::Scorer;
use crate::shop::Shop;
use crate::shopper::Moment;
use crate::similar::Found;
use crate::trends::Trend;

/// Products of a personal ranking, while so many qualify: the largest limit of a list.
const PERSONAL: usize = 100;

/// The reason for a product that the shopper looked at.
const VIEWED: &str = "You looked at it";
/// Products from which the explored places of a list are drawn.
pub(crate) const POOL: usize = 40;
/// How many times the missing products a source is asked for if rules limit the list.
const SPARE: usize = 5;

/// A product of a list before the list is cut.
#[derive(Clone)]
pub(crate) struct Listed<'a> {
    pub(crate) kind: Kind,
    pub(crate) product: u32,
    pub(crate) probability: f32,
    pub(crate) why: Why<'a>,
    /// The probability with which exploration chose it, if it did.
    pub(crate) propensity: Option<f64>,
}

/// Why a product is in a list.
#[derive(Clone)]
pub(crate) enum Why<'a> {
    /// It was ranked for the shopper.
    Ranked(&'a Ranked),
    /// The list tells.
    Said(String),
}

/// Candidates that are scored with others.
struct Pool {
    candidates: Vec<Candidate>,
    of: PoolOf,
}

/// The ranking that a pool becomes.
#[derive(PartialEq)]
enum PoolOf {
    /// Of the shopper, with a filter.
    Personal(usize),
    /// Of given products, for a step of a slot.
    Given((usize, usize), FxHashSet<u32>),
}

/// What a page's lists take their products from.
pub(crate) struct Sources<'a> {
    pub(crate) moment: Moment,
    query: &'a Query<'a>,
    /// The filter of each step of each slot, as a place in `filters`.
    pub(crate) filter_of: Vec<Vec<usize>>,
    filters: Vec<Filter<'a>>,
    /// The rules that hold for each slot.
    pub(crate) rulings: Vec<Arc<Ruling<'a>>>,
    /// The ranking for the shopper, by the filter.
    pub(crate) personal: FxHashMap<usize, Vec<Ranked>>,
    /// The ranking of given products, by slot and step.
    given: FxHashMap<(usize, usize), Vec<Ranked>>,
    /// The products to which the page compares others.
    compared: FxHashSet<u32>,
    /// These, and those of the cart.
    excluded: FxHashSet<u32>,
}

impl Shop {
    /// Answers a page. The query's limit and expression have no effect. `hidden` tells to
    /// ignore the user's stored record.
    pub(crate) async fn page(
        &self,
        query: &Query<'_>,
        slots: &[Slot],
        scorer: Option<&dyn Scorer>,
        hidden: bool,
    ) -> Page {
        let opened = &*self.opened;
        let (sources, failed) = self.sources(query, slots, scorer, hidden).await;
        let mut shown = FxHashSet::default();
        let lists = slots.iter().enumerate().map(|(at, slot)| {
            let listed = self.listed(&sources, at, slot, &shown);
            let list = self.cut(&sources, (at, slot), listed, &shown);
            shown.extend(list.iter().map(|(listed, _)| listed.product));
            self.placed(&sources.moment, list, query.explain)
        });
        Page {
            lists: lists.collect(),
            model_version: self.model_version().to_owned(),
            release: self.release(),
            degraded: sources.moment.unreadable || failed || opened.stands_in,
            basis: self.basis(hidden),
        }
    }

    /// Ranks for the shopper all that the lists of a page need, in one pass. Returns it, and whether
    /// another machine should have scored it and failed.
    async fn sources<'a, 's>(
        &'a self,
        query: &'a Query<'_>,
        slots: &'s [Slot],
        scorer: Option<&dyn Scorer>,
        hidden: bool,
    ) -> (Sources<'a>, bool) {
        let moment = self.moment(query, hidden);
        let shopper = self.asking(query, &moment.state);
        let ruling = |slot: &Slot| Arc::new(self.ruling(query, &shopper, &slot.placement));
        let rulings: Vec<Arc<Ruling<'_>>> = slots.iter().map(ruling).collect();
        // Steps with the same expression and the same blocked products share a filter.
        let mut filters = Vec::new();
        let mut wanted: Vec<(Option<&Expression>, Vec<&str>)> = Vec::new();
        let mut place = |step: &'s SlotStep, ruling: &Arc<Ruling<'a>>| {
            let key = (step.expression.as_ref(), ruling.guards().collect());
            let known = wanted.iter().position(|known| *known == key);
            known.unwrap_or_else(|| {
                let ruling = Some(ruling.clone());
                filters.push(self.filter_with(&query.filters, key.0, ruling, &shopper));
                wanted.push(key);
                wanted.len() - 1
            })
        };
        let mut places = |(slot, ruling): (&'s Slot, &Arc<Ruling<'a>>)| {
            slot.steps.iter().map(|step| place(step, ruling)).collect()
        };
        let filter_of = slots.iter().zip(&rulings).map(&mut places).collect();
        let compared = slots.iter().filter_map(|slot| self.find(slot.product.as_ref()?));
        let compared: FxHashSet<u32> = compared.collect();
        let excluded = compared.iter().chain(&moment.held).copied().collect();
        let mut sources = Sources {
            moment,
            query,
            filter_of,
            filters,
            rulings,
            personal: FxHashMap::default(),
            given: FxHashMap::default(),
            compared,
            excluded,
        };
        let pools = self.pools(&sources, slots);
        let chosen: Vec<Candidate> =
            pools.iter().flat_map(|pool| pool.candidates.iter().copied()).collect();
        let scored = match chosen.is_empty() {
            true => None,
            false => Some(self.scored(scorer, &sources.moment, &chosen).await),
        };
        let failed = scored.as_ref().is_some_and(|scored| scored.failed);
        let mut probabilities = scored.into_iter().flat_map(|scored| scored.probabilities);
        for Pool { candidates, of } in pools {
            let probabilities = probabilities.by_ref().take(candidates.len()).collect();
            match of {
                PoolOf::Personal(filter) => {
                    let qualifies = |product| sources.qualifies(filter, product);
                    let moment = &sources.moment;
                    let ranked =
                        self.ordered_for(moment, &candidates, probabilities, PERSONAL, qualifies);
                    sources.personal.insert(filter, ranked);
                }
                PoolOf::Given(at, given) => {
                    let moment = &sources.moment;
                    let ranked = self.ordered_given(moment, candidates, probabilities, &given);
                    sources.given.insert(at, ranked);
                }
            }
        }
        (sources, failed)
    }

    /// The candidates of every ranking that the lists of a page take products from.
    fn pools(&self, sources: &Sources<'_>, slots: &[Slot]) -> Vec<Pool> {
        let Moment { state, cart, .. } = &sources.moment;
        let mut pools: Vec<Pool> = Vec::new();
        let relations = OnceCell::new();
        let relations =
            || relations.get_or_init(|| Relations::new(&self.opened.catalogue, state, cart));
        for (at, slot) in slots.iter().enumerate() {
            for (number, step) in slot.steps.iter().enumerate() {
                let filter = sources.filter_of[at][number];
                match step.kind {
                    Kind::ForYou | Kind::Cart => {
                        let of = PoolOf::Personal(filter);
                        let qualifies = |product| sources.qualifies(filter, product);
                        let known = pools.iter().position(|pool| pool.of == of);
                        let pool = known.unwrap_or_else(|| {
                            let candidates =
                                relations().candidates(PERSONAL, self.discovery, qualifies);
                            pools.push(Pool { candidates, of });
                            pools.len() - 1
                        });
                        let (ruling, chosen) = (&sources.rulings[at], &mut pools[pool].candidates);
                        let moment = &sources.moment;
                        let lacking = self.lacking(moment, ruling, chosen, slot.limit, qualifies);
                        chosen.extend(relations().among(lacking));
                    }
                    Kind::Rank => {
                        let (mut given, _) =
                            self.sorted_out(&slot.products, &sources.filters[filter]);
                        given.retain(|product| !sources.compared.contains(product));
                        let candidates = relations().among(given.iter().copied());
                        pools.push(Pool { candidates, of: PoolOf::Given((at, number), given) });
                    }
                    Kind::BoughtTogether
                    | Kind::Substitutes
                    | Kind::AlsoViewed
                    | Kind::BuyAgain
                    | Kind::Trending
                    | Kind::Popular
                    | Kind::New
                    | Kind::RecentlyViewed => {}
                }
            }
        }
        pools
    }

    /// The products of a slot in their order, before they are cut to its limit: those of its first
    /// step, then those of later ones while there are too few. None of them is `shown` already.
    fn listed<'s>(
        &self,
        sources: &'s Sources<'_>,
        at: usize,
        slot: &Slot,
        shown: &FxHashSet<u32>,
    ) -> Vec<Listed<'s>> {
        let mut list: Vec<Listed<'_>> = Vec::new();
        let mut taken = shown.clone();
        let ruling = &sources.rulings[at];
        let spare = if ruling.limits() { SPARE } else { 1 };
        let below = if slot.explore > 0 { POOL } else { 0 };
        let mut room = ruling.room(|product, per| self.name_of(product, per));
        let mut fitting = 0;
        for number in 0..slot.steps.len() {
            let missing = slot.limit.saturating_sub(fitting);
            if missing == 0 {
                break;
            }
            let found = self.step(sources, slot, (at, number), missing * spare + below, &taken);
            taken.extend(found.iter().map(|listed| listed.product));
            fitting += found.iter().filter(|listed| room.take(listed.product)).count();
            list.extend(found);
        }
        list.extend(self.demanded_of(sources, at, slot, &taken));
        list
    }

    /// The products of a step that are not `taken`, in their order; at least `limit` of them if so
    /// many qualify.
    fn step<'s>(
        &self,
        sources: &'s Sources<'_>,
        slot: &Slot,
        (at, number): (usize, usize),
        limit: usize,
        taken: &FxHashSet<u32>,
    ) -> Vec<Listed<'s>> {
        let (kind, filter) = (slot.steps[number].kind, sources.filter_of[at][number]);
        let is_free = |product: u32| !taken.contains(&product);
        let qualifies = |product: u32| is_free(product) && sources.qualifies(filter, product);
        let said = |(product, probability, reason): Found| {
            let why = Why::Said(reason);
            Listed { kind, product, probability, why, propensity: None }
        };
        let ranked = |ranked: &'s Ranked| {
            let (product, probability) = (ranked.candidate.product, ranked.probability);
            let why = Why::Ranked(ranked);
            Listed { kind, product, probability, why, propensity: None }
        };
        let own = sources.personal.get(&filter).map_or(&[][..], Vec::as_slice);
        let own = own.iter().filter(|ranked| is_free(ranked.candidate.product));
        let state = &sources.moment.state;
        let admitted = |r: &&Ranked| self.discovery.admits(state, r.candidate.product);
        let similar = |similarity| {
            let index = slot.product.as_ref().and_then(|id| self.find(id));
            let index = index.filter(|&index| !self.overlay.is_deleted(index));
            let found =
                index.map(|index| self.similar_to(index, Some(similarity), limit, &qualifies));
            found.into_iter().flatten().map(said).collect()
        };
        match kind {
            Kind::ForYou => own.filter(admitted).map(ranked).collect(),
            Kind::Cart => {
                let relates = |ranked: &&Ranked| ranked.candidate.cart_best.score > 0.0;
                own.filter(admitted).filter(relates).map(ranked).collect()
            }
            Kind::BuyAgain => {
                let due = self.due_products(&sources.moment, limit, qualifies);
                due.into_iter().map(said).collect()
            }
            Kind::Rank => {
                let given = sources.given.get(&(at, number)).map_or(&[][..], Vec::as_slice);
                given.iter().filter(|r| is_free(r.candidate.product)).map(ranked).collect()
            }
            Kind::BoughtTogether => similar(Similarity::BoughtTogether),
            Kind::Substitutes => similar(Similarity::Substitutes),
            Kind::AlsoViewed => similar(Similarity::AlsoViewed),
            Kind::Popular => self.best_selling(limit, qualifies).into_iter().map(said).collect(),
            Kind::Trending => {
                let found = self.trending_now(Trend::default(), limit, qualifies);
                found.into_iter().map(said).collect()
            }
            Kind::New => {
                let newest = self.overlay.newest().iter().copied().filter(|p| qualifies(*p));
                let newest = newest.take(limit);
                newest.map(|p| said((p, 0.0, newcomers::reason(self, p)))).collect()
            }
            Kind::RecentlyViewed => {
                let viewed = self.recently_viewed(sources.query, &sources.moment);
                let viewed = viewed.into_iter().filter(|product| qualifies(*product)).take(limit);
                viewed.map(|product| said((product, 0.0, VIEWED.to_owned()))).collect()
            }
        }
    }

    /// The products that the shopper looked at, the newest first: of the session, then of the
    /// history.
    fn recently_viewed(&self, query: &Query<'_>, moment: &Moment) -> Vec<u32> {
        let session = query.session.into_iter().flat_map(|session| session.views.iter().rev());
        let session = session.filter_map(|view| self.find(&view.product_id));
        let touches = moment.state.touches.iter().rev();
        let history = touches.filter(|touch| touch.action == Action::View).map(|t| t.product);
        let mut seen = FxHashSet::default();
        session.chain(history).filter(|product| seen.insert(*product)).collect()
    }

    /// How the ranked products of a list came to their probabilities, in their order.
    fn explained(
        &self,
        moment: &Moment,
        list: &[(Listed<'_>, Option<MovedBy>)],
    ) -> Vec<Explanation> {
        let ranked = list.iter().filter_map(|(listed, _)| match listed.why {
            Why::Ranked(ranked) => Some(*ranked),
            Why::Said(_) => None,
        });
        let ranked: Vec<Ranked> = ranked.collect();
        let Moment { state, context, cart, .. } = moment;
        self.explain(state, context, cart, &ranked)
    }

    /// The products of a list as they are shown.
    fn placed(
        &self,
        moment: &Moment,
        list: Vec<(Listed<'_>, Option<MovedBy>)>,
        explain: bool,
    ) -> Vec<Placed> {
        let mut said = Said::default();
        let mut explained = if explain { self.explained(moment, &list) } else { Vec::new() };
        explained.reverse();
        let placed = list.into_iter().filter_map(|(listed, moved_by)| {
            let Listed { kind, product, probability, why, propensity } = listed;
            let mut explanation = None;
            let (reasons, source) = match why {
                Why::Ranked(ranked) => {
                    explanation = explained.pop();
                    let source = match kind {
                        Kind::Rank => kind.as_str(),
                        _ => ranked.candidate.source.as_str(),
                    };
                    (self.why(&moment.state, ranked, None, &mut said), source)
                }
                Why::Said(reason) => (vec![reason], kind.as_str()),
            };
            let item = self.recommendation(product, probability, reasons)?;
            let item = self.dated(&moment.state, product, item);
            let source = Some(source.to_owned());
            let recommendation =
                Recommendation { source, moved_by, propensity, explanation, ..item };
            Some(Placed { kind, recommendation })
        });
        placed.collect()
    }
}

impl Sources<'_> {
    /// Whether a list with a filter may show a product: neither in the cart nor one to which the page
    /// compares others.
    pub(crate) fn qualifies(&self, filter: usize, product: u32) -> bool {
        let is_excluded = self.excluded.contains(&product)
            || (self.query.filters.exclude_purchased
                && self.moment.state.product(product).is_some());
        !is_excluded && self.filters[filter].qualifies(product)
    }
}
