//! Selects the products that are worth scoring for a user and a cart.

use cartwheel_features::{
    Catalogue, HISTORY_PRODUCTS, MAX_TOUCHES, Neighbour, Parameter, Source, UserState,
};
use rustc_hash::FxHashSet;

use crate::candidate::{AffinityScores, Candidate};
use crate::discovery::Discovery;
use crate::likeness::score_likeness;
use crate::scored::{Lists, Scored};
use crate::searched::score_searches;
use crate::visit::score_visit;

/// Maximum number of candidates from the user's history.
const FROM_HISTORY: usize = 300;
/// Maximum number of candidates related to the cart.
const FROM_CART: usize = 50;
/// Maximum number of candidates that match the user's searches.
const FROM_SEARCH: usize = 40;
/// Maximum number of candidates related to the user's history.
const FROM_TASTE: usize = 30;
/// Maximum number of candidates that users with such a history buy next.
const FROM_NEXT: usize = 60;
/// Maximum numbers of candidates that shoppers turn to after what the user has just looked at: in
/// the next steps, in similar visits, in the same visits, in two steps, and to buy.
const FROM_FOLLOWING: usize = 60;
const FROM_NEAREST: usize = 60;
const FROM_TOGETHER: usize = 40;
const FROM_TWO_STEPS: usize = 100;
const FROM_LEADS: usize = 40;
/// Maximum number of candidates that the user's products attract, and as many others whose
/// buyers are alike, if new products are wanted.
const FROM_AFFINITY: usize = 100;
/// The same if they are not: few of them come near the products that the user buys.
const FEW_FROM_AFFINITY: usize = 20;
/// Maximum numbers of candidates that are like what the user buys, and like what the user has just
/// turned to: if new products are wanted, and otherwise.
const FROM_CONTENT: usize = 40;
const FEW_FROM_CONTENT: usize = 5;
/// Maximum number of popular candidates.
const FROM_POPULAR: usize = 30;
/// Number of past products whose neighbours are considered.
const TASTE_PRODUCTS: usize = 40;

/// How products relate to a user and a cart: what every source says, added up once for all lists
/// that are made of it.
pub struct Relations<'a> {
    catalogue: &'a Catalogue,
    state: &'a UserState,
    cart: &'a [u32],
    /// The user's products with their weights by recency, the heaviest first.
    past: Vec<(f32, u32)>,
    /// What is on of what the user has touched, the newest first.
    touched: Vec<u32>,
    scored: Scored,
    most: Most,
}

/// The largest scores of any product that is new to the user.
#[derive(Clone, Copy, Default)]
struct Most {
    attraction: f32,
    companion: f32,
}

impl Most {
    /// The candidate with its scores relative to these.
    fn relative(self, candidate: &Candidate, source: Source) -> Candidate {
        let scores = candidate.affinity;
        let affinity = AffinityScores {
            attraction_relative: over(scores.attraction, self.attraction),
            companion_relative: over(scores.companion, self.companion),
            ..scores
        };
        Candidate { source, affinity, ..*candidate }
    }
}

impl<'a> Relations<'a> {
    /// Scores the products that relate to a user and a cart of catalogue indices.
    pub fn new(catalogue: &'a Catalogue, state: &'a UserState, cart: &'a [u32]) -> Self {
        let past = past(state);
        let is_on = |source| !catalogue.without.contains(source);
        let (mut scored, most) = score(catalogue, state, cart, &past, is_on);
        let mut touched = state.touched(MAX_TOUCHES);
        touched.reverse();
        touched.retain(|_| is_on(Source::Seen));
        for &product in touched.iter().filter(|&&product| catalogue.get(product).is_some()) {
            scored.of(product, Source::Seen);
        }
        Self { catalogue, state, cart, past, touched, scored, most }
    }

