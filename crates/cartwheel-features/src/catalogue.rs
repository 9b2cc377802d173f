//! Everything per product, finished from the partials and held in memory.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::partial::{Basket, Partial, ProductStats};

/// Most neighbours of a product.
pub const MAX_NEIGHBOURS: usize = 50;
/// Baskets looked at per product: enough for stable scores, and a bound.
const MAX_BASKETS: usize = 2_000;
/// Co-purchases at which a score counts in full; fewer count in proportion
/// (significance weighting, Herlocker et al., SIGIR 1999).
const SIGNIFICANT: f32 = 10.0;

/// A product's texts, as the shop gives them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProductInfo {
    /// Its id.
    pub product_id: String,
    /// Its name.
    pub name: String,
    /// Its aisle.
    pub aisle: String,
    /// Its department.
    pub department: String,
}

/// A product bought together with another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Index of the neighbour.
    pub product: u32,
    /// Significance-weighted cosine of the two products' baskets, 0–1.
    pub score: f32,
}

/// One product of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Product {
    /// Its texts.
    pub info: ProductInfo,
    /// Its counts.
    pub stats: ProductStats,
    /// Index of its aisle's name, dense from 0.
    pub aisle: u32,
    /// Index of its department's name, dense from 0.
    pub department: u32,
    /// Place in the order of popularity, from 0.
    pub rank: u32,
    /// Best first, at most [`MAX_NEIGHBOURS`].
    pub neighbours: Vec<Neighbour>,
}

/// All products, by index; immutable once made.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Catalogue {
    /// By index: the order of product ids.
    pub products: Vec<Product>,
    /// Indices by popularity, best first.
    pub popular: Vec<u32>,
    /// Lines of all orders counted.
    pub lines: u64,
    /// Orders counted.
    pub orders: u64,
    /// Users counted.
    pub users: u64,
    #[serde(skip)]
    index: FxHashMap<String, u32>,
}

impl Catalogue {
    /// Finishes a partial. `infos` gives the texts, by index.
    pub fn finish(infos: Vec<ProductInfo>, partial: Partial) -> Self {
        let Partial { products: stats, baskets, orders, users } = partial;
        let neighbours = neighbours(infos.len(), &baskets.into_sorted());
        let mut popular: Vec<u32> = (0..infos.len() as u32).collect();
        popular.sort_by_key(|&p| (std::cmp::Reverse(stats[p as usize].orders), p));
        let mut rank = vec![0; infos.len()];
        for (place, &product) in popular.iter().enumerate() {
            rank[product as usize] = place as u32;
        }
        let mut aisles = FxHashMap::default();
        let mut departments = FxHashMap::default();
        let dense = |names: &mut FxHashMap<String, u32>, name: &str| {
            let next = names.len() as u32;
            *names.entry(name.to_owned()).or_insert(next)
        };
        let products = infos.into_iter().zip(neighbours).enumerate();
        let products: Vec<Product> = products
            .map(|(at, (info, neighbours))| Product {
                stats: stats[at],
                aisle: dense(&mut aisles, &info.aisle),
                department: dense(&mut departments, &info.department),
                rank: rank[at],
                neighbours,
                info,
            })
            .collect();
        let lines = stats.iter().map(|s| u64::from(s.orders)).sum();
        Self { products, popular, lines, orders, users, index: FxHashMap::default() }.indexed()
    }

    /// Whether every index in it is that of a product: of one that was read back.
    pub fn is_sound(&self) -> bool {
        let known = |product: u32| (product as usize) < self.products.len();
        self.popular.iter().all(|&product| known(product))
            && self.products.iter().flat_map(|p| &p.neighbours).all(|n| known(n.product))
    }

    /// Builds the look-up by id, which is not stored.
    pub fn indexed(mut self) -> Self {
        let ids = self.products.iter().enumerate();
        self.index = ids.map(|(at, p)| (p.info.product_id.clone(), at as u32)).collect();
        self
    }

    /// Index of the product of that id.
    pub fn find(&self, product_id: &str) -> Option<u32> {
        self.index.get(product_id).copied()
    }

    /// The product at an index.
    pub fn get(&self, product: u32) -> Option<&Product> {
        self.products.get(product as usize)
    }
}

/// Per product its neighbours: co-purchases counted over an inverted index, one
/// product at a time, in one dense scratch row.
fn neighbours(products: usize, baskets: &[Basket]) -> Vec<Vec<Neighbour>> {
    let mut counts = vec![0_u32; products];
    baskets.iter().flatten().for_each(|&p| counts[p as usize] += 1);
    let mut starts = vec![0_usize; products + 1];
    for product in 0..products {
        starts[product + 1] = starts[product] + counts[product] as usize;
    }
    let mut fill = starts.clone();
    let mut inverted = vec![0_u32; starts[products]];
    for (at, basket) in baskets.iter().enumerate() {
        for &product in basket {
            inverted[fill[product as usize]] = at as u32;
            fill[product as usize] += 1;
        }
    }
    let mut together = vec![0_u32; products];
    let mut touched = Vec::new();
    let mut all = Vec::with_capacity(products);
    for product in 0..products {
        let holders = &inverted[starts[product]..starts[product + 1]];
        let seen = &holders[..holders.len().min(MAX_BASKETS)];
        for &basket in seen {
            for &other in &baskets[basket as usize] {
                if other as usize != product {
                    if together[other as usize] == 0 {
                        touched.push(other);
                    }
                    together[other as usize] += 1;
                }
            }
        }
        // Where baskets were left out, counts stand for more of them.
        let scale = holders.len() as f32 / seen.len().max(1) as f32;
        let mut found: Vec<Neighbour> = touched
            .drain(..)
            .map(|other| {
                let count = std::mem::take(&mut together[other as usize]) as f32 * scale;
                let both = (counts[product] as f32 * counts[other as usize] as f32).sqrt();
                let score = (count / both).min(1.0) * (count / SIGNIFICANT).min(1.0);
                Neighbour { product: other, score }
            })
            .collect();
        let best = |a: &Neighbour, b: &Neighbour| {
            b.score.total_cmp(&a.score).then(a.product.cmp(&b.product))
        };
        if found.len() > MAX_NEIGHBOURS {
            found.select_nth_unstable_by(MAX_NEIGHBOURS, best);
            found.truncate(MAX_NEIGHBOURS);
        }
        found.sort_by(best);
        all.push(found);
    }
    all
}
