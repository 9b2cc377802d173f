//! The space in which hyperparameters are searched.
//!
//! The learning rate is not part of it: a lower one always costs rounds and gains a little.

use std::collections::BTreeMap;

use cartwheel_features::stable_hash;

/// The hyperparameters that a search varies.
pub(crate) const NAMES: [&str; 4] = ["max_depth", "min_child_weight", "lambda", "colsample_bytree"];
/// The values of each, in the order of [`NAMES`].
const VALUES: [&[&str]; 4] = [
    &["3", "4", "6", "8"],
    &["3", "10", "40", "100"],
    &["1", "5", "25", "100"],
    &["0.15", "0.3", "0.6"],
];
/// The first ones that are tried: small trees that trust few rows, small trees that ask for many, and
/// trees that see more columns.
const FIRST: [[&str; 4]; 3] =
    [["3", "3", "1", "0.15"], ["3", "40", "25", "0.15"], ["5", "10", "5", "0.6"]];
/// Draws from the space, at most: with few values left, all of them turn up.
const MAX_DRAWS: u32 = 1000;

/// Returns at most `count` hyperparameters to try beside the configured ones, without those that
/// are `fixed`. Beyond [`FIRST`], they are drawn by the configured seed.
pub(crate) fn challengers(
    count: usize,
    configured: &BTreeMap<String, String>,
    fixed: &BTreeMap<String, String>,
) -> Vec<BTreeMap<String, String>> {
    let seed = configured.get("seed").map_or("", String::as_str);
    let drawn = (0..MAX_DRAWS).map(|draw| {
        let draw = |at: usize| {
            let hash = stable_hash(format!("search/{seed}/{draw}/{}", NAMES[at]).as_bytes());
            VALUES[at][(hash % VALUES[at].len() as u64) as usize]
        };
        [draw(0), draw(1), draw(2), draw(3)]
    });
    let mut found: Vec<BTreeMap<String, String>> = Vec::new();
    for values in FIRST.into_iter().chain(drawn) {
        if found.len() >= count {
            break;
        }
        let changed: BTreeMap<String, String> = NAMES
            .into_iter()
            .zip(values)
            .filter(|(name, _)| !fixed.contains_key(*name))
            .filter(|(name, value)| !configured.get(*name).is_some_and(|own| same(own, value)))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        if !changed.is_empty() && !found.contains(&changed) {
            found.push(changed);
        }
    }
    found
}

fn same(a: &str, b: &str) -> bool {
    a == b || a.parse::<f64>().is_ok_and(|a| b.parse() == Ok(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(values: &[(&str, &str)]) -> BTreeMap<String, String> {
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn configured(seed: &str) -> BTreeMap<String, String> {
        map(&[
            ("max_depth", "5"),
            ("min_child_weight", "10.0"),
            ("lambda", "5"),
            ("colsample_bytree", "0.15"),
            ("seed", seed),
        ])
    }

    #[test]
    fn a_seed_draws_different_values_and_always_the_same() {
        let none = BTreeMap::new();
        let few = challengers(3, &configured("1"), &none);
        assert_eq!(few[0], map(&[("max_depth", "3"), ("min_child_weight", "3"), ("lambda", "1")]));
        assert_eq!(few[2], map(&[("colsample_bytree", "0.6")]), "10 is 10.0");
        let many = challengers(11, &configured("1"), &none);
        assert_eq!((many.len(), &many[..3]), (11, &few[..]));
        assert!((1..11).all(|at| !many[..at].contains(&many[at])));
        assert_eq!(many, challengers(11, &configured("1"), &none));
        assert_ne!(many, challengers(11, &configured("2"), &none));
        assert!(challengers(0, &configured("1"), &none).is_empty());
    }

    #[test]
    fn fixed_values_are_not_varied() {
        let fixed = map(&[("max_depth", "5"), ("lambda", "7"), ("min_child_weight", "10")]);
        let left = challengers(11, &configured("1"), &fixed);
        assert_eq!(
            left,
            [map(&[("colsample_bytree", "0.6")]), map(&[("colsample_bytree", "0.3")])]
        );
        let all = NAMES.map(|name| (name, "1"));
        assert!(challengers(11, &configured("1"), &map(&all)).is_empty());
    }
}
