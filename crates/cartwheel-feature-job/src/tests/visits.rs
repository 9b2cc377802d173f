//! Questions within visits.

use cartwheel_events::EventKind;
use cartwheel_feature_set::Label;
use cartwheel_lake::{Search, Touch, Touches};

use super::*;

const MINUTE_MS: i64 = 60_000;
const SHOPPERS: u64 = 300;

/// What a shopper does with a product, and minutes after the import.
type Step = (EventKind, &'static str, i64);

/// Every shopper looks at `seen`, and then at `held`, which goes into the cart. Every third one buys
/// `held` ten minutes later. All come back on the next day to look at `seen` and `later`.
fn visits() -> (Touches, Vec<CheckoutRow>) {
    let day = 24 * 60;
    let steps: [Step; 5] = [
        (EventKind::View, "seen", 0),
        (EventKind::View, "held", 1),
        (EventKind::AddToCart, "held", 2),
        (EventKind::View, "seen", day),
        (EventKind::View, "later", day + 1),
    ];
    let users: Vec<String> = (0..SHOPPERS).map(|n| format!("s{n}")).collect();
    let all = users.iter().flat_map(|user| steps.map(|step| (user, step)));
    let touches = all.map(|(user, (kind, product_id, minute))| Touch {
        user_id: user,
        product_id,
        kind,
        received_at_ms: AS_OF_MS + minute * MINUTE_MS,
        event: stable_hash(format!("{user}/{minute}").as_bytes()),
        place: 0,
    });
    let buys = |user: &&String| stable_hash(user.as_bytes()).is_multiple_of(3);
    let checkouts = users.iter().filter(buys).map(|user| CheckoutRow {
        received_at_ms: AS_OF_MS + 12 * MINUTE_MS,
        ..checkout(user, 0, user, &["held"])
    });
    (touches.collect(), checkouts.collect())
}

/// A set of these visits, in which users are judged by the gate.
fn set(dir: &Path, label: &str) -> FeatureSet {
    let (touches, checkouts) = visits();
    let info = |id: &str| ProductInfo { product_id: id.to_owned(), ..ProductInfo::default() };
    let products = ["held", "later", "seen"].map(info).to_vec();
    let input = Input { products, touches, checkouts, ..Input::default() };
    let label: Option<Label> = Some(label.parse().unwrap());
    let options = JobOptions { label, ..JobOptions::default() };
    build(input, &dir.join("features"), &options, &|_| {}).unwrap()
}

/// By the minutes since the import: the products that count after the questions of gate users.
fn answers(set: &FeatureSet) -> Vec<(i64, Vec<String>)> {
    let catalogue = set.catalogue().unwrap();
    let name = |&product: &u32| catalogue.get(product).unwrap().info.product_id.clone();
    let answer = |example: cartwheel_features::Example| {
        let minute = (example.context.at_ms.unwrap() - AS_OF_MS) / MINUTE_MS;
        (minute, example.basket.iter().map(name).collect())
    };
    set.gate().unwrap().into_iter().map(answer).collect()
}

#[test]
fn a_purchase_is_asked_for_in_every_visit_and_found_in_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let set = set(dir.path(), "next_purchase");
    assert_eq!(set.manifest.label.to_string(), "next_purchase");
    let answers = answers(&set);
    let gate = (0..SHOPPERS).map(|n| format!("s{n}")).filter(|user| fold_of(user) == Fold::Gate);
    let gate: Vec<String> = gate.collect();
    let buyers = gate.iter().filter(|user| stable_hash(user.as_bytes()).is_multiple_of(3)).count();
    assert!(buyers > 0 && buyers < gate.len());
    assert_eq!(answers.len(), 5 * gate.len(), "after each touch, whatever follows");
    assert_eq!(set.manifest.gate_users(), buyers as u64);
    for minute in [0, 1] {
        let found = answers.iter().filter(|(at, basket)| *at == minute && basket == &["held"]);
        assert_eq!(found.count(), buyers);
    }
    let others = answers.iter().filter(|(_, basket)| basket.is_empty());
    assert_eq!(others.count(), answers.len() - 2 * buyers, "what is in the cart is not asked for");
    let (labels, _) = read_rows(&set.path(files::TRAIN)).unwrap();
    assert!(labels.iter().all(|label| [0.0, 1.0].contains(label)) && labels.contains(&1.0));
}

