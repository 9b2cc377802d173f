//! Products that are alike by what the shop says about them: categories, brand, tags and the
//! words of the name. For products of which no order has taught anything yet.
//!
//! Each text becomes a term. Two products are as similar as the weights of the terms that
//! they share, divided by those of either (weighted Jaccard). A rare term weighs more than a
//! common one, and a category more than a word.

use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};

/// Most terms of a product that are kept.
const MAX_TERMS: usize = 64;
/// Most products of one term that are compared: those of a more common term say little.
const MAX_POSTINGS: usize = 5_000;
/// Shortest word that counts, in characters.
const MIN_WORD: usize = 3;

/// What the shop says about a product.
#[derive(Debug, Clone, Copy, Default)]
pub struct Content<'a> {
    /// The path of its category, from the widest to the narrowest.
    pub categories: &'a [String],
    /// Its brand.
    pub brand: Option<&'a str>,
    /// Its tags.
    pub tags: &'a [String],
    /// Its name.
    pub name: &'a str,
}

/// A term: the kind of a text and the text, hashed. It starts with the kind's weight.
type Term = u64;

/// The weight of each kind of text.
#[derive(Clone, Copy, Hash)]
enum Kind {
    Word = 1,
    Tag = 2,
    Brand = 3,
    Category = 4,
}

fn term(kind: Kind, text: &str) -> Term {
    let mut hasher = FxHasher::default();
    (kind, text.trim().to_lowercase()).hash(&mut hasher);
    (hasher.finish() << 3) | kind as u64
}

fn weight_of_kind(term: Term) -> f32 {
    (term & 7) as f32
}

impl Content<'_> {
    /// The terms, sorted and without repeats.
    fn terms(&self) -> Vec<Term> {
        let words = self.name.split(|c: char| !c.is_alphanumeric());
        let words = words.filter(|word| word.chars().count() >= MIN_WORD);
        let mut terms: Vec<Term> = self
            .categories
            .iter()
            .map(|category| term(Kind::Category, category))
            .chain(self.brand.map(|brand| term(Kind::Brand, brand)))
            .chain(self.tags.iter().map(|tag| term(Kind::Tag, tag)))
            .chain(words.map(|word| term(Kind::Word, word)))
            .take(MAX_TERMS)
            .collect();
        terms.sort_unstable();
        terms.dedup();
        terms
    }
}

/// Finds products that are alike. Products are numbered densely.
#[derive(Debug, Clone, Default)]
pub struct ContentIndex {
    /// The terms of each product.
    terms: Vec<Vec<Term>>,
    /// The products of each term.
    products: FxHashMap<Term, Vec<u32>>,
}

impl ContentIndex {
    /// Notes what the shop says about a product, in place of what was known.
    pub fn set(&mut self, product: u32, content: &Content<'_>) {
        let at = product as usize;
        if self.terms.len() <= at {
            self.terms.resize_with(at + 1, Vec::new);
        }
        let terms = content.terms();
        let old = std::mem::replace(&mut self.terms[at], terms.clone());
        for gone in old.iter().filter(|term| terms.binary_search(term).is_err()) {
            if let Some(products) = self.products.get_mut(gone) {
                products.retain(|&other| other != product);
            }
        }
        for new in terms.iter().filter(|term| old.binary_search(term).is_err()) {
            self.products.entry(*new).or_default().push(product);
        }
    }

