//! A shop for tests: a fake engine behind the real router.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use cartwheel_ambient::{Clock, Ids};
use cartwheel_events::{EventRecord, ProductId, Record};
use cartwheel_rules::{Conflict, RuleSet};
use cartwheel_sessions::{RedbSessionTable, Sessions};
use cartwheel_stream::{MemoryStream, Pending, Stream};
use http_body_util::BodyExt;
use jiff::civil::date;
use serde_json::Value;
use tower::ServiceExt;

use super::streams::Faults;
use cartwheel_engine::*;

use crate::*;

pub(super) const START: i64 = 1_700_000_000_000;

/// Recommends what is in the cart, then `p1`, `p2`, …; user `panic` panics.
pub(super) struct Fake;

fn recommendation(id: &str, probability: f32) -> Recommendation {
    Recommendation {
        product_id: ProductId::new(id).unwrap(),
        product_name: format!("Product <{id}>"),
        aisle: "fruit".into(),
        department: "produce".into(),
        price: None,
        list_price: None,
        currency: None,
        url: None,
        image_url: None,
        in_stock: None,
        probability,
        reasons: vec!["often bought together".into()],
        due_at: None,
        due_earliest: None,
        due_latest: None,
        source: Some("popular".into()),
        moved_by: None,
        propensity: None,
        explanation: None,
    }
}

/// A product whose reason is the filter that it fulfils, if there is one.
fn filtered(item: Recommendation, filters: &Filters) -> Recommendation {
    match &filters.expression {
        Some(expression) => Recommendation { reasons: vec![expression.to_string()], ..item },
        None => item,
    }
}

fn product(id: &str, name: &str) -> ProductView {
    ProductView {
        product_id: ProductId::new(id).unwrap(),
        product_name: name.into(),
        aisle: "fruit".into(),
        department: "produce".into(),
        orders: 7,
        in_stock: true,
        shown: true,
        hidden: false,
        brand: None,
        price: None,
        list_price: None,
        currency: None,
        url: None,
        image_url: None,
    }
}

fn answer(query: &Query<'_>) -> Answer {
    assert!(query.user_id.as_str() != "panic", "told to panic");
    let cart = match (&query.cart, query.session) {
        (Some(cart), _) => cart.clone(),
        (None, Some(session)) => session.cart_products(),
        (None, None) => Vec::new(),
    };
    let cart = cart.iter().map(|id| recommendation(id.as_str(), 0.9));
    let rest = (1..=200).map(|n| recommendation(&format!("p{n}"), 0.1));
    let explanation = query.explain.then(|| Explanation {
        value: None,
        source: "popular".into(),
        base: Some(-2.0),
        features: vec![FeatureContribution {
            name: "user_orders".into(),
            label: "Orders of the customer".into(),
            unit: "orders".into(),
            subject: "customer".into(),
            value: Some(3.0),
            contribution: 0.5,
        }],
    });
    let items = cart
        .chain(rest)
        .filter(|item| !query.filters.exclude_products.contains(&item.product_id))
        .map(|item| filtered(item, &query.filters))
        .map(|item| Recommendation { explanation: explanation.clone(), ..item });
    Answer {
        items: items.take(query.limit).collect(),
        candidates: vec![SourceCount { source: "popular".into(), candidates: 200 }],
        model_version: "m1".into(),
        release: "r1".into(),
        degraded: false,
        basis: Basis::default(),
    }
}

