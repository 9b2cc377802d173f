//! Baselines that need nothing but the catalogue and the user who asks.

use cartwheel_features::stable_hash;
use rustc_hash::FxHashMap;

use super::question::{Baseline, Question};

type Ranking = fn(&Question<'_>, usize) -> Vec<u32>;

/// Every simple baseline with its name in reports.
const SIMPLE: [(&str, Ranking); 5] = [
    ("random", random),
    ("popular", popular),
    ("personal", personal),
    ("personal+popular", personal_popular),
    ("neighbours", neighbours),
];

/// A baseline that is a function.
struct Simple(&'static str, Ranking);

impl Baseline for Simple {
    fn name(&self) -> &'static str {
        self.0
    }

    fn rank(&self, question: &Question<'_>, limit: usize) -> Vec<u32> {
        self.1(question, limit)
    }
}

/// Returns the simple baselines.
pub fn simple() -> Vec<Box<dyn Baseline>> {
    SIMPLE.map(|(name, ranking)| Box::new(Simple(name, ranking)) as Box<dyn Baseline>).into()
}

fn random(question: &Question<'_>, limit: usize) -> Vec<u32> {
    let products = question.catalogue.products.len() as u64;
    let draw = |i: u64| {
        let text = format!("{}/{i}", question.user_id);
        (stable_hash(text.as_bytes()) % products.max(1)) as u32
    };
    let mut out = Vec::new();
    question.fill(&mut out, (0..limit as u64 * 3).map(draw).filter(|_| products > 0), limit);
    out
}

/// The best-selling products.
fn popular(question: &Question<'_>, limit: usize) -> Vec<u32> {
    let mut out = Vec::new();
    question.fill(&mut out, question.catalogue.popular.iter().copied(), limit);
    out
}

fn personal(question: &Question<'_>, limit: usize) -> Vec<u32> {
    let mut own: Vec<_> = question.state.products.iter().map(|p| (p.orders, p.product)).collect();
    let rank = |p: u32| question.catalogue.get(p).map_or(u32::MAX, |p| p.rank);
    own.sort_by_key(|&(orders, p)| (std::cmp::Reverse(orders), rank(p)));
    let mut out = Vec::new();
    question.fill(&mut out, own.into_iter().map(|(_, p)| p), limit);
    out
}

fn personal_popular(question: &Question<'_>, limit: usize) -> Vec<u32> {
    let mut out = personal(question, limit);
    question.fill(&mut out, question.catalogue.popular.iter().copied(), limit);
    out
}

/// Item-to-item neighbours of cart and history, followed by popular products.
fn neighbours(question: &Question<'_>, limit: usize) -> Vec<u32> {
    let catalogue = question.catalogue;
    let mut scores: FxHashMap<u32, f32> = FxHashMap::default();
    let own = question.state.products.iter().map(|p| (p.product, p.orders as f32));
    for (product, weight) in own.chain(question.cart.iter().map(|&p| (p, 1.0))) {
        for n in catalogue.neighbours.of(product) {
            *scores.entry(n.product).or_default() += weight * n.score;
        }
    }
    let mut best: Vec<(u32, f32)> = scores.into_iter().collect();
    best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut out = Vec::new();
    let ranked = best.into_iter().map(|(p, _)| p).chain(catalogue.popular.iter().copied());
    question.fill(&mut out, ranked, limit);
    out
}
