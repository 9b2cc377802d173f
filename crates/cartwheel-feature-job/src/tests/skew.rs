//! The figures of products mean the same in training rows and in requests.

use cartwheel_events::EventKind;
use cartwheel_features::{Action, Context, Event, Sources, Subject, Subjects, UserState};
use cartwheel_lake::{Search, Touch, Touches};
use cartwheel_recommend::{Discovery, candidates, column, rows};

use super::*;

const USERS: u64 = 600;
const PRODUCTS: u64 = 60;

/// Histories in which some products sell much more than others, and each user has favourites.
fn random_shop() -> (String, String) {
    let mut orders = ORDERS.lines().next().unwrap().to_owned() + "\n";
    let mut lines = LINES.lines().next().unwrap().to_owned() + "\n";
    let draw = |text: String| stable_hash(text.as_bytes());
    let mut id = 0;
    for user in 0..USERS {
        for number in 1..=3 + draw(format!("orders/{user}")) % 9 {
            id += 1;
            let gap = if number == 1 { String::new() } else { (5 + user % 9).to_string() };
            orders.push_str(&format!("{id},u{user},prior,{number},1,9,{gap}\n"));
            let mut basket = FxHashSet::default();
            for place in 0..5 {
                let favourite = draw(format!("{user}/{}", draw(format!("{id}/{place}")) % 6));
                // The square root makes the first products rare and the last ones frequent.
                basket.insert(((favourite % (PRODUCTS * PRODUCTS)) as f64).sqrt() as u64);
            }
            for (at, product) in basket.iter().enumerate() {
                lines.push_str(&format!("{id},p{product:02},{},\n", at + 1));
            }
        }
    }
    (orders, lines)
}

/// The mean of each column over rows of `width` values; an unknown value does not count.
fn means(rows: &[f32]) -> Vec<f64> {
    let width = FEATURES.len();
    let column = |at: usize| rows.iter().skip(at).step_by(width).filter(|x| x.is_finite());
    let mean = |at: usize| {
        column(at).map(|&x| f64::from(x)).sum::<f64>() / column(at).count().max(1) as f64
    };
    (0..width).map(mean).collect()
}

/// The newest order of each user, as a row of training has it, and the rows of forgotten products.
fn trained_rows(set: &FeatureSet) -> (Vec<f32>, Vec<f32>) {
    let scaler = set.scaler().unwrap();
    let (_, scaled) = read_rows(&set.path(files::TRAIN)).unwrap();
    let orders = FEATURES.iter().position(|name| *name == "prod_orders").unwrap();
    let (mut known, mut forgotten) = (Vec::new(), Vec::new());
    for row in scaled.chunks_exact(FEATURES.len()) {
        let plain = row.iter().zip(scaler.mean.iter().zip(&scaler.std));
        let plain: Vec<f32> = plain.map(|(x, (mean, std))| x * std + mean).collect();
        // All products of the shop are sold.
        let rows = if plain[orders] > 0.5 { &mut known } else { &mut forgotten };
        rows.extend(plain);
    }
    (known, forgotten)
}

/// What a request of each user gets now.
fn served_rows(set: &FeatureSet) -> Vec<f32> {
    let (catalogue, users) = (set.catalogue().unwrap(), set.users().unwrap());
    let mut out = Vec::new();
    for at in 0..users.len() {
        let (_, state): (String, UserState) = users.record(at).unwrap();
        let context = Context { days_since_prior: Some(7.0), ..Context::default() };
        let found = candidates(&catalogue, &state, &[], 0, Discovery::ALL, |_| true);
        rows(&catalogue, &state, &context, &[], &found, &mut out);
    }
    out
}

