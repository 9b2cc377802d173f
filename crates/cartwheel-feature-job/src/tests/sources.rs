//! The parameters of sources are chosen by validation users.

use cartwheel_events::EventKind;
use cartwheel_feature_set::{ParameterSearch, SearchMode};
use cartwheel_features::{Catalogue, GROUPS, Parameter, Parameters};
use cartwheel_lake::{Touch, Touches};

use super::*;

/// A shop in which only the newest product tells what comes next. Training users look at `lamp` and
/// `bulb`, or at one of two other products and `book`. Of the users who are held out, every second one
/// looks at all but `book` in one visit and so ends with `bulb`, of which no one but the `lamp` tells.
pub(super) fn visits(users: u64) -> Input {
    let touches = (0..users).flat_map(|number| {
        let user = format!("s{number}");
        let visit: &[&str] = match (fold_of(&user), number % 3) {
            (Fold::Train, 0) => &["lamp", "bulb"],
            (Fold::Train, 1) => &["pen", "book"],
            (Fold::Train, _) => &["ink", "book"],
            (_, _) if stable_hash(format!("half/{user}").as_bytes()).is_multiple_of(2) => {
                &["pen", "ink", "lamp", "bulb"]
            }
            (_, _) => &["pen", "lamp", "bulb"],
        };
        let steps = visit.iter().zip(0..).map(move |(&product_id, step)| (product_id, step));
        steps.map(move |(product_id, step)| (user.clone(), product_id, step))
    });
    let all: Vec<(String, &str, i64)> = touches.collect();
    let touches: Touches = all
        .iter()
        .map(|(user_id, product_id, step)| Touch {
            user_id,
            product_id,
            kind: EventKind::View,
            received_at_ms: AS_OF_MS + step * 60_000,
            event: stable_hash(format!("touch {}", AS_OF_MS + step * 60_000).as_bytes()),
            place: 0,
        })
        .collect();
    let info = |id: &str| ProductInfo { product_id: id.to_owned(), ..ProductInfo::default() };
    let products = ["book", "bulb", "ink", "lamp", "pen"].map(info).to_vec();
    Input { products, touches, ..Input::default() }
}

fn set_with(dir: &Path, users: u64, search: SearchMode) -> FeatureSet {
    let options = JobOptions { search, ..JobOptions::default() };
    build(visits(users), &dir.join("features"), &options, &|_| {}).unwrap()
}

fn catalogues(set: &FeatureSet) -> Vec<Catalogue> {
    let others = (0..GROUPS).map(|group| set.catalogue_of_others(group).unwrap());
    others.chain([set.catalogue().unwrap()]).collect()
}

#[test]
fn a_value_that_is_clearly_better_is_chosen_and_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let set = set_with(dir.path(), 1500, SearchMode::Quick);
    let record = set.manifest.source_search.clone().unwrap();
    let search = |name: &str| -> &ParameterSearch {
        record.parameters.iter().find(|search| search.name == name).unwrap()
    };
    let back = search("visit_back");
    assert_eq!((back.chosen, back.source.as_str()), (0.5, "visit"), "{back:?}");
    assert!(back.outcome.contains("higher than with 0.8, p < 0.001"), "{}", back.outcome);
    let values: Vec<f64> = back.trials.iter().map(|trial| trial.value).collect();
    assert_eq!(values, [0.8, 0.5, 0.65, 0.95]);
    let rungs: Vec<usize> = back.trials.iter().map(|trial| trial.scores.len()).collect();
    assert_eq!(rungs, [2, 2, 1, 1], "half of the values go on to the second rung");
    assert!(record.outcome.contains("visit_back = 0.5"), "{}", record.outcome);
    assert_eq!(record.questions[0], record.questions[1] / 4);
    // All visits are as short as that.
    assert_eq!(search("follow_steps").chosen, 10.0);
    let names: Vec<&str> = record.parameters.iter().map(|search| search.name.as_str()).collect();
    assert!(!names.contains(&"companion_shrink"), "nobody buys anything: {names:?}");
    assert_eq!(set.manifest.parameters[Parameter::VisitBack], 0.5);
    for catalogue in catalogues(&set) {
        assert_eq!(catalogue.parameters, set.manifest.parameters);
    }
    let again = tempfile::tempdir().unwrap();
    let again = set_with(again.path(), 1500, SearchMode::Quick);
    assert_eq!(again.manifest, set.manifest, "the same data and seed give the same choice");
    let off = set_with(dir.path(), 1500, SearchMode::Off);
    assert_eq!(off.manifest.parameters, Parameters::default());
    let record = off.manifest.source_search.unwrap();
    assert_eq!((record.outcome.as_str(), record.parameters.len()), ("The search is off.", 0));
}

#[test]
fn a_small_shop_keeps_the_standard_values_and_says_why() {
    let outcome = |users| {
        let dir = tempfile::tempdir().unwrap();
        let set = set_with(dir.path(), users, SearchMode::Full);
        assert_eq!(set.manifest.parameters, Parameters::default());
        assert!(catalogues(&set).iter().all(|c| c.parameters == Parameters::default()));
        set.manifest.source_search.unwrap().outcome
    };
    assert_eq!(
        outcome(100),
        "Nothing was tried: a shop that cross-validation judges is too small."
    );
    let few = outcome(250);
    assert!(few.starts_with("Nothing was tried: "), "{few}");
    assert!(few.ends_with("and a search asks for 100."), "{few}");
}
