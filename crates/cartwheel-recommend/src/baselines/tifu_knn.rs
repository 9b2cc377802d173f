//! TIFU-KNN (Hu et al., SIGIR 2020): decayed frequencies of the user and of the nearest users.
//!
//! A user's orders are split into groups of equal size, the larger ones last. The user's vector
//! is the mean over groups `g` of `between^(m - g)` times the mean over their orders `t` of
//! `within^(n - t)`, for each product that the order holds. The score is `alpha` times the user's
//! vector plus `1 - alpha` times the mean of the vectors at the smallest Euclidean distance.
//! As in the authors' code, `n` counts all orders and `m` groups that are too few for its orders.

use cartwheel_features::OrderHistory;
use rustc_hash::FxHashMap;

use super::question::{Baseline, Question, top};
use super::tuning::{Labelled, recall};

/// Number of nearest users.
const NEIGHBOURS: usize = 300;
/// Ways to make a vector that are tried.
const SHAPES: [Shape; 4] = [
    Shape { groups: 3, within: 0.9, between: 0.7 },
    Shape { groups: 3, within: 0.9, between: 0.9 },
    Shape { groups: 7, within: 0.9, between: 0.7 },
    Shape { groups: 7, within: 0.9, between: 0.9 },
];
/// Shares of the user's own vector that are tried.
const ALPHAS: [f32; 4] = [0.7, 0.9, 0.5, 0.2];

type Vector = Vec<(u32, f32)>;

/// How a user's vector is made.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    groups: usize,
    within: f32,
    between: f32,
}

impl Shape {
    /// The vector of a user with these orders, sorted by product.
    fn vector(self, orders: &[&[u32]]) -> Vector {
        let count = orders.len();
        let groups = self.groups.min(count);
        let mut sums: FxHashMap<u32, f32> = FxHashMap::default();
        let mut begin = 0;
        for group in 0..groups {
            let larger = group >= groups - count % groups;
            let end = begin + count / groups + usize::from(larger);
            let decay = self.between.powi((self.groups - 1 - group) as i32);
            for (at, order) in orders.iter().enumerate().take(end).skip(begin) {
                let weight = decay * self.within.powi((count - 1 - at) as i32);
                for &product in *order {
                    *sums.entry(product).or_default() += weight / (groups * (end - begin)) as f32;
                }
            }
            begin = end;
        }
        let mut vector: Vector = sums.into_iter().collect();
        vector.sort_unstable_by_key(|&(product, _)| product);
        vector
    }
}

/// Vectors of reference users with an index by product.
struct Vectors {
    shape: Shape,
    vectors: Vec<Vector>,
    /// Square of each vector's length.
    squares: Vec<f32>,
    /// By product: user and weight.
    holders: FxHashMap<u32, Vec<(u32, f32)>>,
}

impl Vectors {
    fn new(shape: Shape, references: &[&OrderHistory]) -> Self {
        let vectors: Vec<Vector> =
            references.iter().map(|user| shape.vector(&user.baskets())).collect();
        let square = |vector: &Vector| vector.iter().map(|(_, weight)| weight * weight).sum();
        let mut holders: FxHashMap<u32, Vec<(u32, f32)>> = FxHashMap::default();
        for (user, vector) in (0_u32..).zip(&vectors) {
            for &(product, weight) in vector {
                holders.entry(product).or_default().push((user, weight));
            }
        }
        Self { shape, squares: vectors.iter().map(square).collect(), vectors, holders }
    }