#[test]
fn product_columns_have_the_same_distribution_in_training_and_in_requests() {
    let (orders, lines) = random_shop();
    let (dir, mut input) = lake(&orders, &lines);
    for (at, product) in input.products.iter_mut().enumerate() {
        product.name = format!("kind{} of{}", at % 12, at % 5);
    }
    // Labels are newest orders alone, whose moment is nearest to now.
    let options = JobOptions { label_orders: 1, ..JobOptions::default() };
    let set = build(input, &dir.path().join("features"), &options, &|_| {}).unwrap();
    let (known, forgotten) = trained_rows(&set);
    let (trained, served) = (means(&known), means(&served_rows(&set)));
    let mut compared = 0;
    for (at, name) in FEATURES.iter().enumerate() {
        // Some questions of training have a cart, which `content_now` depends on.
        let shared = ["prod_", "next_", "up_hazard", "taste_score", "content_score", "content_max"];
        let is_shared = shared.iter().any(|prefix| name.starts_with(prefix));
        // Nobody looked at anything.
        if !is_shared || trained[at] == 0.0 && served[at] == 0.0 {
            continue;
        }
        let ratio = served[at] / trained[at];
        assert!(
            (0.85..1.15).contains(&ratio),
            "{name}: {} trained, {} served",
            trained[at],
            served[at]
        );
        compared += 1;
    }
    assert_eq!(compared, 19);
    // What is forgotten is known by its contents alone.
    assert!(forgotten.len() > 20 * FEATURES.len(), "{}", forgotten.len());
    for (mean, name) in means(&forgotten).iter().zip(FEATURES) {
        let is_learnt = ["next_", "taste_", "attraction_", "companion_", "up_order_count"];
        if is_learnt.iter().any(|prefix| name.starts_with(prefix)) {
            assert!(mean.abs() < 1e-3, "{name}: {mean}");
        }
    }
    let content = FEATURES.iter().position(|name| *name == "content_score").unwrap();
    assert!(means(&forgotten)[content] > 0.0);
}

const MINUTE_MS: i64 = 60_000;

/// What a guest does: a search for one of twelve kinds of products, a minute later a view of one of
/// that kind, and then of any.
struct Visit {
    user: String,
    query: String,
    at_ms: i64,
    views: [String; 2],
}

fn visits_of(prefix: &str) -> Vec<Visit> {
    let visit = |user: u64| {
        let user = format!("{prefix}{user}");
        let draw = |purpose: &str| stable_hash(format!("{user}/{purpose}").as_bytes());
        let kind = draw("kind") % 12;
        let views = [kind + 12 * (draw("first") % 5), draw("second") % PRODUCTS];
        Visit {
            query: format!("Kind{kind}"),
            at_ms: AS_OF_MS + (draw("time") % 1_000) as i64,
            views: views.map(|at| format!("p{at:02}")),
            user,
        }
    };
    (0..USERS).map(visit).collect()
}

/// The set of a shop that has seen some visits, and nothing else.
fn set_of(dir: &Path, visits: &[Visit]) -> FeatureSet {
    let event = |user: &str, at_ms: i64| stable_hash(format!("{user}/{at_ms}").as_bytes());
    let views = visits.iter().flat_map(|visit| {
        (1..).zip(&visit.views).map(move |(minute, product_id)| Touch {
            user_id: &visit.user,
            product_id,
            kind: EventKind::View,
            received_at_ms: visit.at_ms + minute * MINUTE_MS,
            event: event(&visit.user, visit.at_ms + minute * MINUTE_MS),
            place: 0,
        })
    });
    let mut touches: Touches = views.collect();
    for Visit { user, query, at_ms, .. } in visits {
        let event = event(user, *at_ms);
        touches.push_search(Search { user_id: user, query, received_at_ms: *at_ms, event });
    }
    let info = |at: u64| ProductInfo {
        product_id: format!("p{at:02}"),
        name: format!("kind{} of{}", at % 12, at % 5),
        ..ProductInfo::default()
    };
    let products = (0..PRODUCTS).map(info).collect();
    let input = Input { products, touches, ..Input::default() };
    let label = Some("next_interaction".parse().unwrap());
    let options = JobOptions { label, ..JobOptions::default() };
    build(input, dir, &options, &|_| {}).unwrap()
}

