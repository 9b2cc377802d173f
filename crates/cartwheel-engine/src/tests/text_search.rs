//! Full-text searches over a release and the live catalogue.

use cartwheel_events::UserId;
use serde_json::json;

use super::catalogue::Shop;
use super::shop::{NOW_MS, model, query, regular, release};
use crate::{Engine, FacetFilters, SearchOrder, SearchResults, Synonyms, TextSearch};

/// A search for the most relevant products.
pub(super) fn text_search(text: &str) -> TextSearch<'_> {
    TextSearch {
        text,
        is_typing: false,
        synonyms: None,
        filters: FacetFilters::default(),
        expression: None,
        order: SearchOrder::Relevance,
        shopper: None,
        offset: 0,
        limit: 100,
        now_ms: NOW_MS,
    }
}

fn ids(found: &SearchResults) -> Vec<&str> {
    found.products.iter().map(|product| product.product_id.as_str()).collect()
}

fn shop() -> Shop {
    Shop::over(release(Some(model())))
}

#[test]
fn release_and_live_catalogue_are_searched_together() {
    let mut shop = shop();
    shop.put("new", json!({"name": "Jasmine product", "tags": ["gift"]}));
    shop.put("p3", json!({"name": "Porcelain"}));
    let found = shop.engine.search(&text_search("product"));
    assert_eq!(found.total, 10);
    assert!(ids(&found).contains(&"new") && !ids(&found).contains(&"p3"));
    assert_eq!(ids(&shop.engine.search(&text_search("gift"))), ["new"]);
    assert_eq!(ids(&shop.engine.search(&text_search("porcelian"))), ["p3"]);
    let foods = FacetFilters { department: Some("food".to_owned()), ..FacetFilters::default() };
    let foods = TextSearch { filters: foods, ..text_search("product") };
    assert_eq!(shop.engine.search(&foods).total, 4);
}

#[test]
fn every_change_is_found_at_once_however_many_there_are() {
    let mut shop = shop();
    for round in 0..3 {
        for n in 0..600 {
            shop.put(&format!("n{n}"), json!({"name": format!("Kettle{n} round{round}")}));
            if n % 50 == 0 {
                let text = format!("kettle{n} round{round}");
                assert_eq!(shop.engine.search(&text_search(&text)).total, 1, "{text}");
            }
        }
    }
    let name = |text: &str| shop.engine.search(&text_search(text)).total;
    assert_eq!((name("round2"), name("round1"), name("kettle599")), (600, 0, 1));
}

#[test]
fn a_change_is_found_while_the_index_is_made_anew() {
    let mut shop = shop();
    shop.engine.index_products();
    for n in 0..5 {
        for product in 0..10 {
            shop.put(&format!("p{product}"), json!({"name": format!("Cup n{n} p{product}")}));
            assert_eq!(shop.engine.search(&text_search(&format!("n{n} p{product}"))).total, 1);
        }
    }
}

#[test]
fn the_order_is_that_of_the_question() {
    let mut shop = shop();
    for (id, price, created) in [("p1", "3", 5), ("p2", "1", 9), ("p3", "2", 7)] {
        shop.put(id, json!({"name": "Cup", "price": price, "created_at": created}));
    }
    shop.put("p9", json!({"name": "Cup", "created_at": 1}));
    let order = |order| {
        let found = shop.engine.search(&TextSearch { order, ..text_search("cup") });
        ids(&found).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(order(SearchOrder::Cheapest), ["p2", "p3", "p1", "p9"]);
    assert_eq!(order(SearchOrder::Dearest), ["p1", "p3", "p2", "p9"]);
    assert_eq!(order(SearchOrder::Newest), ["p2", "p3", "p1", "p9"]);
    assert_eq!(order(SearchOrder::Popular).last().map(String::as_str), Some("p9"));
}

#[test]
fn a_known_shopper_finds_what_was_bought_before_first() {
    let shop = shop();
    let (user, record) = (UserId::new("u").unwrap(), regular().encode());
    let anyone = shop.engine.search(&text_search("product"));
    let shopper = Some(query(&user, Some(&record)));
    let search = TextSearch { shopper, ..text_search("product") };
    let personal = shop.engine.search(&search);
    // The shopper has bought the products 0, 1 and 4; the model knows that this is likely again.
    let mut first = ids(&personal)[..3].to_vec();
    first.sort_unstable();
    assert_eq!(first, ["p0", "p1", "p4"]);
    assert_ne!(ids(&anyone), ids(&personal));
    assert_eq!((anyone.total, personal.total), (10, 10));
}

#[test]
fn synonyms_are_found() {
    let shop = shop();
    let synonyms = Synonyms::parse("article, product").unwrap();
    let search = TextSearch { synonyms: Some(&synonyms), ..text_search("article 7") };
    assert_eq!(shop.engine.search(&search).products[0].product_name, "Product 7");
    assert_eq!(shop.engine.search(&text_search("article 7")).total, 0);
}

#[test]
fn a_page_begins_where_the_one_before_ends() {
    let shop = shop();
    let page = |offset| {
        let search = TextSearch { offset, limit: 4, ..text_search("product") };
        shop.engine.search(&search)
    };
    let all = shop.engine.search(&text_search("product"));
    let pages = [page(0), page(4), page(8)];
    let joined: Vec<&str> = pages.iter().flat_map(ids).collect();
    assert_eq!(joined, ids(&all));
    let cursors: Vec<_> = pages.iter().map(|page| page.next_cursor.as_deref()).collect();
    assert_eq!(cursors, [Some("4"), Some("8"), None]);
}
