//! What one product is alike to.

/// What a product is alike to.
pub(crate) struct Alike {
    /// The other products with their likeness from 0 to 1, the most alike first.
    pub(crate) products: Vec<(u32, f32)>,
    /// Whether every product that it was compared with is among them.
    pub(crate) is_whole: bool,
}
