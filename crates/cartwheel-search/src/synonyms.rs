//! Words that mean the same, as a shop writes them down.
//!
//! A line is a group, `soda, pop, soft drink`, each of which finds all others; or a direction,
//! `tv => television, screen`, where the left side also finds the right. Empty lines and those
//! that begin with `#` are skipped.

use rustc_hash::FxHashMap;

use crate::words::words;

/// Most groups of a file.
pub const MAX_SYNONYM_GROUPS: usize = 10_000;
/// Most phrases of a group.
const MAX_PHRASES: usize = 50;
/// Most words of a phrase.
const MAX_PHRASE: usize = 5;
/// Most ways to read a query, the first as it is written.
const MAX_READINGS: usize = 8;

/// Why a text does not say which words mean the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct InvalidSynonyms {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and how to write it.
    pub problem: String,
}

/// Words that mean the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Synonyms {
    /// By phrase, the phrases that it also finds.
    others: FxHashMap<Vec<String>, Vec<Vec<String>>>,
    longest: usize,
}

impl Synonyms {
    /// Reads the groups of a file.
    ///
    /// # Errors
    /// When a line is neither a group nor a direction, or the text is too large.
    pub fn parse(text: &str) -> Result<Self, InvalidSynonyms> {
        let mut synonyms = Self::default();
        let mut groups = 0;
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let invalid = |problem: String| InvalidSynonyms { line: number, problem };
            groups += 1;
            if groups > MAX_SYNONYM_GROUPS {
                let problem = format!("the file has more than {MAX_SYNONYM_GROUPS} groups");
                return Err(invalid(problem));
            }
            let (from, to) = match line.split_once("=>") {
                Some((from, to)) => (phrases(from), phrases(to)),
                None => (phrases(line), phrases(line)),
            };
            let (from, to) = (from.map_err(invalid)?, to.map_err(invalid)?);
            let has_pair = from.iter().any(|phrase| to.iter().any(|other| other != phrase));
            if !has_pair {
                let problem = "write two or more phrases, as in `soda, pop` or `tv => television`";
                return Err(invalid(problem.to_owned()));
            }
            for phrase in from {
                synonyms.longest = synonyms.longest.max(phrase.len());
                let others = synonyms.others.entry(phrase.clone()).or_default();
                let new: Vec<Vec<String>> = to
                    .iter()
                    .filter(|other| **other != phrase && !others.contains(other))
                    .cloned()
                    .collect();
                others.extend(new);
            }
        }
        Ok(synonyms)
    }

    /// The ways to read a query: as it is written, and with one phrase replaced.
    pub(crate) fn readings(&self, words: &[String]) -> Vec<Vec<String>> {
        let mut readings = vec![words.to_vec()];
        for start in 0..words.len() {
            let longest = self.longest.min(words.len() - start);
            for len in (1..=longest).rev() {
                let others = self.others.get(&words[start..start + len]);
                for other in others.into_iter().flatten() {
                    if readings.len() == MAX_READINGS {
                        return readings;
                    }
                    let (before, after) = (&words[..start], &words[start + len..]);
                    readings.push([before, other, after].concat());
                }
            }
        }
        readings
    }
}

/// The phrases between commas.
fn phrases(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut found: Vec<Vec<String>> = Vec::new();
    for phrase in text.split(',') {
        let words = words(phrase);
        if words.is_empty() || words.len() > MAX_PHRASE {
            let phrase: String = phrase.trim().chars().take(40).collect();
            return Err(format!("`{phrase}` does not have 1 to {MAX_PHRASE} words"));
        }
        if !found.contains(&words) {
            found.push(words);
        }
    }
    if found.len() > MAX_PHRASES {
        return Err(format!("a group has at most {MAX_PHRASES} phrases"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(synonyms: &Synonyms, query: &str) -> Vec<String> {
        let readings = synonyms.readings(&words(query));
        readings.into_iter().map(|words| words.join(" ")).collect()
    }

    #[test]
    fn a_group_goes_in_all_directions_and_an_arrow_in_one() {
        let text = "# drinks\nSoda, pop, Soft Drink\n\ntv => television\n";
        let synonyms = Synonyms::parse(text).unwrap();
        assert_eq!(readings(&synonyms, "diet pop"), ["diet pop", "diet soda", "diet soft drink"]);
        assert_eq!(readings(&synonyms, "soft drink"), ["soft drink", "soda", "pop"]);
        assert_eq!(readings(&synonyms, "tv"), ["tv", "television"]);
        assert_eq!(readings(&synonyms, "television"), ["television"]);
    }

    #[test]
    fn an_error_names_its_line() {
        for (text, line) in [
            ("soda, pop\nalone", 2),
            ("a, b\n\n#\ntv =>", 4),
            ("soda, , pop", 1),
            ("soda, one two three four five six", 1),
            ("tv => TV", 1),
        ] {
            assert_eq!(Synonyms::parse(text).unwrap_err().line, line, "{text}");
        }
        let many = "a, b\n".repeat(MAX_SYNONYM_GROUPS + 1);
        assert_eq!(Synonyms::parse(&many).unwrap_err().line, MAX_SYNONYM_GROUPS + 1);
    }

    #[test]
    fn readings_are_bounded() {
        let group: Vec<String> = (0..40).map(|n| format!("w{n}")).collect();
        let synonyms = Synonyms::parse(&group.join(", ")).unwrap();
        assert_eq!(readings(&synonyms, "w1 w2 w3").len(), MAX_READINGS);
    }
}
