//! Searches as a shopper sees them.

use std::collections::BTreeSet;

use cartwheel_catalogue::Money;
use proptest::prelude::*;

use crate::words::{singular, words};
use crate::{Document, FacetFilters, Found, Index, Match, Question, Synonyms};

/// A search with its matches, best first.
#[derive(Debug, PartialEq)]
struct Answer {
    matches: Vec<Match>,
    found: Found,
}

fn document(key: u32, name: &str) -> Document<'_> {
    Document { key, name, department: "Food", aisle: "Shelf", ..Document::default() }
}

fn index(names: &[&str]) -> Index {
    Index::new(names.iter().zip(0..).map(|(name, key)| document(key, name)))
}

fn question(text: &str) -> Answer {
    find(&index(&SHELF), text)
}

fn find(index: &Index, text: &str) -> Answer {
    ask(index, text, &FacetFilters::default(), &Synonyms::default(), false)
}

fn ask(
    index: &Index,
    text: &str,
    filters: &FacetFilters,
    synonyms: &Synonyms,
    is_typing: bool,
) -> Answer {
    search(index, &Question { text, is_typing, filters, synonyms }, |_| true)
}

fn search(index: &Index, question: &Question<'_>, accepts: impl Fn(u32) -> bool) -> Answer {
    let mut matches = Vec::new();
    let found = index.search(question, accepts, |found| matches.push(found));
    assert_eq!(found.total, matches.len());
    matches.sort_by(Match::by_relevance);
    Answer { matches, found }
}

fn ranked(found: &Answer) -> Vec<u32> {
    found.matches.iter().map(|found| found.key).collect()
}

fn names(found: &Answer) -> Vec<&'static str> {
    ranked(found).into_iter().map(|key| SHELF[key as usize]).collect()
}

const SHELF: [&str; 12] = [
    "Whole Milk",
    "Chocolate Milk Drink with Vanilla",
    "Dark Chocolate",
    "Bananas",
    "Organic Green Tea",
    "Organic Steak",
    "Teaspoon Set, organic cotton bag",
    "Crème Brûlée",
    "Wild Blueberries",
    "Silk Scarf",
    "Television Stand",
    "Sparkling Soda",
];

#[test]
fn typos_are_forgiven() {
    assert_eq!(names(&question("mlik")), ["Whole Milk", "Chocolate Milk Drink with Vanilla"]);
    assert_eq!(question("mlik").found.corrected.as_deref(), Some("milk"));
    assert_eq!(
        names(&question("choclate")),
        ["Dark Chocolate", "Chocolate Milk Drink with Vanilla"]
    );
    assert_eq!(names(&question("bananna")), ["Bananas"]);
    assert_eq!(names(&question("dark choclat")), ["Dark Chocolate"]);
    assert_eq!(question("dark choclat").found.corrected.as_deref(), Some("dark chocolate"));
    assert_eq!(question("milk").found.corrected, None);
}

#[test]
fn whole_words_come_before_parts() {
    assert_eq!(names(&question("organic tea")), ["Organic Green Tea"]);
    let typing =
        ask(&index(&SHELF), "organic tea", &FacetFilters::default(), &Synonyms::default(), true);
    assert_eq!(names(&typing), ["Organic Green Tea", "Teaspoon Set, organic cotton bag"]);
    assert_eq!(names(&question("choco")).len(), 2);
    assert_eq!(names(&question("blueb")), ["Wild Blueberries"]);
}

#[test]
fn accents_plurals_and_case_do_not_matter() {
    assert_eq!(names(&question("CREME brulee")), ["Crème Brûlée"]);
    assert_eq!(names(&question("blueberry")), ["Wild Blueberries"]);
    assert_eq!(names(&question("banana")), ["Bananas"]);
}

#[test]
fn synonyms_find_what_the_words_do_not() {
    let synonyms = Synonyms::parse("soda, pop, soft drink\ntv => television").unwrap();
    let index = index(&SHELF);
    let found = |text| ask(&index, text, &FacetFilters::default(), &synonyms, false);
    assert_eq!(names(&found("pop")), ["Sparkling Soda"]);
    assert_eq!(names(&found("sparkling soft drinks")), Vec::<&str>::new());
    assert_eq!(names(&found("sparkling soft drink")), ["Sparkling Soda"]);
    assert_eq!(names(&found("tv stand")), ["Television Stand"]);
    assert_eq!(names(&question("tv stand")), Vec::<&str>::new());
}

