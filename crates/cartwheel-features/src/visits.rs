//! What shoppers look at in one visit: relations between products, and the visits themselves as
//! neighbours of a visit that is going on.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::neighbours::Neighbour;
use crate::touch::{Action, Touch};
use crate::weeks::{Trail, Weeks, week_of};

/// Touches that are kept of a visit, the newest.
pub const VISIT_TOUCHES: usize = 30;
/// Most relations kept per product and kind.
pub const MAX_RELATED: usize = 100;
/// Steps within a visit over which one product follows another.
const FOLLOW_STEPS: usize = 10;
/// Visits of a product that are compared with the current one, the newest.
const NEWEST_VISITS: usize = 500;
/// Visits that are compared with the current one, the newest, and of which the most similar count:
/// the values of VS-kNN (Ludewig & Jannach, UMUAI 2018).
const COMPARED: usize = 1_000;
const NEAREST: usize = 100;
/// Steps to the last shared product after which a product's weight has fallen to 1/e.
const CLOSE_STEPS: f32 = 2.6;
/// Visits that are added to a product's own, so that a single one says little.
const PRIOR: f32 = 2.0;

/// A visit: what a shopper did, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    steps: Box<[(u32, Action)]>,
}

impl Visit {
    /// Takes the newest touches of a visit.
    pub(crate) fn new(touches: &[Touch]) -> Self {
        let newest = &touches[touches.len().saturating_sub(VISIT_TOUCHES)..];
        Self { steps: newest.iter().map(|t| (t.product, t.action)).collect() }
    }

    /// The place of the visit in a bottom-k sample that keeps the newest visits. `salt` tells
    /// visits at the same time apart.
    pub(crate) fn order(at_ms: i64, salt: u64) -> u64 {
        // Milliseconds until the year 2500 take 44 bits.
        (!(at_ms.max(0) as u64) << 20) | (salt & 0xf_ffff)
    }

    /// Its products without repeats, in the order in which they were last touched.
    fn products(&self) -> Vec<u32> {
        let mut products: Vec<u32> = Vec::with_capacity(self.steps.len());
        for &(product, _) in &self.steps {
            products.retain(|&earlier| earlier != product);
            products.push(product);
        }
        products
    }
}

/// A product of similar visits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// Catalogue index of the product.
    pub product: u32,
    /// Sum of the visits' similarities, weighted by the product's rarity.
    pub score: f32,
    /// The same sum without rarity, weighted by how close the product comes to the last one that
    /// the visits share (Garg et al., SIGIR 2019).
    pub close: f32,
}

/// How often a product was touched, by week.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TouchCounts {
    /// All touches by week.
    weeks: Weeks,
    /// Views.
    views: u32,
    /// Times it was put into a cart.
    adds: u32,
}

impl TouchCounts {
    pub(crate) fn add(&mut self, touch: &Touch) {
        self.weeks.add(week_of(touch.at_ms), 1);
        self.views += u32::from(touch.action == Action::View);
        self.adds += u32::from(touch.action == Action::Add);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.weeks.merge(&other.weeks);
        self.views += other.views;
        self.adds += other.adds;
    }
}

/// How much attention a product gets.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Attention {
    /// Touches over time.
    pub trail: Trail,
    /// Views.
    pub views: f32,
    /// Times it was put into a cart.
    pub adds: f32,
}

/// Relations of one product, the strongest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Related {
    /// Products that shoppers turn to within the next steps, itself among them. The scores of all
    /// add up to at most 1.
    pub follows: Vec<Neighbour>,
    /// Products in the same visits, by the cosine of their visits.
    pub together: Vec<Neighbour>,
    /// Products that are put into the cart or bought later in visits in which it is looked at, by
    /// their share of these visits.
    pub leads_to: Vec<Neighbour>,
}

