//! Thompson sampling whose probabilities are known.
//!
//! Thompson sampling draws a click rate for each arm from what is believed of it, and shows the arm
//! with the largest one (Chapelle and Li, "An Empirical Evaluation of Thompson Sampling", NIPS 2011).
//! How likely an arm is to win has no closed form. Here these probabilities are computed first, on a
//! grid of click rates, and the arm is drawn from them: the policy is Thompson's up to the grid, and
//! the propensity of what it shows is exact.

use std::sync::LazyLock;

use cartwheel_features::{fnv1a, mix};

/// Cells of the grid. Click rates are small, so that cell `k` of `CELLS` has the rate
/// ((k + 1/2) / CELLS)².
const CELLS: usize = 512;
/// Trials from which on more of them make a belief no firmer: the grid tells no finer ones apart.
const MOST_TRIALS: f64 = 10_000.0;
/// The least α of a prior, so that its density stays bounded on the grid.
const LEAST_ALPHA: f64 = 0.5;

/// By cell, the logarithms of √rate and of 1 − rate.
static LOGARITHMS: LazyLock<Vec<(f64, f64)>> = LazyLock::new(|| {
    let root = |cell: usize| (cell as f64 + 0.5) / CELLS as f64;
    (0..CELLS).map(root).map(|root| (root.ln(), (-root * root).ln_1p())).collect()
});

/// What is believed of the click rate of an arm: Beta(α, β) with α = s·m + c and
/// β = s·(1 − m) + n − c, for a prior mean m of the strength s, and c clicks in n trials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Belief {
    alpha: f64,
    beta: f64,
}

/// The mean of a belief, and the interval that contains the rate with a probability of 90 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean click rate, 0 to 1.
    pub mean: f64,
    /// The 5 % quantile.
    pub low: f64,
    /// The 95 % quantile.
    pub high: f64,
}

impl Belief {
    /// A belief from a prior mean between 0 and 1, which counts as much as `strength` trials, and what
    /// was seen since. Prior means are kept away from 0 and above 1/2 by the least α of ½ and by β ≥ α.
    pub fn new(prior: f64, strength: f64, trials: u64, clicks: u64) -> Self {
        let (trials, clicks) = (trials.max(clicks) as f64, clicks as f64);
        let kept = (MOST_TRIALS / trials.max(1.0)).min(1.0);
        let alpha = (strength * prior).max(LEAST_ALPHA).min(strength / 2.0);
        Self { alpha: alpha + kept * clicks, beta: strength - alpha + kept * (trials - clicks) }
    }

    /// The probability of each cell of the grid.
    fn cells(&self) -> Vec<f64> {
        // The density of √rate, up to a factor.
        let log =
            |(root, rest): &(f64, f64)| (2.0 * self.alpha - 1.0) * root + (self.beta - 1.0) * rest;
        let logs: Vec<f64> = LOGARITHMS.iter().map(log).collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = logs.iter().map(|log| (log - most).exp()).collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    }

    /// The mean, and an interval that is as wide as a cell of the grid at least.
    pub fn estimate(&self) -> Estimate {
        let edge = |cell: usize| (cell as f64 / CELLS as f64).powi(2);
        let cells = self.cells();
        let mut sum = 0.0;
        let (mut low, mut high) = (0.0, 1.0);
        for (at, cell) in cells.into_iter().enumerate() {
            let before = sum;
            sum += cell;
            if before < 0.05 && sum >= 0.05 {
                low = edge(at);
            }
            if before < 0.95 && sum >= 0.95 {
                high = edge(at + 1);
            }
        }
        Estimate { mean: self.alpha / (self.alpha + self.beta), low, high }
    }
}

/// Arms of which some are drawn, without replacement.
#[derive(Debug, Clone)]
pub struct Arms {
    /// By arm, the probability of each cell of the grid; `None` once it is drawn or dropped.
    cells: Vec<Option<Vec<f64>>>,
}

impl Arms {
    /// Arms with these beliefs.
    pub fn new(beliefs: &[Belief]) -> Self {
        Self { cells: beliefs.iter().map(|belief| Some(belief.cells())).collect() }
    }

    /// Takes an arm out.
    pub fn remove(&mut self, arm: usize) {
        if let Some(cells) = self.cells.get_mut(arm) {
            *cells = None;
        }
    }

    /// The probability that each arm is drawn next: that its rate is the largest of those that are
    /// left. An arm that was taken out has 0; the others sum to 1. With F the cumulated and f the single
    /// cells, an arm has the share Σₖ fᵢ(k) · Πⱼ (Fⱼ(k) − fⱼ(k)/2) over the other arms j.
    pub fn propensities(&self) -> Vec<f64> {
        let left: Vec<(usize, &Vec<f64>)> =
            (self.cells.iter().enumerate()).filter_map(|(at, c)| Some((at, c.as_ref()?))).collect();
        let mut shares = vec![0.0; self.cells.len()];
        let mut below = vec![0.0; left.len()];
        let mut after = vec![1.0; left.len() + 1];
        for cell in 0..CELLS {
            // The probability that the rate of an arm is lower, with half of the equal ones.
            let lower = |at: usize, below: &[f64]| below[at] + left[at].1[cell] / 2.0;
            for at in (0..left.len()).rev() {
                after[at] = after[at + 1] * lower(at, &below);
            }
            let mut before = 1.0;
            for (at, (arm, cells)) in left.iter().enumerate() {
                shares[*arm] += cells[cell] * before * after[at + 1];
                before *= lower(at, &below);
                below[at] += cells[cell];
            }
        }
        let sum: f64 = shares.iter().sum();
        if sum > 0.0 {
            shares.iter_mut().for_each(|share| *share /= sum);
        }
        shares
    }

