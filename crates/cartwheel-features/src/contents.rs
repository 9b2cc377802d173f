//! Products that are alike by what the shop says about them, whether or not they were ever sold.

use std::collections::hash_map::Entry;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::content::{Rarity, Terms};
use crate::lists::Lists;
use crate::neighbour::{Neighbour, all_below};
use crate::product_info::ProductInfo;
use crate::scratch_row::{SIDE_BY_SIDE, ScratchRow};
use crate::word_index::WordIndex;

/// Maximum number of products kept that are like a product, the most alike.
pub const MAX_ALIKE: usize = 30;
/// Products that are looked up per product by its rarest terms: a bound on the work, however many
/// products have the more frequent ones.
const LOOKED_UP: usize = 1_000;
/// Products of these whose likeness is computed, those with the rarest terms in common.
const COMPARED: usize = 60;
/// Smallest likeness that counts.
const LEAST: f32 = 0.1;

/// What the shop's texts and prices tell, by catalogue index. Empty in catalogues of releases that
/// did not have it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Contents {
    /// By product: those that are most like it, best first; scores 0 to 1.
    pub alike: Lists<Neighbour>,
    /// Empty if no price is known; an unknown price is NaN.
    pub prices: Vec<f32>,
    /// The products by their words, for searches.
    pub words: WordIndex,
}

impl Contents {
    /// Finds for each product those that are most like it, by the weighted Jaccard index of their
    /// [`Terms`].
    pub fn of(infos: &[ProductInfo]) -> Self {
        let index = Index::new(infos);
        let each = (0..infos.len()).into_par_iter().with_min_len(SIDE_BY_SIDE);
        let scratch = || ScratchRow::new(infos.len());
        let alike = each.map_init(scratch, |shared, at| index.alike(at, shared));
        let alike: Vec<Vec<Neighbour>> = alike.collect();
        let mut prices: Vec<f32> =
            infos.iter().map(|info| info.details.price.unwrap_or(f32::NAN)).collect();
        if prices.iter().all(|price| price.is_nan()) {
            prices.clear();
        }
        Self { alike: alike.into_iter().collect(), prices, words: WordIndex::of(infos) }
    }

    /// The products that are most like a product.
    pub fn alike(&self, product: u32) -> &[Neighbour] {
        self.alike.of(product)
    }

    /// The price of a product; `None` if it is unknown or zero.
    pub fn price(&self, product: u32) -> Option<f32> {
        self.prices.get(product as usize).copied().filter(|&price| price > 0.0)
    }

    /// Whether nothing is known, as in catalogues of earlier releases.
    pub fn is_empty(&self) -> bool {
        self.alike.is_empty()
    }

    /// Whether every product in it is one of the `products`.
    pub(crate) fn is_sound(&self, products: usize) -> bool {
        [self.alike.len(), self.prices.len()].iter().all(|&n| n == 0 || n == products)
            && self.words.is_sound(products)
            && all_below(self.alike.items(), products)
    }
}

/// The products by term.
struct Index {
    terms: Vec<Terms>,
    /// By product: the weight of all of its terms.
    weights: Vec<f32>,
    /// By term: its weight and its products.
    holders: FxHashMap<u64, (f32, Vec<u32>)>,
}

impl Index {
    fn new(infos: &[ProductInfo]) -> Self {
        let terms: Vec<Terms> = infos.iter().map(ProductInfo::terms).collect();
        let rarity = Rarity::among(terms.iter());
        let mut holders: FxHashMap<u64, (f32, Vec<u32>)> = FxHashMap::default();
        let mut weights = Vec::with_capacity(terms.len());
        for (product, terms) in (0..).zip(&terms) {
            let mut sum = 0.0;
            for &term in terms.all() {
                let (weight, holders) = match holders.entry(term) {
                    Entry::Occupied(entry) => entry.into_mut(),
                    Entry::Vacant(entry) => entry.insert((rarity.weight(term), Vec::new())),
                };
                holders.push(product);
                sum += *weight;
            }
            weights.push(sum);
        }
        Self { terms, weights, holders }
    }