#[test]
fn a_query_without_results_offers_one_that_has_some() {
    let suggested = |text| -> Vec<(String, usize)> {
        let found = question(text);
        assert!(found.matches.is_empty());
        found.found.suggestions.into_iter().map(|s| (s.query, s.total)).collect()
    };
    assert_eq!(suggested("choklatt"), [("chocolate".to_owned(), 2)]);
    assert_eq!(suggested("organic qqqqqq"), [("organic".to_owned(), 3)]);
    let words = suggested("dark milk");
    assert_eq!(words, [("dark".to_owned(), 1), ("milk".to_owned(), 2)]);
    assert_eq!(suggested("&"), []);
    assert_eq!(suggested("123456"), []);
}

#[test]
fn facets_show_what_another_choice_would_give() {
    let price = |text: &str| Some(text.parse::<Money>().unwrap());
    let teas = [("Mint", "A", "2"), ("Green", "A", "3"), ("Black", "B", "3"), ("White", "", "9")];
    let names: Vec<String> = teas.iter().map(|(name, ..)| format!("{name} tea")).collect();
    let documents = teas.iter().zip(&names).zip(0..).map(|(((_, brand, cost), name), key)| {
        let brand = Some(*brand).filter(|brand| !brand.is_empty());
        Document {
            brand,
            price: price(cost),
            is_in_stock: key > 1,
            department: if key == 3 { "Rare" } else { "Food" },
            ..document(key, name)
        }
    });
    let index = Index::new(documents);
    let found = |filters: FacetFilters| ask(&index, "tea", &filters, &Synonyms::default(), false);
    let counts = |facets: &[crate::Facet]| -> Vec<(String, usize)> {
        facets.iter().map(|facet| (facet.name.clone(), facet.count)).collect()
    };
    let pairs = |pairs: &[(&str, usize)]| -> Vec<(String, usize)> {
        pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    };
    let all = found(FacetFilters::default());
    assert_eq!(all.matches.len(), 4);
    assert_eq!(counts(&all.found.facets.brands), pairs(&[("A", 2), ("B", 1)]));
    assert_eq!(counts(&all.found.facets.departments), pairs(&[("Food", 3), ("Rare", 1)]));
    let ranges: Vec<usize> = all.found.facets.prices.iter().map(|range| range.count).collect();
    assert_eq!((ranges, all.found.facets.in_stock), (vec![1, 2, 1], 2));
    let of_b = found(FacetFilters { brand: Some("B".to_owned()), ..FacetFilters::default() });
    assert_eq!(of_b.matches.len(), 1);
    assert_eq!(counts(&of_b.found.facets.brands), pairs(&[("A", 2), ("B", 1)]));
    assert_eq!(counts(&of_b.found.facets.departments), pairs(&[("Food", 1)]));
    let cheap = FacetFilters { max_price: price("3"), in_stock: true, ..FacetFilters::default() };
    assert_eq!(ranked(&found(cheap)), [2]);
    let unknown = FacetFilters { aisle: Some("?".to_owned()), ..FacetFilters::default() };
    assert_eq!(found(unknown).matches, []);
}

#[test]
fn a_change_replaces_a_product_and_what_is_known_elsewhere_is_no_typo() {
    let before = index(&["Milk", "Bread"]);
    let after = before.with([document(0, "Silk"), document(2, "Butter")].into_iter());
    assert_eq!((before.products(), after.products()), (2, 3));
    assert_eq!(ranked(&find(&before, "milk")), [0]);
    assert_eq!(ranked(&find(&after, "butter")), [2]);
    let milk = find(&after, "milk");
    // The word is still in the older segment, but no product has it any longer.
    assert_eq!((ranked(&milk), milk.found.corrected.as_deref()), (vec![0], Some("silk")));
    let again = after.with([document(5, "Milk")].into_iter());
    assert_eq!(ranked(&find(&again, "milk")), [5]);
}

#[test]
fn what_is_not_accepted_is_not_found_counted_or_suggested() {
    let index = index(&["Milk", "Choclate bar", "Silk"]);
    let filters = FacetFilters::default();
    let synonyms = Synonyms::default();
    let question =
        |text| Question { text, is_typing: false, filters: &filters, synonyms: &synonyms };
    let found = search(&index, &question("milk"), |key| key != 0);
    assert_eq!((ranked(&found), found.found.corrected.as_deref()), (vec![2], Some("silk")));
    assert_eq!(search(&index, &question("bar"), |_| false).found, Found::default());
}