impl Engine for Fake {
    fn status(&self) -> EngineStatus {
        EngineStatus { ready: true, release: Some("r1".into()), ..EngineStatus::default() }
    }
    fn recommend<'a>(&'a self, query: Query<'a>) -> Pending<'a, Answer> {
        Box::pin(async move { answer(&query) })
    }
    fn rank<'a>(&'a self, query: Query<'a>, products: &'a [ProductId]) -> Pending<'a, Ranking> {
        let (unknown, mut known): (Vec<_>, Vec<_>) =
            products.iter().cloned().partition(|id| id.as_str() == "unknown");
        // Products in the cart come first.
        known.sort_by_key(|id| !query.cart_products().contains(id));
        let item = |product_id| RankedProduct { product_id, probability: 0.5 };
        let reason = UnrankedReason::Unknown;
        Box::pin(async move {
            Ranking {
                items: known.into_iter().map(item).take(query.limit).collect(),
                unranked: unknown
                    .into_iter()
                    .map(|product_id| Unranked { product_id, reason })
                    .collect(),
                model_version: "m1".into(),
                release: "r1".into(),
                degraded: false,
            }
        })
    }
    /// Every list of the page shows the next products after the cart, as many as it may.
    fn page<'a>(&'a self, query: Query<'a>, slots: &'a [Slot]) -> Pending<'a, Page> {
        let limit = slots.iter().map(|slot| slot.limit).sum();
        let mut items = answer(&Query { limit, ..query }).items.into_iter();
        let list = |slot: &Slot| {
            let step = &slot.steps[0];
            let filters = Filters { expression: step.expression.clone(), ..Filters::default() };
            let placed =
                |item| Placed { kind: step.kind, recommendation: filtered(item, &filters) };
            let mut list: Vec<Placed> = items.by_ref().take(slot.limit).map(placed).collect();
            let explores = if slot.recommendation_id.is_some() { slot.explore } else { 0 };
            for placed in list.iter_mut().rev().take(explores) {
                placed.recommendation.propensity = Some(0.25);
            }
            list
        };
        let (model_version, release) = ("m1".into(), "r1".into());
        let lists = slots.iter().map(list).collect();
        Box::pin(async move {
            Page { lists, model_version, release, degraded: false, basis: Basis::default() }
        })
    }
    fn buy_again(&self, query: &Query<'_>) -> Answer {
        let dated = |item| Recommendation { due_at: Some("2026-03-14T09:00:00Z".into()), ..item };
        let found = answer(query);
        Answer { items: found.items.into_iter().map(dated).collect(), ..found }
    }
    fn conflicts(&self, rules: &RuleSet, now_ms: i64) -> Vec<Conflict> {
        rules.conflicts(date(2026, 6, 1), &|_| None, now_ms)
    }
    fn similar(
        &self,
        id: &ProductId,
        similarity: Option<Similarity>,
        filters: &Filters,
        limit: usize,
        _: i64,
    ) -> Option<Vec<Recommendation>> {
        let found = if similarity == Some(Similarity::Substitutes) { "p3" } else { "p2" };
        (id.as_str() == "p1").then(|| vec![filtered(recommendation(found, 0.3), filters); limit])
    }
    fn popular(&self, limit: usize, filters: &Filters, _: i64) -> Vec<Recommendation> {
        let shown = if filters.departments == ["none"] { 0 } else { limit };
        vec![filtered(recommendation("p1", 0.5), filters); shown]
    }
    fn trending(
        &self,
        trend: Trend,
        limit: usize,
        filters: &Filters,
        now_ms: i64,
    ) -> Vec<Recommendation> {
        let asked = format!("{:?} {:?}", trend.window, trend.country.map(|c| c.to_string()));
        let found = self.popular(limit, filters, now_ms).into_iter();
        found.map(|item| Recommendation { aisle: asked.clone(), ..item }).collect()
    }
    fn products(
        &self,
        wanted: &ProductSearch<'_>,
        start: &PageStart,
        limit: usize,
        _: i64,
    ) -> Option<Products> {
        let name = wanted.text.clone().or(wanted.aisle.clone()).unwrap_or("product".into());
        let PageStart::Offset(offset) = *start else { return None };
        let products = (offset..offset + limit).map(|n| product(&format!("p{n}"), &name));
        Some(Products { products: products.collect(), total: 200, next_cursor: None })
    }
    fn search(&self, _: &TextSearch<'_>) -> SearchResults {
        SearchResults::default()
    }
    fn product(&self, id: &ProductId, _: i64) -> Option<ProductView> {
        (id.as_str() == "p1").then(|| product("p1", "product"))
    }
    fn describes(&self, id: &ProductId) -> bool {
        id.as_str() == "p1"
    }
    fn released(&self, _: &ProductId) -> Option<cartwheel_catalogue::Product> {
        None
    }
    fn offered(&self) -> Vec<ProductId> {
        Vec::new()
    }
    fn unnamed(&self) -> Vec<UnnamedProduct> {
        Vec::new()
    }
    fn departments(&self, _: i64) -> Vec<DepartmentView> {
        let aisles = vec![AisleView { aisle: "fruit".into(), products: 200 }];
        vec![DepartmentView { department: "produce".into(), products: 200, aisles }]
    }
    fn example_users(&self, limit: usize) -> Vec<UserView> {
        let user_id = cartwheel_events::UserId::new("u1").unwrap();
        let favourites = vec!["Product".into()];
        let user = UserView { user_id, orders: 3, products: 9, favourites, mean_days: Some(7.0) };
        vec![user; limit.min(2)]
    }
    fn user(&self, user_id: &cartwheel_events::UserId, _: Option<StoredRecord<'_>>) -> UserLookup {
        let record = UserRecord {
            orders: 3,
            products: 9,
            lines: 12,
            mean_days_since_prior: 7.0,
            reorder_ratio: 0.5,
            last_order_ms: None,
            bought: vec![BoughtProduct {
                product: ProductLabel {
                    product_id: "p1".into(),
                    product_name: "product".into(),
                    aisle: "fruit".into(),
                    department: "produce".into(),
                },
                orders: 2,
                last_order_number: 3,
                mean_position: 1.0,
            }],
        };
        let record = (user_id.as_str() == "u1").then_some(record);
        UserLookup { feature_set: "f1".into(), record }
    }
    fn checkout_progress(&self, _: &cartwheel_events::UserId, _: i64, _: &str) -> CheckoutProgress {
        CheckoutProgress::default()
    }
}

