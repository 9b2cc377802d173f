//! Quality for parts of the users and of the products, and the spread of what is recommended.

use cartwheel_features::{Catalogue, Example, week_of};
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::metrics::{Score, intra_list_distance, list_score, mean};
use crate::similarity::similarity;

/// A product is new for this many weeks after its first sale.
const NEW_WEEKS: u16 = 4;
/// A customer with at most this many orders is a recent one.
const FEW_ORDERS: u32 = 3;
/// The most popular products that make up this share of the order lines are the head of the
/// catalogue; the others are the long tail.
const HEAD: f64 = 0.8;

/// A recall over the questions that a slice is about.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Slice {
    /// The mean recall; 0 without questions.
    pub mean: f64,
    /// Its standard error, clustered by user.
    pub se: f64,
    /// The number of users who were asked.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub users: usize,
}

/// Quality of one method by slices.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Slices {
    /// Recall@10 of the products that the user had bought before.
    pub rep_recall_at_10: Slice,
    /// Recall@10 of the products that the user had not bought before.
    pub expl_recall_at_10: Slice,
    /// Recall@20 of the products that the user had bought before.
    pub rep_recall_at_20: Slice,
    /// Recall@20 of the products that the user had not bought before.
    pub expl_recall_at_20: Slice,
    /// Recall@10 when all users ask as guests, without their history.
    pub guest_recall_at_10: Slice,
    /// Recall@10 of customers with one to three earlier orders.
    pub few_orders_recall_at_10: Slice,
    /// Recall@10 of the products that were first sold at most four weeks before the order.
    pub new_product_recall_at_10: Slice,
    /// The share of the catalogue's products that are among the first 10 of any user.
    pub coverage: f64,
    /// The share of the first 10 that are outside the most popular products, which together make
    /// up 80 % of the order lines.
    pub long_tail: f64,
    /// The mean of -log2 of the share of orders that hold a product, over the first 10, in bits.
    pub novelty: f64,
    /// The mean distance between two of the first 10, 0 to 1: one minus their similarity by what the
    /// shop says and by what is bought together. 0 in reports of early versions.
    #[serde(default)]
    pub intra_list_distance: f64,
}

/// A catalogue, and where its long tail begins.
#[derive(Debug)]
pub struct Market<'a> {
    catalogue: &'a Catalogue,
    /// The popularity rank from which on products are of the tail.
    tail: u32,
}

impl<'a> Market<'a> {
    /// Finds the long tail of a catalogue.
    pub fn new(catalogue: &'a Catalogue) -> Self {
        let mut sold = 0.0;
        let is_head = |product: &&u32| {
            let is_head = sold < HEAD * catalogue.lines as f64;
            sold += catalogue.get(**product).map_or(0.0, |p| f64::from(p.stats.orders));
            is_head
        };
        let tail = catalogue.popular.iter().take_while(is_head).count() as u32;
        Self { catalogue, tail }
    }

    /// The catalogue.
    pub fn catalogue(&self) -> &'a Catalogue {
        self.catalogue
    }

    fn is_tail(&self, product: u32) -> bool {
        self.catalogue.get(product).is_none_or(|p| p.rank >= self.tail)
    }

    /// In bits.
    fn novelty(&self, product: u32) -> f64 {
        let orders = self.catalogue.get(product).map_or(0, |p| p.stats.orders);
        -(f64::from(orders.max(1)) / self.catalogue.orders.max(1) as f64).log2()
    }

    /// Whether nobody had bought the product more than [`NEW_WEEKS`] before the example's order.
    fn is_new(&self, product: u32, example: &Example) -> bool {
        let Some(week) = example.context.at_ms.map(week_of) else { return false };
        let first = self.catalogue.get(product).and_then(|p| p.trail.span());
        let is_new_to_others =
            first.is_none_or(|(first, _)| first.saturating_add(NEW_WEEKS) >= week);
        let days = example.state.days + example.context.days_since_prior.unwrap_or(0.0);
        let own = example.state.product(product);
        let most_days = 7.0 * f32::from(NEW_WEEKS);
        is_new_to_others && own.is_none_or(|own| days - own.first_day <= most_days)
    }
}

/// A judged order with the market before it.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The products of other users.
    pub market: &'a Market<'a>,
    /// A number of the user, the same for all questions to the user.
    pub user: u32,
    /// The order and the state before it.
    pub example: &'a Example,
}

/// Recall of the part of an order that `is_part` selects; `None` if it is empty.
fn part(list: &[u32], basket: &[u32], k: usize, is_part: impl Fn(u32) -> bool) -> Option<f64> {
    let part: Vec<u32> = basket.iter().copied().filter(|&product| is_part(product)).collect();
    (!part.is_empty()).then(|| list_score(list, &part, k).recall)
}

fn slice(recalls: impl Iterator<Item = Option<Score>>) -> Slice {
    let recalls: Vec<Score> = recalls.flatten().collect();
    let users: FxHashSet<u32> = recalls.iter().map(|recall| recall.user).collect();
    let mean = mean(&recalls);
    Slice { mean: mean.mean, se: mean.se, users: users.len() }
}

