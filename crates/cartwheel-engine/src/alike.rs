//! What one product is alike to.

use cartwheel_features::{Rarity, Terms};

/// What a product is alike to.
pub(crate) struct Alike {
    /// What the product was compared by.
    pub(crate) own: Terms,
    /// How rare each term is among the products that it was compared with.
    pub(crate) rarity: Rarity,
    /// The other products with their likeness from 0 to 1, the most alike first.
    pub(crate) products: Vec<(u32, f32)>,
    /// Whether every related product is among them.
    pub(crate) is_whole: bool,
}
