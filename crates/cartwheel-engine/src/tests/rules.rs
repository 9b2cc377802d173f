//! Rules and diversity over the release of ten products.

use cartwheel_events::UserId;
use cartwheel_filter::Context;
use cartwheel_placements::Kind;
use cartwheel_rules::{RuleSet, Rules};
use futures::executor::block_on;
use serde_json::{Value, json};

use super::catalogue::Shop;
use super::shop::{model, product, query, regular, release, session};
use crate::{Diversity, Engine, Page, Query, Recommendation, Ruled, ServingEngine, Slot, SlotStep};

fn rule_set(rules: Value) -> RuleSet {
    let document: Rules = serde_json::from_value(json!({ "rules": rules })).unwrap();
    RuleSet::new(&document).unwrap()
}

/// The products recommended under rules, with what rules have done.
fn ask(
    engine: &ServingEngine,
    rules: Value,
    change: impl FnOnce(&mut Query<'_>),
) -> Vec<Recommendation> {
    let (user, record, rules) = (UserId::new("u").unwrap(), regular().encode(), rule_set(rules));
    let context = Context::default();
    let mut query = query(&user, Some(&record));
    query.rules = Some(Ruled { rules: &rules, context: &context });
    change(&mut query);
    block_on(engine.recommend(query)).items
}

fn page(engine: &ServingEngine, rules: Value, slots: &[Slot]) -> Page {
    let (user, record, rules) = (UserId::new("u").unwrap(), regular().encode(), rule_set(rules));
    let context = Context::default();
    let mut query = query(&user, Some(&record));
    query.rules = Some(Ruled { rules: &rules, context: &context });
    block_on(engine.page(query, slots))
}

fn slot(placement: &str, limit: usize, kinds: &[Kind]) -> Slot {
    let step = |&kind| SlotStep { kind, expression: None };
    let (placement, steps) = (placement.to_owned(), kinds.iter().map(step).collect());
    Slot { placement, steps, limit, product: Some(product("p5")), ..Slot::default() }
}

fn ids(items: &[Recommendation]) -> Vec<&str> {
    items.iter().map(|item| item.product_id.as_str()).collect()
}

fn listed(page: &Page, list: usize) -> Vec<&str> {
    page.lists[list].iter().map(|placed| placed.recommendation.product_id.as_str()).collect()
}

fn pin(id: &str, place: usize) -> Value {
    json!([{"id": "pin", "products": {"ids": [id]}, "action": {"kind": "pin", "place": place}}])
}

#[test]
fn a_rule_puts_a_product_at_its_place_and_the_answer_says_so() {
    for model in [Some(model()), None] {
        let engine = ServingEngine::new(release(model));
        let plain = ask(&engine, json!([]), |_| ());
        assert!(plain.iter().all(|item| item.moved_by.is_none()));
        let pinned = ask(&engine, pin("p8", 2), |query| query.limit = 3);
        assert_eq!(pinned[1].product_id, product("p8"));
        let moved = pinned[1].moved_by.clone().unwrap();
        assert_eq!((moved.rule.as_str(), moved.to), ("pin", 2));
        assert_eq!(ids(&plain)[moved.from - 1], "p8");
        let of = |list: &[Recommendation]| {
            list.iter().find(|item| item.product_id == product("p8")).unwrap().probability
        };
        assert_eq!(of(&pinned), of(&plain), "probabilities stay as they are");
        // Neither what is in the cart nor what the request excludes.
        let none = |list: Vec<Recommendation>| !ids(&list).contains(&"p8");
        assert!(none(ask(&engine, pin("p8", 1), |query| query.cart = Some(vec![product("p8")]))));
        assert!(none(ask(&engine, pin("p8", 1), |query| {
            query.filters.exclude_products = vec![product("p8")];
        })));
    }
}

#[test]
fn a_rule_for_a_category_holds_on_its_page() {
    let engine = ServingEngine::new(release(Some(model())));
    let mut rules = pin("p8", 1);
    rules[0]["scope"] = json!({"category": "food"});
    let context = |category: &str| {
        let Value::Object(values) = json!({ "category": category }) else { unreachable!() };
        Context::from_json(values).unwrap()
    };
    let first = |context: &Context, departments: &[&str]| {
        let (user, record) = (UserId::new("u").unwrap(), regular().encode());
        let rules = rule_set(rules.clone());
        let mut query = query(&user, Some(&record));
        query.rules = Some(Ruled { rules: &rules, context });
        query.filters.departments = departments.iter().map(|&name| name.to_owned()).collect();
        block_on(engine.recommend(query)).items[0].product_id == product("p8")
    };
    assert!(first(&context("food"), &[]) && !first(&context("other"), &[]));
    assert!(first(&Context::default(), &["food", "other"]));
    assert!(!first(&Context::default(), &["other"]) && !first(&Context::default(), &[]));
}

#[test]
fn a_blocked_product_takes_no_place() {
    let engine = ServingEngine::new(release(Some(model())));
    let block = json!([{"id": "no", "products": {"select": "department = 'food'"},
        "action": {"kind": "block"}}]);
    let plain = ask(&engine, json!([]), |query| query.limit = 5);
    assert!(plain.iter().any(|item| item.department == "food"));
    let left = ask(&engine, block.clone(), |query| query.limit = 5);
    assert_eq!(left.len(), 5, "the list is filled up");
    assert!(left.iter().all(|item| item.department == "other"), "{:?}", ids(&left));
    let with_cart = json!([{"id": "no", "products": {"ids": ["p1"]},
        "action": {"kind": "never_with", "cart": {"ids": ["p0"]}}}]);
    let asked = |cart: &[&str]| {
        let session = session(cart, &[]);
        let (user, record) = (UserId::new("u").unwrap(), regular().encode());
        let (rules, context) = (rule_set(with_cart.clone()), Context::default());
        let rules = Some(Ruled { rules: &rules, context: &context });
        let query = Query { session: Some(&session), rules, ..query(&user, Some(&record)) };
        ids(&block_on(engine.recommend(query)).items).contains(&"p1")
    };
    assert!(asked(&["p4"]) && !asked(&["p0"]));
}

#[test]
fn limits_and_demands_find_products_that_are_no_candidates() {
    let mut shop = Shop::over(release(Some(model())));
    for n in 0..200 {
        let brand = if n < 150 { "big" } else { "small" };
        shop.put(&format!("n{n}"), json!({"name": format!("No {n}"), "brand": brand}));
    }
    let branded = |list: &[Recommendation], brand: &str| {
        let number = |item: &Recommendation| item.product_id.as_str()[1..].parse::<u32>().unwrap();
        let is_new = |item: &&Recommendation| item.product_id.as_str().starts_with('n');
        let new = list.iter().filter(is_new);
        new.filter(|item| (number(item) < 150) == (brand == "big")).count()
    };
    let limited = json!([{"id": "a", "products": {"select": "has(brand)"},
        "action": {"kind": "at_most", "count": 3, "per": "brand"}}]);
    let list = ask(&shop.engine, limited, |query| {
        query.limit = 30;
        query.filters.exclude_products = (0..10).map(|n| product(&format!("p{n}"))).collect();
    });
    assert_eq!((branded(&list, "big"), branded(&list, "small")), (3, 3), "{:?}", ids(&list));
    let demanded = json!([{"id": "a", "products": {"select": "brand = 'small'"},
        "action": {"kind": "at_least", "count": 4}}]);
    let list = ask(&shop.engine, demanded, |query| query.limit = 6);
    assert_eq!((branded(&list, "small"), list.len()), (4, 6), "{:?}", ids(&list));
    let new = ask(&shop.engine, pin("n7", 1), |query| query.limit = 2);
    assert_eq!(new[0].product_id, product("n7"));
}

#[test]
fn a_page_applies_the_rules_of_each_placement() {
    let engine = ServingEngine::new(release(Some(model())));
    let kinds = [
        Kind::ForYou,
        Kind::Cart,
        Kind::BuyAgain,
        Kind::BoughtTogether,
        Kind::Substitutes,
        Kind::AlsoViewed,
        Kind::Trending,
        Kind::Popular,
        Kind::New,
        Kind::RecentlyViewed,
    ];
    for kind in kinds {
        let slots = [slot("one", 2, &[kind, Kind::Popular]), slot("two", 2, &[Kind::Popular])];
        let mut rules = pin("p9", 1);
        rules[0]["scope"] = json!({"placements": ["one"]});
        let page = page(&engine, rules, &slots);
        assert_eq!(listed(&page, 0)[0], "p9", "{kind}");
        let moved = page.lists[0][0].recommendation.moved_by.as_ref().unwrap();
        assert_eq!((moved.rule.as_str(), moved.to), ("pin", 1));
        assert!(!listed(&page, 1).contains(&"p9"), "{kind}: it stands above");
        assert_eq!((page.lists[0].len(), page.lists[1].len()), (2, 2));
    }
    let block = json!([{"id": "no", "products": {"select": "department = 'food'"},
        "action": {"kind": "block"}, "scope": {"placements": ["one"]}}]);
    let slots = [slot("one", 4, &[Kind::ForYou]), slot("two", 4, &[Kind::ForYou])];
    let page = page(&engine, block, &slots);
    assert_eq!(page.lists[0].len(), 4);
    let department = |list: usize| {
        page.lists[list].iter().map(|placed| placed.recommendation.department.as_str())
    };
    assert!(department(0).all(|name| name == "other"));
    assert!(department(1).any(|name| name == "food"), "elsewhere it does not hold");
}

#[test]
fn a_limited_list_goes_on_with_its_fallbacks() {
    let engine = ServingEngine::new(release(Some(model())));
    let one = json!([{"id": "a", "action": {"kind": "at_most", "count": 1, "per": "aisle"}}]);
    let slots = [slot("one", 4, &[Kind::BuyAgain, Kind::Popular])];
    let page = page(&engine, one, &slots);
    let mut aisles: Vec<&str> =
        page.lists[0].iter().map(|placed| placed.recommendation.aisle.as_str()).collect();
    aisles.sort_unstable();
    aisles.dedup();
    assert_eq!(aisles.len(), 4, "{:?}", listed(&page, 0));
}

#[test]
fn diversity_rearranges_the_list_of_a_placement() {
    let engine = ServingEngine::new(release(Some(model())));
    let list = |diversity| {
        let slots = [Slot { diversity, ..slot("one", 6, &[Kind::ForYou]) }];
        let page = page(&engine, json!([]), &slots);
        let list = page.lists[0].iter().map(|placed| placed.recommendation.clone());
        list.collect::<Vec<Recommendation>>()
    };
    let plain = list(Diversity::NONE);
    let varied = list(Diversity { variety: 1.0, ..Diversity::NONE });
    assert_ne!(ids(&plain), ids(&varied));
    let food = |list: &[Recommendation]| list.iter().filter(|i| i.department == "food").count();
    let calibrated = list(Diversity { calibration: 1.0, ..Diversity::NONE });
    assert!(food(&calibrated) >= food(&plain), "all that the shopper buys is food");
    assert!(calibrated.iter().all(|item| item.moved_by.is_none()), "no rule has done it");
}
