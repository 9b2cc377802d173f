//! Scores of products by what the shop says about them.

use cartwheel_features::{Catalogue, Source, UserState};

use crate::scored::Scored;

/// Products of the history that others are compared with, the heaviest.
const HISTORY: usize = 20;
/// Touched products and products in the cart that others are compared with, the newest of each.
const NOW: usize = 8;

/// Scores the products that are like those of `history`, the user's heaviest products with their
/// weights, and like what the user has just turned to.
pub(crate) fn score_likeness(
    catalogue: &Catalogue,
    state: &UserState,
    cart: &[u32],
    history: &[(f32, u32)],
    scored: &mut Scored,
) {
    let weight: f32 = history.iter().map(|(recency, _)| recency).sum();
    for &(recency, bought) in history.iter().take(HISTORY) {
        for alike in catalogue.contents.alike(bought) {
            let entry = scored.of(alike.product, Source::Content);
            entry.content += alike.score * recency / weight;
            entry.content_best.raise(bought, alike.score);
        }
    }
    let in_cart = cart.iter().rev().take(NOW).copied();
    for product in state.touched(NOW).into_iter().chain(in_cart) {
        for alike in catalogue.contents.alike(product) {
            scored.of(alike.product, Source::Content).content_now.raise(product, alike.score);
        }
    }
}

/// The user's usual price: the geometric mean over the products that the user bought, weighted by
/// recency, or touched, if none was bought; NaN if no price is known.
pub(crate) fn usual_price(catalogue: &Catalogue, state: &UserState) -> f32 {
    let next = state.orders + 1;
    let mut bought = state.products.iter().map(|p| (p.product, p.recency(next)));
    let mean = |weighed: &mut dyn Iterator<Item = (u32, f32)>| {
        let prices = weighed.filter_map(|(product, weight)| {
            Some((catalogue.contents.price(product)?.ln() * weight, weight))
        });
        let (sum, weight) = prices.fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d));
        if weight > 0.0 { (sum / weight).exp() } else { f32::NAN }
    };
    let of_bought = mean(&mut bought);
    match of_bought.is_nan() {
        true => mean(&mut state.touched(NOW).into_iter().map(|product| (product, 1.0))),
        false => of_bought,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cartwheel_features::{
        Action, Contents, Context, Event, Line, Order, Partial, ProductDetails, ProductInfo,
        SampleSizes, Sources, Touch,
    };

    use super::*;
    use crate::candidate::Candidate;
    use crate::{Discovery, FEATURES, candidates, candidates_after, reasons, rows};

    /// Teas 0 to 2 at 2, 4 and 8, and tools 3 to 5. Everybody buys 0, 1 and 3 in one order; nobody
    /// buys 2, 4 or 5.
    fn shop() -> (Catalogue, UserState) {
        let sizes = SampleSizes { baskets: 100, shoppers: 100, visits: 100 };
        let mut partial = Partial::new(6, sizes);
        let line = |product| Line { product, position: 1, reordered: None };
        let mut user = UserState::default();
        for shopper in 0..20 {
            let lines = [0, 1, 3].map(line).to_vec();
            partial.order(
                &UserState::default(),
                &Order { number: 1, lines, ..Order::default() },
                shopper,
            );
        }
        user.apply(Event::Order(&Order { number: 1, lines: vec![line(0)], ..Order::default() }));
        let info = |p: u32| ProductInfo {
            product_id: p.to_string(),
            name: format!("No {p}"),
            aisle: if p < 3 { "tea" } else { "tools" }.to_owned(),
            department: String::new(),
            details: ProductDetails {
                price: (p < 3).then(|| (2 << p) as f32),
                ..ProductDetails::default()
            },
        };
        let infos: Vec<ProductInfo> = (0..6).map(info).collect();
        let contents = Arc::new(Contents::of(&infos));
        (Catalogue::finish(infos, partial).with_contents(&contents), user)
    }

    fn row(catalogue: &Catalogue, state: &UserState, candidate: Candidate) -> Vec<f32> {
        let mut row = Vec::new();
        rows(catalogue, state, &Context::default(), &[], &[candidate], &mut row);
        row
    }

    fn at(name: &str) -> usize {
        FEATURES.iter().position(|feature| *feature == name).unwrap()
    }

    #[test]
    fn what_nobody_has_bought_is_proposed_for_being_like_what_the_user_bought_or_looked_at() {
        let (catalogue, mut user) = shop();
        let find = |user: &UserState, product: u32| {
            let found = candidates(&catalogue, user, &[], 0, Discovery::NONE, |_| true);
            found.into_iter().find(|c| c.product == product).unwrap()
        };
        let found = find(&user, 2);
        assert_eq!(found.source, Source::Content);
        assert!(find(&user, 5).source != Source::Content, "a tool is not like a tea");
        let name = |p: u32| catalogue.get(p).map_or("", |p| p.info.name.as_str());
        let said = format!("{:?}", reasons(&catalogue, &user, &found, name));
        assert!(said.contains("Like what you bought: No 0"), "{said}");
        let content = row(&catalogue, &user, found);
        assert_eq!(content[at("price_ratio")], 4.0, "8 against a usual price of 2");
        assert!(content[at("content_score")] > 0.5 && content[at("content_now")] == 0.0);

        user.apply(Event::Touch(Touch { product: 3, action: Action::View, at_ms: 1 }));
        assert_eq!(find(&user, 5).source, Source::Content);
        let off = catalogue.clone().without_sources(&Sources::parse(&["content"]).unwrap());
        let found = candidates(&off, &user, &[], 0, Discovery::NONE, |_| true);
        assert!(found.iter().all(|c| c.source != Source::Content));
        for candidate in found {
            let row = row(&off, &user, candidate);
            assert!(row[at("price_ratio")].is_nan() && row[at("content_now")] == 0.0);
        }
    }

    #[test]
    fn the_row_of_a_forgotten_product_is_that_of_a_product_that_nobody_has_bought() {
        let (catalogue, user) = shop();
        let found = |forgotten: &[u32], product: u32| {
            let is_forgotten = |p: u32| forgotten.contains(&p);
            let found = candidates_after(&catalogue, &user, &[], Discovery::ALL, is_forgotten);
            found.into_iter().find(|c| c.product == product)
        };
        let unsold = row(&catalogue, &user, found(&[], 2).unwrap());
        let known = row(&catalogue, &user, found(&[], 1).unwrap());
        let forgotten = row(&catalogue, &user, found(&[0, 1, 3], 1).unwrap());
        let differing = |row: &[f32]| -> Vec<&str> {
            let pairs = FEATURES.iter().zip(row.iter().zip(&unsold));
            let differ = pairs.filter(|(_, (a, b))| a.to_bits() != b.to_bits());
            differ.map(|(name, _)| *name).collect()
        };
        assert!(differing(&known).contains(&"prod_orders"));
        assert_eq!(differing(&forgotten), ["price_ratio"], "the other tea has another price");
        assert!(found(&[3], 3).is_none(), "without its orders nothing speaks for it");
        assert_eq!(row(&catalogue, &user, found(&[0], 0).unwrap())[at("prod_orders")], 20.0);
    }
}
