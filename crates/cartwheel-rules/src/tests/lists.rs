//! What rules do to lists.

use serde_json::{Value, json};

use super::{Asked, HOME, arrange, listed, rule_set, with_ruling};

#[test]
fn without_rules_a_list_is_the_ranking() {
    assert_eq!(listed(json!([]), 4), (vec![0, 1, 2, 3], vec![]));
    let inactive = json!([{"id": "a", "active": false, "products": {"ids": ["p9"]},
        "action": {"kind": "pin", "place": 1}}]);
    assert_eq!(listed(inactive, 3), (vec![0, 1, 2], vec![]));
}

#[test]
fn a_pin_puts_the_best_of_its_products_at_its_place() {
    let pin = |place: u32, products: Value| {
        listed(
            json!([{"id": "pin", "products": products, "action": {"kind": "pin", "place": place}}]),
            5,
        )
    };
    assert_eq!(pin(2, json!({"ids": ["p9"]})), (vec![0, 9, 1, 2, 3], vec!["p9 pin 10>2".into()]));
    let wine = json!({"select": "department = 'Wine'"});
    assert_eq!(pin(1, wine).0, [4, 0, 1, 2, 3], "p4 is the most probable wine");
    assert_eq!(pin(6, json!({"ids": ["p9"]})).0, [0, 1, 2, 3, 4], "the list has no place 6");
    assert_eq!(pin(1, json!({"ids": ["unknown"]})).0, [0, 1, 2, 3, 4]);
    let (list, moves) = pin(1, json!({"ids": ["p0"]}));
    assert_eq!((list, moves), (vec![0, 1, 2, 3, 4], vec!["p0 pin 1>1".to_owned()]));
}

#[test]
fn factors_multiply_the_odds() {
    let rule = |kind: &str, factor: f64, id: &str| json!({"id": kind, "products": {"ids": [id]}, "action": {"kind": kind, "factor": factor}});
    // 0.5 · 0.8^5 = 0.164 has the odds 0.196; times 4, it lies between 1 and 0.667.
    let (list, moves) = listed(json!([rule("boost", 4.0, "p5")]), 6);
    assert_eq!((list, moves), (vec![0, 5, 1, 2, 3, 4], vec!["p5 boost 6>2".to_owned()]));
    // 1 / 3 lies between 0.344 and 0.258.
    let (list, moves) = listed(json!([rule("bury", 3.0, "p0")]), 6);
    assert_eq!((list, moves), (vec![1, 2, 3, 0, 4, 5], vec!["p0 bury 1>4".to_owned()]));
    let (list, moves) = listed(json!([rule("bury", 1000.0, "p0")]), 3);
    assert_eq!((list, moves), (vec![1, 2, 3], vec![]));
    let both = json!([rule("boost", 3.0, "p0"), rule("bury", 3.0, "p0")]);
    assert_eq!(listed(both, 3).0, [0, 1, 2]);
}

#[test]
fn blocks_and_rules_about_the_cart_keep_products_out() {
    let block = json!([{"id": "no-tea", "products": {"select": "department = 'Tea'"},
        "action": {"kind": "block"}}]);
    assert_eq!(listed(block, 5).0, [1, 2, 3, 4, 6]);
    let with = |kind: &str, cart: &[usize]| {
        let rules = json!([{"id": "a", "products": {"ids": ["p0"]},
            "action": {"kind": kind, "cart": {"select": "department = 'Wine'"}}}]);
        arrange(&rule_set(rules), 2, &Asked { cart, ..HOME }).0
    };
    assert_eq!(with("only_with", &[]), [1, 2]);
    assert_eq!(with("only_with", &[3, 4]), [0, 1]);
    assert_eq!(with("never_with", &[]), [0, 1]);
    assert_eq!(with("never_with", &[9]), [1, 2]);
}