    /// Draws the arm of a random number from 0 to below 1, takes it out, and returns it with its
    /// propensity. `None` if no arm is left.
    pub fn draw(&mut self, uniform: f64) -> Option<(usize, f64)> {
        let propensities = self.propensities();
        let mut rest = uniform;
        let mut drawn = None;
        for (arm, &propensity) in propensities.iter().enumerate() {
            if propensity > 0.0 {
                // Rounding may leave the sum below the number: the last arm takes what is left.
                drawn = Some((arm, propensity));
                if rest < propensity {
                    break;
                }
                rest -= propensity;
            }
        }
        let (arm, _) = drawn?;
        self.remove(arm);
        drawn
    }
}

/// The random number, from 0 to below 1, of an answer's `draw`th draw: the same for the same id. The
/// hash of the id is FNV-1a, the generator SplitMix64 (Steele et al., OOPSLA 2014).
pub fn uniform(id: &str, draw: u64) -> f64 {
    let state = (draw + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(fnv1a(id.as_bytes()));
    (mix(state) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three arms: a good one, a poor one that is known well, and a new one.
    fn beliefs() -> [Belief; 3] {
        [
            Belief::new(0.05, 40.0, 200, 20),
            Belief::new(0.05, 40.0, 2_000, 20),
            Belief::new(0.05, 10.0, 0, 0),
        ]
    }

    #[test]
    fn frequencies_are_the_propensities_of_each_draw_given_those_before() {
        const DRAWS: usize = 100_000;
        let arms = Arms::new(&beliefs());
        let first = arms.propensities();
        assert!((first.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{first:?}");
        let mut counts = [[0_usize; 3]; 3];
        let mut stated = [[0.0; 3]; 3];
        for n in 0..DRAWS {
            let id = format!("019ac5a2-{n}");
            let mut left = arms.clone();
            let (a, p) = left.draw(uniform(&id, 0)).unwrap();
            assert_eq!(p, first[a]);
            let (b, q) = left.draw(uniform(&id, 1)).unwrap();
            counts[a][b] += 1;
            stated[a][b] = q;
        }
        // Five standard deviations of a frequency.
        let within = |count: usize, of: usize, p: f64| {
            let error = (count as f64 / of as f64 - p).abs();
            assert!(error <= 5.0 * (p * (1.0 - p) / of as f64).sqrt(), "{count} of {of}: {p}");
        };
        for (a, row) in counts.iter().enumerate() {
            let of: usize = row.iter().sum();
            within(of, DRAWS, first[a]);
            for b in (0..3).filter(|b| *b != a && of > 0) {
                within(row[b], of, stated[a][b]);
            }
        }
    }

    #[test]
    fn they_are_those_of_thompson_sampling() {
        // Of three equal arms each wins a third; of Beta(1, 1) against Beta(2, 1), 1/3 against 2/3.
        let equal = Arms::new(&[Belief::new(0.1, 20.0, 5, 1); 3]).propensities();
        assert!(equal.iter().all(|p| (p - 1.0 / 3.0).abs() < 1e-9), "{equal:?}");
        let [flat, better] = [1.0, 2.0].map(|alpha| Belief { alpha, beta: 1.0 });
        let found = Arms::new(&[flat, better]).propensities();
        assert!((found[0] - 1.0 / 3.0).abs() < 1e-3, "{found:?}");
    }

    #[test]
    fn more_trials_make_a_belief_firmer_and_a_poor_arm_rare() {
        let [good, poor, new] = beliefs();
        let found = Arms::new(&[good, poor, new]).propensities();
        assert!(found[1] < 0.01 && found[0] > found[2] && found[2] > 0.1, "{found:?}");
        let (known, new) = (poor.estimate(), new.estimate());
        assert!(known.high - known.low < new.high - new.low, "{known:?} {new:?}");
        assert!(known.low < known.mean && known.mean < known.high, "{known:?}");
        // Any number of trials is possible.
        let many = Belief::new(0.0, 40.0, u64::MAX, 1 << 60).estimate();
        assert!(many.low > 0.0 && many.high < 1.0 && many.mean.is_finite(), "{many:?}");
    }

    #[test]
    fn an_arm_is_drawn_once_and_none_is_left_at_the_end() {
        let mut arms = Arms::new(&beliefs());
        arms.remove(1);
        let first = arms.draw(0.999_999_999).unwrap().0;
        let (second, last) = arms.draw(0.5).unwrap();
        assert_eq!([first.min(second), first.max(second)], [0, 2]);
        assert_eq!(last, 1.0, "nothing else could be drawn");
        assert_eq!(arms.draw(0.0), None);
    }

    #[test]
    fn draws_of_an_answer_never_change() {
        // An answer is computed again from its id, also by a later release.
        assert_eq!(
            [0, 1].map(|draw| uniform("r-1", draw)),
            [0.24892555466934085, 0.492422490108981]
        );
    }
}