    /// The candidates: at most a few hundred, none of them in the cart, all of them products that
    /// qualify.
    ///
    /// A product is asked about before any list is cut, so that products that do not qualify take
    /// no place. There are `at_least` candidates while that many products qualify; training asks
    /// for none, and takes what the sources yield. With `discovery`, more of the
    /// candidates are products that the user has not bought.
    pub fn candidates(
        &self,
        at_least: usize,
        discovery: Discovery,
        qualifies: impl Fn(u32) -> bool,
    ) -> Vec<Candidate> {
        self.chosen(at_least, discovery, qualifies, |_| false)
    }

    /// Each of some products that the catalogue has, in the cart or not, with the first source that
    /// says anything of it. The user's own products come first; both they and the others are in the
    /// order of the catalogue.
    pub fn among(&self, products: impl IntoIterator<Item = u32>) -> Vec<Candidate> {
        let mut products: Vec<u32> = products.into_iter().collect();
        products.retain(|&product| self.catalogue.get(product).is_some());
        products.sort_unstable();
        products.dedup();
        let is_own = |product: &u32| self.state.product(*product).is_some();
        let (own, new): (Vec<u32>, Vec<u32>) = products.into_iter().partition(is_own);
        let candidate = |product| self.of(product, self.first_source(product));
        own.into_iter().chain(new).map(candidate).collect()
    }

    /// A product's candidate, with a source.
    fn of(&self, product: u32, source: Source) -> Candidate {
        let new = Candidate::new(product, source);
        self.most.relative(self.scored.get(product).unwrap_or(&new), source)
    }

    fn first_source(&self, product: u32) -> Source {
        if self.state.product(product).is_some() {
            return Source::History;
        }
        if self.touched.contains(&product) {
            return Source::Seen;
        }
        let Some(candidate) = self.scored.get(product) else { return Source::Popular };
        let said = LISTS.iter().zip(keys(candidate)).find(|(_, key)| *key > 0.0);
        said.map_or(Source::Popular, |(list, _)| list.source)
    }

    /// Products for which `is_forgotten` holds are taken as if nobody had bought or looked at them.
    fn chosen(
        &self,
        at_least: usize,
        discovery: Discovery,
        qualifies: impl Fn(u32) -> bool,
        is_forgotten: impl Fn(u32) -> bool,
    ) -> Vec<Candidate> {
        let Self { catalogue, scored, most, .. } = self;
        let in_cart: FxHashSet<u32> = self.cart.iter().copied().collect();
        let qualifies = |product| !in_cart.contains(&product) && qualifies(product);
        let mut chosen: Vec<Candidate> = Vec::with_capacity(FROM_HISTORY);
        let mut lists = Lists::new(scored);
        let bought = self.past.iter().map(|(_, product)| product);
        let own = bought.filter(|&&product| qualifies(product));
        let own = own.filter_map(|&product| lists.take(product)).take(FROM_HISTORY);
        chosen.extend(own.map(|c| most.relative(c, Source::History)));
        for &product in self.touched.iter().filter(|&&product| qualifies(product)) {
            let seen = lists.take(product);
            chosen.extend(seen.map(|c| most.relative(c, Source::Seen)));
        }
        lists.fill(keys);
        for (at, list) in LISTS.into_iter().enumerate() {
            let length = if discovery.is_wanted() { list.most } else { list.few };
            let best = lists.take_best(at, length, &qualifies);
            chosen.extend(best.map(|candidate| most.relative(candidate, list.source)));
        }
        let more = FROM_POPULAR.max(at_least.saturating_sub(chosen.len()));
        let popular = catalogue.popular.iter().filter(|&&p| !lists.has(p) && !is_forgotten(p));
        let popular = popular.filter(|&&product| qualifies(product));
        chosen.extend(popular.take(more).map(|&p| self.of(p, Source::Popular)));
        chosen
    }
}

/// A list of candidates that a source makes.
#[derive(Clone, Copy)]
struct List {
    source: Source,
    /// How many candidates it may have.
    few: usize,
    /// The same if new products are wanted.
    most: usize,
}

impl List {
    const fn new(source: Source, length: usize) -> Self {
        Self { source, few: length, most: length }
    }
}

