//! A product to score.

use cartwheel_features::Source;

/// A product to score, with its relation to cart and history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Catalogue index of the product.
    pub product: u32,
    /// The strongest reason why it is a candidate.
    pub source: Source,
    /// Largest neighbour score to a product in the cart; 0 if there is none.
    pub cart_max: f32,
    /// Sum of its neighbour scores to the products in the cart.
    pub cart_sum: f32,
    /// The product in the cart with the score `cart_max`.
    pub cart_best: Option<u32>,
    /// Sum of its neighbour scores to the user's products, weighted by recency.
    pub taste: f32,
    /// The user's product with the largest share of `taste`.
    pub taste_best: Option<TasteShare>,
    /// Probability that users with such a history buy it next, by the products' transitions.
    pub next: f32,
    /// How well it matches the user's newest searches.
    pub search: f32,
    /// Its relation to what the user has just looked at.
    pub visit: VisitScores,
    /// How much the user's products attract it.
    pub attraction: f32,
    /// How much the products of the user's newest order attract it.
    pub attraction_last: f32,
    /// Mean likeness of its buyers to those of the user's products.
    pub companion: f32,
    /// `attraction` as a share of the largest of any product that is new to the user.
    pub attraction_relative: f32,
    /// `companion` as a share of the largest of any product that is new to the user.
    pub companion_relative: f32,
    /// The user's product that attracts it most.
    pub attraction_best: Option<TasteShare>,
    /// Mean likeness to the user's heaviest products, weighted by recency.
    pub content: f32,
    /// The user's product that it is most like.
    pub content_best: Option<TasteShare>,
    /// The product of the visit or the cart that it is most like.
    pub content_now: Option<TasteShare>,
    /// Whether its row is that of a product that nobody has bought or looked at yet.
    pub is_forgotten: bool,
}

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

/// One of the user's products with its part in a score of a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TasteShare {
    /// Catalogue index of the user's product.
    pub product: u32,
    /// Its share.
    pub score: f32,
}

impl Candidate {
    /// A candidate without relation to cart and history.
    pub fn new(product: u32, source: Source) -> Self {
        Self {
            product,
            source,
            cart_max: 0.0,
            cart_sum: 0.0,
            cart_best: None,
            taste: 0.0,
            taste_best: None,
            next: 0.0,
            search: 0.0,
            visit: VisitScores::default(),
            attraction: 0.0,
            attraction_last: 0.0,
            companion: 0.0,
            attraction_relative: 0.0,
            companion_relative: 0.0,
            attraction_best: None,
            content: 0.0,
            content_best: None,
            content_now: None,
            is_forgotten: false,
        }
    }

    /// The likeness of `content_now`; 0 if there is none.
    pub(crate) fn like_now(&self) -> f32 {
        self.content_now.map_or(0.0, |best| best.score)
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
