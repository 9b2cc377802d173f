//! Mistakes and contradictions of documents.

use serde_json::{Value, json};

use super::{conflicts, document};
use crate::*;

#[test]
fn every_mistake_of_a_document_is_told_with_its_place() {
    let wrong = document(json!([
        {"id": "Not plain", "action": {"kind": "pin", "place": 0}},
        {"id": "a", "priority": 2000, "products": {"select": "departement = 'Tea'"},
         "action": {"kind": "boost", "factor": 0.5}, "scope": {"segment": "price < 3", "placements": ["A"]}},
        {"id": "b", "products": {"ids": ["x"]}, "action": {"kind": "at_least", "count": 2}},
        {"id": "c", "products": {"ids": []},
         "action": {"kind": "never_with", "cart": {"select": "brand"}}},
        {"id": "d", "products": {"ids": ["x"]}, "action": {"kind": "block"}},
        {"id": "d", "products": {"ids": ["x"]}, "action": {"kind": "block"}},
    ]));
    let Problems(found) = RuleSet::new(&wrong).unwrap_err();
    let fields: Vec<(&str, &str)> =
        found.iter().map(|problem| (problem.rule.as_str(), problem.field.as_str())).collect();
    assert_eq!(
        fields,
        [
            ("Not plain", "id"),
            ("Not plain", "action.place"),
            ("Not plain", "products"),
            ("a", "priority"),
            ("a", "action.factor"),
            ("a", "products.select"),
            ("a", "scope.placements"),
            ("a", "scope.segment"),
            ("b", "action.count"),
            ("c", "products.ids"),
            ("c", "action.cart.select"),
            ("d", "id"),
        ]
    );
    let select = &found[5];
    assert_eq!(select.position, Some(1));
    assert!(select.problem.ends_with("Did you mean department?"), "{select}");
    assert!(select.excerpt.as_ref().is_some_and(|excerpt| excerpt.contains("^^^")));
    let many =
        vec![json!({"id": "a", "products": {"ids": ["x"]}, "action": {"kind": "block"}}); 201];
    assert!(RuleSet::new(&document(json!(many))).is_err());
}

#[test]
fn unknown_fields_are_refused() {
    let read =
        |rule: Value| serde_json::from_value::<Rule>(rule).map_err(|error| error.to_string());
    let right = json!({"id": "a", "products": {"ids": ["x"]}, "action": {"kind": "block"}});
    assert!(read(right.clone()).is_ok());
    for (at, value) in [
        ("/colour", json!("red")),
        ("/action/place", json!(3)),
        ("/products/select", json!("true")),
    ] {
        let mut wrong = right.clone();
        let (parent, name) = at.rsplit_once('/').unwrap();
        wrong.pointer_mut(parent).unwrap()[name] = value;
        assert!(read(wrong).is_err(), "{at}");
    }
    assert!(read(json!({"id": "a", "action": {"kind": "shout"}})).unwrap_err().contains("shout"));
    let document: Rules = serde_json::from_value(json!({"rules": [right]})).unwrap();
    let written = serde_json::to_value(&document).unwrap();
    assert_eq!(serde_json::from_value::<Rules>(written.clone()).unwrap(), document);
    let book: RuleBook = serde_json::from_value(written.clone()).unwrap();
    assert_eq!((book.document(), book.set().is_empty()), (&document, false));
    assert_eq!(serde_json::to_value(&book).unwrap(), written);
    let mut wrong = written;
    wrong["rules"][0]["id"] = json!("?");
    let error = serde_json::from_value::<RuleBook>(wrong).unwrap_err().to_string();
    assert!(error.contains("The id is no plain name."), "{error}");
}

#[test]
fn contradictions_are_reported_with_the_rule_that_wins() {
    let tea = json!({"select": "department = 'Tea'"});
    let pin = json!({"id": "pin", "products": {"ids": ["p0", "p5"]}, "action": {"kind": "pin", "place": 1}});
    let other = json!({"id": "other", "priority": 3, "products": tea, "action": {"kind": "pin", "place": 1}});
    assert_eq!(conflicts(json!([pin, other])), ["same_place other+pin other"]);
    let block = json!({"id": "block", "products": tea, "action": {"kind": "block"}});
    assert_eq!(conflicts(json!([pin, block])), ["pinned_and_blocked block+pin block"]);
    let cart = json!({"id": "b", "products": tea, "action": {"kind": "block"}, "scope": {"placements": ["cart"]}});
    let home = json!({"id": "a", "products": tea, "action": {"kind": "pin", "place": 1}, "scope": {"placements": ["home"]}});
    assert!(conflicts(json!([cart, home])).is_empty(), "they never meet");
    let milk = json!({"id": "pin", "products": {"ids": ["p0", "p1"]}, "action": {"kind": "pin", "place": 1}});
    assert!(conflicts(json!([milk, block])).is_empty(), "the milk can be pinned");
    let boost = json!({"id": "boost", "priority": 9, "products": {"select": "department  =  \"Tea\""},
        "action": {"kind": "boost", "factor": 2}});
    assert_eq!(conflicts(json!([boost, block])), ["moved_and_blocked boost+block block"]);
    let bury =
        json!({"id": "bury", "products": {"ids": ["p0"]}, "action": {"kind": "bury", "factor": 2}});
    assert_eq!(conflicts(json!([boost, bury])), ["boosted_and_buried boost+bury -"]);
    let least = json!({"id": "least", "products": tea, "action": {"kind": "at_least", "count": 3}});
    let most = json!({"id": "most", "priority": 1, "products": tea, "action": {"kind": "at_most", "count": 2}});
    assert_eq!(conflicts(json!([least, most])), ["too_many most+least most"]);
    assert_eq!(conflicts(json!([least, block])), ["demanded_and_blocked block+least block"]);
    let per = json!({"id": "per", "action": {"kind": "at_most", "count": 1, "per": "brand"}});
    assert!(conflicts(json!([least, per])).is_empty(), "there are other brands");
    let past = json!({"id": "past", "products": tea, "action": {"kind": "block"}, "scope": {"until": "2026-01-01"}});
    assert_eq!(conflicts(json!([past, pin])), ["never_holds past -"]);
}
