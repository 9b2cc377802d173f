use cartwheel_features::{
    Catalogue, Event, Line, Order, OrderHistory, Partial, ProductInfo, SampleSizes, UserState,
};

use super::{Question, of_others, simple};

fn order(number: u32, products: &[u32]) -> Order {
    let line = |&product| Line { product, position: 1, reordered: None };
    Order { number, context: Default::default(), lines: products.iter().map(line).collect() }
}

/// Users of two kinds: those who buy 0 go on to buy 1, those who buy 2 go on to buy 3. Product 4
/// is the most popular.
/// There are more of each kind than the nearest users that TIFU-KNN asks.
fn users(prefix: &str) -> Vec<(String, Vec<Order>)> {
    let orders = |pair: [u32; 2]| {
        vec![order(1, &[pair[0], 4]), order(2, &[pair[0], pair[1], 4]), order(3, &[pair[1], 4])]
    };
    let pair = |n: u32| if n.is_multiple_of(2) { [0, 1] } else { [2, 3] };
    (0..700).map(|n| (format!("{prefix}{n}"), orders(pair(n)))).collect()
}

fn catalogue(users: &[(String, Vec<Order>)]) -> Catalogue {
    let mut partial = Partial::new(6, SampleSizes { baskets: 100, shoppers: 10, visits: 0 });
    for (hash, (_, orders)) in (0..).zip(users) {
        let mut state = UserState::default();
        for order in orders {
            partial.order(&state, order, hash);
            state.apply(Event::Order(order));
        }
    }
    let info = |p: u32| ProductInfo::unnamed(&p.to_string());
    Catalogue::finish((0..6).map(info).collect(), partial)
}

fn histories(users: &[(String, Vec<Order>)]) -> Vec<OrderHistory> {
    users.iter().map(|(id, orders)| OrderHistory::new(id, orders.iter())).collect()
}

#[test]
fn similar_users_tell_what_a_user_buys_next() {
    let (reference, tuning) = (users("r"), users("t"));
    let catalogue = catalogue(&reference);
    let (reference, tuning) = (histories(&reference), histories(&tuning));
    let baselines = of_others(&reference.iter().collect::<Vec<_>>(), &tuning);
    let names: Vec<&str> = baselines.iter().map(|b| b.name()).collect();
    assert_eq!(names, ["TIFU-KNN", "UP-CF"]);
    let mut state = UserState::default();
    state.apply(Event::Order(&order(1, &[2])));
    let question =
        Question { catalogue: &catalogue, user_id: "u", state: &state, orders: &[&[2]], cart: &[] };
    for baseline in &baselines {
        let list = baseline.rank(&question, 6);
        let place = |product| list.iter().position(|p| *p == product).unwrap();
        assert!(place(3) < place(1), "{}: {list:?}", baseline.name());
        assert_eq!(list.len(), 6, "{}: popular products fill the list", baseline.name());
        let guest = Question { orders: &[], ..question };
        assert_eq!(baseline.rank(&guest, 1), [4], "{}", baseline.name());
        let held = baseline.rank(&Question { cart: &[3, 4], ..question }, 6);
        assert_eq!(held.len(), 4, "{}: {held:?} lacks the cart", baseline.name());
    }
}

#[test]
fn baselines_answer_without_references_and_without_users_to_tune_by() {
    let catalogue = catalogue(&users("r"));
    let state = UserState::default();
    let question = Question {
        catalogue: &catalogue,
        user_id: "u",
        state: &state,
        orders: &[&[1]],
        cart: &[0],
    };
    for baseline in simple().into_iter().chain(of_others(&[], &[])) {
        let list = baseline.rank(&question, 3);
        let mut distinct = list.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), list.len(), "{}", baseline.name());
        assert!(list.len() <= 3 && !list.contains(&0), "{}", baseline.name());
        if ["TIFU-KNN", "UP-CF"].contains(&baseline.name()) {
            assert_eq!(list[..2], [1, 4], "{}: own products, then popular ones", baseline.name());
        }
    }
}
