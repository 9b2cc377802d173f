use std::sync::Arc;

use cartwheel_events::UserId;
use cartwheel_features::{
    Action, Contents, Event, LastCheckout, ProductInfo, Search, Touch, UserState,
};
use cartwheel_registry::Challenger;
use cartwheel_sessions::{ProductView, Session, SessionSearch};
use cartwheel_stream::Pending;
use futures::executor::block_on;

use super::shop::{DAY_MS, NOW_MS, model, product, query, regular, release, session};
use crate::{
    Answer, Engine, Erased, Filters, Opened, PageStart, ProductSearch, Query, ScoreError, Scorer,
    ServingEngine, StoredRecord,
};

fn user() -> UserId {
    UserId::new("u").unwrap()
}

fn ask(engine: &ServingEngine, query: Query<'_>) -> Answer {
    block_on(engine.recommend(query))
}

fn ids(answer: &Answer) -> Vec<&str> {
    answer.items.iter().map(|item| item.product_id.as_str()).collect()
}

/// An endpoint that fails, returns the wrong number of rows, or prefers later candidates.
enum Endpoint {
    Down,
    Short,
    Reversed,
}

impl Scorer for Endpoint {
    fn score<'a>(
        &'a self,
        variant: &'a str,
        rows: &'a [f32],
        width: usize,
    ) -> Pending<'a, Result<Vec<f32>, ScoreError>> {
        assert_eq!(variant, "a");
        let rows = rows.len() / width;
        Box::pin(std::future::ready(match self {
            Self::Down => Err(ScoreError("connection refused".to_owned())),
            Self::Short => Ok(vec![0.5; rows - 1]),
            Self::Reversed => Ok((0..rows).map(|row| row as f32 / rows as f32).collect()),
        }))
    }
}

#[test]
fn a_challenger_ranks_for_the_same_share_of_the_shoppers_each_time() {
    let with = |percent: u8| {
        let mut opened = release(Some(model()));
        opened.challenger = Some(model());
        opened.release.challenger = Some(Challenger { model: "m-2".to_owned(), percent });
        ServingEngine::new(opened)
    };
    let versions = |engine: &ServingEngine| -> Vec<(String, String)> {
        let of = |n: usize| {
            let user = UserId::new(format!("u{n}")).unwrap();
            let answer = ask(engine, query(&user, None));
            (answer.model_version, answer.release)
        };
        (0..400).map(of).collect()
    };
    let (small, large) = (with(10), with(40));
    let (few, more) = (versions(&small), versions(&large));
    assert_eq!(few, versions(&small), "a shopper always meets the same model");
    let count = |of: &[(String, String)]| of.iter().filter(|(model, _)| model == "m-2").count();
    assert!((20..=60).contains(&count(&few)), "{} of 400", count(&few));
    assert!((120..=200).contains(&count(&more)), "{} of 400", count(&more));
    for ((before, release), (after, _)) in few.iter().zip(&more) {
        assert!(before == "m-1" || after == "m-2", "a larger share keeps its shoppers");
        assert_eq!(release.split_once('+').unwrap().1, before, "the release names the model");
    }
}

/// The endpoint has the model of the release, and the challenger ranks here.
#[test]
fn a_challenger_is_not_asked_of_the_endpoint() {
    let mut opened = release(Some(model()));
    opened.challenger = Some(model());
    opened.release.challenger = Some(Challenger { model: "m-2".to_owned(), percent: 50 });
    let engine = ServingEngine::new(opened).scored_by(Arc::new(Endpoint::Down));
    for n in 0..50 {
        let user = UserId::new(format!("u{n}")).unwrap();
        let answer = ask(&engine, query(&user, None));
        assert_eq!(answer.degraded, answer.model_version == "m-1", "{}", answer.model_version);
    }
}

