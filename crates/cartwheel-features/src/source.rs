//! Why products are proposed, and which of these ways a shop has switched off.

use crate::selection::{Named, Selection};

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
    pub const fn as_str(self) -> &'static str {
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

/// Sources that are switched off.
pub type Sources = Selection<Source>;

impl Named for Source {
    const WHAT: &'static str = "source";
    const CHOICES: &'static [Self] = &Self::OPTIONAL;

    fn name(self) -> &'static str {
        self.as_str()
    }
}
