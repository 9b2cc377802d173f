use cartwheel_features::{
    Action, Catalogue, Context, Event, Line, Order, Partial, ProductInfo, SampleSizes, Source,
    Touch, UserState,
};

use crate::metrics::{
    Bin, Prediction, Score, calibration, calibration_error, list_score, log_loss, mean,
};
use crate::{Contributions, Discovery, FEATURES, Relations, Said, candidates, rank, reasons, rows};

fn look(product: u32, minute: i64) -> Touch {
    Touch { product, action: Action::View, at_ms: minute * 60_000 }
}

/// A shop with ten products. 0 and 1 are always bought together, as are 2 and 3; 9 is never
/// bought.
fn shop() -> (Catalogue, UserState) {
    let mut partial = Partial::new(10, SampleSizes { baskets: 1000, shoppers: 100, visits: 100 });
    let mut user = UserState::default();
    for shopper in 0..20_u64 {
        let mut state = UserState::default();
        for number in 1..=4 {
            let pair = if (shopper + u64::from(number)) % 2 == 0 { [0, 1] } else { [2, 3] };
            let extra = 4 + (shopper % 5) as u32;
            let products = [pair[0], pair[1], extra];
            let line = |product| Line { product, position: 1, reordered: None };
            let context = Context { days_since_prior: Some(7.0), ..Default::default() };
            let lines = products.map(line).to_vec();
            let order = Order { number, context, lines };
            partial.order(&state, &order, shopper);
            state.apply(Event::Order(&order));
        }
        user = state;
    }
    // A visit of 7, then 8.
    for user in 0..5 {
        partial.visit(&[look(7, user), look(8, user + 1)], user as u64);
    }
    let info = |p: u32| ProductInfo {
        product_id: p.to_string(),
        name: format!("Product {p}"),
        aisle: format!("aisle {}", p / 2),
        department: "all".into(),
        ..ProductInfo::default()
    };
    (Catalogue::finish((0..10).map(info).collect(), partial), user)
}

#[test]
fn an_unknown_user_gets_cart_neighbours_and_popular_products() {
    let (catalogue, _) = shop();
    let found = candidates(&catalogue, &UserState::default(), &[0], 0, Discovery::NONE, |_| true);
    let first = found.iter().find(|c| c.product == 1).unwrap();
    assert_eq!(first.source, Source::Cart);
    assert!(found.iter().any(|c| c.source == Source::Popular));
    assert!(found.iter().all(|c| c.product != 0), "the cart is excluded");
    let ranked = rank(&catalogue, None, &UserState::default(), &Context::default(), &[0], |_| true);
    assert_eq!(ranked[0].candidate.product, 1, "products related to the cart come first");
    let name = |p: u32| catalogue.get(p).map_or("", |p| p.info.name.as_str());
    let found = reasons(&catalogue, &UserState::default(), first, name);
    let chosen = |said: &mut Said| said.choose(first.source, None, found.clone());
    let mut said = Said::default();
    for _ in 0..3 {
        assert_eq!(chosen(&mut said), ["Goes with Product 0"]);
    }
    assert_eq!(chosen(&mut said), ["Popular: in 50.0 % of all orders"], "a list repeats little");
    // A model that counts the cart against the product gives another reason.
    let of = |name: &&str| match *name {
        "cart_score_max" => -1.0,
        "prod_share" => 0.5,
        _ => 0.0,
    };
    let values = FEATURES.iter().map(of).collect();
    let against = Contributions { expected: 0.0, values };
    let chosen = Said::default().choose(first.source, Some(&against), found.clone());
    assert_eq!(chosen, ["Popular: in 50.0 % of all orders"]);
}

#[test]
fn every_product_is_a_candidate_at_most_once() {
    let (catalogue, user) = shop();
    for cart in [&[][..], &[0], &[0, 2, 4, 5]] {
        let mut found: Vec<u32> = candidates(&catalogue, &user, cart, 0, Discovery::NONE, |_| true)
            .iter()
            .map(|c| c.product)
            .collect();
        let n = found.len();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), n);
        assert_eq!(n + cart.len(), 10, "candidates and cart cover the whole shop");
    }
}

#[test]
fn of_given_products_the_users_own_come_first() {
    let (catalogue, user) = shop();
    let unknown = catalogue.products.len() as u32;
    let given = Relations::new(&catalogue, &user, &[]).among([9, 4, 8, unknown, 3, 4]);
    let found: Vec<(u32, bool)> =
        given.iter().map(|c| (c.product, c.source == Source::History)).collect();
    assert_eq!(found, [(3, true), (8, true), (4, false), (9, false)]);
}

#[test]
fn rows_match_the_column_names_and_hold_the_features() {
    let (catalogue, user) = shop();
    let found = candidates(&catalogue, &user, &[1], 0, Discovery::NONE, |_| true);
    let mut out = Vec::new();
    let context = Context { dow: Some(2), days_since_prior: Some(3.0), ..Context::default() };
    rows(&catalogue, &user, &context, &[1], &found, &mut out);
    assert_eq!(out.len(), found.len() * FEATURES.len());
    let at = |name: &str| FEATURES.iter().position(|f| *f == name).unwrap();
    for (candidate, row) in found.iter().zip(out.chunks(FEATURES.len())) {
        let stats = catalogue.products[candidate.product as usize].stats;
        assert_eq!(row[at("prod_orders")], stats.orders as f32);
        assert_eq!(row[at("user_orders")], 4.0);
        assert_eq!(row[at("cart_size")], 1.0);
        assert!(row[at("context_hour")].is_nan());
        match user.product(candidate.product) {
            Some(up) => {
                assert_eq!(row[at("up_order_count")], up.orders as f32);
                assert_eq!(row[at("up_days_since_last")], 28.0 - up.last_day + 3.0);
            }
            None => {
                assert_eq!(row[at("up_order_count")], 0.0);
                assert!(row[at("up_last_order_number")].is_nan());
            }
        }
    }
}

