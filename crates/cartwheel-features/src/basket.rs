//! The products of one order.

/// The products of one order: sorted catalogue indices without repeats.
pub type Basket = Box<[u32]>;

/// Maximum number of lines of a basket that count for neighbours: the number of pairs grows
/// with the square.
pub(crate) const BASKET_LINES: usize = 60;
