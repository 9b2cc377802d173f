//! The placements that every shop has before anybody writes any.

use crate::kind::Kind::{
    self, BoughtTogether, BuyAgain, Cart, ForYou, Rank, Substitutes, Trending,
};
use crate::placement::{Placement, Placements};

/// Names, kinds, limits and fallbacks. A list of the shopper's own products has no fallback, and
/// neither has a category page, which lists its own products: others would belie their headings.
const ALL: [(&str, Kind, usize, &[&str]); 9] = [
    ("home", ForYou, 20, &["trending", "popular"]),
    ("home_buy_again", BuyAgain, 12, &[]),
    ("home_trending", Trending, 12, &["popular"]),
    ("product", BoughtTogether, 8, &["also_viewed", "popular"]),
    ("product_substitutes", Substitutes, 8, &["also_viewed", "popular"]),
    ("cart", Cart, 8, &["for_you", "popular"]),
    ("checkout", Cart, 4, &["buy_again", "popular"]),
    ("category", Rank, 100, &[]),
    ("mail", ForYou, 6, &["trending", "popular"]),
];

impl Default for Placements {
    fn default() -> Self {
        let placement = |(name, kind, limit, fallback): (&str, Kind, usize, &[&str])| {
            let fallback = fallback.iter().map(|&name| name.to_owned()).collect();
            (name.to_owned(), Placement { fallback, ..Placement::new(kind, limit) })
        };
        Self { placements: ALL.into_iter().map(placement).collect() }
    }
}
