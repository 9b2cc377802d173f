//! The document of placements.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{InvalidPlacement, Kind, Placement, Placements};

fn read(placements: Value) -> Placements {
    serde_json::from_value(json!({"placements": placements})).unwrap()
}

fn refused(placements: Value) -> InvalidPlacement {
    let document = read(placements);
    document.check().unwrap_err()
}

#[test]
fn the_document_that_exists_from_the_start_is_valid() {
    let document = Placements::default();
    document.check().unwrap();
    let names: Vec<&str> = document.placements.keys().map(String::as_str).collect();
    let expected = [
        "cart",
        "category",
        "checkout",
        "home",
        "home_buy_again",
        "home_trending",
        "mail",
        "product",
        "product_substitutes",
    ];
    assert_eq!(names, expected);
    let written = serde_json::to_value(&document).unwrap();
    assert_eq!(serde_json::from_value::<Placements>(written).unwrap(), document);
}

#[test]
fn every_kind_has_one_name() {
    for (name, kind) in Kind::NAMES {
        assert_eq!((kind.as_str(), Kind::named(name)), (name, Some(kind)));
        assert_eq!(serde_json::to_value(kind).unwrap(), name);
    }
}

#[test]
fn absent_fields_have_defaults_and_unknown_ones_are_refused() {
    let document = read(json!({"home": {"kind": "popular"}}));
    assert_eq!(document.placements["home"], Placement::new(Kind::Popular, 10));
    document.check().unwrap();
    let unknown = json!({"placements": {"home": {"kind": "popular", "colour": "red"}}});
    let error = serde_json::from_value::<Placements>(unknown).unwrap_err().to_string();
    assert!(error.contains("colour"), "{error}");
}

#[test]
fn a_refusal_names_the_field_and_says_what_is_accepted() {
    let one = |placement: Value| json!({"home": placement});
    for (placements, path, expected) in [
        (json!({"Home": {"kind": "new"}}), "placements.Home", "a letter"),
        (json!({"undo": {"kind": "new"}}), "placements.undo", "neither history nor undo"),
        (json!({"": {"kind": "new"}}), "placements", "1 to 32"),
        (json!({"a".repeat(33): {"kind": "new"}}), "placements.aaa", "1 to 32"),
        (json!({"cart": {"kind": "new"}}), "placements.cart.kind", "cart, or another name"),
        (one(json!({"kind": "new", "limit": 0})), "placements.home.limit", "1 to 100"),
        (one(json!({"kind": "new", "limit": 101})), "placements.home.limit", "1 to 100"),
        (one(json!({"kind": "rank", "limit": 1001})), "placements.home.limit", "1 to 1000"),
        (
            one(json!({"kind": "new", "diversity": {"variety": 1.5}})),
            "placements.home.diversity.variety",
            "0 to 1",
        ),
        (one(json!({"kind": "new", "fallback": ["x"]})), "placements.home.fallback[0]", "popular"),
        (
            one(json!({"kind": "new", "fallback": ["cart", "cart"]})),
            "placements.home.fallback[1]",
            "once",
        ),
        (one(json!({"kind": "new", "fallback": ["home"]})), "placements.home.fallback", "back"),
        (
            one(json!({"kind": "new", "fallback": vec!["new"; 9]})),
            "placements.home.fallback",
            "at most 8",
        ),
    ] {
        let error = refused(placements);
        assert!(error.path().starts_with(path), "{error}");
        assert!(error.expected.contains(expected), "{}: {}", error.path(), error.expected);
    }
    let many = (0..101).map(|n| (format!("p{n}"), json!({"kind": "new"}))).collect();
    assert_eq!(refused(Value::Object(many)).expected, "at most 100 placements");
}

#[test]
fn a_filter_is_checked_with_its_position_before_its_context_is_known() {
    let home = |filter: &str| json!({"home": {"kind": "new", "filter": filter}});
    for filter in ["brand = context.brand and price < 20", "context.tag in tags", "context.flag"] {
        read(home(filter)).check().unwrap();
    }
    let error = refused(home("price < 20 and brnd = context.brand"));
    assert_eq!((error.path().as_str(), error.position), ("placements.home.filter", Some(16)));
    assert!(error.detail.contains("Did you mean brand?"), "{}", error.detail);
    assert!(refused(home("price < context.brand and brand = 3")).position.is_some());
    assert_eq!(refused(home("")).position, Some(1));
}

