//! The figures of feedback.

/// What a figure of feedback is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct FeedbackKey {
    /// The placement; empty for an answer to a question without one.
    pub placement: String,
    /// The model that ranked; `none` if no model did.
    pub model: String,
    /// The position in the answer, from 0.
    pub position: u32,
    /// Where the product came from.
    pub source: String,
    /// The rule that moved the product; empty if none did.
    pub rule: String,
    /// Whether exploration chose the product.
    pub explored: bool,
}

/// What a figure about a product is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ProductKey {
    /// The product.
    pub product_id: String,
    /// The placement; empty for an answer to a question without one.
    pub placement: String,
    /// Where the product came from.
    pub source: String,
}

/// What followed from some recommended products.
///
/// An event counts if it names the answer and the product, within the window after the answer. A
/// purchase counts if it names them too, or if it follows an addition to the cart that does: once,
/// for the newest of them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reactions {
    /// Products that were sent to the page.
    pub sent: u64,
    /// Those that the shopper saw: the page has reported it, or another event tells.
    pub shown: u64,
    /// Those that the shopper looked at.
    pub viewed: u64,
    /// Those that the shopper put into the cart.
    pub added: u64,
    /// Those that the shopper bought.
    pub bought: u64,
    /// What the shopper paid for those with a known price, in the shop's currency.
    pub revenue: f64,
}

impl Reactions {
    /// Adds other figures.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.shown += other.shown;
        self.viewed += other.viewed;
        self.added += other.added;
        self.bought += other.bought;
        self.revenue += other.revenue;
    }
}
