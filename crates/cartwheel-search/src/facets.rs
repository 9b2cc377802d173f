//! What matches have in common, and filters by it.

use cartwheel_catalogue::Money;
use rustc_hash::FxHashMap;

use crate::document::Document;

/// Most values of a facet that are counted out, the most frequent first.
const MAX_VALUES: usize = 50;
/// Price ranges, which divide the matches evenly.
const PRICE_RANGES: usize = 4;

/// Restrictions on the matches. `None` and false restrict nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FacetFilters {
    /// Only this department, by name.
    pub department: Option<String>,
    /// Only this aisle, by name.
    pub aisle: Option<String>,
    /// Only this brand, by name.
    pub brand: Option<String>,
    /// Only products of at least this price.
    pub min_price: Option<Money>,
    /// Only products of at most this price.
    pub max_price: Option<Money>,
    /// Only products that the shop states to be in stock.
    pub in_stock: bool,
}

/// Counts of the matches. Each facet counts the matches that pass all filters but its own, so that
/// it shows what another choice would give.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facets {
    /// Departments, most matches first.
    pub departments: Vec<Facet>,
    /// Aisles, most matches first.
    pub aisles: Vec<Facet>,
    /// Brands, most matches first.
    pub brands: Vec<Facet>,
    /// Price ranges with about as many matches each, lowest first.
    pub prices: Vec<PriceRange>,
    /// Matches that the shop states to be in stock.
    pub in_stock: usize,
}

/// A value of a facet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facet {
    /// The value.
    pub name: String,
    /// The number of matches that have it.
    pub count: usize,
}

/// Matches of similar prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceRange {
    /// The lowest price of the matches in it.
    pub min: Money,
    /// The highest price of the matches in it.
    pub max: Money,
    /// The number of matches in it.
    pub count: usize,
}

/// The values of the products of a segment, by place.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    names: [Names; 3],
    prices: Vec<Option<Money>>,
    in_stock: Vec<bool>,
}

/// The names of one facet.
#[derive(Debug, Default)]
struct Names {
    numbers: FxHashMap<String, u32>,
    names: Vec<String>,
    /// By place.
    column: Vec<u32>,
}

impl Names {
    fn push(&mut self, name: &str) {
        let number = self.numbers.get(name).copied().unwrap_or_else(|| {
            let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
            self.numbers.insert(name.to_owned(), number);
            self.names.push(name.to_owned());
            number
        });
        self.column.push(number);
    }
}

impl Columns {
    pub(crate) fn push(&mut self, document: &Document<'_>) {
        let brand = document.brand.unwrap_or_default();
        for (names, name) in self.names.iter_mut().zip([document.department, document.aisle, brand])
        {
            names.push(name);
        }
        self.prices.push(document.price);
        self.in_stock.push(document.is_in_stock);
    }

    pub(crate) fn price(&self, place: u32) -> Option<Money> {
        self.prices[place as usize]
    }
}

/// Filters and counts the matches of all segments.
pub(crate) struct Counter<'a> {
    filters: &'a FacetFilters,
    names: [FxHashMap<&'a str, usize>; 3],
    prices: Vec<Money>,
    in_stock: usize,
}

/// Filters and counts the matches of one segment.
pub(crate) struct SegmentCounter<'a, 'b> {
    all: &'b mut Counter<'a>,
    columns: &'a Columns,
    is_filtered: bool,
    /// For each facet, whether it is filtered by, and the number of the wanted name.
    wanted: [(bool, Option<u32>); 3],
    counts: [Vec<usize>; 3],
}

impl<'a> Counter<'a> {
    pub(crate) fn new(filters: &'a FacetFilters) -> Self {
        Self { filters, names: Default::default(), prices: Vec::new(), in_stock: 0 }
    }