#[test]
fn filtered_products_are_not_ranked() {
    let (catalogue, user) = shop();
    let ranked = rank(&catalogue, None, &user, &Context::default(), &[], |p| p % 2 == 0);
    assert!(!ranked.is_empty());
    assert!(ranked.iter().all(|r| r.candidate.product % 2 == 0));
    assert!(ranked.iter().all(|r| (0.0..=1.0).contains(&r.probability)));
}

#[test]
fn list_scores_match_hand_computed_values() {
    let score = list_score(&[7, 1, 8, 2], &[1, 2, 3], 3);
    assert_eq!(score.recall, 1.0 / 3.0);
    let ideal = 1.0 + 1.0 / 3_f64.log2() + 0.5;
    assert!((score.ndcg - (1.0 / 3_f64.log2()) / ideal).abs() < 1e-12);
    assert_eq!(score.phr, 1.0);
    assert_eq!(list_score(&[7], &[1], 10).phr, 0.0);
}

#[test]
fn errors_count_users_and_not_their_questions() {
    let once = [(0, 1.0), (1, 2.0), (2, 3.0)].map(|(user, value)| Score { user, value });
    let m = mean(&once);
    assert_eq!(m.mean, 2.0);
    assert!((m.se - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    let thrice = mean(&[once, once, once].concat());
    assert!((thrice.mean - m.mean).abs() < 1e-12 && (thrice.se - m.se).abs() < 1e-12);
    // The questions of one user cancel out, those of the other two do not.
    let mixed = [(0, 0.0), (0, 1.0), (1, 1.0), (2, 0.0)].map(|(user, value)| Score { user, value });
    let expected = (3.0 / 2.0 * (0.25 + 0.25) / 16.0_f64).sqrt();
    assert!((mean(&mixed).se - expected).abs() < 1e-12);
    assert_eq!(mean(&[]).se, 0.0);
    assert_eq!(mean(&[Score { user: 7, value: 1.0 }; 4]).se, 0.0, "of one user nothing is known");
}

#[test]
fn log_loss_and_calibration_error_match_hand_computed_values() {
    let prediction = |probability, happened| Prediction { probability, happened };
    let even = [prediction(0.5, true), prediction(0.5, false)];
    assert!((log_loss(&even) - 2_f64.ln()).abs() < 1e-6);
    let one_in_five_bought = |probability| -> Vec<Prediction> {
        (0..1000).map(|i| prediction(probability, i % 5 == 0)).collect()
    };
    assert!(calibration_error(&calibration(&one_in_five_bought(0.2))) < 0.01);
    assert!((calibration_error(&calibration(&one_in_five_bought(0.9))) - 0.7).abs() < 0.01);
    // Each probability a tenth too high, in bins of equal size: ten of twelve predictions each.
    let rising: Vec<Prediction> =
        (0..120).map(|i| prediction((i / 12) as f32 / 12.0 + 0.1, i % 12 < i / 12)).collect();
    let bins = calibration(&rising);
    assert!(bins.len() == 10 && bins.iter().all(|bin| bin.rows == 12), "{bins:?}");
    assert!(bins.iter().all(|bin| (bin.predicted - bin.observed - 0.1).abs() < 1e-6), "{bins:?}");
    assert!((calibration_error(&bins) - 0.1).abs() < 1e-6);
    // A bin counts by its predictions: (30 · 0.1 + 10 · 0.5) / 40.
    let bin = |predicted, observed, rows| Bin { predicted, observed, rows };
    let uneven = [bin(0.1, 0.2, 30), bin(0.9, 0.4, 10)];
    assert!((calibration_error(&uneven) - 0.2).abs() < 1e-12);
    assert_eq!(calibration_error(&[]), 0.0);
}

#[test]
fn what_a_guest_looked_at_shapes_candidates_and_rows() {
    let (catalogue, _) = shop();
    let mut guest = UserState::default();
    guest.apply(Event::Touch(look(7, 10)));
    let found = candidates(&catalogue, &guest, &[], 0, Discovery::NONE, |_| true);
    let source = |product: u32| found.iter().find(|c| c.product == product).unwrap().source;
    assert_eq!((source(7), source(8)), (Source::Seen, Source::Visit));
    let mut out = Vec::new();
    let context = Context { at_ms: Some(13 * 60_000), ..Context::default() };
    rows(&catalogue, &guest, &context, &[], &found, &mut out);
    let at = |name: &str| FEATURES.iter().position(|f| *f == name).unwrap();
    for (candidate, row) in found.iter().zip(out.chunks(FEATURES.len())) {
        assert_eq!(row[at("visit_minutes_since")], 3.0);
        assert_eq!(row[at("seen_count")], f32::from(u8::from(candidate.product == 7)));
        assert_eq!(row[at("follow_last")] > 0.0, candidate.product == 8);
        assert_eq!(row[at("nearest_score")] > 0.0, [7, 8].contains(&candidate.product));
    }
    let before = candidates(&catalogue, &UserState::default(), &[], 0, Discovery::NONE, |_| true);
    assert!(before.iter().all(|c| c.source == Source::Popular), "nothing is known of a new guest");
}
