//! The products that lines name: their names and categories, and which are none.

use std::collections::BTreeMap;

use cartwheel_lake::ProductRow;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

/// Spellings of a product's name that are counted.
const MAX_NAMES: usize = 16;
/// Longest name or category, in bytes. The rest is cut off.
const MAX_TEXT: usize = 500;

/// What lines say about a product.
#[derive(Debug, Clone, Default)]
struct Seen {
    lines: u64,
    /// Whether it was bought, viewed or put into a cart, not only returned.
    is_wanted: bool,
    /// Lines by name.
    names: Vec<(Box<str>, u64)>,
    /// The category of the first line that names one.
    category: Option<Box<str>>,
}

/// The products of all lines, by id.
#[derive(Debug, Default)]
pub(crate) struct Products(FxHashMap<Box<str>, Seen>);

/// A code in the place of a product that is none: postage, fees, corrections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceCode {
    /// The code.
    pub product_id: String,
    /// Its usual description.
    pub name: String,
    /// Lines that are left out because of it.
    pub lines: u64,
}

impl Products {
    /// Counts a line. Empty texts are missing.
    pub(crate) fn add(&mut self, id: &str, name: &str, category: &str, is_wanted: bool) {
        let seen = match self.0.get_mut(id) {
            Some(seen) => seen,
            None => self.0.entry(id.into()).or_default(),
        };
        seen.lines += 1;
        seen.is_wanted |= is_wanted;
        if !name.is_empty() {
            seen.count_name(cut(name), 1);
        }
        if seen.category.is_none() && !category.is_empty() {
            seen.category = Some(cut(category).into());
        }
    }

    /// The number of products.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Adds the products of other lines.
    pub(crate) fn merge(&mut self, other: Self) {
        for (id, theirs) in other.0 {
            let mine = self.0.entry(id).or_default();
            mine.lines += theirs.lines;
            mine.is_wanted |= theirs.is_wanted;
            theirs.names.iter().for_each(|(name, lines)| mine.count_name(name, *lines));
            mine.category = mine.category.take().or(theirs.category);
        }
    }

    /// The codes that are no products. `always` and `never` are the shop's own decisions.
    pub(crate) fn service_codes(&self, always: &[String], never: &[String]) -> Vec<ServiceCode> {
        let has_digit = |id: &str| id.bytes().any(|b| b.is_ascii_digit());
        let with_digits = self.0.keys().filter(|id| has_digit(id)).count();
        // Where nearly all ids have digits, a word in the place of an id is unusual.
        let digits_are_usual = with_digits * 10 >= self.0.len() * 9;
        let is_service = |id: &str, name: &str| {
            if always.iter().any(|other| other == id) {
                return true;
            }
            let is_unusual = digits_are_usual && !has_digit(id);
            !never.iter().any(|other| other == id) && names_a_service(name, is_unusual)
        };
        let mut found: Vec<ServiceCode> = self
            .0
            .iter()
            .filter(|(id, seen)| is_service(id, seen.name()))
            .map(|(id, seen)| ServiceCode {
                product_id: id.to_string(),
                name: seen.name().to_owned(),
                lines: seen.lines,
            })
            .collect();
        found.sort_by(|a, b| (b.lines, &a.product_id).cmp(&(a.lines, &b.product_id)));
        found
    }

    /// The rows of the catalogue, by id, without `services` and without products that were only
    /// returned.
    pub(crate) fn into_rows(self, services: &FxHashSet<&str>) -> Vec<ProductRow> {
        let products: BTreeMap<Box<str>, Seen> = self.0.into_iter().collect();
        let is_product = |id: &str, seen: &Seen| seen.is_wanted && !services.contains(id);
        let products = products.into_iter().filter(|(id, seen)| is_product(id, seen));
        let row = |(id, seen): (Box<str>, Seen)| {
            let (department, aisle) = levels(seen.category.as_deref().unwrap_or_default());
            ProductRow {
                product_name: seen.name().to_owned(),
                aisle: aisle.to_owned(),
                department: department.to_owned(),
                product_id: id.into(),
                ..ProductRow::default()
            }
        };
        products.map(row).collect()
    }
}

impl Seen {
    fn count_name(&mut self, name: &str, lines: u64) {
        if let Some((_, count)) = self.names.iter_mut().find(|(known, _)| **known == *name) {
            *count += lines;
        } else if self.names.len() < MAX_NAMES {
            self.names.push((name.into(), lines));
        }
    }