    /// The products that are most similar to `product`, with their similarity from 0 to 1,
    /// best first. `keep` tells which products to consider.
    pub fn similar(
        &self,
        product: u32,
        limit: usize,
        keep: impl Fn(u32) -> bool,
    ) -> Vec<(u32, f32)> {
        let own = self.terms.get(product as usize).map_or(&[][..], Vec::as_slice);
        let mut shared: FxHashMap<u32, f32> = FxHashMap::default();
        for term in own {
            let products = self.products.get(term).map_or(&[][..], Vec::as_slice);
            let weight = self.weight(*term);
            for &other in products.iter().take(MAX_POSTINGS).filter(|&&other| other != product) {
                *shared.entry(other).or_default() += weight;
            }
        }
        let sum = |terms: &[Term]| terms.iter().map(|term| self.weight(*term)).sum::<f32>();
        let all = sum(own);
        let mut found: Vec<(u32, f32)> = shared
            .into_iter()
            .filter(|(other, _)| keep(*other))
            .map(|(other, shared)| {
                let either = all + sum(&self.terms[other as usize]) - shared;
                (other, (shared / either.max(f32::MIN_POSITIVE)).min(1.0))
            })
            .collect();
        let best = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if found.len() > limit && limit > 0 {
            found.select_nth_unstable_by(limit - 1, best);
        }
        found.truncate(limit);
        found.sort_by(best);
        found
    }

    /// The weight of a term: that of its kind times its inverse document frequency (Spärck
    /// Jones, 1972).
    fn weight(&self, term: Term) -> f32 {
        let holders = self.products.get(&term).map_or(0, Vec::len);
        let rarity = (1.0 + self.terms.len() as f32 / (1.0 + holders as f32)).ln();
        weight_of_kind(term) * rarity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content<'a>(categories: &'a [String], brand: Option<&'a str>, name: &'a str) -> Content<'a> {
        Content { categories, brand, tags: &[], name }
    }

    fn path(text: &str) -> Vec<String> {
        text.split(" > ").map(str::to_owned).collect()
    }

    #[test]
    fn products_of_a_category_and_brand_come_before_those_that_share_a_word() {
        let (coffee, tea) = (path("Drinks > Coffee"), path("Drinks > Tea"));
        let tools = path("Tools");
        let mut index = ContentIndex::default();
        for (product, of) in [
            content(&coffee, Some("Roast & Co"), "House blend, whole beans"),
            content(&coffee, Some("Roast & Co"), "Dark roast, whole beans"),
            content(&coffee, Some("Other"), "Decaf"),
            content(&tea, Some("Leaf"), "Green tea"),
            content(&tools, None, "Blend stick"),
            content(&tools, None, "Hammer"),
        ]
        .iter()
        .enumerate()
        {
            index.set(product as u32, of);
        }
        let found = |product| -> Vec<u32> {
            index.similar(product, 10, |_| true).into_iter().map(|(other, _)| other).collect()
        };
        assert_eq!(found(0), [1, 2, 3, 4], "the hammer shares nothing");
        assert_eq!(found(5), [4]);
        assert!(found(99).is_empty());
        let kept = index.similar(0, 1, |product| product != 1);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].0, 2);
        assert!((0.0..=1.0).contains(&kept[0].1));
    }

    #[test]
    fn a_change_replaces_what_was_known() {
        let (coffee, tea) = (path("Coffee"), path("Tea"));
        let mut index = ContentIndex::default();
        index.set(0, &content(&coffee, None, "One"));
        index.set(1, &content(&coffee, None, "Two"));
        index.set(2, &content(&tea, None, "Three"));
        assert_eq!(index.similar(0, 9, |_| true).len(), 1);
        index.set(0, &content(&tea, None, "One"));
        let found = index.similar(0, 9, |_| true);
        assert_eq!(found.iter().map(|(other, _)| *other).collect::<Vec<_>>(), [2]);
        assert!(index.similar(1, 9, |_| true).is_empty());
    }

    #[test]
    fn equal_products_are_equal_whatever_their_spelling() {
        let (one, two) = (path("Café > Beans"), path("CAFÉ > beans "));
        let mut index = ContentIndex::default();
        index.set(0, &content(&one, Some("Größe"), "Süßes Müsli"));
        index.set(1, &content(&two, Some("GRÖẞE"), "süßes MÜSLI"));
        let found = index.similar(0, 1, |_| true);
        assert_eq!(found[0].0, 1);
        assert!(found[0].1 > 0.99, "{found:?}");
    }
}
