//! What the index knows about a product.

use cartwheel_catalogue::Money;

/// A product as the index sees it.
#[derive(Debug, Clone, Default)]
pub struct Document<'a> {
    /// The caller's number of the product.
    pub key: u32,
    /// The product's id, which a query may be instead of words.
    pub id: &'a str,
    /// The name.
    pub name: &'a str,
    /// The brand.
    pub brand: Option<&'a str>,
    /// The widest category, also a facet.
    pub department: &'a str,
    /// The narrowest category, also a facet.
    pub aisle: &'a str,
    /// Categories between them.
    pub categories: Vec<&'a str>,
    /// Tags.
    pub tags: Vec<&'a str>,
    /// The texts of attributes.
    pub attributes: Vec<&'a str>,
    /// The price of a piece.
    pub price: Option<Money>,
    /// Whether the shop states that it is in stock.
    pub is_in_stock: bool,
    /// How popular it is, from 0 to 1.
    pub popularity: f32,
}

/// How much a word counts in each field.
const NAME: f32 = 4.0;
const BRAND: f32 = 2.5;
const CATEGORY: f32 = 1.0;
const TAG: f32 = 1.0;
const ATTRIBUTE: f32 = 0.7;

impl<'a> Document<'a> {
    /// The fields with their weights.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (f32, &'a str)> {
        let more = |weight: f32, texts: &[&'a str]| {
            texts.iter().map(|text| (weight, *text)).collect::<Vec<_>>()
        };
        let brand = self.brand.map(|brand| (BRAND, brand));
        let aisle = Some(self.aisle).filter(|aisle| *aisle != self.department);
        std::iter::once((NAME, self.name))
            .chain(brand)
            .chain(std::iter::once((CATEGORY, self.department)))
            .chain(aisle.map(|aisle| (CATEGORY, aisle)))
            .chain(more(CATEGORY, &self.categories))
            .chain(more(TAG, &self.tags))
            .chain(more(ATTRIBUTE, &self.attributes))
    }
}
