//! Shapley values of a row's features, in one walk over every tree.
//!
//! For one leaf, each feature on its path has a `share`, the product of the cover ratios at
//! the feature's splits, and `followed`, which is 1 if the row takes the leaf's side at all
//! of them and 0 otherwise. For a coalition of features, the leaf contributes its value
//! times the `followed` of the features in the coalition times the `share` of the others.
//! By Owen ("Multilinear extensions of games", 1972) the Shapley value of feature `i` is
//! then
//!
//! ```text
//! leaf · (followedᵢ - shareᵢ) · ∫₀¹ ∏_{j≠i} (shareⱼ · (1 - t) + followedⱼ · t) dt
//! ```
//!
//! The integrand is a polynomial, for which Gauss-Legendre quadrature is exact. The values
//! equal those of `TreeSHAP`'s Algorithm 2. That algorithm divides factors out of a
//! polynomial's coefficients, which loses all digits on long paths; this one does not. The
//! leaves below an edge are summed before the edge's feature is credited, as in Yu et al.
//! ("Linear TreeShap", 2022), so a walk costs the number of nodes times half the depth.

use crate::error::ExplainError;
use crate::statistics::Statistics;

/// The deepest tree explained; bounds the recursion and the quadrature.
const MAX_EXPLAINED_DEPTH: usize = 64;

/// Writes the contribution of every feature to `out`, which is as wide as `row`.
pub fn contributions(
    statistics: &Statistics,
    row: &[f32],
    out: &mut [f32],
) -> Result<(), ExplainError> {
    // A path has at most as many features as levels, and `POINTS` points are exact for a
    // product of up to `2 * POINTS - 1` factors.
    match statistics.depth {
        0..=4 => Walk::<2>::over(statistics, row, out),
        5..=6 => Walk::<3>::over(statistics, row, out),
        7..=8 => Walk::<4>::over(statistics, row, out),
        9..=16 => Walk::<8>::over(statistics, row, out),
        17..=32 => Walk::<16>::over(statistics, row, out),
        33..=MAX_EXPLAINED_DEPTH => Walk::<{ MAX_EXPLAINED_DEPTH / 2 }>::over(statistics, row, out),
        found => return Err(ExplainError::TooDeep { found, limit: MAX_EXPLAINED_DEPTH }),
    }
    Ok(())
}

/// A feature on the path from the root.
#[derive(Debug, Clone, Copy)]
struct Factor {
    /// The product of the cover ratios at the feature's splits.
    share: f64,
    /// 1 if the row takes this side at all of them, else 0.
    followed: f64,
}

impl Factor {
    /// The factor of a feature that is not on the path; it is 1 for every `t`.
    const ABSENT: Self = Self { share: 1.0, followed: 1.0 };

    /// Returns the factor of the product under the integral. It is positive if the feature
    /// is followed, since `0 < t < 1`.
    fn at(self, t: f64) -> f64 {
        self.share * (1.0 - t) + self.followed * t
    }

    /// Returns the difference that the feature's presence in the coalition makes.
    fn change(self) -> f64 {
        self.followed - self.share
    }
}

/// A walk over the trees with one row. Arrays with `POINTS` entries are functions of `t` at
/// the points of the quadrature.
struct Walk<'a, const POINTS: usize> {
    statistics: &'a Statistics,
    row: &'a [f32],
    quadrature: Quadrature<POINTS>,
    /// By feature, for the path to the current node.
    factors: Vec<Factor>,
    /// Contributions so far, by feature.
    sums: Vec<f64>,
}

impl<'a, const POINTS: usize> Walk<'a, POINTS> {
    fn over(statistics: &'a Statistics, row: &'a [f32], out: &mut [f32]) {
        let mut walk = Self {
            statistics,
            row,
            quadrature: Quadrature::new(),
            factors: vec![Factor::ABSENT; row.len()],
            sums: vec![0.0; row.len()],
        };
        for &root in &statistics.roots {
            walk.below(root as usize, &[1.0; POINTS]);
        }
        for (out, sum) in out.iter_mut().zip(walk.sums) {
            *out = sum as f32;
        }
    }