#[test]
fn search_columns_have_the_same_distribution_in_training_and_in_requests() {
    let dir = tempfile::tempdir().unwrap();
    let set = set_of(dir.path(), &visits_of("u"));
    let (known, forgotten) = trained_rows(&set);
    let trained = means(&[known, forgotten].concat());

    // What other guests are answered after the search and after the first view.
    let catalogue = set.catalogue().unwrap();
    let mut served = Vec::new();
    let mut ask = |state: &UserState, at_ms: i64| {
        let context = Context { at_ms: Some(at_ms), ..Context::default() };
        let found = candidates(&catalogue, state, &[], 0, Discovery::NONE, |_| true);
        rows(&catalogue, state, &context, &[], &found, &mut served);
    };
    for Visit { query, at_ms, views, .. } in visits_of("other") {
        let mut state = UserState::default();
        let search = cartwheel_features::Search::of(&query, at_ms).unwrap();
        state.apply(Event::Search(&search));
        ask(&state, at_ms);
        let (product, at_ms) = (catalogue.find(&views[0]).unwrap(), at_ms + MINUTE_MS);
        let touch = cartwheel_features::Touch { product, action: Action::View, at_ms };
        state.apply(Event::Touch(touch));
        ask(&state, at_ms);
    }
    let served = means(&served);
    for name in ["search_match", "search_best", "search_minutes_ago", "source_search"] {
        let at = FEATURES.iter().position(|column| *column == name).unwrap();
        let ratio = served[at] / trained[at];
        assert!(
            trained[at] > 0.01 && (0.85..1.15).contains(&ratio),
            "{name}: {} trained, {} served",
            trained[at],
            served[at]
        );
    }
}

#[test]
fn a_source_that_is_switched_off_proposes_nothing_and_its_columns_are_empty() {
    let (orders, lines) = random_shop();
    let (dir, input) = lake(&orders, &lines);
    let columns = |without: &[&str]| {
        let without = Sources::parse(without).unwrap();
        let options = JobOptions { label_orders: 1, without, ..JobOptions::default() };
        let set = build(input.clone(), &dir.path().join("features"), &options, &|_| {}).unwrap();
        assert_eq!(set.manifest.without, options.without);
        [means(&trained_rows(&set).0), means(&served_rows(&set))]
    };
    let of_sources = ["next_", "taste_", "attraction_", "companion_", "source_next"];
    for means in columns(&["next", "taste", "affinity"]) {
        for (mean, name) in means.iter().zip(FEATURES) {
            let is_off = of_sources.iter().any(|prefix| name.starts_with(prefix));
            assert!(!is_off || *mean == 0.0, "{name}: {mean}");
        }
    }
    for means in columns(&["visit"]) {
        let next = FEATURES.iter().position(|name| *name == "next_score").unwrap();
        assert!(means[next] > 0.0, "the other sources go on");
    }
}

#[test]
fn columns_that_are_not_learned_from_are_empty_in_training_alone() {
    let (orders, lines) = random_shop();
    let (dir, input) = lake(&orders, &lines);
    let set = |unlearned: &[&str]| {
        let unlearned = Subjects::parse(unlearned).unwrap();
        let options = JobOptions { label_orders: 1, unlearned, ..JobOptions::default() };
        let set = build(input.clone(), &dir.path().join("features"), &options, &|_| {}).unwrap();
        assert_eq!(set.manifest.unlearned, options.unlearned);
        set
    };
    let (all, without) = (set(&[]), set(&["habit"]));
    let empty = |set: &FeatureSet, at: usize| {
        let (_, rows) = read_rows(&set.path(files::TRAIN)).unwrap();
        rows.iter().skip(at).step_by(FEATURES.len()).all(|value| value.is_nan())
    };
    for (at, name) in FEATURES.iter().enumerate() {
        let is_habit = column(name).unwrap().subject == Subject::Habit;
        assert_eq!(empty(&without, at), is_habit || empty(&all, at), "{name}");
    }
    assert_eq!(means(&served_rows(&without)), means(&served_rows(&all)));
}
