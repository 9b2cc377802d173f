//! Writes scores as the container's Python server does, to the letter.

use std::fmt::Write as _;

use crate::refusal::Refusal;

/// The format of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A score on each line.
    Csv,
    /// `{"predictions": [{"score": 0.5}]}`.
    Json,
}

impl Format {
    /// Reads an `Accept` header; `usual` is the format of requests without a preference.
    pub(crate) fn accepted(accept: Option<&str>, usual: Self) -> Result<Self, Refusal> {
        let wanted = accept.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if wanted.is_empty() || wanted == "*/*" {
            return Ok(usual);
        }
        wanted.parse().map_err(Refusal::NotAcceptable)
    }

    /// Its media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }

    pub(crate) fn write(self, scores: &[f32]) -> String {
        let mut out = String::with_capacity(32 * scores.len() + 32);
        match self {
            Self::Csv => {
                for &score in scores {
                    push(&mut out, score);
                    out.push('\n');
                }
            }
            Self::Json => {
                out.push_str("{\"predictions\": [");
                for (at, &score) in scores.iter().enumerate() {
                    out.push_str(if at == 0 { "{\"score\": " } else { ", {\"score\": " });
                    push(&mut out, score);
                    out.push('}');
                }
                out.push_str("]}");
            }
        }
        out
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(media_type: &str) -> Result<Self, String> {
        match media_type.to_ascii_lowercase().as_str() {
            "text/csv" => Ok(Self::Csv),
            "application/json" => Ok(Self::Json),
            other => {
                Err(format!("{other:?} cannot be answered: accept text/csv or application/json"))
            }
        }
    }
}

/// Appends a score as Python's `repr` writes the `float` of the same value: with the fewest digits that
/// tell it from its neighbours, of these the closest or else the even ones, and with an exponent
/// below 1e-4 and from 1e16 on.
fn push(out: &mut String, score: f32) {
    let value = f64::from(score);
    // The fewest digits, but of two that are as close, not always the even ones: an `f32` has an
    // end that a wider number cuts off.
    let shortest = format!("{value:e}");
    let digits =
        shortest.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
    let closest = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = closest.split_once('e').unwrap_or((&closest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Writing to a string cannot fail.
    if value == 0.0 || (-4..16).contains(&exponent) {
        let decimals = usize::try_from(digits as i32 - 1 - exponent).unwrap_or(0).max(1);
        let _ = write!(out, "{value:.decimals$}");
        return;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(out, "{mantissa}e{sign}{:0>2}", exponent.abs());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_written_as_python_does() {
        let cases: [(f32, &str); 12] = [
            (0.3, "0.30000001192092896"),
            (0.5, "0.5"),
            (0.965_583_8, "0.9655838012695312"),
            (100.0, "100.0"),
            (1234.5, "1234.5"),
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1e-4, "9.999999747378752e-05"),
            (2f32.powi(-14), "6.103515625e-05"),
            (1.1e-10, "1.100000021625469e-10"),
            (1e16, "1.0000000272564224e+16"),
            (123_456.7, "123456.703125"),
        ];
        for (score, text) in cases {
            assert_eq!(Format::Csv.write(&[score]), format!("{text}\n"));
        }
        assert_eq!(
            Format::Json.write(&[0.5, -1.0]),
            "{\"predictions\": [{\"score\": 0.5}, {\"score\": -1.0}]}"
        );
    }
}