#[test]
fn circles_are_refused_however_long_they_are() {
    let error = refused(json!({
        "a": {"kind": "new", "fallback": ["b", "popular"]},
        "b": {"kind": "trending", "fallback": ["popular", "c"]},
        "c": {"kind": "cart", "fallback": ["a"]},
    }));
    assert_eq!(error.placement, "a");
    assert!(error.detail.contains("a → b → c → a"), "{}", error.detail);
}

#[test]
fn a_chain_takes_other_placements_with_their_filters() {
    let document = read(json!({
        "tea": {"kind": "for_you", "filter": "aisle = \"Tea\"", "fallback": ["cheap", "popular"]},
        "cheap": {"kind": "for_you", "filter": "price < 5", "fallback": ["new", "popular"]},
    }));
    document.check().unwrap();
    let chain = document.chain("tea");
    let (tea, cheap) = ("aisle = \"Tea\"", "price < 5");
    let steps: Vec<(Kind, Vec<&str>)> =
        chain.into_iter().map(|step| (step.kind, step.filters)).collect();
    let expected = [
        (Kind::ForYou, vec![tea]),
        (Kind::ForYou, vec![tea, cheap]),
        (Kind::New, vec![tea, cheap]),
        (Kind::Popular, vec![tea, cheap]),
        (Kind::Popular, vec![tea]),
    ];
    assert_eq!(steps, expected);
    assert!(document.chain("nothing").is_empty());
}

#[test]
fn a_placement_with_the_name_of_a_kind_stands_for_the_kind() {
    let document = read(json!({
        "popular": {"kind": "popular", "filter": "price < 5"},
        "home": {"kind": "for_you", "fallback": ["popular"]},
    }));
    let chain = document.chain("home");
    assert_eq!(chain[1].filters, ["price < 5"]);
}

#[test]
fn a_chain_is_bounded() {
    let kinds = ["for_you", "new", "trending", "popular", "buy_again", "cart"];
    let placement = |n: usize| {
        let next = (n < 2).then(|| format!("p{}", n + 1));
        let fallback: Vec<String> = kinds.iter().map(|&kind| kind.to_owned()).chain(next).collect();
        let filter = format!("price < {n}");
        (format!("p{n}"), json!({"kind": "rank", "filter": filter, "fallback": fallback}))
    };
    let error = refused(Value::Object((0..3).map(placement).collect()));
    assert_eq!((error.placement.as_str(), &*error.expected), ("p0", "at most 12 lists"));
}

proptest! {
    /// Whatever the fallbacks are, the check ends; and the chain of an accepted document is bounded
    /// and names no list twice.
    #[test]
    fn any_document_is_checked(
        links in prop::collection::vec(prop::collection::vec(0_usize..15, 0..8), 1..10),
    ) {
        let name = |n: usize| match n {
            0..10 => format!("p{n}"),
            n => Kind::NAMES[n - 10].0.to_owned(),
        };
        let placements = links.iter().enumerate().map(|(n, links)| {
            let fallback = links.iter().map(|&link| name(link)).collect();
            (name(n), Placement { fallback, ..Placement::new(Kind::ForYou, 10) })
        });
        let document = Placements { placements: placements.collect() };
        if document.check().is_ok() {
            for name in document.placements.keys() {
                let chain = document.chain(name);
                prop_assert!(!chain.is_empty() && chain.len() <= crate::MAX_CHAIN);
                let repeated = (1..chain.len()).any(|at| chain[..at].contains(&chain[at]));
                prop_assert!(!repeated, "{chain:?}");
            }
        }
    }
}

#[test]
fn as_many_places_are_explored_as_the_list_may_have_and_none_by_default() {
    let read_one = |kind: &str, limit: usize, slots: usize| {
        read(json!({"home": {"kind": kind, "limit": limit, "explore": {"slots": slots}}}))
    };
    for (kind, limit, slots) in [("for_you", 10, 10), ("popular", 2, 2), ("rank", 500, 0)] {
        read_one(kind, limit, slots).check().unwrap();
    }
    for (kind, limit, slots, expected) in [
        ("for_you", 3, 4, "a number from 0 to 3"),
        ("for_you", 100, 11, "a number from 0 to 10"),
        ("buy_again", 10, 1, "0, because a list of the kind buy_again names its products"),
    ] {
        let refused = read_one(kind, limit, slots).check().unwrap_err();
        assert_eq!(refused.path(), "placements.home.explore.slots");
        assert_eq!(refused.expected, expected);
    }
    let written = serde_json::to_value(read_one("for_you", 10, 0)).unwrap();
    assert_eq!(written["placements"]["home"].get("explore"), None);
    let written = serde_json::to_value(read_one("for_you", 10, 2)).unwrap();
    assert_eq!(written["placements"]["home"]["explore"], json!({"slots": 2}));
}
