//! The products that have a word.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::neighbour::Neighbour;
use crate::product_info::ProductInfo;
use crate::search::Search;

/// Most words of a product that are indexed.
const MAX_WORDS: usize = 64;
/// Products that are looked up for a search by its rarest words, and the most popular ones that
/// are compared if it has more frequent words: a bound on the work, however many products match.
const LOOKED_UP: usize = 2_000;

/// The products by the words of what the shop says about them: name, categories, brand and tags.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WordIndex {
    /// Hashes of the words, ascending.
    words: Vec<u32>,
    /// By word: where its products end in `holders`.
    ends: Vec<u32>,
    /// The products of the first word, ascending, then those of the second, and so on.
    holders: Vec<u32>,
    /// Number of products.
    products: u32,
}

impl WordIndex {
    /// Indexes products.
    pub(crate) fn of(infos: &[ProductInfo]) -> Self {
        let mut holders: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for (product, info) in (0..).zip(infos) {
            for word in info.words().take(MAX_WORDS) {
                let holders = holders.entry(word).or_default();
                if holders.last() != Some(&product) {
                    holders.push(product);
                }
            }
        }
        let mut sorted: Vec<(u32, Vec<u32>)> = holders.into_iter().collect();
        sorted.sort_unstable_by_key(|(word, _)| *word);
        let mut index = Self { products: infos.len() as u32, ..Self::default() };
        for (word, holders) in sorted {
            index.words.push(word);
            index.holders.extend(holders);
            index.ends.push(index.holders.len() as u32);
        }
        index
    }

    /// Looks up the words of a search.
    pub fn look_up(&self, search: &Search) -> Wanted<'_> {
        let words = search.words().iter().map(|&word| {
            let holders = self.holders(word);
            let weight = (self.products as f32 / holders.len().max(1) as f32).ln_1p();
            (weight, holders)
        });
        let mut words: Vec<(f32, &[u32])> = words.collect();
        words.sort_by_key(|(_, holders)| holders.len());
        Wanted { weight: words.iter().map(|(weight, _)| weight).sum(), words }
    }

    fn holders(&self, word: u32) -> &[u32] {
        let Ok(at) = self.words.binary_search(&word) else { return &[] };
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.holders[start as usize..self.ends[at] as usize]
    }

    /// Whether its parts fit together, and every product in it is one of the `products`.
    pub(crate) fn is_sound(&self, products: usize) -> bool {
        self.words.len() == self.ends.len()
            && self.ends.is_sorted()
            && self.ends.last().copied().unwrap_or_default() as usize == self.holders.len()
            && self.holders.iter().all(|&product| (product as usize) < products)
    }
}

/// The words of a search, with the products that have them.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The weight and the products of each word, the rarest first.
    words: Vec<(f32, &'a [u32])>,
    /// Sum of the weights.
    weight: f32,
}

impl Wanted<'_> {
    /// The share of the words that a product has, a rare word counting for more than a frequent
    /// one; 0 to 1.
    pub fn share(&self, product: u32) -> f32 {
        let has = |holders: &[u32]| holders.binary_search(&product).is_ok();
        let found = self.words.iter().filter(|(_, holders)| has(holders));
        let found: f32 = found.map(|(weight, _)| weight).sum();
        if self.weight > 0.0 { found / self.weight } else { 0.0 }
    }

    /// Products that have some of the words, with their shares: those with the rarest words, and of
    /// those with more frequent ones some that come first in `popular`.
    pub fn products(&self, popular: &[u32]) -> Vec<Neighbour> {
        let mut left = LOOKED_UP;
        let rare = self.words.iter().take_while(|(_, holders)| {
            let fits = holders.len() <= left;
            left = left.saturating_sub(holders.len());
            fits
        });
        let rare = rare.count();
        let mut found: Vec<u32> =
            self.words[..rare].iter().flat_map(|(_, holders)| *holders).copied().collect();
        if rare < self.words.len() {
            found.extend(popular.iter().take(LOOKED_UP));
        }
        found.sort_unstable();
        found.dedup();
        let found = found.into_iter();
        let found = found.map(|product| Neighbour { product, score: self.share(product) });
        found.filter(|found| found.score > 0.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product_info::ProductDetails;

    fn info(at: usize, name: &str, aisle: &str) -> ProductInfo {
        ProductInfo {
            product_id: at.to_string(),
            name: name.to_owned(),
            aisle: aisle.to_owned(),
            department: String::new(),
            details: ProductDetails::default(),
        }
    }

    fn found(index: &WordIndex, query: &str, popular: &[u32]) -> Vec<(u32, f32)> {
        let search = Search::of(query, 0).unwrap();
        let found = index.look_up(&search).products(popular);
        found.into_iter().map(|found| (found.product, found.score)).collect()
    }

    #[test]
    fn a_search_finds_the_products_that_have_its_words_in_any_text_and_case() {
        let names = [("Assam leaves", "Black tea"), ("Rye bread", "Bakery"), ("Tea cosy", "Home")];
        let infos: Vec<ProductInfo> =
            (0..).zip(names).map(|(at, (name, aisle))| info(at, name, aisle)).collect();
        let index = WordIndex::of(&infos);
        assert!(index.is_sound(3) && !index.is_sound(2));
        assert_eq!(found(&index, "TEA!", &[]), [(0, 1.0), (2, 1.0)]);
        assert_eq!(found(&index, "rye-bread of a kind", &[]).len(), 1);
        let [(0, both), (2, one)] = found(&index, "assam tea", &[])[..] else { panic!() };
        assert!(both == 1.0 && one < 0.5, "the rarer word is missing: {one}");
        assert!(found(&index, "motor oil", &[]).is_empty());
    }

    #[test]
    fn of_many_products_with_a_frequent_word_the_popular_ones_are_found() {
        let mut infos: Vec<ProductInfo> =
            (0..5_000).map(|at| info(at, &format!("Blend{at} tea"), "")).collect();
        infos.push(info(5_000, "Rye bread", ""));
        let index = WordIndex::of(&infos);
        let popular: Vec<u32> = (0..=5_000).rev().collect();
        let of_tea = found(&index, "tea", &popular);
        assert_eq!((of_tea.len(), of_tea[0].0), (LOOKED_UP - 1, 3_001));
        let both = found(&index, "blend7 tea", &popular);
        assert_eq!(both[0], (7, 1.0), "though it is not popular");
    }
}