#[test]
fn a_product_counts_in_the_share_of_draws_that_its_event_weighs() {
    let dir = tempfile::tempdir().unwrap();
    let set = set(dir.path(), "purchase=1, cart=0.4");
    // At the first touch `held` will be put into the cart, and bought by every third.
    let first: Vec<Vec<String>> =
        answers(&set).into_iter().filter(|(at, _)| *at == 0).map(|(_, basket)| basket).collect();
    let share =
        first.iter().filter(|basket| basket == &&["held"]).count() as f64 / first.len() as f64;
    let expected = 1.0 / 3.0 + 2.0 / 3.0 * 0.4;
    assert!((share - expected).abs() < 0.25, "{share} of {}", first.len());
    assert!(first.iter().any(Vec::is_empty), "not every cart counts");
    let seen = answers(&set).into_iter().any(|(_, basket)| basket.contains(&"later".to_owned()));
    assert!(!seen, "a view has no weight");
    let again = tempfile::tempdir().unwrap();
    let again = self::set(again.path(), "purchase=1, cart=0.4");
    assert_eq!(set.gate().unwrap(), again.gate().unwrap(), "draws are stable");
}

#[test]
fn a_question_is_asked_after_a_search_with_what_was_searched_for() {
    let dir = tempfile::tempdir().unwrap();
    let views = [("held", 1), ("later", 6), ("seen", 100)];
    let users: Vec<String> = (0..SHOPPERS).map(|n| format!("s{n}")).collect();
    let all = users.iter().flat_map(|user| views.map(|view| (user, view)));
    let event = |user: &str, minute: i64| stable_hash(format!("{user}/{minute}").as_bytes());
    let mut touches: Touches = all
        .map(|(user, (product_id, minute))| Touch {
            user_id: user,
            product_id,
            kind: EventKind::View,
            received_at_ms: AS_OF_MS + minute * MINUTE_MS,
            event: event(user, minute),
            place: 0,
        })
        .collect();
    for user_id in &users {
        // No touch follows the last one in its visit.
        for (query, minute) in [("held", 0), ("something new", 5), ("seen", 40)] {
            let (received_at_ms, event) = (AS_OF_MS + minute * MINUTE_MS, event(user_id, minute));
            touches.push_search(Search { user_id, query, received_at_ms, event });
        }
    }
    let info = |id: &str| ProductInfo { product_id: id.to_owned(), ..ProductInfo::default() };
    let products = ["held", "later", "seen"].map(info).to_vec();
    let input = Input { products, touches, ..Input::default() };
    let label: Option<Label> = Some("next_interaction".parse().unwrap());
    let options = JobOptions { label, ..JobOptions::default() };
    let set = build(input, &dir.path().join("features"), &options, &|_| {}).unwrap();
    let mut asked: Vec<(i64, usize, u32)> = set
        .gate()
        .unwrap()
        .iter()
        .map(|example| {
            let minute = (example.context.at_ms.unwrap() - AS_OF_MS) / MINUTE_MS;
            (minute, example.state.searches.len(), example.basket[0])
        })
        .collect();
    asked.sort_unstable();
    asked.dedup();
    // `held` has the index 0, `later` 1.
    assert_eq!(asked, [(0, 1, 0), (1, 1, 1), (5, 2, 1)]);
    let record = set.users().unwrap().get("s0").unwrap().unwrap();
    assert_eq!((record.searches.len(), record.touches.len()), (3, 3));
}

#[test]
fn cross_validation_holds_a_user_out_with_all_visits() {
    let dir = tempfile::tempdir().unwrap();
    let (touches, checkouts) = visits();
    let info = |id: &str| ProductInfo { product_id: id.to_owned(), ..ProductInfo::default() };
    let products = ["held", "later", "seen"].map(info).to_vec();
    let input = Input { products, touches, checkouts, ..Input::default() };
    let label: Option<Label> = Some("purchase=1, click=1".parse().unwrap());
    let options = JobOptions { label, min_gate_users: 1000, ..JobOptions::default() };
    let set = build(input, &dir.path().join("features"), &options, &|_| {}).unwrap();
    assert_eq!((set.manifest.cross_folds.len(), set.manifest.judged_users), (5, SHOPPERS));
    let examples = set.cross_validation().unwrap();
    assert_eq!(examples.len() as u64, 5 * SHOPPERS);
    let rows = |name: &str| read_rows(&set.path(name)).unwrap().0.len();
    let all = rows(files::TRAIN) + rows(files::VALID);
    // A fifth of the users judge each fold, and no row of theirs is in its training.
    let of_folds: usize = (0..CROSS_FOLDS)
        .map(|fold| rows(&files::fold_train(fold)) + rows(&files::fold_valid(fold)))
        .sum();
    let gate = set.manifest.gate_examples as usize * all
        / (5 * SHOPPERS as usize - set.manifest.gate_examples as usize);
    let expected = (all + gate) * 4;
    assert!(of_folds.abs_diff(expected) < expected / 20, "{of_folds} of {expected}");
}