#[test]
fn counts_are_limited_and_demanded() {
    let per_brand =
        json!([{"id": "two", "action": {"kind": "at_most", "count": 2, "per": "brand"}}]);
    assert_eq!(listed(per_brand, 10).0, [0, 1, 2, 3], "there are two brands");
    let tea = json!({"select": "department = 'Tea'"});
    let most = json!({"id": "most", "products": tea, "action": {"kind": "at_most", "count": 1}});
    assert_eq!(listed(json!([most]), 6).0, [0, 1, 2, 3, 4, 6]);
    let least = json!({"id": "least", "products": tea, "action": {"kind": "at_least", "count": 3}});
    let (list, moves) = listed(json!([least]), 4);
    assert_eq!(
        (list, moves),
        (vec![0, 1, 5, 10], vec!["p5 least 6>3".into(), "p10 least 11>4".into()])
    );
    assert_eq!(listed(json!([least]), 2).0, [0, 5], "no more than there are places");
    // Of contradicting ones, the higher priority wins.
    let mut first = most.clone();
    first["priority"] = json!(5);
    assert_eq!(listed(json!([first, least]), 4).0, [0, 1, 2, 3]);
    let mut first = least.clone();
    first["priority"] = json!(5);
    assert_eq!(listed(json!([most, first]), 4).0, [0, 1, 5, 10]);
}

#[test]
fn limits_leave_room_for_some_products() {
    let taken = |rules: Value| {
        with_ruling(&rule_set(rules), &HOME, |ruling, name_of| {
            let mut room = ruling.room(name_of);
            let taken: Vec<u32> = (0..20).filter(|&n| room.take(n)).collect();
            (ruling.limits(), taken)
        })
    };
    let one = json!({"id": "a", "action": {"kind": "at_most", "count": 1, "per": "department"}});
    assert_eq!(taken(json!([one])), (true, vec![0, 1, 2, 3, 4]));
    let block = json!({"id": "b", "products": {"ids": ["p1"]}, "action": {"kind": "block"}});
    assert_eq!(taken(json!([one, block])), (true, vec![0, 2, 3, 4, 6]));
    assert_eq!(taken(json!([])), (false, (0..20).collect()));
}

#[test]
fn priority_decides_between_a_pin_and_a_block() {
    let rules = |pin: i32| {
        json!([
            {"id": "pin", "priority": pin, "products": {"ids": ["p6"]}, "action": {"kind": "pin", "place": 1}},
            {"id": "block", "products": {"ids": ["p6", "p0"]}, "action": {"kind": "block"}},
        ])
    };
    assert_eq!(listed(rules(0), 3).0, [1, 2, 3], "of the same priority, the block wins");
    assert_eq!(listed(rules(1), 3).0, [6, 1, 2]);
    let tea = json!([
        {"id": "pin", "priority": 1, "products": {"select": "department = 'Tea'"},
         "action": {"kind": "pin", "place": 2}},
        {"id": "block", "products": {"select": "department = 'Tea'"}, "action": {"kind": "block"}},
    ]);
    assert_eq!(listed(tea, 4).0, [1, 0, 2, 3], "only the pinned tea escapes");
}

#[test]
fn a_rule_holds_in_its_scope_alone() {
    let holds = |scope: Value, asked: &Asked<'_>| {
        let rules = json!([{"id": "a", "products": {"ids": ["p9"]},
            "action": {"kind": "pin", "place": 1}, "scope": scope}]);
        arrange(&rule_set(rules), 1, asked).0 == [9]
    };
    assert!(holds(json!({"placements": ["home", "mail"]}), &HOME));
    assert!(!holds(json!({"placements": ["cart"]}), &HOME));
    assert!(holds(json!({"from": "2026-11-28", "weekdays": ["saturday"]}), &HOME));
    assert!(!holds(json!({"until": "2026-11-27"}), &HOME));
    assert!(!holds(json!({"category": "Tea"}), &HOME));
    assert!(holds(json!({"segment": "user.orders = 3"}), &HOME));
    let german = || json!({"segment": "context.country = 'DE'"});
    assert!(!holds(german(), &HOME));
    assert!(holds(german(), &Asked { context: json!({"country": "DE"}), ..HOME }));
}
