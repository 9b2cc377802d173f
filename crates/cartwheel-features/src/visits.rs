//! What shoppers look at in one visit: relations between products, and the visits themselves as
//! neighbours of a visit that is going on.

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::lists::Lists;
use crate::neighbour::{Neighbour, all_below};
use crate::parameters::{Parameter, Parameters};
use crate::scratch_row::{SIDE_BY_SIDE, ScratchRow};
use crate::touch::{Action, Touch};
use crate::weeks::{Trail, Weeks, week_of};

/// Touches that are kept of a visit, the newest.
pub const VISIT_TOUCHES: usize = 30;
/// Most relations kept per product and kind.
pub const MAX_RELATED: usize = 100;
/// Visits of a product that are compared with the current one, the newest.
const NEWEST_VISITS: usize = 500;
/// Visits that are compared with the current one, the newest: the number of VS-kNN (Ludewig &
/// Jannach, UMUAI 2018).
const COMPARED: usize = 1_000;
/// Steps to the last shared product after which a product's weight has fallen to 1/e.
const CLOSE_STEPS: f32 = 2.6;

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

/// Relations of products by catalogue index, the strongest first; empty if there are no visits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Related {
    /// Products that shoppers turn to within the next steps, the product itself among them. The scores
    /// of all add up to at most 1.
    pub follows: Lists<Neighbour>,
    /// Products in the same visits, by the cosine of their visits.
    pub together: Lists<Neighbour>,
    /// Products that are put into the cart or bought later in visits in which it is looked at, by
    /// their share of these visits.
    pub leads_to: Lists<Neighbour>,
}

impl Related {
    fn lists(&self) -> [&Lists<Neighbour>; 3] {
        [&self.follows, &self.together, &self.leads_to]
    }
}

/// What visits tell about products; empty in a shop without views.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Visits {
    /// Relations of products.
    pub related: Related,
    /// Attention by catalogue index; empty if there are no visits.
    pub attention: Vec<Attention>,
    /// Touches of all products over time.
    pub all: Trail,
    /// The products of sampled visits, newest first.
    pub sampled: Vec<Box<[u32]>>,
    /// By product: the newest visits with it, newest first.
    by_product: Vec<Vec<u32>>,
}

impl Visits {
    /// Finishes sampled visits, the newest first, and counts by product. `scale` is the number of
    /// the shop's users per user counted.
    pub(crate) fn finish(
        visits: &[&Visit],
        counts: &[TouchCounts],
        scale: f32,
        parameters: &Parameters,
    ) -> Self {
        if visits.is_empty() {
            return Self::default();
        }
        let mut all = Weeks::default();
        counts.iter().for_each(|count| all.merge(&count.weeks));
        let attention = counts.iter().map(|count| Attention {
            trail: Trail::new(&count.weeks),
            views: count.views as f32 * scale,
            adds: count.adds as f32 * scale,
        });
        let attention: Vec<Attention> = attention.collect();
        let related = relations(attention.len(), visits, scale, parameters);
        let sampled = visits.iter().map(|visit| visit.products().into()).collect();
        Self::new(related, attention, Trail::new(&all), sampled)
    }

    /// Puts the parts together.
    pub fn new(
        related: Related,
        attention: Vec<Attention>,
        all: Trail,
        sampled: Vec<Box<[u32]>>,
    ) -> Self {
        Self { related, attention, all, sampled, by_product: Vec::new() }
    }

    /// Whether there are no visits.
    pub fn is_empty(&self) -> bool {
        self.related.follows.is_empty()
    }