pub(super) struct Shop {
    pub(super) router: Router,
    pub(super) log: Arc<MemoryStream>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) impressions: crate::shop::impressions::Impressions,
    _folder: tempfile::TempDir,
}

pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    /// The problem document, after a check of its status and the end of its type.
    pub(super) fn problem(&self, status: u16, name: &str) -> Value {
        let body = self.json();
        assert_eq!(self.status, status, "{body}");
        assert_eq!(body["status"], status, "{body}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(body["type"], format!("urn:cartwheel:problem:{name}"), "{body}");
        assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
        body
    }

    pub(super) fn products(&self) -> Vec<String> {
        let body = self.json();
        assert_eq!(self.status, 200, "{body}");
        let list = body["recommendations"].as_array().unwrap();
        list.iter().map(|item| item["product_id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Shop {
    pub(super) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut AppState)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(MemoryStream::new(4));
        let mut shop = Self::over(folder, log.clone(), change).await;
        shop.log = log;
        shop
    }

    /// A shop over a stream that refuses records or never answers.
    pub(super) async fn failing(faults: Faults) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::over(folder, Arc::new(faults), |state| {
            state.settings = Arc::new(Settings {
                timeout: std::time::Duration::from_millis(50),
                ..Settings::default()
            });
        })
        .await
    }

    pub(super) async fn over(
        folder: tempfile::TempDir,
        stream: Arc<dyn Stream>,
        change: impl FnOnce(&mut AppState),
    ) -> Self {
        let store = RedbSessionTable::new(folder.path().join("sessions.redb"));
        let sessions = Arc::new(Sessions::new(Arc::new(store), 1000));
        let mut state = AppState::new(
            Arc::new(Fake),
            stream,
            sessions.clone(),
            Settings { impressions_in_flight: 3, ..Settings::default() },
            Admission::default(),
        );
        // Advances by one millisecond at every read.
        static NOW: AtomicI64 = AtomicI64::new(START);
        state.clock = Clock::new(|| NOW.fetch_add(1, Ordering::SeqCst));
        let next = AtomicU64::new(0);
        state.ids = Ids::new(move |_| format!("id-{}", next.fetch_add(1, Ordering::SeqCst)));
        sessions.set_caught_up();
        change(&mut state);
        let impressions = state.impressions.clone();
        Self {
            router: router(state),
            log: Arc::new(MemoryStream::new(1)),
            sessions,
            impressions,
            _folder: folder,
        }
    }

    /// Waits until at least `n` records are stored, and returns all of them.
    pub(super) async fn stored(&self, n: usize) -> Vec<Record> {
        for _ in 0..1000 {
            let records = self.log.records();
            if records.len() >= n {
                return records;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{n} records did not come");
    }

    /// Every stored event.
    pub(super) async fn stored_events(&self) -> Vec<EventRecord> {
        let event = |record| match record {
            Record::Event(event) => Some(event),
            Record::Impression(_) | Record::Product(_) => None,
        };
        self.stored(0).await.into_iter().filter_map(event).collect()
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Reply { status: parts.status, headers: parts.headers, bytes }
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_as(path, "application/json", body.to_string()).await
    }

    pub(super) async fn post_as(&self, path: &str, media: &str, body: impl Into<Body>) -> Reply {
        let request = Request::post(path).header("content-type", media);
        self.send(request.body(body.into()).unwrap()).await
    }
}
