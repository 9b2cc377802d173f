//! What holds for any rules.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::{conflicts, listed};

fn any_products() -> impl Strategy<Value = Value> {
    let departments = select(vec!["Tea", "Milk", "Bread", "Fruit", "Wine"]);
    let ids = subsequence((0..20).map(|n| format!("p{n}")).collect::<Vec<_>>(), 1..6);
    prop_oneof![
        departments.prop_map(|name| json!({ "select": format!("department = '{name}'") })),
        ids.prop_map(|ids| json!({ "ids": ids })),
    ]
}

fn any_rule() -> impl Strategy<Value = Value> {
    let per = select(vec!["department", "aisle", "brand"]);
    let action = prop_oneof![
        (1u32..12).prop_map(|place| json!({"kind": "pin", "place": place})),
        (1.1..50.0).prop_map(|factor| json!({"kind": "boost", "factor": factor})),
        (1.1..50.0).prop_map(|factor| json!({"kind": "bury", "factor": factor})),
        Just(json!({"kind": "block"})),
        (1u32..4).prop_map(|count| json!({"kind": "at_most", "count": count})),
        (1u32..4, per).prop_map(|(n, per)| json!({"kind": "at_most", "count": n, "per": per})),
        Just(json!({"kind": "at_least", "count": 1})),
        any_products().prop_map(|cart| json!({"kind": "only_with", "cart": cart})),
        any_products().prop_map(|cart| json!({"kind": "never_with", "cart": cart})),
    ];
    (action, any_products(), -2..3).prop_map(|(action, products, priority)| {
        json!({"priority": priority, "action": action, "products": products})
    })
}

fn any_rules() -> impl Strategy<Value = Value> {
    prop::collection::vec(any_rule(), 0..7).prop_map(|mut rules| {
        for (n, rule) in rules.iter_mut().enumerate() {
            rule["id"] = json!(format!("r{n}"));
        }
        json!(rules)
    })
}

proptest! {
    #[test]
    fn a_list_has_no_product_twice_and_no_blocked_one_and_is_deterministic(
        rules in any_rules(), limit in 1usize..15,
    ) {
        let (list, moves) = listed(rules.clone(), limit);
        prop_assert!(list.len() <= limit);
        let mut distinct = list.clone();
        distinct.sort_unstable();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), list.len());
        prop_assert_eq!((list, moves), listed(rules, limit));
    }

    #[test]
    fn without_limits_a_list_is_filled(rules in any_rules(), limit in 1usize..15) {
        let all = rules.as_array().unwrap();
        let kinds: Vec<&str> = all.iter().map(|r| r["action"]["kind"].as_str().unwrap()).collect();
        let limiting = ["block", "only_with", "never_with", "at_most"];
        prop_assume!(!kinds.iter().any(|kind| limiting.contains(kind)));
        prop_assert_eq!(listed(rules, limit).0.len(), limit);
    }

    #[test]
    fn the_first_limit_holds_and_the_list_is_full_unless_limits_are(
        rules in any_rules(), limit in 1usize..15, count in 1u32..4,
    ) {
        // Above all other rules, so that nothing may break it.
        let first = json!({"id": "first", "priority": 9,
            "action": {"kind": "at_most", "count": count, "per": "department"}});
        let mut all = rules.as_array().unwrap().clone();
        all.push(first);
        let (list, _) = listed(json!(all), limit);
        for department in 0..5 {
            let of_it = list.iter().filter(|&&n| n % 5 == department).count();
            prop_assert!(of_it <= count as usize, "{list:?}");
        }
        let alone = listed(json!([all.last().unwrap()]), limit).0;
        prop_assert_eq!(alone.len(), limit.min(5 * count as usize));
    }

    #[test]
    fn a_single_demand_is_met_while_there_are_places(limit in 1usize..15, count in 1u32..5) {
        let wine = json!([{"id": "a", "products": {"select": "department = 'Wine'"},
            "action": {"kind": "at_least", "count": count}}]);
        let (list, _) = listed(wine, limit);
        let wines = list.iter().filter(|&&n| n % 5 == 4).count();
        prop_assert!(wines >= limit.min(count as usize), "{list:?}");
        prop_assert_eq!(list.len(), limit);
    }

    #[test]
    fn a_single_pin_stands_at_its_place(limit in 1usize..15, place in 1usize..15, n in 0u32..20) {
        let pin = json!([{"id": "a", "products": {"ids": [format!("p{n}")]},
            "action": {"kind": "pin", "place": place}}]);
        let (list, _) = listed(pin, limit);
        prop_assert_eq!(list.len(), limit);
        match place <= limit {
            true => prop_assert_eq!(list[place - 1], n),
            false => prop_assert_eq!(list, (0..limit as u32).collect::<Vec<_>>()),
        }
    }

    #[test]
    fn conflicts_name_active_rules(rules in any_rules()) {
        for line in conflicts(rules) {
            prop_assert!(line.contains(" r"), "{line}");
        }
    }
}
