//! A product to score.

use cartwheel_features::Source;

/// A product to score, with its relation to cart and history.
///
/// A request adds up thousands of these, one after another for each source, in no order of the memory.
/// So what is added together lies in one of two lines of the processor's cache.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub struct Candidate {
    /// Its relation to what the user has bought, by who buys it.
    pub affinity: AffinityScores,
    /// Its relation to what the user has just looked at.
    pub visit: VisitScores,
    /// Catalogue index of the product.
    pub product: u32,
    /// The strongest reason why it is a candidate.
    pub source: Source,
    /// Whether its row is that of a product that nobody has bought or looked at yet.
    pub is_forgotten: bool,
    /// Probability that users with such a history buy it next, by the products' transitions.
    pub next: f32,
    /// How well it matches the user's newest searches.
    pub search: f32,
    /// Sum of its neighbour scores to the products in the cart.
    pub cart_sum: f32,
    /// The product in the cart with the largest neighbour score.
    pub cart_best: Best,
    /// Sum of its neighbour scores to the user's products, weighted by recency.
    pub taste: f32,
    /// The user's product with the largest share of `taste`.
    pub taste_best: Best,
    /// Mean likeness to the user's heaviest products, weighted by recency.
    pub content: f32,
    /// The user's product that it is most like.
    pub content_best: Best,
    /// The product of the visit or the cart that it is most like.
    pub content_now: Best,
}

/// How a product relates to those that the user has bought, by who buys it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[repr(C)]
pub struct AffinityScores {
    /// How much the user's products attract it.
    pub attraction: f32,
    /// How much the products of the user's newest order attract it.
    pub attraction_last: f32,
    /// The user's product that attracts it most.
    pub attraction_best: Best,
    /// Mean likeness of its buyers to those of the user's products.
    pub companion: f32,
    /// `attraction` as a share of the largest of any product that is new to the user; 0 until it is chosen.
    pub attraction_relative: f32,
    /// `companion` as a share of the largest of any product that is new to the user; 0 until it is chosen.
    pub companion_relative: f32,
}

const _: () = {
    assert!(std::mem::offset_of!(Candidate, product) == 64 && size_of::<Candidate>() == 128);
};

/// How a product relates to those that the user touched last.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct VisitScores {
    /// How often shoppers turn to it after the newest product.
    pub follow_last: f32,
    /// The same over all touched products, the newer the heavier.
    pub follow: f32,
    /// How often they turn to it in a second step.
    pub follow_far: f32,
    /// Sum of its scores of being in the same visits.
    pub together: f32,
    /// The largest of these.
    pub together_max: f32,
    /// Its score of being in the same visits as the newest product.
    pub together_last: f32,
    /// How often it is put into the cart or bought after a look at the touched products.
    pub leads_to: f32,
    /// Score among the nearest visits.
    pub nearest: f32,
    /// The same, near the products that the visits share.
    pub nearest_close: f32,
}

/// The product to which another one owes most of a score, with its part; the default is none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[repr(C)]
pub struct Best {
    product: u32,
    /// Its part; 0 if there is none.
    pub score: f32,
}

impl Best {
    /// Takes a product with a larger, positive part.
    pub(crate) fn raise(&mut self, product: u32, score: f32) {
        if score > self.score {
            *self = Self { product, score };
        }
    }

    /// The catalogue index of the product, if there is one.
    pub fn product(&self) -> Option<u32> {
        (self.score > 0.0).then_some(self.product)
    }
}

impl Candidate {
    /// A candidate without relation to cart and history.
    pub fn new(product: u32, source: Source) -> Self {
        Self {
            product,
            source,
            is_forgotten: false,
            next: 0.0,
            search: 0.0,
            cart_sum: 0.0,
            cart_best: Best::default(),
            taste: 0.0,
            taste_best: Best::default(),
            content: 0.0,
            content_best: Best::default(),
            content_now: Best::default(),
            affinity: AffinityScores::default(),
            visit: VisitScores::default(),
        }
    }

    /// The candidate without what others have taught about it: only what the shop says remains.
    pub(crate) fn forgotten(&self) -> Self {
        let Self { product, source, search, content, content_best, content_now, .. } = *self;
        Self {
            search,
            content,
            content_best,
            content_now,
            is_forgotten: true,
            ..Self::new(product, source)
        }
    }
}

/// A candidate with its predicted probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// The candidate.
    pub candidate: Candidate,
    /// Probability of the event that the model predicts, 0 to 1.
    pub probability: f32,
}