/// What visits tell about products; empty in a shop without views.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Visits {
    /// By catalogue index; empty if there are no visits.
    pub related: Vec<Related>,
    /// Attention by catalogue index; empty if there are no visits.
    pub attention: Vec<Attention>,
    /// Touches of all products over time.
    pub all: Trail,
    /// Sampled visits, newest first.
    visits: Vec<Box<[u32]>>,
    /// By product: the newest visits with it, newest first.
    #[serde(skip)]
    by_product: Vec<Vec<u32>>,
}

impl Visits {
    /// Finishes sampled visits, the newest first, and counts by product. `scale` is the number of
    /// the shop's users per user counted.
    pub(crate) fn finish(visits: &[Visit], counts: Vec<TouchCounts>, scale: f32) -> Self {
        if visits.is_empty() {
            return Self::default();
        }
        let mut all = Weeks::default();
        counts.iter().for_each(|count| all.merge(&count.weeks));
        let attention = counts.into_iter().map(|count| Attention {
            trail: Trail::new(count.weeks),
            views: count.views as f32 * scale,
            adds: count.adds as f32 * scale,
        });
        let attention: Vec<Attention> = attention.collect();
        let related = relations(attention.len(), visits, scale);
        let visits = visits.iter().map(|visit| visit.products().into()).collect();
        Self { related, attention, all: Trail::new(all), visits, by_product: Vec::new() }.indexed()
    }

    /// Builds the index by product, which is not stored.
    pub(crate) fn indexed(mut self) -> Self {
        self.by_product = vec![Vec::new(); self.related.len()];
        for (at, visit) in self.visits.iter().enumerate() {
            for &product in visit {
                let holders = &mut self.by_product[product as usize];
                if holders.len() < NEWEST_VISITS {
                    holders.push(at as u32);
                }
            }
        }
        self
    }

    /// Whether every product in it is one of the `products`.
    pub(crate) fn is_sound(&self, products: usize) -> bool {
        let exists = |product: u32| (product as usize) < products;
        let lists = |r: &Related| {
            let mut all = r.follows.iter().chain(&r.together).chain(&r.leads_to);
            all.all(|related| exists(related.product))
        };
        [self.related.len(), self.attention.len()].iter().all(|&n| n == 0 || n == products)
            && self.related.iter().all(lists)
            && self.visits.iter().flatten().all(|&p| exists(p) && !self.related.is_empty())
    }

    /// The relations of a product, if there are visits.
    pub fn of(&self, product: u32) -> Option<&Related> {
        self.related.get(product as usize)
    }

    /// What similar visits contain: VS-kNN (Ludewig & Jannach, UMUAI 2018), with products weighted by
    /// their place in the visit. `visit` are the products of the current visit
    /// without repeats, in the order in which they were last touched.
    pub fn nearest(&self, visit: &[u32]) -> Vec<Near> {
        let mut compared: Vec<u32> = Vec::new();
        let known = |product: &u32| self.by_product.get(*product as usize);
        for holders in visit.iter().filter_map(known) {
            compared.extend(holders);
        }
        // Visits are numbered from the newest.
        compared.sort_unstable();
        compared.dedup();
        compared.truncate(COMPARED);
        let length = visit.len() as f32;
        let mut similar: Vec<(f32, u32, usize)> = Vec::with_capacity(compared.len());
        for at in compared {
            let other = &self.visits[at as usize];
            let (mut sum, mut last) = (0.0, 0);
            for (place, product) in (1..).zip(visit) {
                if other.contains(product) {
                    sum += place as f32 / length;
                    last = place;
                }
            }
            similar.push((sum / (other.len() as f32 * length).sqrt(), at, visit.len() - last));
        }
        let nearest =
            |a: &(f32, u32, usize), b: &(f32, u32, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if similar.len() > NEAREST {
            similar.select_nth_unstable_by(NEAREST, nearest);
            similar.truncate(NEAREST);
        }
        let mut scores: FxHashMap<u32, (f32, f32)> = FxHashMap::default();
        for (similarity, at, back) in similar {
            let decay = 1.0 - 0.1 * (back as f32 + 1.0);
            if decay > 0.0 {
                let other = &self.visits[at as usize];
                let shared = visit[visit.len() - 1 - back];
                let shared = other.iter().position(|&product| product == shared).unwrap_or(0);
                for (place, &product) in other.iter().enumerate() {
                    let steps = place.abs_diff(shared) as f32;
                    let (whole, close) = scores.entry(product).or_default();
                    *whole += similarity * decay;
                    *close += similarity * decay * (-steps / CLOSE_STEPS).exp();
                }
            }
        }
        let all = self.visits.len() as f32;
        let rarity = |product: u32| {
            let holders = self.by_product[product as usize].len().max(1) as f32;
            (1.0 + all / holders).ln()
        };
        let mut near: Vec<Near> = scores
            .into_iter()
            .map(|(product, (whole, close))| Near {
                product,
                score: whole * rarity(product),
                close,
            })
            .collect();
        let best = |a: &Near, b: &Near| b.score.total_cmp(&a.score).then(a.product.cmp(&b.product));
        near.sort_unstable_by(best);
        near.truncate(MAX_RELATED);
        near
    }
}

/// Adds up weights of pairs of products.
#[derive(Default)]
struct Pairs(FxHashMap<(u32, u32), f32>);

impl Pairs {
    fn add(&mut self, from: u32, to: u32, weight: f32) {
        *self.0.entry((from, to)).or_default() += weight;
    }

