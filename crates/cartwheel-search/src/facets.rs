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

/// What the products of a segment may be filtered and counted by.
#[derive(Debug, Default)]
pub(crate) struct Values {
    names: [Names; 3],
    /// By place.
    rows: Vec<Row>,
}

/// The values of a product.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// The numbers of its department, aisle and brand.
    names: [u32; 3],
    is_in_stock: bool,
    price: Option<Money>,
}

/// The names of one facet.
#[derive(Debug, Default)]
struct Names {
    numbers: FxHashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        self.numbers.get(name).copied().unwrap_or_else(|| {
            let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
            self.numbers.insert(name.to_owned(), number);
            self.names.push(name.to_owned());
            number
        })
    }
}

impl Values {
    pub(crate) fn push(&mut self, document: &Document<'_>) {
        let [departments, aisles, brands] = &mut self.names;
        let names = [
            departments.number(document.department),
            aisles.number(document.aisle),
            brands.number(document.brand.unwrap_or_default()),
        ];
        let (price, is_in_stock) = (document.price, document.is_in_stock);
        self.rows.push(Row { names, is_in_stock, price });
    }

    pub(crate) fn price(&self, place: u32) -> Option<Money> {
        self.rows[place as usize].price
    }
}

/// Filters and counts the matches of all segments.
pub(crate) struct Counter<'a> {
    filters: &'a FacetFilters,
    /// By facet, the names that matches have, each once for each segment.
    names: [Vec<(&'a str, usize)>; 3],
    segments: usize,
    prices: Vec<Money>,
    in_stock: usize,
}

/// Filters and counts the matches of one segment.
pub(crate) struct SegmentCounter<'a, 'b> {
    all: &'b mut Counter<'a>,
    values: &'a Values,
    is_filtered: bool,
    /// For each facet, whether it is filtered by, and the number of the wanted name.
    wanted: [(bool, Option<u32>); 3],
    counts: [Vec<u32>; 3],
}

impl<'a> Counter<'a> {
    pub(crate) fn new(filters: &'a FacetFilters) -> Self {
        Self { filters, names: Default::default(), segments: 0, prices: Vec::new(), in_stock: 0 }
    }

    /// The counter of a segment of which about `matches` match.
    pub(crate) fn of<'b>(
        &'b mut self,
        values: &'a Values,
        matches: usize,
    ) -> SegmentCounter<'a, 'b> {
        let FacetFilters { department, aisle, brand, .. } = self.filters;
        let mut wanted = [(false, None); 3];
        for ((wanted, name), names) in
            wanted.iter_mut().zip([department, aisle, brand]).zip(&values.names)
        {
            let number = name.as_ref().and_then(|name| names.numbers.get(name).copied());
            *wanted = (name.is_some(), number);
        }
        self.prices.reserve(matches);
        self.segments += 1;
        let counts = values.names.each_ref().map(|names| vec![0; names.names.len()]);
        let is_filtered = *self.filters != FacetFilters::default();
        SegmentCounter { all: self, values, is_filtered, wanted, counts }
    }

    pub(crate) fn facets(self) -> Facets {
        let is_split = self.segments > 1;
        let [departments, aisles, brands] = self.names.map(|names| {
            let mut names = if is_split { added_up(names) } else { names };
            let order = |a: &(&str, usize), b: &(&str, usize)| b.1.cmp(&a.1).then(a.0.cmp(b.0));
            // A shop may have many brands.
            if names.len() > MAX_VALUES {
                names.select_nth_unstable_by(MAX_VALUES, order);
                names.truncate(MAX_VALUES);
            }
            names.sort_unstable_by(order);
            let facet = |(name, count): (&str, usize)| Facet { name: name.to_owned(), count };
            names.into_iter().map(facet).collect()
        });
        let prices = ranges(self.prices);
        Facets { departments, aisles, brands, prices, in_stock: self.in_stock }
    }
}

/// The counts of names, each once.
fn added_up(names: Vec<(&str, usize)>) -> Vec<(&str, usize)> {
    let mut all: FxHashMap<&str, usize> = FxHashMap::default();
    for (name, count) in names {
        *all.entry(name).or_default() += count;
    }
    all.into_iter().collect()
}

impl SegmentCounter<'_, '_> {
    /// Counts a match and returns whether it passes all filters.
    pub(crate) fn admit(&mut self, place: u32) -> bool {
        let Row { names, is_in_stock, price } = self.values.rows[place as usize];
        if !self.is_filtered {
            self.all.prices.extend(price);
            self.all.in_stock += usize::from(is_in_stock);
            for (counts, number) in self.counts.iter_mut().zip(names) {
                counts[number as usize] += 1;
            }
            return true;
        }
        let FacetFilters { min_price, max_price, in_stock, .. } = self.all.filters;
        let within = min_price.is_none_or(|min| price.is_some_and(|price| price >= min))
            && max_price.is_none_or(|max| price.is_some_and(|price| price <= max));
        let mut passed = [within, is_in_stock || !in_stock, true, true, true];
        for ((passed, (is_wanted, wanted)), number) in
            passed[2..].iter_mut().zip(self.wanted).zip(names)
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
        for (facet, number) in names.into_iter().enumerate() {
            self.counts[facet][number as usize] += u32::from(counts(facet + 2));
        }
        failed == 0
    }

    /// Adds the counts to those of all segments.
    pub(crate) fn finish(self) {
        let Self { all, values, counts, .. } = self;
        for ((all, names), counts) in all.names.iter_mut().zip(&values.names).zip(counts) {
            let named = names.names.iter().zip(counts);
            let named = named.filter(|(name, count)| *count > 0 && !name.is_empty());
            all.extend(named.map(|(name, count)| (name.as_str(), count as usize)));
        }
    }
}

/// Divides prices into ranges of about as many each. Equal prices are in the same range.
fn ranges(mut prices: Vec<Money>) -> Vec<PriceRange> {
    let size = prices.len().div_ceil(PRICE_RANGES).max(1);
    let mut ranges = Vec::new();
    let mut left = &mut prices[..];
    while !left.is_empty() {
        let last = size.min(left.len()) - 1;
        let (before, max, after) = left.select_nth_unstable(last);
        let max = *max;
        let min = before.iter().copied().fold(max, Money::min);
        let mut count = last + 1;
        for at in 0..after.len() {
            if after[at] == max {
                after.swap(at, count - last - 1);
                count += 1;
            }
        }
        ranges.push(PriceRange { min, max, count });
        left = &mut left[count..];
    }
    ranges
}