/// The lists after the user's own products, in their order.
const LISTS: [List; 13] = [
    List::new(Source::Cart, FROM_CART),
    List::new(Source::Search, FROM_SEARCH),
    List::new(Source::Visit, FROM_FOLLOWING),
    List::new(Source::Visit, FROM_NEAREST),
    List::new(Source::Visit, FROM_TOGETHER),
    List::new(Source::Visit, FROM_TWO_STEPS),
    List::new(Source::Visit, FROM_LEADS),
    List::new(Source::Taste, FROM_TASTE),
    List::new(Source::Next, FROM_NEXT),
    List { source: Source::Affinity, few: FEW_FROM_AFFINITY, most: FROM_AFFINITY },
    List { source: Source::Affinity, few: FEW_FROM_AFFINITY, most: FROM_AFFINITY },
    List { source: Source::Content, few: FEW_FROM_CONTENT, most: FROM_CONTENT },
    List { source: Source::Content, few: FEW_FROM_CONTENT, most: FROM_CONTENT },
];

/// What each of [`LISTS`] prefers candidates by.
fn keys(c: &Candidate) -> [f32; LISTS.len()] {
    [
        c.cart_sum,
        c.search,
        c.visit.follow,
        c.visit.nearest,
        c.visit.together,
        c.visit.follow_far,
        c.visit.leads_to,
        c.taste,
        c.next,
        c.affinity.attraction,
        c.affinity.companion,
        c.content,
        c.content_now.score,
    ]
}

/// As [`Relations::candidates`], for one list.
pub fn candidates(
    catalogue: &Catalogue,
    state: &UserState,
    cart: &[u32],
    at_least: usize,
    discovery: Discovery,
    qualifies: impl Fn(u32) -> bool,
) -> Vec<Candidate> {
    Relations::new(catalogue, state, cart).candidates(at_least, discovery, qualifies)
}

/// The candidates for training: as [`candidates`], but products for which `is_forgotten` holds are
/// taken as if nobody had bought or looked at them, except for those that the user has bought: only
/// what the shop says about them can make them candidates. So a model learns what a new product is
/// worth.
pub fn candidates_after(
    catalogue: &Catalogue,
    state: &UserState,
    cart: &[u32],
    discovery: Discovery,
    is_forgotten: impl Fn(u32) -> bool,
) -> Vec<Candidate> {
    let mut relations = Relations::new(catalogue, state, cart);
    let is_forgotten = |product| is_forgotten(product) && state.product(product).is_none();
    for candidate in relations.scored.all_mut().iter_mut().filter(|c| is_forgotten(c.product)) {
        *candidate = candidate.forgotten();
    }
    relations.chosen(0, discovery, |_| true, is_forgotten)
}

/// The products new to the user that a source lists by the score which `parameter` shapes, best
/// first and as many as are candidates of it. By such lists the parameter's values are compared.
pub fn list_of(
    parameter: Parameter,
    catalogue: &Catalogue,
    state: &UserState,
    cart: &[u32],
) -> Vec<u32> {
    let (most, key): (usize, fn(&Candidate) -> f32) = match parameter {
        Parameter::SignificantPairs => (FROM_TASTE, |c| c.taste),
        Parameter::CompanionShrink => (FROM_AFFINITY, |c| c.affinity.companion),
        Parameter::FollowSteps | Parameter::VisitBack => (FROM_FOLLOWING, |c| c.visit.follow),
        Parameter::VisitPrior => (FROM_TOGETHER, |c| c.visit.together),
        Parameter::NearestVisits => (FROM_NEAREST, |c| c.visit.nearest),
    };
    let is_on = |source| source == parameter.source();
    let (scored, _) = score(catalogue, state, cart, &past(state), is_on);
    let mut lists = Lists::new(&scored);
    lists.fill(|candidate| [key(candidate)]);
    let best = lists.take_best(0, most, |product| is_new(state, cart, product));
    best.map(|candidate| candidate.product).collect()
}

/// Whether a product is neither in the cart nor one that the user has bought or touched.
pub fn is_new(state: &UserState, cart: &[u32], product: u32) -> bool {
    !cart.contains(&product)
        && state.product(product).is_none()
        && state.touches.iter().all(|touch| touch.product != product)
}