    /// The best pairs of each product by a score of the sum.
    fn best(self, products: usize, score: impl Fn(u32, u32, f32) -> f32) -> Vec<Vec<Neighbour>> {
        let mut lists = vec![Vec::new(); products];
        for ((from, to), weight) in self.0 {
            lists[from as usize].push(Neighbour { product: to, score: score(from, to, weight) });
        }
        lists.into_iter().map(|list| Neighbour::best(list, MAX_RELATED)).collect()
    }
}

fn relations(products: usize, visits: &[Visit], scale: f32) -> Vec<Related> {
    let (mut follows, mut together, mut leads) =
        (Pairs::default(), Pairs::default(), Pairs::default());
    let (mut steps_after, mut visits_with) = (vec![0.0_f32; products], vec![0.0_f32; products]);
    for visit in visits {
        for (at, &(from, _)) in visit.steps.iter().enumerate() {
            let next = visit.steps[at + 1..].iter().take(FOLLOW_STEPS);
            for (steps, &(to, _)) in (1..).zip(next) {
                let weight = 1.0 / steps as f32;
                follows.add(from, to, weight);
                steps_after[from as usize] += weight;
            }
        }
        let distinct = visit.products();
        for (at, &a) in distinct.iter().enumerate() {
            visits_with[a as usize] += 1.0;
            for (steps, &b) in (1..).zip(&distinct[at + 1..]) {
                let weight = 1.0 / (steps as f32).sqrt();
                together.add(a, b, weight);
                together.add(b, a, weight);
            }
        }
        let is_taken = |action: Action| matches!(action, Action::Add | Action::Buy);
        let taken = visit.steps.iter().filter(|(_, action)| is_taken(*action));
        let mut taken: Vec<u32> = taken.map(|&(product, _)| product).collect();
        taken.sort_unstable();
        taken.dedup();
        for &to in &taken {
            for &from in distinct.iter().filter(|&&from| from != to) {
                leads.add(from, to, 1.0);
            }
        }
    }
    let visits_of = |product: u32| visits_with[product as usize] * scale + PRIOR;
    let follows = follows.best(products, |from, _, weight| {
        weight * scale / (steps_after[from as usize] * scale + 1.0)
    });
    let together = together
        .best(products, |a, b, weight| weight * scale / (visits_of(a) * visits_of(b)).sqrt());
    let leads_to = leads.best(products, |from, _, weight| weight * scale / visits_of(from));
    let lists = follows.into_iter().zip(together).zip(leads_to);
    lists.map(|((follows, together), leads_to)| Related { follows, together, leads_to }).collect()
}
