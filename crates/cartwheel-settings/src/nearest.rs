//! The nearest name to a mistyped one.

use strsim::damerau_levenshtein;

/// Finds the name that `unknown` most likely means; `None` if no name is near.
///
/// Case and separators do not count. Three rules apply, one after another:
/// 1. the whole names differ in at most a quarter of the letters;
/// 2. the same holds for `unknown` or its last words and a name without its first word, because
///    people remember a key better than its area;
/// 3. all words of `unknown` are words of the name.
pub fn nearest<'a>(unknown: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let unknown = words(unknown);
    let names: Vec<(&str, Vec<String>)> =
        names.into_iter().map(|name| (name, words(name))).collect();
    let whole = names.iter().filter_map(|(name, words)| Some((distance(&unknown, words)?, *name)));
    let ends = names.iter().flat_map(|(name, words)| {
        let ends = (0..unknown.len()).map(|from| &unknown[from..]);
        let end = words.get(1..).filter(|end| !end.is_empty());
        ends.filter_map(move |of_unknown| Some((distance(of_unknown, end?)?, *name)))
    });
    let containing = names.iter().filter(|(_, words)| {
        !unknown.is_empty() && unknown.iter().all(|word| words.contains(word))
    });
    let containing = containing.map(|(name, words)| (words.len(), *name));
    let first = |found: Option<(usize, &'a str)>| found.map(|(_, name)| name);
    first(whole.min_by_key(|found| found.0))
        .or_else(|| first(ends.min_by_key(|found| found.0)))
        .or_else(|| first(containing.min_by_key(|found| found.0)))
}

/// The number of changed letters between two names; `None` if the names are too different.
fn distance(a: &[String], b: &[String]) -> Option<usize> {
    let (a, b) = (a.join("_"), b.join("_"));
    let distance = damerau_levenshtein(&a, &b);
    (distance <= (a.len() / 4).max(1)).then_some(distance)
}

fn words(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_is_found() {
        let names = ["server.listen", "server.max_connections", "train.max_depth", "stream.shards"];
        for (unknown, expected) in [
            ("server.listn", Some("server.listen")),
            ("SERVER__LISTEN", Some("server.listen")),
            ("api.listen", Some("server.listen")),
            ("API__LISTN", Some("server.listen")),
            ("train.maxdepth", Some("train.max_depth")),
            ("train.depth", Some("train.max_depth")),
            ("listen", Some("server.listen")),
            ("connections", Some("server.max_connections")),
            ("stream.shrads", Some("stream.shards")),
            ("gate.mean", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(unknown, names), expected, "{unknown}");
        }
    }
}