/// The user's products with their weights by recency, the heaviest first.
fn past(state: &UserState) -> Vec<(f32, u32)> {
    let next = state.orders + 1;
    let mut past: Vec<(f32, u32)> =
        state.products.iter().map(|p| (p.recency(next), p.product)).collect();
    past.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    past
}

/// Scores the user's products `past`, and those that relate to them, to the cart or to what the user
/// touched, by the sources that are on.
fn score(
    catalogue: &Catalogue,
    state: &UserState,
    cart: &[u32],
    past: &[(f32, u32)],
    is_on: impl Fn(Source) -> bool,
) -> (Scored, Most) {
    let mut scored = Scored::new(catalogue.products.len());
    // First, so that their places tell them from the others.
    for &(_, product) in past.iter().filter(|(_, product)| catalogue.get(*product).is_some()) {
        scored.of(product, Source::History);
    }
    let own = scored.all().len();
    for &held in cart.iter().filter(|_| is_on(Source::Cart)) {
        for neighbour in catalogue.neighbours.of(held) {
            let entry = scored.of(neighbour.product, Source::Cart);
            entry.cart_sum += neighbour.score;
            entry.cart_best.raise(held, neighbour.score);
        }
    }
    for &(recency, bought) in past.iter().take(TASTE_PRODUCTS).filter(|_| is_on(Source::Taste)) {
        for neighbour in catalogue.neighbours.of(bought) {
            let entry = scored.of(neighbour.product, Source::Taste);
            let score = recency * neighbour.score;
            entry.taste += score;
            entry.taste_best.raise(bought, score);
        }
    }
    let history = &past[..past.len().min(HISTORY_PRODUCTS)];
    let weight: f32 = history.iter().map(|(recency, _)| recency).sum();
    for &(recency, bought) in history.iter().filter(|_| is_on(Source::Next)) {
        let share = recency / weight;
        for next in catalogue.transitions.of(bought) {
            scored.of(next.product, Source::Next).next += next.score * share;
        }
    }

    if is_on(Source::Search) {
        score_searches(catalogue, state, &mut scored);
    }
    if is_on(Source::Visit) {
        score_visit(catalogue, state, &mut scored);
    }
    let mut most = Most::default();
    if is_on(Source::Affinity) {
        most = add_affinities(catalogue, state, history, own, &mut scored);
    }
    if is_on(Source::Content) {
        score_likeness(catalogue, state, cart, history, &mut scored);
    }
    (scored, most)
}

/// Adds the scores of the products whose buyers are those of `history`, the user's heaviest
/// products, and returns the largest of products after the first `own`, which are the user's.
fn add_affinities(
    catalogue: &Catalogue,
    state: &UserState,
    history: &[(f32, u32)],
    own: usize,
    scored: &mut Scored,
) -> Most {
    let mut most = Most::default();
    let is_newest =
        |product: u32| state.product(product).is_some_and(|bought| bought.last == state.orders);
    for &(_, bought) in history {
        let newest = is_newest(bought);
        for &Neighbour { product, score } in catalogue.affinities.attractions(bought) {
            let (place, entry) = scored.entry(product, Source::Affinity);
            let scores = &mut entry.affinity;
            scores.attraction += score;
            scores.attraction_last += if newest { score } else { 0.0 };
            scores.attraction_best.raise(bought, score);
            // Scores are positive, so sums only grow.
            if place >= own {
                most.attraction = most.attraction.max(scores.attraction);
            }
        }
        for &Neighbour { product, score } in catalogue.affinities.companions(bought) {
            let (place, entry) = scored.entry(product, Source::Affinity);
            entry.affinity.companion += score / history.len() as f32;
            if place >= own {
                most.companion = most.companion.max(entry.affinity.companion);
            }
        }
    }
    most
}

fn over(a: f32, b: f32) -> f32 {
    if b > 0.0 { a / b } else { 0.0 }
}