    /// The name of most lines; of equally frequent ones the first by alphabet.
    fn name(&self) -> &str {
        let best = self.names.iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0)));
        best.map_or("", |(name, _)| name)
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

/// The first and the last level of a path of categories.
fn levels(category: &str) -> (&str, &str) {
    let mut levels =
        category.split(['>', '/', '|']).map(str::trim).filter(|level| !level.is_empty());
    let first = levels.next().unwrap_or_default();
    (first, levels.next_back().unwrap_or(first))
}

/// Whether a name describes a charge or a correction. A name that only contains such a word, as
/// in `FRENCH CARRIAGE LANTERN`, describes one only if its id is unusual too.
fn names_a_service(name: &str, has_unusual_id: bool) -> bool {
    const SERVICES: [&str; 37] = [
        "postage",
        "shipping",
        "carriage",
        "freight",
        "delivery",
        "courier",
        "handling",
        "charge",
        "charges",
        "fee",
        "fees",
        "commission",
        "discount",
        "rabatt",
        "manual",
        "adjust",
        "adjustment",
        "adjustments",
        "debt",
        "sample",
        "samples",
        "surcharge",
        "rounding",
        "vat",
        "tax",
        "refund",
        "insurance",
        "deposit",
        "tip",
        "donation",
        "versand",
        "versandkosten",
        "porto",
        "livraison",
        "envio",
        "spedizione",
        "gebuehr",
    ];
    const FILLERS: [&str; 18] = [
        "next", "day", "express", "standard", "free", "bank", "bad", "service", "order", "and",
        "the", "of", "for", "to", "a", "card", "payment", "costs",
    ];
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let (mut has_service, mut has_other) = (false, false);
    for word in words.map(str::to_lowercase) {
        let is_service = SERVICES.contains(&word.as_str());
        has_service |= is_service;
        has_other |= !is_service && !FILLERS.contains(&word.as_str());
    }
    has_service && (!has_other || has_unusual_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn products(lines: &[(&str, &str)]) -> Products {
        let mut products = Products::default();
        for (id, name) in lines {
            products.add(id, name, "", true);
        }
        products
    }

    #[test]
    fn charges_and_corrections_are_no_products() {
        // Lines of the UCI Online Retail data set.
        let mut shop = products(&[
            ("85123A", "WHITE HANGING HEART T-LIGHT HOLDER"),
            ("23099", "FRENCH CARRIAGE LANTERN"),
            ("POST", "POSTAGE"),
            ("DOT", "DOTCOM POSTAGE"),
            ("C2", "CARRIAGE"),
            ("M", "Manual"),
            ("BANK CHARGES", "Bank Charges"),
            ("AMAZONFEE", "AMAZON FEE"),
            ("D", "Discount"),
            ("CRUK", "CRUK Commission"),
            ("B", "Adjust bad debt"),
            ("S", "SAMPLES"),
            ("23444", "Next Day Carriage"),
            ("PADS", "PADS TO MATCH ALL CUSHIONS"),
            ("22501", "PICNIC BASKET"),
            ("22501", "PICNIC BASKET"),
            ("22501", "adjustment"),
        ]);
        for id in 10_000..10_200 {
            shop.add(&id.to_string(), "CUP", "", true);
        }
        let ids = |always: &[&str], never: &[&str]| -> Vec<String> {
            let owned = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>();
            let codes = shop.service_codes(&owned(always), &owned(never));
            codes.into_iter().map(|code| code.product_id).collect()
        };
        let expected =
            ["23444", "AMAZONFEE", "B", "BANK CHARGES", "C2", "CRUK", "D", "DOT", "M", "POST", "S"];
        assert_eq!(ids(&[], &[]), expected);
        assert_eq!(ids(&["PADS"], &expected), ["PADS"]);
    }

    #[test]
    fn the_most_frequent_name_and_the_levels_of_the_category_become_the_row() {
        let mut one = products(&[("p", "Tee"), ("p", "Tea"), ("p", "Tea")]);
        let mut other = Products::default();
        other.add("p", "Tee", "Food > Drinks > Hot", true);
        other.add("gone", "", "", false);
        other.add("q", "", "Toys", true);
        one.merge(other);
        let rows = one.into_rows(&FxHashSet::default());
        let texts: Vec<_> = rows
            .iter()
            .map(|r| [&*r.product_id, &*r.product_name, &*r.department, &*r.aisle].join(" "))
            .collect();
        assert_eq!(texts, ["p Tea Food Hot", "q  Toys Toys"]);
    }
}
