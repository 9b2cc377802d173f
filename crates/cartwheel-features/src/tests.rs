use proptest::prelude::*;

use crate::{
    Action, Catalogue, CodecError, Contents, Context, Event, Line, MAX_SEARCHES, MAX_TOUCHES,
    Order, Partial, ProductInfo, SEARCH_WORDS, SampleSizes, Search, Touch, UserState, stable_hash,
};

fn order(number: u32, days: Option<f32>, products: &[u32]) -> Order {
    let line =
        |(at, &product): (usize, &u32)| Line { product, position: at as u32 + 1, reordered: None };
    Order {
        number,
        context: Context { dow: Some(1), hour: Some(9), days_since_prior: days, at_ms: None },
        lines: products.iter().enumerate().map(line).collect(),
    }
}

fn sizes(most: usize) -> SampleSizes {
    SampleSizes { baskets: most, shoppers: most, visits: most }
}

fn view(product: u32, minute: i64) -> Touch {
    Touch { product, action: Action::View, at_ms: minute * 60_000 }
}

fn fold(orders: &[Order]) -> UserState {
    let mut state = UserState::default();
    orders.iter().for_each(|o| state.apply(Event::Order(o)));
    state
}

/// Two users whose features the tests compute by hand:
/// A buys {0,1}, after 10 days {0,2}, after 5 days {2,0,3}; B buys {0}, after 7 days {1}.
fn histories() -> [Vec<Order>; 2] {
    [
        vec![
            order(1, None, &[0, 1]),
            order(2, Some(10.0), &[0, 2]),
            order(3, Some(5.0), &[2, 0, 3]),
        ],
        vec![order(1, None, &[0]), order(2, Some(7.0), &[1])],
    ]
}

#[test]
fn user_features_match_the_hand_computed_values() {
    let [a, b] = histories().map(|h| fold(&h));
    assert_eq!((a.orders, a.days, a.lines, a.products.len()), (3, 15.0, 7, 4));
    assert_eq!(a.mean_days_since_prior(), 5.0);
    // Lines after the first order: 0 2 2 0 3, of which 0, 2 and 0 are reordered.
    assert_eq!(a.reorder_ratio(), 3.0 / 5.0);
    assert_eq!((b.orders, b.days, b.lines, b.products.len()), (2, 7.0, 2, 2));
    assert_eq!(b.mean_days_since_prior(), 3.5);
    assert_eq!(b.reorder_ratio(), 0.0);
    assert_eq!(fold(&[order(1, None, &[0])]).reorder_ratio(), 0.0, "0/0 is 0");
}

#[test]
fn user_product_features_match_the_hand_computed_values() {
    let [a, _] = histories().map(|h| fold(&h));
    let milk = a.product(0).unwrap();
    assert_eq!((milk.orders, milk.first, milk.last), (3, 1, 3));
    assert_eq!(milk.mean_position(), 4.0 / 3.0);
    let tea = a.product(2).unwrap();
    assert_eq!((tea.orders, tea.first, tea.last), (2, 2, 3));
    assert_eq!(tea.mean_position(), 1.5);
    assert_eq!((tea.first_day, tea.last_day), (10.0, 15.0));
    assert!(a.product(9).is_none());
}

#[test]
fn product_features_match_the_hand_computed_values() {
    let mut partial = Partial::new(4, sizes(100));
    for (user, history) in histories().iter().enumerate() {
        let mut state = UserState::default();
        for order in history {
            partial.order(&state, order, stable_hash(&[user as u8]));
            state.apply(Event::Order(order));
        }
    }
    let by_hand = [(4, 2, 2, 1), (2, 0, 2, 0), (2, 1, 1, 1), (1, 0, 1, 0)];
    for (stats, expected) in partial.products.iter().zip(by_hand) {
        let got = (stats.orders, stats.reorders, stats.first_orders, stats.second_orders);
        assert_eq!(got, expected);
    }
    assert_eq!((partial.orders, partial.users), (5, 2));
    let infos = (0..4).map(|p| ProductInfo { product_id: p.to_string(), ..Default::default() });
    let catalogue = Catalogue::finish(infos.collect(), partial);
    assert_eq!(catalogue.popular, [0, 1, 2, 3]);
    assert_eq!(catalogue.find("2"), Some(2));
    // 0 is in 4 baskets, 2 in 2, both in 2: cosine 2/sqrt(8), scaled by 2 of 10 co-purchases.
    let best = catalogue.neighbours.of(0)[0];
    assert_eq!(best.product, 2);
    assert!((best.score - 2.0 / 8.0_f32.sqrt() * 0.2).abs() < 1e-6, "{}", best.score);
}