    /// Builds the index by product, which is not stored.
    pub(crate) fn indexed(mut self) -> Self {
        self.by_product = vec![Vec::new(); self.attention.len()];
        for (at, visit) in self.sampled.iter().enumerate() {
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
        let related = self.related.lists();
        let sizes = related.map(Lists::len).into_iter().chain([self.attention.len()]);
        let mut sampled = self.sampled.iter().flatten();
        // Without attention, no product has a place among the visits by product.
        let known = |&product: &u32| (product as usize) < self.attention.len();
        sizes.into_iter().all(|n| n == 0 || n == products)
            && related.iter().all(|lists| all_below(lists.items(), products))
            && sampled.all(known)
    }

    /// What similar visits contain: VS-kNN (Ludewig & Jannach, UMUAI 2018), with products weighted by
    /// their place in the visit. `visit` are the products of the current visit
    /// without repeats, in the order in which they were last touched; the `most` most similar
    /// visits count.
    pub fn nearest(&self, visit: &[u32], most: usize) -> Vec<Near> {
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
            let other = &self.sampled[at as usize];
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
        if similar.len() > most {
            similar.select_nth_unstable_by(most, nearest);
            similar.truncate(most);
        }
        let mut scores: FxHashMap<u32, (f32, f32)> = FxHashMap::default();
        for (similarity, at, back) in similar {
            let decay = 1.0 - 0.1 * (back as f32 + 1.0);
            if decay > 0.0 {
                let other = &self.sampled[at as usize];
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
        let all = self.sampled.len() as f32;
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

/// Relates each product to others, by all visits that contain it.
pub(crate) fn relations(
    products: usize,
    visits: &[&Visit],
    scale: f32,
    parameters: &Parameters,
) -> Related {
    let follow_steps = parameters[Parameter::FollowSteps] as usize;
    let prior = parameters[Parameter::VisitPrior] as f32;
    let distinct: Vec<Vec<u32>> = visits.iter().map(|visit| visit.products()).collect();
    let mut holders = vec![Vec::new(); products];
    for (at, products) in (0_u32..).zip(&distinct) {
        products.iter().for_each(|&product| holders[product as usize].push(at));
    }
    let visits_of = |product: u32| holders[product as usize].len() as f32 * scale + prior;
    let related = |[follows, together, leads_to]: &mut [ScratchRow; 3], product: u32| {
        let mut steps_after = 0.0;
        for &at in &holders[product as usize] {
            let Visit { steps } = visits[at as usize];
            let turns = steps.iter().enumerate().filter(|(_, step)| step.0 == product);
            for (place, _) in turns {
                let next = steps[place + 1..].iter().take(follow_steps);
                for (steps, &(next, _)) in (1..).zip(next) {
                    let weight = 1.0 / steps as f32;
                    follows.add(next, weight);
                    steps_after += weight;
                }
            }
            let products = &distinct[at as usize];
            let own = products.iter().position(|&other| other == product).unwrap_or(0);
            for (place, &other) in products.iter().enumerate().filter(|(place, _)| *place != own) {
                together.add(other, 1.0 / (place.abs_diff(own) as f32).sqrt());
                let is_taken = |step: &(u32, Action)| {
                    step.0 == other && matches!(step.1, Action::Add | Action::Buy)
                };
                if steps.iter().any(is_taken) {
                    leads_to.add(other, 1.0);
                }
            }
        }
        [
            follows.best(MAX_RELATED, |_, sum| sum * scale / (steps_after * scale + 1.0)),
            together.best(MAX_RELATED, |other, sum| {
                sum * scale / (visits_of(product) * visits_of(other)).sqrt()
            }),
            leads_to.best(MAX_RELATED, |_, sum| sum * scale / visits_of(product)),
        ]
    };
    let each = (0..products as u32).into_par_iter().with_min_len(SIDE_BY_SIDE);
    let scratch = || [(); 3].map(|()| ScratchRow::new(products));
    let lists: Vec<[Vec<Neighbour>; 3]> = each.map_init(scratch, related).collect();
    let mut all = Related::default();
    for [follows, together, leads_to] in lists {
        all.follows.push(&follows);
        all.together.push(&together);
        all.leads_to.push(&leads_to);
    }
    all
}
