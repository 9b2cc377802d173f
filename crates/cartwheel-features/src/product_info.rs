//! What the shop says about a product.

use serde::{Deserialize, Serialize};

use crate::content::{Content, Terms};
use crate::words::hashes;

/// The texts of a product, as the shop provides them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ProductInfo {
    /// The product's id.
    pub product_id: String,
    /// The product's name.
    pub name: String,
    /// Name of its aisle.
    pub aisle: String,
    /// Name of its department.
    pub department: String,
    /// What else the shop says about it. A catalogue keeps it as [`crate::Contents`].
    #[serde(skip)]
    pub details: ProductDetails,
}

/// What only the live catalogue says about a product.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProductDetails {
    /// The path of its category, from the widest to the narrowest; empty if only department and
    /// aisle are known.
    pub categories: Vec<String>,
    /// Its brand.
    pub brand: Option<String>,
    /// Its tags, and its attributes as `name: value`.
    pub tags: Vec<String>,
    /// The price of a piece in the shop's currency.
    pub price: Option<f32>,
}

/// The aisle and the department of a product of which only orders tell.
const UNKNOWN: &str = "unknown";

impl ProductInfo {
    /// Describes a product of which only orders tell.
    pub fn unnamed(product_id: &str) -> Self {
        Self {
            product_id: product_id.to_owned(),
            name: format!("Product {product_id}"),
            aisle: UNKNOWN.to_owned(),
            department: UNKNOWN.to_owned(),
            details: ProductDetails::default(),
        }
    }

    /// The terms by which it is compared with others.
    pub fn terms(&self) -> Terms {
        if self.is_unnamed() {
            return Terms::default();
        }
        Terms::of(&Content {
            categories: &self.path(),
            brand: self.details.brand.as_deref(),
            tags: &self.details.tags,
            name: &self.name,
        })
    }

    /// The hashes of the words by which a search finds it, those of its name first.
    pub(crate) fn words(&self) -> impl Iterator<Item = u32> {
        let texts = match self.is_unnamed() {
            true => Vec::new(),
            false => {
                let mut texts = vec![self.name.as_str()];
                texts.extend(self.details.brand.as_deref());
                texts.extend(self.path());
                texts.extend(self.details.tags.iter().map(String::as_str));
                texts
            }
        };
        texts.into_iter().flat_map(hashes)
    }

    /// The path of its category, as far as it is known.
    fn path(&self) -> Vec<&str> {
        let path: Vec<&str> = match &self.details.categories[..] {
            [] => vec![&self.department, &self.aisle],
            path => path.iter().map(String::as_str).collect(),
        };
        path.into_iter().filter(|name| *name != UNKNOWN).collect()
    }

    /// Whether only orders tell of the product: no import and no change has described it.
    pub fn is_unnamed(&self) -> bool {
        let of_id = self.name.strip_prefix("Product ").is_some_and(|id| id == self.product_id);
        of_id && self.aisle == UNKNOWN && self.department == UNKNOWN
    }
}
