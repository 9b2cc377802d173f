//! Per-product data: finished from partials and held in memory.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::partial::{Basket, Partial, ProductStats};

/// Maximum number of neighbours per product.
pub const MAX_NEIGHBOURS: usize = 50;
/// Maximum number of baskets examined per product: enough for stable scores, and a bound
/// on the work.
const MAX_BASKETS: usize = 2_000;
/// Number of co-purchases from which a score counts in full; fewer scale it down
/// (significance weighting, Herlocker et al., SIGIR 1999).
const SIGNIFICANT: f32 = 10.0;

/// The texts of a product, as the shop provides them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProductInfo {
    /// The product's id.
    pub product_id: String,
    /// The product's name.
    pub name: String,
    /// Name of its aisle.
    pub aisle: String,
    /// Name of its department.
    pub department: String,
}

/// The aisle and the department of a product of which only orders tell.
const UNKNOWN: &str = "unknown";

impl ProductInfo {
    /// Describes a product of which only orders tell.
    pub fn unnamed(product_id: &str) -> Self {
        Self {
            product_id: product_id.to_owned(),
            name: format!("Product {product_id}"),
            aisle: UNKNOWN.to_owned(),
            department: UNKNOWN.to_owned(),
        }
    }

    /// Whether only orders tell of the product: no import and no change has described it.
    pub fn is_unnamed(&self) -> bool {
        let of_id = self.name.strip_prefix("Product ").is_some_and(|id| id == self.product_id);
        of_id && self.aisle == UNKNOWN && self.department == UNKNOWN
    }
}

/// A product that is bought together with another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Catalogue index of the neighbour.
    pub product: u32,
    /// Significance-weighted cosine similarity of the two products' baskets, 0 to 1.
    pub score: f32,
}

/// One product of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Product {
    /// The product's texts.
    pub info: ProductInfo,
    /// The product's counts.
    pub stats: ProductStats,
    /// Index of its aisle, dense from 0.
    pub aisle: u32,
    /// Index of its department, dense from 0.
    pub department: u32,
    /// Popularity rank, from 0.
    pub rank: u32,
    /// Neighbours, best first; at most [`MAX_NEIGHBOURS`].
    pub neighbours: Vec<Neighbour>,
}

/// All products by index; immutable once built.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Catalogue {
    /// Products in the order of their ids.
    pub products: Vec<Product>,
    /// Product indices by popularity, best first.
    pub popular: Vec<u32>,
    /// Number of order lines counted.
    pub lines: u64,
    /// Number of orders counted.
    pub orders: u64,
    /// Number of users counted.
    pub users: u64,
    #[serde(skip)]
    index: FxHashMap<String, u32>,
}

impl Catalogue {
    /// Builds the catalogue from a partial. `infos` holds the texts by product index.
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

    /// Whether every product index in it is valid; check this after reading a catalogue
    /// back.
    pub fn is_sound(&self) -> bool {
        let exists = |product: u32| (product as usize) < self.products.len();
        self.popular.iter().all(|&product| exists(product))
            && self.products.iter().flat_map(|p| &p.neighbours).all(|n| exists(n.product))
    }

    /// Builds the index by product id, which is not stored.
    pub fn indexed(mut self) -> Self {
        let ids = self.products.iter().enumerate();
        self.index = ids.map(|(at, p)| (p.info.product_id.clone(), at as u32)).collect();
        self
    }

    /// Returns the index of the product with the given id.
    pub fn find(&self, product_id: &str) -> Option<u32> {
        self.index.get(product_id).copied()
    }

    /// Returns the product at an index.
    pub fn get(&self, product: u32) -> Option<&Product> {
        self.products.get(product as usize)
    }
}

/// Computes each product's neighbours. Co-purchases are counted over an inverted index,
/// one product at a time, in a dense scratch row.
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
        // If baskets were skipped, each count stands for proportionally more of them.
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