    pub(crate) fn of<'b>(&'b mut self, columns: &'a Columns) -> SegmentCounter<'a, 'b> {
        let FacetFilters { department, aisle, brand, .. } = self.filters;
        let mut wanted = [(false, None); 3];
        for ((wanted, name), names) in
            wanted.iter_mut().zip([department, aisle, brand]).zip(&columns.names)
        {
            let number = name.as_ref().and_then(|name| names.numbers.get(name).copied());
            *wanted = (name.is_some(), number);
        }
        let counts = columns.names.each_ref().map(|names| vec![0; names.names.len()]);
        let is_filtered = *self.filters != FacetFilters::default();
        SegmentCounter { all: self, columns, is_filtered, wanted, counts }
    }

    pub(crate) fn facets(self) -> Facets {
        let [departments, aisles, brands] = self.names.map(|names| {
            let named = names.into_iter().filter(|(name, count)| !name.is_empty() && *count > 0);
            let mut facets: Vec<Facet> =
                named.map(|(name, count)| Facet { name: name.to_owned(), count }).collect();
            facets.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
            facets.truncate(MAX_VALUES);
            facets
        });
        let prices = ranges(self.prices);
        Facets { departments, aisles, brands, prices, in_stock: self.in_stock }
    }
}

impl SegmentCounter<'_, '_> {
    /// Counts a match and returns whether it passes all filters.
    pub(crate) fn admit(&mut self, place: u32) -> bool {
        let at = place as usize;
        let price = self.columns.prices[at];
        if !self.is_filtered {
            self.all.prices.extend(price);
            self.all.in_stock += usize::from(self.columns.in_stock[at]);
            for (counts, names) in self.counts.iter_mut().zip(&self.columns.names) {
                counts[names.column[at] as usize] += 1;
            }
            return true;
        }
        let FacetFilters { min_price, max_price, in_stock, .. } = self.all.filters;
        let within = min_price.is_none_or(|min| price.is_some_and(|price| price >= min))
            && max_price.is_none_or(|max| price.is_some_and(|price| price <= max));
        let is_in_stock = self.columns.in_stock[at];
        let numbers = self.columns.names.each_ref().map(|names| names.column[at]);
        let mut passed = [within, is_in_stock || !in_stock, true, true, true];
        for ((passed, (is_wanted, wanted)), number) in
            passed[2..].iter_mut().zip(self.wanted).zip(numbers)
        {
            *passed = !is_wanted || wanted == Some(number);
        }
        let failed = passed.iter().filter(|passed| !**passed).count();
        // A match that fails one filter alone counts for that facet.
        let counts = |facet: usize| failed == 0 || (failed == 1 && !passed[facet]);
        if counts(0) {
            self.all.prices.extend(price);
        }
        self.all.in_stock += usize::from(counts(1) && is_in_stock);
        for (facet, number) in numbers.into_iter().enumerate() {
            self.counts[facet][number as usize] += usize::from(counts(facet + 2));
        }
        failed == 0
    }

    /// Adds the counts to those of all segments.
    pub(crate) fn finish(self) {
        let Self { all, columns, counts, .. } = self;
        for ((all, names), counts) in all.names.iter_mut().zip(&columns.names).zip(counts) {
            // A shop may have many brands, of which a search finds few.
            for (name, count) in names.names.iter().zip(counts).filter(|(_, count)| *count > 0) {
                *all.entry(name).or_default() += count;
            }
        }
    }
}

/// Divides prices into ranges of about as many each. Equal prices are in the same range.
fn ranges(mut prices: Vec<Money>) -> Vec<PriceRange> {
    prices.sort_unstable();
    let mut ranges: Vec<PriceRange> = Vec::new();
    let size = prices.len().div_ceil(PRICE_RANGES).max(1);
    for price in prices {
        match ranges.last_mut() {
            Some(range) if range.count < size || range.max == price => {
                range.max = price;
                range.count += 1;
            }
            _ => ranges.push(PriceRange { min: price, max: price, count: 1 }),
        }
    }
    ranges
}