#[test]
fn a_user_with_history_is_recommended_it_and_an_unknown_user_is_not_left_without() {
    let engine = ServingEngine::new(release(Some(model())));
    let (user, record) = (user(), regular().encode());
    let known = ask(&engine, query(&user, Some(&record)));
    assert_eq!(
        {
            let mut first = ids(&known)[..3].to_vec();
            first.sort_unstable();
            first
        },
        ["p0", "p1", "p4"]
    );
    assert!(!known.degraded);
    assert_eq!((known.model_version.as_str(), known.release.as_str()), ("m-1", "fs-1+m-1"));
    let unknown = ask(&engine, query(&user, None));
    assert!(!unknown.items.is_empty() && !unknown.degraded);
    let ranked: Vec<f32> = unknown.items.iter().map(|item| item.probability).collect();
    assert!(ranked.is_sorted_by(|a, b| a >= b), "{ranked:?}");
}

#[test]
fn a_cart_in_the_query_overrides_the_session() {
    let engine = ServingEngine::new(release(Some(model())));
    let user = user();
    let session = session(&["p0"], &[]);
    let of_session = Query { session: Some(&session), ..query(&user, None) };
    assert_eq!(of_session.cart_products(), [product("p0")]);
    let answer = ask(&engine, of_session);
    assert!(!ids(&answer).contains(&"p0"), "the cart is not recommended");
    let with_cart = Query {
        session: Some(&session),
        cart: Some(vec![product("p2"), product("unknown")]),
        ..query(&user, None)
    };
    assert_eq!(with_cart.cart_products(), [product("p2"), product("unknown")]);
    let answer = ask(&engine, with_cart);
    assert!(ids(&answer).contains(&"p0") && !ids(&answer).contains(&"p2"));
    let goes_with = answer.items.iter().find(|item| item.product_id.as_str() == "p3").unwrap();
    assert_eq!(goes_with.reasons, ["Goes with Product 2"]);
}

#[test]
fn checkouts_after_the_record_are_folded_in_once() {
    let engine = ServingEngine::new(release(Some(model())));
    let user = user();
    let mut state = regular();
    state.last_checkout =
        Some(LastCheckout { at_ms: NOW_MS - 2 * DAY_MS, event_id: "old".to_owned() });
    let record = state.encode();
    let session =
        session(&[], &[("old", NOW_MS - 2 * DAY_MS, &["p7"]), ("new", NOW_MS - DAY_MS, &["p8"])]);
    let answer = ask(&engine, Query { session: Some(&session), ..query(&user, Some(&record)) });
    let of = |id: &str| answer.items.iter().find(|item| item.product_id.as_str() == id).unwrap();
    assert!(of("p8").probability > 0.5, "the new checkout counts as history");
    assert!(of("p7").probability < 0.5, "the record already includes the old one");
    assert_eq!(of("p8").reasons, ["In 1 of your 5 orders"]);
}

#[test]
fn what_was_bought_a_minute_ago_comes_last() {
    let engine = ServingEngine::new(release(Some(model())));
    let user = user();
    let record = regular().encode();
    let session = session(&[], &[("new", NOW_MS - 60_000, &["p0"])]);
    let answer = ask(&engine, Query { session: Some(&session), ..query(&user, Some(&record)) });
    let (last, others) = answer.items.split_last().unwrap();
    assert_eq!(last.product_id.as_str(), "p0");
    assert!(others.iter().all(|other| other.probability <= last.probability), "though most likely");
    let tomorrow = Query { now_ms: NOW_MS + DAY_MS, ..query(&user, Some(&record)) };
    let answer = ask(&engine, Query { session: Some(&session), ..tomorrow });
    assert_eq!(ids(&answer)[0], "p0");
}

