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
    /// Each price once; after [`Self::sort_prices`], lowest first.
    prices: Vec<Money>,
    price_numbers: FxHashMap<Money, u32>,
    /// By place.
    rows: Vec<Row>,
}

/// The values of a product.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// The numbers of its department, aisle and brand.
    names: [u32; 3],
    /// The number of its price; [`NO_PRICE`] if it has none.
    price: u32,
    is_in_stock: bool,
}

/// The number of a price that is not known.
const NO_PRICE: u32 = u32::MAX;

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
        let price = document.price.map(|price| {
            *self.price_numbers.entry(price).or_insert_with(|| {
                self.prices.push(price);
                self.prices.len() as u32 - 1
            })
        });
        let price = price.unwrap_or(NO_PRICE);
        self.rows.push(Row { names, price, is_in_stock: document.is_in_stock });
    }

    /// Numbers the prices as they rise. To be called after the last product.
    pub(crate) fn sort_prices(&mut self) {
        let mut order: Vec<u32> = (0..self.prices.len() as u32).collect();
        order.sort_unstable_by_key(|&number| self.prices[number as usize]);
        let mut numbers = vec![0; order.len()];
        order.iter().zip(0..).for_each(|(&old, new)| numbers[old as usize] = new);
        for row in self.rows.iter_mut().filter(|row| row.price != NO_PRICE) {
            row.price = numbers[row.price as usize];
        }
        self.prices.sort_unstable();
        self.price_numbers = FxHashMap::default();
    }

    pub(crate) fn price(&self, place: u32) -> Option<Money> {
        self.price_of(&self.rows[place as usize])
    }

    fn price_of(&self, row: &Row) -> Option<Money> {
        self.prices.get(row.price as usize).copied()
    }
}

/// Filters and counts matches.
pub(crate) struct Counter<'a> {
    filters: &'a FacetFilters,
    is_filtered: bool,
    /// The counts of the segment whose matches come now.
    current: Option<Counts<'a>>,
    /// By facet, the names that matches have, each once for each segment.
    names: [Vec<(&'a str, usize)>; 3],
    /// The prices that matches have, likewise.
    prices: Vec<(Money, usize)>,
    segments: usize,
    in_stock: usize,
}

/// Counts of the matches of one segment.
struct Counts<'a> {
    values: &'a Values,
    /// For each facet, whether it is filtered by, and the number of the wanted name.
    wanted: [(bool, Option<u32>); 3],
    names: [Vec<u32>; 3],
    prices: Vec<u32>,
}

impl<'a> Counts<'a> {
    fn new(values: &'a Values, filters: &FacetFilters) -> Self {
        let FacetFilters { department, aisle, brand, .. } = filters;
        let mut wanted = [(false, None); 3];
        for ((wanted, name), names) in
            wanted.iter_mut().zip([department, aisle, brand]).zip(&values.names)
        {
            let number = name.as_ref().and_then(|name| names.numbers.get(name).copied());
            *wanted = (name.is_some(), number);
        }
        let names = values.names.each_ref().map(|names| vec![0; names.names.len()]);
        Self { values, wanted, names, prices: vec![0; values.prices.len()] }
    }

    fn count_price(&mut self, number: u32) {
        if let Some(count) = self.prices.get_mut(number as usize) {
            *count += 1;
        }
    }
}

impl<'a> Counter<'a> {
    pub(crate) fn new(filters: &'a FacetFilters) -> Self {
        Self {
            filters,
            is_filtered: *filters != FacetFilters::default(),
            current: None,
            names: Default::default(),
            prices: Vec::new(),
            segments: 0,
            in_stock: 0,
        }
    }

    /// Counts a match of a segment with these values and returns whether it passes all filters. The
    /// matches of one segment come together.
    pub(crate) fn admit(&mut self, values: &'a Values, place: u32) -> bool {
        let is_same = |counts: &Counts<'_>| std::ptr::eq(counts.values, values);
        if !self.current.as_ref().is_some_and(is_same) {
            self.end_segment();
        }
        let filters = self.filters;
        let counts = self.current.get_or_insert_with(|| Counts::new(values, filters));
        let row = values.rows[place as usize];
        if !self.is_filtered {
            counts.count_price(row.price);
            self.in_stock += usize::from(row.is_in_stock);
            for (counts, number) in counts.names.iter_mut().zip(row.names) {
                counts[number as usize] += 1;
            }
            return true;
        }
        let FacetFilters { min_price, max_price, in_stock, .. } = filters;
        let price = values.price_of(&row);
        let within = min_price.is_none_or(|min| price.is_some_and(|price| price >= min))
            && max_price.is_none_or(|max| price.is_some_and(|price| price <= max));
        let mut passed = [within, row.is_in_stock || !in_stock, true, true, true];
        for ((passed, (is_wanted, wanted)), number) in
            passed[2..].iter_mut().zip(counts.wanted).zip(row.names)
        {
            *passed = !is_wanted || wanted == Some(number);
        }
        let failed = passed.iter().filter(|passed| !**passed).count();
        // A match that fails one filter alone counts for that facet.
        let is_counted = |facet: usize| failed == 0 || (failed == 1 && !passed[facet]);
        if is_counted(0) {
            counts.count_price(row.price);
        }
        self.in_stock += usize::from(is_counted(1) && row.is_in_stock);
        for (facet, number) in row.names.into_iter().enumerate() {
            counts.names[facet][number as usize] += u32::from(is_counted(facet + 2));
        }
        failed == 0
    }

    /// Adds the counts of a segment to those of all.
    fn end_segment(&mut self) {
        let Some(Counts { values, names, prices, .. }) = self.current.take() else { return };
        self.segments += 1;
        for ((all, names), counts) in self.names.iter_mut().zip(&values.names).zip(names) {
            let named = names.names.iter().zip(counts);
            let named = named.filter(|(name, count)| *count > 0 && !name.is_empty());
            all.extend(named.map(|(name, count)| (name.as_str(), count as usize)));
        }
        let priced = values.prices.iter().zip(prices).filter(|(_, count)| *count > 0);
        self.prices.extend(priced.map(|(price, count)| (*price, count as usize)));
    }

    pub(crate) fn facets(mut self) -> Facets {
        self.end_segment();
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

/// Divides prices with their counts into ranges of about as many each. Equal prices are in the same
/// range.
fn ranges(mut prices: Vec<(Money, usize)>) -> Vec<PriceRange> {
    // They rise within each segment, which a stable sort is quick with.
    prices.sort();
    let all: usize = prices.iter().map(|(_, count)| count).sum();
    let size = all.div_ceil(PRICE_RANGES).max(1);
    let mut ranges: Vec<PriceRange> = Vec::new();
    for (price, count) in prices {
        match ranges.last_mut() {
            Some(range) if range.count < size || range.max == price => {
                range.max = price;
                range.count += count;
            }
            _ => ranges.push(PriceRange { min: price, max: price, count }),
        }
    }
    ranges
}