#[test]
fn the_shops_reorder_flag_overrides_the_history() {
    let mut first = order(1, None, &[0]);
    first.lines[0].reordered = Some(true);
    assert_eq!(fold(&[first]).reordered, 1);
}

#[test]
fn a_repeated_product_counts_once() {
    let state = fold(&[order(1, None, &[5, 5])]);
    assert_eq!((state.lines, state.products[0].orders), (1, 1));
}

fn any_history() -> impl Strategy<Value = Vec<Order>> {
    let basket = proptest::collection::vec(0_u32..12, 1..8);
    proptest::collection::vec((basket, 0_u8..31), 1..9).prop_map(|orders| {
        let number = |(at, (basket, days)): (usize, (Vec<u32>, u8))| {
            let mut order = order(at as u32 + 1, (at > 0).then_some(f32::from(days)), &basket);
            order.context.at_ms = Some(at as i64 * 86_400_000 * i64::from(days));
            order
        };
        orders.into_iter().enumerate().map(number).collect()
    })
}

fn count(partial: &mut Partial, histories: &[Vec<Order>], first: usize) {
    for (at, history) in histories.iter().enumerate() {
        let mut state = UserState::default();
        let hash = stable_hash(&[(first + at) as u8]);
        for order in history {
            partial.order(&state, order, hash);
            state.apply(Event::Order(order));
        }
        partial.shopper(Vec::new(), history.iter(), hash);
        let looks = (0..4).map(|step| view((hash as u32 % 7 + step * step) % 12, i64::from(step)));
        partial.visit(&looks.collect::<Vec<_>>(), hash);
    }
}

/// What a partial contains, with its samples in order.
fn comparable(partial: Partial) -> impl PartialEq + std::fmt::Debug {
    let Partial { products, rebuys, weeks, all_weeks, orders, users, touches, .. } = partial;
    let Partial { baskets, shoppers, visits, .. } = partial;
    let samples = (baskets.into_sorted(), shoppers.into_sorted(), visits.into_sorted());
    (products, rebuys, weeks, all_weeks, touches, samples, orders, users)
}

proptest! {
    #[test]
    fn resuming_from_an_encoded_state_equals_folding_the_whole_history(
        history in any_history(), cut in 0_usize..9,
    ) {
        let cut = cut.min(history.len());
        let mut resumed = UserState::decode(&fold(&history[..cut]).encode()).unwrap();
        history[cut..].iter().for_each(|o| resumed.apply(Event::Order(o)));
        prop_assert_eq!(resumed, fold(&history));
    }

    #[test]
    fn merged_partials_equal_counting_everything_at_once(
        histories in proptest::collection::vec(any_history(), 1..8), cut in 0_usize..8,
    ) {
        let cut = cut.min(histories.len());
        let mut at_once = Partial::new(12, sizes(10));
        count(&mut at_once, &histories, 0);
        let mut left = Partial::new(12, sizes(10));
        count(&mut left, &histories[..cut], 0);
        let mut right = Partial::new(12, sizes(10));
        count(&mut right, &histories[cut..], cut);
        right.merge(left);
        prop_assert_eq!(comparable(right), comparable(at_once));
    }

    #[test]
    fn a_damaged_record_never_panics(mut bytes in Just(fold(&histories()[0]).encode()),
                                     at in 0_usize..150, value: u8) {
        let at = at.min(bytes.len() - 1);
        bytes[at] = value;
        let _ = UserState::decode(&bytes);
        prop_assert!(UserState::decode(&bytes[..at]).is_err());
    }
}

