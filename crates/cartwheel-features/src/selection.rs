//! Some of a fixed number of things with names, as settings list them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A thing that can be listed by its name.
pub trait Named: Copy + Ord + 'static {
    /// What such a thing is called.
    const WHAT: &'static str;
    /// The things that a list may name.
    const CHOICES: &'static [Self];

    /// The thing's name.
    fn name(self) -> &'static str;
}

/// Some of the choices, each at most once, in their order.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<String>", try_from = "Vec<String>", bound = "")]
pub struct Selection<T: Named>(Vec<T>);

impl<T: Named> Default for Selection<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Named> Selection<T> {
    /// Reads names.
    ///
    /// # Errors
    /// Returns the first name that no choice has.
    pub fn parse<N: AsRef<str>>(names: &[N]) -> Result<Self, String> {
        let choice = |name: &N| {
            let found = T::CHOICES.iter().find(|choice| choice.name() == name.as_ref());
            found.copied().ok_or_else(|| name.as_ref().to_owned())
        };
        let mut chosen = names.iter().map(choice).collect::<Result<Vec<T>, String>>()?;
        chosen.sort_unstable();
        chosen.dedup();
        Ok(Self(chosen))
    }

    /// Whether a choice is among them.
    pub fn contains(&self, choice: T) -> bool {
        self.0.contains(&choice)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Named> fmt::Debug for Selection<T> {
    /// The list of names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|choice| choice.name())).finish()
    }
}

impl<T: Named> From<Selection<T>> for Vec<String> {
    fn from(chosen: Selection<T>) -> Self {
        chosen.0.into_iter().map(|choice| choice.name().to_owned()).collect()
    }
}

impl<T: Named> TryFrom<Vec<String>> for Selection<T> {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        Self::parse(&names).map_err(|name| format!("no {} is named {name}", T::WHAT))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Source, Sources};

    #[test]
    fn names_are_read_in_any_order_and_written_in_one() {
        let sources = Sources::parse(&["affinity", "visit", "visit"]).unwrap();
        assert_eq!(format!("{sources:?}"), r#"["visit", "affinity"]"#);
        assert!(sources.contains(Source::Visit) && !sources.contains(Source::Cart));
        assert!(!sources.is_empty() && Sources::default().is_empty());
        assert_eq!(Sources::try_from(Vec::from(sources.clone())), Ok(sources));
        // Repetition and popularity always have a place in an answer.
        assert_eq!(Sources::parse(&["visit", "history"]), Err("history".to_owned()));
        let error = Sources::try_from(vec!["history".to_owned()]);
        assert_eq!(error, Err("no source is named history".to_owned()));
    }
}
