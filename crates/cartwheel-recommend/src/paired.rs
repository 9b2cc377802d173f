//! Tests of differences between two recommenders that answer the same questions.

use serde::{Deserialize, Serialize};

use crate::metrics::{Mean, Score, mean};

/// A difference, question by question.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Paired {
    /// The mean difference.
    pub mean: f64,
    /// Its standard error, clustered by user.
    pub se: f64,
    /// The probability of a difference at least as large if the true one were 0: two-sided, by
    /// the normal approximation.
    pub p_value: f64,
}

impl From<Paired> for Mean {
    fn from(Paired { mean, se, .. }: Paired) -> Self {
        Self { mean, se }
    }
}

/// Compares the scores of two recommenders for the same questions, in the same order.
pub fn paired(ours: &[Score], theirs: &[Score]) -> Paired {
    let pairs = ours.iter().zip(theirs);
    let differences: Vec<Score> =
        pairs.map(|(a, b)| Score { value: a.value - b.value, ..*a }).collect();
    let difference = mean(&differences);
    Paired {
        mean: difference.mean,
        se: difference.se,
        p_value: p_value(difference.mean, difference.se),
    }
}

/// The two-sided p-value of a mean with a standard error.
fn p_value(mean: f64, se: f64) -> f64 {
    match (mean == 0.0, se == 0.0) {
        (true, _) => 1.0,
        // A single user, or the same difference for each: the error is not known.
        (false, true) => 1.0,
        (false, false) => erfc((mean / se).abs() / std::f64::consts::SQRT_2),
    }
}

/// The complementary error function for `x >= 0`, with a relative error below 1.2e-7 (Press et
/// al., Numerical Recipes, 6.2).
fn erfc(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let t = 1.0 / (1.0 + 0.5 * x);
    let sum = COEFFICIENTS.iter().rev().fold(0.0, |sum, c| sum * t + c);
    t * (sum - x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_those_of_the_normal_distribution() {
        for (z, expected) in
            [(1.0, 0.317_311), (1.959_964, 0.05), (2.575_829, 0.01), (5.0, 5.733e-7)]
        {
            let p = p_value(-z * 0.01, 0.01);
            assert!((p / expected - 1.0).abs() < 1e-4, "{z}: {p}");
        }
        assert_eq!((p_value(0.0, 0.1), p_value(0.1, 0.0)), (1.0, 1.0));
    }

    /// One question a user.
    fn scores(values: &[f64]) -> Vec<Score> {
        values.iter().zip(0..).map(|(&value, user)| Score { user, value }).collect()
    }

    #[test]
    fn differences_are_taken_question_by_question() {
        let far = paired(&scores(&[0.1, 0.5, 0.9, 0.3]), &scores(&[0.0, 0.41, 0.8, 0.19]));
        assert!((far.mean - 0.1).abs() < 1e-9 && far.se < 0.005 && far.p_value < 1e-6, "{far:?}");
        let same = paired(&scores(&[0.1, 0.5]), &scores(&[0.5, 0.1]));
        assert_eq!((same.mean, same.p_value), (0.0, 1.0));
    }

    #[test]
    fn the_same_questions_asked_again_make_no_difference_more_certain() {
        let (ours, theirs) =
            (scores(&[0.1, 0.5, 0.9, 0.3, 0.0]), scores(&[0.0, 0.6, 0.4, 0.1, 0.1]));
        let once = paired(&ours, &theirs);
        let again =
            paired(&[&ours[..], &ours, &ours].concat(), &[&theirs[..], &theirs, &theirs].concat());
        assert!((once.se - again.se).abs() < 1e-12, "{once:?} {again:?}");
        assert!((once.p_value - again.p_value).abs() < 1e-9);
    }
}