    /// The products that are most like the product `at`. `shared` is scratch space.
    fn alike(&self, at: usize, shared: &mut ScratchRow) -> Vec<Neighbour> {
        let known = self.terms[at].all().iter().filter_map(|term| {
            let (weight, holders) = self.holders.get(term)?;
            Some((*term, *weight, holders))
        });
        let mut terms: Vec<(u64, f32, &Vec<u32>)> = known.collect();
        terms.sort_unstable_by_key(|(term, _, holders)| (holders.len(), *term));
        let mut left = LOOKED_UP;
        let rare = terms.iter().take_while(|(_, _, holders)| {
            let fits = holders.len() <= left;
            left = left.saturating_sub(holders.len());
            fits
        });
        let rare = rare.count();
        for (_, weight, holders) in &terms[..rare] {
            let others = holders.iter().filter(|&&other| other as usize != at);
            others.for_each(|&other| shared.add(other, *weight));
        }
        let own = self.weights[at];
        let likeness = |other: u32, shared: f32| {
            let either = own + self.weights[other as usize] - shared;
            if either > 0.0 { (shared / either).min(1.0) } else { 0.0 }
        };
        // The weight of shared rare terms decides which products are compared in full.
        let mut compared = shared.best(COMPARED, |_, weight| weight);
        for other in &mut compared {
            let has = |term: &u64| self.terms[other.product as usize].has(*term);
            let frequent = terms[rare..].iter().filter(|(term, _, _)| has(term));
            let weight = other.score + frequent.map(|(_, weight, _)| weight).sum::<f32>();
            other.score = likeness(other.product, weight);
        }
        compared.retain(|other| other.score >= LEAST);
        Neighbour::best(compared, MAX_ALIKE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product_info::ProductDetails;

    fn info(id: usize, aisle: &str, name: &str, details: ProductDetails) -> ProductInfo {
        let (product_id, name, aisle) = (id.to_string(), name.to_owned(), aisle.to_owned());
        ProductInfo { product_id, name, aisle, department: "food".to_owned(), details }
    }

    #[test]
    fn products_are_alike_by_rare_terms_even_if_thousands_share_the_frequent_ones() {
        let brand = |brand: &str| ProductDetails {
            brand: Some(brand.to_owned()),
            ..ProductDetails::default()
        };
        let mut infos = vec![
            info(0, "tea", "Assam leaves", brand("Hill")),
            info(1, "tea", "Assam bags", brand("Hill")),
            info(2, "tea", "Ceylon bags", brand("Hill")),
            info(3, "tea", "Assam gift", brand("Other")),
            ProductInfo::unnamed("4"),
            ProductInfo::unnamed("5"),
        ];
        let many = |n: usize| info(n, "tea", &format!("blend{n}"), ProductDetails::default());
        infos.extend((6..3_000).map(many));
        let contents = Contents::of(&infos);
        let of = |product: u32| -> Vec<u32> {
            contents.alike(product).iter().map(|alike| alike.product).collect()
        };
        assert_eq!(of(0), [1, 2, 3], "the brand counts for more than a word");
        assert!(of(4).is_empty(), "nothing is known of it");
        let texts: Vec<Terms> = infos.iter().map(ProductInfo::terms).collect();
        let rarity = Rarity::among(texts.iter());
        let alike = contents.alike(0)[0];
        assert!((alike.score - rarity.likeness(&texts[0], &texts[1])).abs() < 1e-4);
    }

    #[test]
    fn prices_are_kept_where_a_product_has_one() {
        let price = |price| ProductDetails { price, ..ProductDetails::default() };
        let infos = [info(0, "", "a", price(Some(2.5))), info(1, "", "b", price(None))];
        let contents = Contents::of(&infos);
        assert_eq!(
            [contents.price(0), contents.price(1), contents.price(9)],
            [Some(2.5), None, None]
        );
        assert_eq!(Contents::of(&infos[1..]).price(0), None);
    }
}