    /// Credits the splits from this node down. Returns the sum of the leaves, each times the
    /// factors from here to it. `product` is the product of the factors from the root to
    /// here.
    fn below(&mut self, node: usize, product: &[f64; POINTS]) -> [f64; POINTS] {
        let node = self.statistics.nodes[node];
        if node.is_leaf() {
            return [f64::from(node.value); POINTS];
        }
        let feature = node.feature();
        let left = f64::from(u8::from(node.goes_left(self.row[feature])));
        let before = self.factors[feature];
        let mut sum = [0.0; POINTS];
        for ((share, way), child) in
            self.statistics.shares(&node).into_iter().zip([left, 1.0 - left]).zip(node.left..)
        {
            let after = Factor { share: before.share * share, followed: before.followed * way };
            self.factors[feature] = after;
            let part = if before.followed > 0.0 {
                self.credited(feature, before, after, child as usize, product)
            } else {
                self.scaled(share, child as usize, product)
            };
            for (sum, part) in sum.iter_mut().zip(part) {
                *sum += part;
            }
        }
        self.factors[feature] = before;
        sum
    }

    /// Descends an edge that changes its feature's factor. The leaves below then credit the
    /// feature by the new factor instead of the old one.
    fn credited(
        &mut self,
        feature: usize,
        before: Factor,
        after: Factor,
        child: usize,
        product: &[f64; POINTS],
    ) -> [f64; POINTS] {
        let mut others = *product;
        let mut ratio = self.quadrature.points.map(|t| after.at(t));
        // At the first split on a feature, the usual case, this would divide by 1.
        if before.share < 1.0 {
            for (i, &t) in self.quadrature.points.iter().enumerate() {
                let inverse = 1.0 / before.at(t);
                others[i] *= inverse;
                ratio[i] *= inverse;
            }
        }
        let leaf = &self.statistics.nodes[child];
        let mut sum = if leaf.is_leaf() {
            [f64::from(leaf.value); POINTS]
        } else {
            self.below(child, &std::array::from_fn(|i| product[i] * ratio[i]))
        };
        let mut credit = 0.0;
        for (i, &weight) in self.quadrature.weights.iter().enumerate() {
            let change = after.change() - before.change() * ratio[i];
            credit += weight * others[i] * sum[i] * change;
            sum[i] *= ratio[i];
        }
        self.sums[feature] += credit;
        sum
    }

    /// Descends an edge below an earlier split on the same feature that the row did not
    /// follow. The factor is only scaled, and the feature's credit is unchanged.
    fn scaled(&mut self, share: f64, child: usize, product: &[f64; POINTS]) -> [f64; POINTS] {
        self.below(child, &product.map(|product| product * share)).map(|sum| sum * share)
    }
}

/// Gauss-Legendre quadrature from 0 to 1, exact for polynomials of a degree below
/// `2 * POINTS`.
struct Quadrature<const POINTS: usize> {
    points: [f64; POINTS],
    weights: [f64; POINTS],
}

impl<const POINTS: usize> Quadrature<POINTS> {
    fn new() -> Self {
        let mut quadrature = Self { points: [0.0; POINTS], weights: [0.0; POINTS] };
        for i in 0..POINTS {
            let guess = std::f64::consts::PI * (i as f64 + 0.75) / (POINTS as f64 + 0.5);
            let mut x = guess.cos();
            // From this guess, each step of Newton's method doubles the number of digits.
            for _ in 0..5 {
                let (value, slope) = legendre(POINTS, x);
                x -= value / slope;
            }
            let (_, slope) = legendre(POINTS, x);
            quadrature.points[i] = 0.5 * (1.0 + x);
            quadrature.weights[i] = 1.0 / ((1.0 - x * x) * slope * slope);
        }
        quadrature
    }
}

/// Returns the Legendre polynomial of a degree of at least 1 and its slope, for -1 < x < 1.
fn legendre(degree: usize, x: f64) -> (f64, f64) {
    let (mut previous, mut value) = (1.0, x);
    for n in 2..=degree {
        let n = n as f64;
        let next = ((2.0 * n - 1.0) * x * value - (n - 1.0) * previous) / n;
        (previous, value) = (value, next);
    }
    (value, degree as f64 * (x * value - previous) / (x * x - 1.0))
}