#[test]
fn popular_products_come_first_among_equals() {
    let documents = (0..3).map(|key| Document {
        popularity: if key == 1 { 1.0 } else { 0.0 },
        ..document(key, "Oat milk")
    });
    assert_eq!(ranked(&find(&Index::new(documents), "milk")), [1, 0, 2]);
}

#[test]
fn an_id_finds_its_product_first() {
    let documents = ["A-1", "b2", "c3"]
        .into_iter()
        .zip(0..)
        .map(|(id, key)| Document { id, ..document(key, if key == 0 { "Cup" } else { "Cup b2" }) });
    let index = Index::new(documents);
    assert_eq!(ranked(&find(&index, " a-1 ")), [0]);
    assert_eq!(ranked(&find(&index, "B2")), [1, 2]);
    assert!(find(&index, "").matches.is_empty());
}

#[test]
fn a_beginning_finds_the_same_in_one_segment_as_in_many() {
    // A large segment lists the products of a beginning, a small one does not.
    const PRODUCTS: u32 = 6000;
    const SMALL: u32 = 200;
    let names = ["own thing", "owner's thing", "own owner or thing of own owner", "other"];
    let named = |keys: std::ops::Range<u32>| {
        keys.map(|key| document(key, names[key as usize % names.len()]))
    };
    let one = Index::new(named(0..PRODUCTS));
    let many = (0..PRODUCTS / SMALL)
        .fold(Index::default(), |index, at| index.with(named(at * SMALL..(at + 1) * SMALL)));
    for text in ["o", "ow", "own", "owne", "thing o", "own thi", "foo", "foot", "t"] {
        let (of_one, of_many) = (find(&one, text), find(&many, text));
        assert_eq!(of_one, of_many, "{text}");
        assert!(!of_one.matches.is_empty());
    }
}

proptest! {
    /// Whole words find exactly the products that have all of them.
    #[test]
    fn exact_words_find_what_a_plain_search_finds(
        texts in prop::collection::vec("[a-d]{1,3}( [a-d]{1,3}){0,4}", 1..30),
        changed in prop::collection::vec((0usize..40, "[a-d]{1,3}( [a-d]{1,3}){0,2}"), 0..10),
        picked in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4),
    ) {
        let mut texts = texts;
        let mut index = Index::new(texts.iter().zip(0..).map(|(text, key)| document(key, text)));
        for (at, text) in changed {
            let at = at.min(texts.len());
            index = index.with(std::iter::once(document(at as u32, &text)));
            if at == texts.len() { texts.push(text) } else { texts[at] = text }
        }
        let picked = picked.iter().map(|(text, word)| {
            let words = words(&texts[text.index(texts.len())]);
            words[word.index(words.len())].clone()
        });
        let query: Vec<String> = picked.collect();
        let stems: BTreeSet<String> = query.iter().map(|word| singular(word)).collect();
        let has_all = |text: &String| {
            let own: BTreeSet<String> = words(text).iter().map(|word| singular(word)).collect();
            stems.is_subset(&own)
        };
        let mut expected: Vec<u32> =
            texts.iter().zip(0..).filter(|(text, _)| has_all(text)).map(|(_, key)| key).collect();
        let found = find(&index, &query.join(" "));
        let mut exact: Vec<u32> = found.matches.iter()
            .filter(|found| found.typos == 0 && found.parts == 0)
            .map(|found| found.key)
            .collect();
        exact.sort_unstable();
        if !expected.is_empty() {
            prop_assert_eq!(found.matches.len(), expected.len());
        }
        expected.sort_unstable();
        prop_assert_eq!(exact, expected);
    }

    #[test]
    fn no_text_panics(names in prop::collection::vec(".*", 0..8), text in ".*", typing: bool) {
        let index = Index::new(names.iter().zip(0..).map(|(name, key)| document(key, name)));
        let synonyms = Synonyms::parse(&text).unwrap_or_default();
        let found = ask(&index, &text, &FacetFilters::default(), &synonyms, typing);
        prop_assert!(found.matches.len() <= index.products());
        for name in &names {
            let found = ask(&index, name, &FacetFilters::default(), &synonyms, typing);
            prop_assert!(words(name).is_empty() || words(name).len() > 12 || !found.matches.is_empty());
        }
    }
}
