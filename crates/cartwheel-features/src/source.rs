//! Why products are proposed, and which of these ways a shop has switched off.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason why a product is a candidate, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The user bought it before.
    History,
    /// The user has just looked at it.
    Seen,
    /// It is bought together with a product in the cart.
    Cart,
    /// It has the words that the user has searched for.
    Search,
    /// Shoppers turn to it after what the user has just looked at.
    Visit,
    /// It is bought together with products that the user buys.
    Taste,
    /// Users with such a history buy it next.
    Next,
    /// Customers who bought what the user has bought also bought it.
    Affinity,
    /// It is like what the user buys or turns to, by what the shop says about it.
    Content,
    /// It is popular with all users.
    Popular,
    /// Shoppers turn to it now.
    Trending,
    /// It is so new that no order has taught anything about it.
    New,
}

impl Source {
    /// The sources that can be switched off.
    pub const OPTIONAL: [Self; 8] = [
        Self::Seen,
        Self::Cart,
        Self::Search,
        Self::Visit,
        Self::Taste,
        Self::Next,
        Self::Affinity,
        Self::Content,
    ];

    /// Returns the source's name in impressions, explanations and settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Seen => "seen",
            Self::Cart => "cart",
            Self::Search => "search",
            Self::Visit => "visit",
            Self::Taste => "taste",
            Self::Next => "next",
            Self::Affinity => "affinity",
            Self::Content => "content",
            Self::Popular => "popular",
            Self::Trending => "trending",
            Self::New => "new",
        }
    }
}

/// Sources that can be switched off, each at most once.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "Vec<String>", try_from = "Vec<String>")]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Reads names of sources.
    ///
    /// # Errors
    /// Returns the first name that no source of [`Source::OPTIONAL`] has.
    pub fn parse<T: AsRef<str>>(names: &[T]) -> Result<Self, String> {
        let source = |name: &T| {
            let found = Source::OPTIONAL.into_iter().find(|s| s.as_str() == name.as_ref());
            found.ok_or_else(|| name.as_ref().to_owned())
        };
        let mut sources = names.iter().map(source).collect::<Result<Vec<Source>, String>>()?;
        sources.sort_unstable();
        sources.dedup();
        Ok(Self(sources))
    }

    /// Whether a source is among them.
    pub fn contains(&self, source: Source) -> bool {
        self.0.contains(&source)
    }
}

impl fmt::Debug for Sources {
    /// The list of names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|source| source.as_str())).finish()
    }
}

impl From<Sources> for Vec<String> {
    fn from(sources: Sources) -> Self {
        sources.0.into_iter().map(|source| source.as_str().to_owned()).collect()
    }
}

impl TryFrom<Vec<String>> for Sources {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        Self::parse(&names).map_err(|name| format!("no source is named {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_order_and_written_in_one() {
        let sources = Sources::parse(&["affinity", "visit", "visit"]).unwrap();
        assert_eq!(format!("{sources:?}"), r#"["visit", "affinity"]"#);
        assert!(sources.contains(Source::Visit) && !sources.contains(Source::Cart));
        assert_eq!(Sources::try_from(Vec::from(sources.clone())), Ok(sources));
        // Repetition and popularity always have a place in an answer.
        assert_eq!(Sources::parse(&["visit", "history"]), Err("history".to_owned()));
    }
}