#[test]
fn transitions_tell_what_the_buyers_of_a_product_buy_next() {
    // 30 users buy 0, then 1 and 2 by turns; ten others buy 3, then 3 again.
    let mut partial = Partial::new(5, sizes(100));
    let mut shopper = |user: u64, baskets: &[[u32; 1]]| {
        let mut number = 0;
        let mut order = |products: &[u32]| {
            number += 1;
            order(number, Some(7.0), products)
        };
        let orders: Vec<_> = baskets.iter().map(|basket| order(basket)).collect();
        partial.shopper(Vec::new(), orders.iter(), stable_hash(&user.to_le_bytes()));
    };
    for user in 0..30 {
        shopper(user, &[[0], [1 + (user % 2) as u32]]);
    }
    for user in 30..40 {
        shopper(user, &[[3], [3]]);
    }
    shopper(40, &[[4], [0]]);
    let infos = (0..5).map(|p| ProductInfo { product_id: p.to_string(), ..Default::default() });
    let catalogue = Catalogue::finish(infos.collect(), partial);
    let next = |product| -> Vec<(u32, f32)> {
        let transitions = catalogue.transitions.of(product).iter();
        transitions.map(|next| (next.product, (next.score * 100.0).round() / 100.0)).collect()
    };
    assert_eq!(next(0), [(1, 0.47), (2, 0.47)], "half of 30 shoppers, who are trusted as 30 of 32");
    assert_eq!(next(3), [(3, 0.83)], "ten of twelve");
    assert!(next(1).is_empty(), "nobody bought anything after it");
    assert!(next(4).is_empty(), "one shopper tells nothing of others");
}

#[test]
fn a_record_of_an_earlier_release_is_read() {
    let [mut state, _] = histories().map(|h| fold(&h));
    state.next =
        Some(Context { dow: Some(3), hour: None, days_since_prior: Some(4.0), at_ms: None });
    // Versions up to 4 lack the time of the first order, which follows that of the last.
    let of_version = |version: u8| {
        let mut record = state.encode();
        record[0] = version;
        record.drain(41..49);
        record
    };
    assert_eq!(UserState::decode(&of_version(4)).unwrap(), state);
    // Version 1 lacks the time of the order to predict.
    let mut record = of_version(1);
    record.drain(48..56);
    // Versions 1 and 2 lack the number of touches, which follows the last checkout, and version 3
    // lacks that of searches after it.
    record.drain(57..59);
    assert_eq!(UserState::decode(&record).unwrap(), state);
    for (version, missing) in [(2, 65..67), (3, 66..67)] {
        let mut record = of_version(version);
        record.drain(missing);
        assert_eq!(UserState::decode(&record).unwrap(), state);
    }
}

#[test]
fn a_state_keeps_the_newest_searches_and_its_record_has_them() {
    let mut state = fold(&histories()[0]);
    let search = |text: &str, at_ms| Search::of(text, at_ms).unwrap();
    for at_ms in 0..20 {
        state.apply(Event::Search(&search(&format!("word{at_ms} tea"), at_ms)));
    }
    assert_eq!((state.searches.len(), state.last_search_ms()), (MAX_SEARCHES, Some(19)));
    state.apply(Event::Search(&search("tea, word15", 20)));
    let times: Vec<i64> = state.searches.iter().map(|search| search.at_ms).collect();
    assert_eq!(times, [12, 13, 14, 16, 17, 18, 19, 20], "the same search again is the newest");
    assert_eq!(UserState::decode(&state.encode()).unwrap(), state);
    assert_eq!(state.as_guest().searches, state.searches);
    let mut record = state.encode();
    record[75 + 8] = SEARCH_WORDS as u8 + 1;
    assert_eq!(UserState::decode(&record), Err(CodecError::Search), "more words than a search has");
}

#[test]
fn a_state_keeps_the_newest_touches_and_its_record_has_them() {
    let mut state = fold(&histories()[0]);
    for minute in 0..100 {
        state.apply(Event::Touch(view(minute as u32 % 7, minute)));
    }
    assert_eq!(state.touches.len(), MAX_TOUCHES);
    assert_eq!(state.touched(3), [6, 0, 1]);
    assert_eq!(state.cart(), None, "views tell nothing of the cart");
    let add = |product, action| Touch { action, ..view(product, 100) };
    state.apply(Event::Touch(add(5, Action::Add)));
    state.apply(Event::Touch(add(6, Action::Add)));
    state.apply(Event::Touch(add(5, Action::Remove)));
    assert_eq!(state.cart(), Some(vec![6]));
    assert!(!state.touched(MAX_TOUCHES).contains(&5), "taken out of the cart");
    assert_eq!(UserState::decode(&state.encode()).unwrap(), state);
}

