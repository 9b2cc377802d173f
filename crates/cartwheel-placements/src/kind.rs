//! The kinds of lists.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PlacementKind))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What the shopper is likely to want next.
    ForYou,
    /// Of that, what relates to the products in the cart.
    Cart,
    /// What is in the same baskets as a product more often than by chance.
    BoughtTogether,
    /// What is like a product, and not bought together with it.
    Substitutes,
    /// What shoppers look at in the same visits as a product, then others like it.
    AlsoViewed,
    /// What shoppers turn to now.
    Trending,
    /// The best sellers, then the newest products.
    Popular,
    /// Products without orders, the newest first.
    New,
    /// What the shopper has bought and is likely to want again.
    BuyAgain,
    /// What the shopper looked at, the newest first.
    RecentlyViewed,
    /// The products that the request gives, in the order for the shopper.
    Rank,
}

/// What a kind needs of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// The product to which others are compared.
    Product,
    /// The products to order.
    Products,
}

impl Kind {
    /// Every kind with its name.
    pub const NAMES: [(&str, Self); 11] = [
        ("for_you", Self::ForYou),
        ("cart", Self::Cart),
        ("bought_together", Self::BoughtTogether),
        ("substitutes", Self::Substitutes),
        ("also_viewed", Self::AlsoViewed),
        ("trending", Self::Trending),
        ("popular", Self::Popular),
        ("new", Self::New),
        ("buy_again", Self::BuyAgain),
        ("recently_viewed", Self::RecentlyViewed),
        ("rank", Self::Rank),
    ];

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// The kind's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ForYou => "for_you",
            Self::Cart => "cart",
            Self::BoughtTogether => "bought_together",
            Self::Substitutes => "substitutes",
            Self::AlsoViewed => "also_viewed",
            Self::Trending => "trending",
            Self::Popular => "popular",
            Self::New => "new",
            Self::BuyAgain => "buy_again",
            Self::RecentlyViewed => "recently_viewed",
            Self::Rank => "rank",
        }
    }

    /// Whether its list may show a product that does not belong to it, to learn about it.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Rank | Self::BuyAgain | Self::RecentlyViewed)
    }

    /// What the kind needs of its request, if anything.
    pub fn needs(self) -> Option<Parameter> {
        match self {
            Self::BoughtTogether | Self::Substitutes | Self::AlsoViewed => Some(Parameter::Product),
            Self::Rank => Some(Parameter::Products),
            Self::ForYou
            | Self::Cart
            | Self::Trending
            | Self::Popular
            | Self::New
            | Self::BuyAgain
            | Self::RecentlyViewed => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