#[test]
fn views_and_the_cart_of_the_session_shape_the_answer() {
    let engine = ServingEngine::new(release(None));
    let user = user();
    let view = |id: &str, minute: i64| ProductView {
        product_id: product(id),
        at_ms: NOW_MS - 600_000 + minute * 60_000,
    };
    let seen = Session { views: [view("p7", 0), view("p5", 1)].into(), ..Session::default() };
    let with = |session| Query { session, explain: true, ..query(&user, None) };
    let sources = |answer: &Answer| -> Vec<String> {
        answer.candidates.iter().map(|count| count.source.clone()).collect()
    };
    let before = ask(&engine, with(None));
    let after = ask(&engine, with(Some(&seen)));
    assert!(!sources(&before).contains(&"seen".to_owned()));
    assert!(sources(&after).starts_with(&["seen".to_owned()]), "{:?}", sources(&after));
    // A record that has the views already counts them once.
    let mut state = UserState::default();
    for view in &seen.views {
        let index = view.product_id.as_str()[1..].parse().unwrap();
        let touch = Touch { product: index, action: Action::View, at_ms: view.at_ms };
        state.apply(Event::Touch(touch));
    }
    let record = state.encode();
    let again = ask(&engine, Query { session: Some(&seen), ..query(&user, Some(&record)) });
    let plain = ask(&engine, query(&user, Some(&record)));
    assert_eq!(ids(&again), ids(&plain));
}

#[test]
fn searches_of_the_session_propose_what_matches_and_are_folded_in_once() {
    let opened = release(None);
    let infos: Vec<ProductInfo> =
        opened.catalogue.products.iter().map(|product| product.info.clone()).collect();
    let catalogue = opened.catalogue.with_contents(&Arc::new(Contents::of(&infos)));
    let engine = ServingEngine::new(Opened { catalogue, ..release(None) });
    let user = user();
    let search = |query: &str, minute: i64| SessionSearch {
        query: query.to_owned(),
        at_ms: NOW_MS - 600_000 + minute * 60_000,
    };
    let searched =
        Session { searches: [search("food", 0), search("OTHER", 1)].into(), ..Session::default() };
    let with = |session| Query { session, explain: true, ..query(&user, None) };
    let found = |answer: &Answer| -> Vec<String> {
        let found = answer.items.iter().filter(|item| item.source.as_deref() == Some("search"));
        found.map(|item| item.product_id.to_string()).collect()
    };
    assert!(found(&ask(&engine, with(None))).is_empty());
    let after = ask(&engine, with(Some(&searched)));
    assert_eq!(found(&after).len(), 10, "five of each department");
    let said = after.items.iter().flat_map(|item| &item.reasons);
    assert_eq!(said.filter(|reason| *reason == "Matches what you searched for").count(), 3);
    // A record that has a search already does not take it for a newer one.
    let mut state = UserState::default();
    for SessionSearch { query, at_ms } in &searched.searches {
        state.apply(Event::Search(&Search::of(query, *at_ms).unwrap()));
    }
    let record = state.encode();
    let of_record = Query { explain: true, ..query(&user, Some(&record)) };
    let plain = ask(&engine, of_record);
    let earlier = Session { searches: [search("food", 0)].into(), ..Session::default() };
    let again = Query { session: Some(&earlier), explain: true, ..query(&user, Some(&record)) };
    let again = ask(&engine, again);
    let newest = |answer: &Answer| -> Vec<(String, Option<f32>)> {
        let column = |item: &crate::Recommendation| {
            let columns = &item.explanation.as_ref().unwrap().features;
            columns.iter().find(|column| column.name == "search_match").unwrap().value
        };
        answer.items.iter().map(|item| (item.product_id.to_string(), column(item))).collect()
    };
    assert_eq!(newest(&again), newest(&plain));
    assert!(newest(&plain).contains(&("p9".to_owned(), Some(1.0))));
}