#[test]
fn visits_relate_what_shoppers_turn_to_next() {
    // Twenty shoppers look at 0, then 1, and put 1 into the cart; ten look at 2, then 3.
    let mut partial = Partial::new(5, sizes(100));
    for user in 0..20 {
        let add = Touch { action: Action::Add, ..view(1, user + 2) };
        partial.visit(&[view(0, user), view(1, user + 1), add], user as u64);
    }
    for user in 20..30 {
        partial.visit(&[view(2, user), view(3, user + 1)], user as u64);
    }
    let infos = (0..5).map(|p| ProductInfo { product_id: p.to_string(), ..Default::default() });
    let catalogue = Catalogue::finish(infos.collect(), partial);
    let visits = &catalogue.visits;
    let crate::Related { follows, together, leads_to } = &visits.related;
    assert_eq!(follows.of(0).len(), 1);
    assert!(follows.of(0)[0].product == 1 && follows.of(0)[0].score > 0.9);
    assert_eq!((together.of(0)[0].product, leads_to.of(0)[0].product), (1, 1));
    assert!(leads_to.of(2).is_empty(), "nobody took 3");
    assert!(follows.of(1).iter().all(|next| next.product == 1), "nobody went back");
    let near = visits.nearest(&[2], 100);
    assert_eq!(near.iter().map(|n| n.product).collect::<Vec<_>>(), [2, 3]);
    assert!(near[0].close > near[1].close, "the shared product is closest");
    assert!(visits.nearest(&[4], 100).is_empty() && visits.nearest(&[], 100).is_empty());
    assert_eq!(catalogue.popular[0], 1, "without orders, the most viewed products are popular");
    let attention = &visits.attention[1];
    assert_eq!((attention.views, attention.adds, attention.trail.total()), (20.0, 20.0, 40.0));
}

#[test]
fn a_catalogue_is_the_same_on_any_number_of_threads() {
    // Enough products that several threads share them, and that the matrix has several blocks.
    let products = 450_u32;
    let draw = |user: u32, n: u32| {
        (stable_hash(&[user.to_le_bytes(), n.to_le_bytes()].concat()) >> 7) as u32
    };
    let built = |threads: usize| {
        let mut partial = Partial::new(products as usize, sizes(5_000));
        for user in 0..2_000 {
            let basket = |number: u32| -> Vec<u32> {
                (0..6).map(|line| draw(user, number * 6 + line) % products).collect()
            };
            let orders: Vec<Order> =
                (1..=4).map(|number| order(number, Some(7.0), &basket(number))).collect();
            let hash = (u64::from(draw(user, 999)) << 32) | u64::from(user);
            partial.shopper(Vec::new(), orders.iter(), hash);
            let mut state = UserState::default();
            for order in &orders {
                partial.order(&state, order, hash);
                state.apply(Event::Order(order));
            }
            let looks: Vec<Touch> =
                (0..5).map(|n| view(draw(user, 100 + n) % products, i64::from(n))).collect();
            partial.visit(&looks, hash);
        }
        let info = |p: u32| ProductInfo {
            product_id: p.to_string(),
            name: format!("word{} word{}", p % 40, p % 7),
            ..Default::default()
        };
        let infos: Vec<ProductInfo> = (0..products).map(info).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let catalogue = pool.install(|| {
            let contents = std::sync::Arc::new(Contents::of(&infos));
            Catalogue::finish(infos, partial).with_contents(&contents)
        });
        let all = 0..products;
        let Catalogue { products, neighbours, transitions, affinities, visits, contents, .. } =
            catalogue;
        assert!(all.clone().all(|p| !neighbours.of(p).is_empty() && !transitions.of(p).is_empty()));
        assert!((0..450).all(|p| !affinities.attractions(p).is_empty()));
        assert!(all.clone().all(|p| !visits.related.follows.of(p).is_empty()));
        (products, neighbours, transitions, affinities, visits, contents)
    };
    assert!(built(1) == built(3));
}
