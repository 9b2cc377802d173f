//! The normal distribution.

use std::f64::consts::SQRT_2;

/// The probability that a standard normal variable is larger than `z`.
pub(crate) fn above(z: f64) -> f64 {
    let tail = 0.5 * erfc(z.abs() / SQRT_2);
    if z < 0.0 { 1.0 - tail } else { tail }
}

/// The complementary error function for `x >= 0`, with a relative error below 1.2e-7 (Press et
/// al., Numerical Recipes, 6.2).
pub(crate) fn erfc(x: f64) -> f64 {
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