/// The mean distance between two of the first 10 products of a list, over the lists with two.
fn spread(lists: &[Vec<u32>], judged: &[Judged<'_>]) -> f64 {
    let distances = lists.iter().zip(judged).filter_map(|(list, judged)| {
        let catalogue = judged.market.catalogue;
        let top = &list[..list.len().min(10)];
        intra_list_distance(top, |one, other| similarity(catalogue, one, other))
    });
    let distances: Vec<f64> = distances.collect();
    distances.iter().sum::<f64>() / distances.len().max(1) as f64
}

/// Computes the slices of a method. `lists` holds its list for each judged order, and
/// `guest_lists` the list without the user's history.
pub fn slices(lists: &[Vec<u32>], guest_lists: &[Vec<u32>], judged: &[Judged<'_>]) -> Slices {
    let all = |lists: &[Vec<u32>], recall: &dyn Fn(&[u32], &Judged<'_>) -> Option<f64>| {
        slice(lists.iter().zip(judged).map(|(list, judged)| {
            recall(list, judged).map(|value| Score { user: judged.user, value })
        }))
    };
    let bought = |k: usize, wanted: bool| {
        all(lists, &|list, Judged { example, .. }| {
            let is_part = |product| example.state.product(product).is_some() == wanted;
            part(list, &example.basket, k, is_part)
        })
    };
    let whole = |list: &[u32], example: &Example| list_score(list, &example.basket, 10).recall;
    let shown = lists.iter().zip(judged).flat_map(|(list, judged)| {
        list.iter().take(10).map(move |&product| (judged.market, product))
    });
    let distinct: FxHashSet<u32> = shown.clone().map(|(_, product)| product).collect();
    let products = judged.first().map_or(1, |j| j.market.catalogue.products.len()).max(1);
    let mean_of = |value: fn(&Market<'_>, u32) -> f64| {
        let sum: f64 = shown.clone().map(|(market, product)| value(market, product)).sum();
        sum / shown.clone().count().max(1) as f64
    };
    Slices {
        rep_recall_at_10: bought(10, true),
        expl_recall_at_10: bought(10, false),
        rep_recall_at_20: bought(20, true),
        expl_recall_at_20: bought(20, false),
        guest_recall_at_10: all(guest_lists, &|list, judged| Some(whole(list, judged.example))),
        few_orders_recall_at_10: all(lists, &|list, Judged { example, .. }| {
            (1..=FEW_ORDERS).contains(&example.state.applied).then(|| whole(list, example))
        }),
        new_product_recall_at_10: all(lists, &|list, Judged { market, example, .. }| {
            part(list, &example.basket, 10, |product| market.is_new(product, example))
        }),
        coverage: distinct.len() as f64 / products as f64,
        long_tail: mean_of(|market, product| f64::from(u8::from(market.is_tail(product)))),
        novelty: mean_of(|market, product| market.novelty(product)),
        intra_list_distance: spread(lists, judged),
    }
}

#[cfg(test)]
mod tests {
    use cartwheel_features::{
        Context, Event, Line, Order, Partial, ProductInfo, SampleSizes, UserState,
    };

    use super::*;

    const WEEK_MS: i64 = 7 * 86_400_000;

    fn order(number: u32, week: i64, products: &[u32]) -> Order {
        let line = |&product| Line { product, position: 1, reordered: None };
        let days_since_prior = (number > 1).then_some(14.0);
        let context =
            Context { days_since_prior, at_ms: Some(week * WEEK_MS), ..Context::default() };
        Order { number, context, lines: products.iter().map(line).collect() }
    }

    /// Ten orders of product 0 in week 1, and one each of 1 in week 1 and of 2 in week 9.
    fn catalogue() -> Catalogue {
        let mut partial = Partial::new(4, SampleSizes { baskets: 100, shoppers: 10, visits: 0 });
        for user in 0..10 {
            partial.order(&UserState::default(), &order(1, 1, &[0]), user);
        }
        partial.order(&UserState::default(), &order(1, 1, &[1]), 10);
        partial.order(&UserState::default(), &order(1, 9, &[2]), 11);
        let info = |p: u32| ProductInfo::unnamed(&p.to_string());
        Catalogue::finish((0..4).map(info).collect(), partial)
    }

    fn example(orders: &[Order], label: &Order) -> Example {
        let mut state = UserState::default();
        orders.iter().for_each(|order| state.apply(Event::Order(order)));
        let basket = label.lines.iter().map(|line| line.product).collect();
        Example {
            user_id: "u".to_owned(),
            order_number: label.number,
            state,
            context: label.context,
            cart: None,
            basket,
        }
    }

    #[test]
    fn slices_match_hand_computed_values() {
        let catalogue = catalogue();
        let market = Market::new(&catalogue);
        let few = example(&[order(1, 8, &[0])], &order(2, 10, &[0, 1, 2]));
        let earlier: Vec<Order> = (1..=4).map(|n| order(n, i64::from(2 * n), &[0, 2])).collect();
        let many = example(&earlier, &order(5, 10, &[0, 2]));
        let judged = [(0, &few), (1, &many)].map(|(user, example)| Judged {
            market: &market,
            user,
            example,
        });
        let lists = [vec![0, 2], vec![1]];
        let guests = [vec![0], vec![0]];
        let slices = slices(&lists, &guests, &judged);
        let means = |slice: Slice| (slice.mean, slice.users);
        assert_eq!(means(slices.rep_recall_at_10), (0.5, 2), "0 of the first, none of the second");
        assert_eq!(means(slices.expl_recall_at_10), (0.5, 1), "2 but not 1");
        assert_eq!(means(slices.few_orders_recall_at_10), (2.0 / 3.0, 1));
        // The second user has bought product 2 for longer than four weeks.
        assert_eq!(means(slices.new_product_recall_at_10), (1.0, 1));
        assert_eq!(means(slices.guest_recall_at_10), ((1.0 / 3.0 + 0.5) / 2.0, 2));
        assert_eq!(slices.coverage, 0.75);
        assert!((slices.long_tail - 2.0 / 3.0).abs() < 1e-9);
        let bits = -(2.0 * (1.0_f64 / 12.0).log2() + (10.0_f64 / 12.0).log2()) / 3.0;
        assert!((slices.novelty - bits).abs() < 1e-9, "{}", slices.novelty);
        assert_eq!(slices.intra_list_distance, 1.0, "0 and 2 are never in one basket");
    }
}