#[test]
fn filters_restrict_the_answer() {
    let engine = ServingEngine::new(release(Some(model())));
    let (user, record) = (user(), regular().encode());
    let filtered = |filters| {
        let answer = ask(&engine, Query { filters, ..query(&user, Some(&record)) });
        answer.items.iter().map(|item| item.product_id.to_string()).collect::<Vec<_>>()
    };
    let food = filtered(Filters { departments: vec!["food".to_owned()], ..Filters::default() });
    assert_eq!(food.len(), 5, "{food:?}");
    let aisle = filtered(Filters { aisles: vec!["aisle 1".to_owned()], ..Filters::default() });
    assert!(aisle.iter().all(|id| ["p2", "p3"].contains(&id.as_str())), "{aisle:?}");
    let new = filtered(Filters { exclude_purchased: true, ..Filters::default() });
    assert!(["p0", "p1", "p4"].iter().all(|id| !new.contains(&(*id).to_owned())), "{new:?}");
    let without = Filters { exclude_products: vec![product("p0")], ..Filters::default() };
    assert!(!filtered(without.clone()).contains(&"p0".to_owned()));
    assert!(
        engine.popular(10, &without, NOW_MS).iter().all(|item| item.product_id.as_str() != "p0")
    );
}

#[test]
fn an_endpoint_that_fails_degrades_the_answer_and_no_more() {
    let (user, record) = (user(), regular().encode());
    let here = ask(&ServingEngine::new(release(Some(model()))), query(&user, Some(&record)));
    for endpoint in [Endpoint::Down, Endpoint::Short] {
        let engine = ServingEngine::new(release(Some(model()))).scored_by(Arc::new(endpoint));
        let answer = ask(&engine, query(&user, Some(&record)));
        assert!(answer.degraded);
        assert_eq!(answer.items, here.items, "scored in this process instead");
    }
    let engine = ServingEngine::new(release(Some(model()))).scored_by(Arc::new(Endpoint::Reversed));
    let answer = ask(&engine, query(&user, Some(&record)));
    assert!(!answer.degraded);
    assert_ne!(ids(&answer), ids(&here), "the endpoint's scores rank");
    let mut without_variant = release(Some(model()));
    without_variant.release.variant = None;
    let engine = ServingEngine::new(without_variant).scored_by(Arc::new(Endpoint::Down));
    let answer = ask(&engine, query(&user, Some(&record)));
    assert!(!answer.degraded, "a release without a variant is scored in this process");
    assert_eq!(answer.items, here.items);
}

#[test]
fn a_release_without_a_model_ranks_by_rules_and_lacks_nothing() {
    let (user, record) = (user(), regular().encode());
    let without_model = ServingEngine::new(release(None));
    assert!(!without_model.status().degraded && without_model.status().ready);
    let answer = ask(&without_model, query(&user, Some(&record)));
    assert!(!answer.degraded && !answer.items.is_empty());
    assert_eq!(answer.model_version, "none");
    assert_eq!(ids(&answer)[0], "p0", "the user's own products come first");
    let fallback = Opened { stands_in: true, ..release(None) };
    assert!(ask(&ServingEngine::new(fallback), query(&user, Some(&record))).degraded);
}

#[test]
fn a_new_shop_is_ready_and_a_lost_one_is_not() {
    let status = |opened| ServingEngine::new(opened).status();
    let new = Opened::nothing("UTC").unwrap();
    let lost = Opened { stands_in: true, ..Opened::nothing("UTC").unwrap() };
    assert!(status(new).ready);
    let status = status(lost);
    assert!(!status.ready && status.degraded);
    let dir = tempfile::tempdir().unwrap();
    let (opened, why) = Opened::best(dir.path(), "UTC").unwrap();
    assert!(why.is_none() && !opened.stands_in, "nothing was released yet");
    std::fs::create_dir(dir.path().join("releases")).unwrap();
    std::fs::write(dir.path().join("releases/current.json"), b"{").unwrap();
    let (opened, why) = Opened::best(dir.path(), "UTC").unwrap();
    assert!(why.is_some() && opened.stands_in, "the release cannot be read");
}

