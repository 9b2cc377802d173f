//! What the columns of a feature row tell about.

use crate::selection::{Named, Selection};

/// A subject of columns. The contributions of its columns add up to that of the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// How the user bought the product before.
    Habit,
    /// How the product goes with the cart.
    Cart,
    /// Whether it matches what the user has searched for.
    Search,
    /// How it goes with what the user has just looked at.
    Visit,
    /// Whether it is bought together with products of the user.
    Taste,
    /// Whether customers with such a history buy it next.
    Next,
    /// Whether customers of the user's products also buy it.
    Affinity,
    /// Whether it is like what the user buys or looks at, by what the shop says about it.
    Content,
    /// How much the user buys of its aisle and department.
    Aisle,
    /// How well it sells.
    Popularity,
    /// What kind of customer the user is.
    Customer,
    /// When the user asks.
    Moment,
}

impl Subject {
    /// Every subject.
    pub const ALL: [Self; 12] = [
        Self::Habit,
        Self::Cart,
        Self::Search,
        Self::Visit,
        Self::Taste,
        Self::Next,
        Self::Affinity,
        Self::Content,
        Self::Aisle,
        Self::Popularity,
        Self::Customer,
        Self::Moment,
    ];

    /// Returns the name of the subject.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Habit => "habit",
            Self::Cart => "cart",
            Self::Search => "search",
            Self::Visit => "visit",
            Self::Taste => "taste",
            Self::Next => "next",
            Self::Affinity => "affinity",
            Self::Content => "content",
            Self::Aisle => "aisle",
            Self::Popularity => "popularity",
            Self::Customer => "customer",
            Self::Moment => "moment",
        }
    }
}

/// Subjects that a model does not learn from.
pub type Subjects = Selection<Subject>;

impl Named for Subject {
    const WHAT: &'static str = "subject";
    const CHOICES: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        self.as_str()
    }
}