    /// The mean of the vectors nearest to `own`.
    fn nearest(&self, own: &[(u32, f32)]) -> FxHashMap<u32, f32> {
        // The length of `own` is the same for all.
        let mut distances: Vec<(f32, usize)> = self.squares.iter().copied().zip(0..).collect();
        for (product, weight) in own {
            for &(user, other) in self.holders.get(product).map_or(&[][..], |held| held) {
                distances[user as usize].0 -= 2.0 * weight * other;
            }
        }
        let count = NEIGHBOURS.min(distances.len());
        if count < distances.len() {
            distances.select_nth_unstable_by(count, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            distances.truncate(count);
        }
        // The same order of additions everywhere.
        distances.sort_unstable_by_key(|&(_, user)| user);
        let mut mean: FxHashMap<u32, f32> = FxHashMap::default();
        for &(_, user) in &distances {
            for &(product, weight) in &self.vectors[user] {
                *mean.entry(product).or_default() += weight / count as f32;
            }
        }
        mean
    }

    /// The user's own vector and the mean of the nearest.
    fn parts(&self, orders: &[&[u32]]) -> (Vector, FxHashMap<u32, f32>) {
        let own = self.shape.vector(orders);
        let nearest = self.nearest(&own);
        (own, nearest)
    }
}

/// Scores from the user's own vector and the mean of the nearest.
fn blend(own: &[(u32, f32)], nearest: &FxHashMap<u32, f32>, alpha: f32) -> FxHashMap<u32, f32> {
    let mut scores: FxHashMap<u32, f32> =
        nearest.iter().map(|(&product, weight)| (product, (1.0 - alpha) * weight)).collect();
    for &(product, weight) in own {
        *scores.entry(product).or_default() += alpha * weight;
    }
    scores
}

/// TIFU-KNN over reference users.
pub(super) struct TifuKnn {
    vectors: Vectors,
    alpha: f32,
}

impl TifuKnn {
    /// Chooses the parameters with the highest Recall@10 for the newest orders of `tuning`.
    pub(super) fn tuned(references: &[&OrderHistory], tuning: &[Labelled<'_>]) -> Self {
        let mut chosen = (-1.0, SHAPES[0], ALPHAS[0]);
        for shape in SHAPES {
            let vectors = Vectors::new(shape, references);
            let parts: Vec<_> = tuning.iter().map(|user| vectors.parts(&user.before)).collect();
            for alpha in ALPHAS {
                let lists = parts.iter().map(|(own, nearest)| top(blend(own, nearest, alpha), 10));
                let recall = recall(lists, tuning);
                if recall > chosen.0 {
                    chosen = (recall, shape, alpha);
                }
            }
        }
        let (_, shape, alpha) = chosen;
        Self { vectors: Vectors::new(shape, references), alpha }
    }
}

impl Baseline for TifuKnn {
    fn name(&self) -> &'static str {
        "TIFU-KNN"
    }

    fn rank(&self, question: &Question<'_>, limit: usize) -> Vec<u32> {
        if question.orders.is_empty() {
            return question.best([], limit);
        }
        let (own, nearest) = self.vectors.parts(question.orders);
        question.best(blend(&own, &nearest, self.alpha), limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_that_of_the_authors_code() {
        let shape = Shape { groups: 3, within: 0.9, between: 0.7 };
        // 4 orders in 3 groups: of 1, 1 and 2.
        let vector = shape.vector(&[&[1], &[1, 2], &[3], &[1]]);
        let one = 0.9_f32.powi(3) * 0.49 + 0.81 * 0.7 + 0.5;
        let expected = [(1, one / 3.0), (2, 0.81 * 0.7 / 3.0), (3, 0.9 * 0.5 / 3.0)];
        for ((product, weight), (expected_product, expected)) in vector.iter().zip(expected) {
            assert_eq!(*product, expected_product);
            assert!((weight - expected).abs() < 1e-6, "{product}: {weight} {expected}");
        }
        // Fewer orders than groups: a group for each.
        let vector = shape.vector(&[&[5], &[6]]);
        assert!((vector[0].1 - 0.9 * 0.49 / 2.0).abs() < 1e-6, "{vector:?}");
        assert!((vector[1].1 - 0.7 / 2.0).abs() < 1e-6, "{vector:?}");
        assert!(shape.vector(&[]).is_empty());
    }
}