#[test]
fn answers_without_a_record_are_degraded_and_not_empty() {
    let (user, record) = (user(), regular().encode());
    let engine = ServingEngine::new(release(Some(model())));
    let other = StoredRecord { feature_set: "fs-0", bytes: Some(&record) };
    for record in [None, Some(other), Some(StoredRecord { bytes: Some(b"?"), ..other })] {
        let answer = ask(&engine, Query { record, ..query(&user, None) });
        assert!(answer.degraded && !answer.items.is_empty(), "{record:?}");
    }
}

#[test]
fn an_erased_user_is_unknown_until_a_newer_feature_set_serves() {
    let engine = ServingEngine::new(release(Some(model())));
    let (user, record) = (user(), regular().encode());
    let knows = || {
        let record = StoredRecord { feature_set: "fs-1", bytes: Some(&record) };
        engine.user(&user, Some(record)).record.is_some()
    };
    assert!(knows());
    let history = |answer: &Answer| answer.items.iter().any(|item| item.probability > 0.5);
    assert!(history(&ask(&engine, query(&user, Some(&record)))));
    engine.hide(user.clone(), Erased::InLake);
    assert!(!knows() && !history(&ask(&engine, query(&user, Some(&record)))));
    // The release includes three erasures.
    engine.hide(user.clone(), Erased::BeforeErasure(4));
    assert!(!knows());
    engine.hide(user.clone(), Erased::BeforeErasure(3));
    assert!(knows());
    engine.hide(user.clone(), Erased::InLake);
    engine.show(&user);
    assert!(knows());
}

#[test]
fn an_explanation_sums_to_the_probability() {
    let engine = ServingEngine::new(release(Some(model())));
    let (user, record) = (user(), regular().encode());
    let answer = ask(&engine, Query { explain: true, ..query(&user, Some(&record)) });
    for item in &answer.items {
        let explanation = item.explanation.as_ref().unwrap();
        let added: f32 = explanation.features.iter().map(|f| f.contribution).sum();
        let log_odds = explanation.base.unwrap() + added;
        let probability = 1.0 / (1.0 + (-log_odds).exp());
        assert!((probability - item.probability).abs() < 1e-5, "{item:?}");
    }
    let counted: usize = answer.candidates.iter().map(|source| source.candidates).sum();
    assert_eq!(counted, 10, "every product is a candidate once");
}

#[test]
fn the_catalogue_is_searched_and_grouped() {
    let engine = ServingEngine::new(release(None));
    let all = engine.products(&ProductSearch::default(), &PageStart::Offset(0), 3, NOW_MS).unwrap();
    assert_eq!((all.products.len(), all.total), (3, 10));
    assert!(all.products.is_sorted_by(|a, b| a.orders >= b.orders));
    let search = ProductSearch { text: Some("product 7".to_owned()), ..ProductSearch::default() };
    let found = engine.products(&search, &PageStart::Offset(0), 10, NOW_MS).unwrap();
    assert_eq!(found.products[0].product_id.as_str(), "p7");
    let departments = engine.departments(NOW_MS);
    assert_eq!(departments[0].department, "food");
    assert_eq!(departments.iter().map(|d| d.products).sum::<usize>(), 10);
    assert_eq!(
        engine.similar(&product("p0"), None, &Filters::default(), 1, NOW_MS).unwrap()[0]
            .product_id
            .as_str(),
        "p1"
    );
    assert!(
        engine.similar(&product("nothing"), None, &Filters::default(), 1, NOW_MS).is_none()
            && engine.product(&product("nothing"), NOW_MS).is_none()
    );
}

#[test]
fn a_swapped_release_answers_the_next_query() {
    let engine = ServingEngine::new(release(None));
    assert_eq!(engine.status().release.as_deref(), Some("fs-1+none"));
    engine.swap(release(Some(model())));
    assert_eq!(engine.status().release.as_deref(), Some("fs-1+m-1"));
    assert_eq!(engine.release().model.as_deref(), Some("m-1"));
}
