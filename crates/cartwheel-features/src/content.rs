//! How alike two products are by what the shop says about them: categories, brand, tags and
//! the words of the name. This holds for products that were never sold, too.
//!
//! Each text becomes a term. Two products are as alike as the weights of the terms that they
//! share, divided by those of either (weighted Jaccard). A category weighs most, a word least, and
//! a rare term more than a frequent one.

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};

use crate::words::words;

/// Most terms of a product that are compared.
const MAX_TERMS: usize = 64;

/// What the shop says about a product.
#[derive(Debug, Clone, Copy, Default)]
pub struct Content<'a> {
    /// The path of its category, from the widest to the narrowest.
    pub categories: &'a [&'a str],
    /// Its brand.
    pub brand: Option<&'a str>,
    /// Its tags.
    pub tags: &'a [String],
    /// Its name.
    pub name: &'a str,
}

/// The kind of a text; its number is the weight.
#[derive(Clone, Copy, Hash)]
enum Kind {
    Word = 1,
    Tag = 2,
    Brand = 3,
    Category = 4,
}

/// A text and its kind, hashed. The lowest bits are the weight.
type Term = u64;

fn term(kind: Kind, text: &str) -> Term {
    let mut hasher = FxHasher::default();
    (kind, text.trim().to_lowercase()).hash(&mut hasher);
    (hasher.finish() << 3) | kind as u64
}

/// The terms of a product, sorted and without repeats.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms(Vec<Term>);

impl Terms {
    /// The terms of a product's texts.
    pub fn of(content: &Content<'_>) -> Self {
        let categories = content.categories.iter().filter(|category| !category.is_empty());
        let mut terms: Vec<Term> = categories
            .map(|category| term(Kind::Category, category))
            .chain(content.brand.map(|brand| term(Kind::Brand, brand)))
            .chain(content.tags.iter().map(|tag| term(Kind::Tag, tag)))
            .chain(words(content.name).map(|word| term(Kind::Word, word)))
            .take(MAX_TERMS)
            .collect();
        terms.sort_unstable();
        terms.dedup();
        Self(terms)
    }

    /// All terms.
    pub(crate) fn all(&self) -> &[Term] {
        &self.0
    }

    /// Whether a term is among them.
    pub(crate) fn has(&self, term: Term) -> bool {
        self.0.binary_search(&term).is_ok()
    }
}

/// How rare terms are among some products: a word that many of them have says little.
#[derive(Debug, Default)]
pub struct Rarity {
    products: u32,
    counts: FxHashMap<Term, u32>,
}

impl Rarity {
    /// Counts the terms of products.
    pub fn among<'a>(products: impl Iterator<Item = &'a Terms>) -> Self {
        let mut rarity = Self::default();
        for terms in products {
            rarity.products += 1;
            terms.0.iter().for_each(|&term| *rarity.counts.entry(term).or_default() += 1);
        }
        rarity
    }

    /// How alike two products are, from 0 to 1.
    pub fn likeness(&self, one: &Terms, other: &Terms) -> f32 {
        let sum = |terms: &mut dyn Iterator<Item = &Term>| -> f32 {
            terms.map(|&term| self.weight(term)).sum()
        };
        let shared = sum(&mut one.0.iter().filter(|&&term| other.has(term)));
        let either = sum(&mut one.0.iter()) + sum(&mut other.0.iter()) - shared;
        if either > 0.0 { shared / either } else { 0.0 }
    }

    /// The weight of a term.
    pub(crate) fn weight(&self, term: Term) -> f32 {
        let count = self.counts.get(&term).map_or(1, |&count| count.max(1));
        (term & 7) as f32 * (self.products as f32 / count as f32).ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(categories: &[&str], brand: Option<&str>, name: &str) -> Terms {
        Terms::of(&Content { categories, brand, tags: &[], name })
    }

    #[test]
    fn a_category_and_a_brand_count_for_more_than_a_word() {
        let coffee = ["Drinks", "Coffee"];
        let product = terms(&coffee, Some("Roast & Co"), "House blend, whole beans");
        let others = [
            terms(&coffee, Some("Roast & Co"), "Dark roast, whole beans"),
            terms(&coffee, Some("Other"), "Decaf"),
            terms(&["Drinks", "Tea"], Some("Leaf"), "Green tea"),
            terms(&["Tools"], None, "Blend stick"),
            terms(&["Tools"], None, "Hammer"),
        ];
        let rarity = Rarity::among(others.iter());
        let likeness: Vec<f32> =
            others.iter().map(|other| rarity.likeness(&product, other)).collect();
        assert!(likeness.is_sorted_by(|a, b| a > b), "{likeness:?}");
        assert_eq!(likeness[4], 0.0);
        assert_eq!(rarity.likeness(&product, &product), 1.0);
        assert_eq!(rarity.likeness(&terms(&[""], None, ""), &product), 0.0);
    }

    #[test]
    fn spelling_does_not_matter() {
        let one = terms(&["Café", "Beans"], Some("Größe"), "Süßes Müsli");
        let two = terms(&["CAFÉ", "beans "], Some("GRÖẞE"), "süßes MÜSLI!");
        let rarity = Rarity::among([&one, &two].into_iter());
        assert_eq!(rarity.likeness(&one, &two), 1.0);
        assert_eq!(rarity.likeness(&two, &one), 1.0);
    }

    #[test]
    fn a_rare_word_counts_for_more_than_a_frequent_one() {
        let shelf = ["Organic zucchini", "Yellow zucchini", "Organic leek", "Organic beet"];
        let shelf: Vec<Terms> = shelf.iter().map(|name| terms(&["Fresh"], None, name)).collect();
        let rarity = Rarity::among(shelf.iter());
        assert!(rarity.likeness(&shelf[0], &shelf[1]) > rarity.likeness(&shelf[0], &shelf[2]));
    }
}
