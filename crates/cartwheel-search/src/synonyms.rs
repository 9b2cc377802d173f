//! Words that mean the same, as a shop writes them down.
//!
//! A group, `soda, pop, soft drink`, lets each phrase find all others. A direction,
//! `tv => television, screen`, lets the left side also find the right.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::words::words;

/// Most groups of a shop.
pub const MAX_SYNONYM_GROUPS: usize = 10_000;
/// Longest group in characters.
const MAX_GROUP: usize = 2_000;
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
    /// The line of a file, or the group of a document, from 1.
    pub line: usize,
    /// What is wrong and how to write it.
    pub problem: String,
}

/// The document of words that mean the same, as it is stored and sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SynonymGroups {
    /// At most 10,000 groups of up to 2,000 characters. `soda, pop` finds in both directions, and
    /// `tv => television` in one. A group has up to 50 phrases of up to five words.
    #[cfg_attr(feature = "schema", schema(max_items = 10_000, example = json!(["soda, pop, soft drink"])))]
    pub groups: Vec<String>,
}

/// Words that mean the same. It is checked when it is read, and written as its document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "SynonymGroups", into = "SynonymGroups")]
pub struct Synonyms {
    document: SynonymGroups,
    /// By phrase, the phrases that it also finds.
    others: FxHashMap<Vec<String>, Vec<Vec<String>>>,
    longest: usize,
}

impl TryFrom<SynonymGroups> for Synonyms {
    type Error = InvalidSynonyms;

    fn try_from(document: SynonymGroups) -> Result<Self, InvalidSynonyms> {
        let mut synonyms = Self::default();
        for (group, line) in document.groups.iter().zip(1..) {
            synonyms.add(group).map_err(|problem| InvalidSynonyms { line, problem })?;
        }
        Ok(synonyms)
    }
}

impl From<Synonyms> for SynonymGroups {
    fn from(synonyms: Synonyms) -> Self {
        synonyms.document
    }
}

impl Synonyms {
    /// Reads a file with a group on each line. Empty lines and those that begin with `#` are
    /// skipped.
    ///
    /// # Errors
    /// When a line is neither a group nor a direction, or the text is too large.
    pub fn parse(text: &str) -> Result<Self, InvalidSynonyms> {
        let mut synonyms = Self::default();
        for (group, line) in text.lines().map(str::trim).zip(1..) {
            if !group.is_empty() && !group.starts_with('#') {
                synonyms.add(group).map_err(|problem| InvalidSynonyms { line, problem })?;
            }
        }
        Ok(synonyms)
    }

    /// The document.
    pub fn document(&self) -> &SynonymGroups {
        &self.document
    }

    fn add(&mut self, group: &str) -> Result<(), String> {
        if self.document.groups.len() == MAX_SYNONYM_GROUPS {
            return Err(format!("there are more than {MAX_SYNONYM_GROUPS} groups"));
        }
        if group.chars().count() > MAX_GROUP {
            return Err(format!("a group has at most {MAX_GROUP} characters"));
        }
        // A file could not hold it.
        if group.starts_with('#') || group.contains(char::is_control) {
            return Err("a group is one line and does not begin with #".to_owned());
        }
        let (from, to) = match group.split_once("=>") {
            Some((from, to)) => (phrases(from)?, phrases(to)?),
            None => (phrases(group)?, phrases(group)?),
        };
        let has_pair = from.iter().any(|phrase| to.iter().any(|other| other != phrase));
        if !has_pair {
            let problem = "write two or more phrases, as in `soda, pop` or `tv => television`";
            return Err(problem.to_owned());
        }
        for phrase in from {
            self.longest = self.longest.max(phrase.len());
            let others = self.others.entry(phrase.clone()).or_default();
            let new: Vec<Vec<String>> = to
                .iter()
                .filter(|other| **other != phrase && !others.contains(other))
                .cloned()
                .collect();
            others.extend(new);
        }
        self.document.groups.push(group.trim().to_owned());
        Ok(())
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
    fn a_document_is_written_as_it_is_read_and_checked() {
        let json = r#"{"groups":["soda, pop","tv => television"]}"#;
        let synonyms: Synonyms = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&synonyms).unwrap(), json);
        assert_eq!(synonyms, Synonyms::parse("# two\nsoda, pop\ntv => television").unwrap());
        let long = format!("a, {}", "b".repeat(MAX_GROUP));
        for group in ["alone", "# a, b", "a, b\nc, d", long.as_str()] {
            let groups = vec!["a, b".to_owned(), group.to_owned()];
            assert_eq!(
                Synonyms::try_from(SynonymGroups { groups }).unwrap_err().line,
                2,
                "{group}"
            );
        }
    }

    #[test]
    fn readings_are_bounded() {
        let group: Vec<String> = (0..40).map(|n| format!("w{n}")).collect();
        let synonyms = Synonyms::parse(&group.join(", ")).unwrap();
        assert_eq!(readings(&synonyms, "w1 w2 w3").len(), MAX_READINGS);
    }
}
