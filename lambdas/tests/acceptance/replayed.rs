//! Earlier answers of the function `api` are made again, and are the same to the last digit.

use std::collections::BTreeMap;

use cartwheel_aws::{Lake, S3Registry};
use cartwheel_registry::{Registry, Release};
use cartwheel_testkit::Function;
use serde_json::{Value, json};

use crate::cloud::{Account, Mapping, call, gateway};
use crate::firehose::Firehose;
use crate::learned::Learned;

/// The journal of the catalogue is shortened when it is this long.
const ENTRIES: usize = 128;

async fn ask(api: &Function, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    call(api, &gateway(method, path, body.as_ref(), None)).await
}

async fn replay(api: &Function, id: &str) -> (u16, Value) {
    ask(api, "GET", &format!("/v1/recommendations/{id}/replay"), None).await
}

/// The outcomes of some answers, counted; `wrong` has those that are not `expected`.
async fn outcomes(api: &Function, ids: &[String], expected: &str) -> (usize, Vec<Value>) {
    let (mut right, mut wrong) = (0, Vec::new());
    for id in ids {
        let (status, found) = replay(api, id).await;
        match (status, found["outcome"].as_str()) == (200, Some(expected)) {
            true => right += 1,
            false => wrong.push(found),
        }
    }
    (right, wrong)
}

async fn all(api: &Function, ids: &[String], expected: &str) {
    let (right, wrong) = outcomes(api, ids, expected).await;
    assert!(wrong.is_empty(), "{right} of {} are {expected}: {:#}", ids.len(), wrong[0]);
}

/// The bytes that an impression records of its moment.
fn recorded(impression: &Value) -> usize {
    impression["moment"].as_str().expect("it can be made again").len()
}

async fn put_product(api: &Function, id: &str, n: usize) {
    let product = json!({"name": format!("Fresh {n}"), "categories": ["produce", "new"],
                         "price": "2.50", "stock": n % 3});
    let (status, stored) = ask(api, "PUT", &format!("/v1/products/{id}"), Some(product)).await;
    assert!(status < 300, "{stored}");
}

/// The answers of a visit by some shoppers, by shopper. The consumer is behind now and then.
async fn visit(
    api: &Function,
    mapping: &mut Mapping,
    users: &[&str],
    round: usize,
    answers: &mut BTreeMap<String, Vec<String>>,
) {
    let kinds = ["view", "add_to_cart", "view", "remove_from_cart", "add_to_cart", "checkout"];
    for (n, kind) in kinds.iter().enumerate() {
        for (at, user) in users.iter().enumerate() {
            let product = (n / 4 * 7 + at * 3 + round + 1).to_string();
            let event = json!({"user_id": user, "event": kind, "product_ids": [product]});
            let requests = [
                ("/submit", event),
                (
                    "/v1/recommendations",
                    json!({"user_id": user, "limit": 20, "cart": [product, "2"]}),
                ),
                ("/v1/placements/home", json!({"user_id": user, "page": "home"})),
                (
                    "/v1/recommendations",
                    json!({"user_id": user, "filter": "not (department = context.none)", "context": {"none": "x"}}),
                ),
            ];
            for (path, body) in requests.into_iter().take(2 + (n + at) % 3) {
                let (status, answer) = ask(api, "POST", path, Some(body)).await;
                assert_eq!(status, 200, "{path}: {answer}");
                let id = answer["recommendation_id"].as_str().unwrap().to_owned();
                answers.entry((*user).to_owned()).or_default().push(id);
            }
        }
        if n % 3 == 1 {
            mapping.pump().await;
        }
    }
    mapping.pump().await;
}

/// The answers to a guest who becomes a user.
async fn logs_in(api: &Function, mapping: &mut Mapping) -> Vec<String> {
    let (guest, user) = (json!({"anonymous_id": "g"}), json!({"user_id": "newcomer"}));
    let both = json!({"anonymous_id": "g", "user_id": "newcomer"});
    let mut ids = Vec::new();
    for (shopper, kind, product) in [
        (&guest, "view", "5"),
        (&guest, "add_to_cart", "6"),
        (&both, "view", "7"),
        (&user, "add_to_cart", "8"),
        (&both, "checkout", "6"),
    ] {
        let mut event = json!({"event": kind, "product_ids": [product]});
        event.as_object_mut().unwrap().extend(shopper.as_object().unwrap().clone());
        let (status, answer) = ask(api, "POST", "/submit", Some(event)).await;
        assert_eq!(status, 200, "{answer}");
        ids.push(answer["recommendation_id"].as_str().unwrap().to_owned());
        mapping.pump().await;
    }
    ids
}

pub async fn answers(learned: &Learned) {
    let account = Account::open().await;
    account.run_pipeline(learned, "run-1", true).await;
    let api = account.function("api", &[]).await;
    let (mut mapping, mut firehose) =
        (Mapping::open(&account).await, Firehose::open(&account).await);
    let [user, other] = learned.users.each_ref().map(String::as_str);
    let users = [user, other, "stranger"];
    let mut answers = BTreeMap::new();
    visit(&api, &mut mapping, &users, 0, &mut answers).await;
    let before: Vec<String> = answers.values().flatten().cloned().collect();
    firehose.deliver(&account).await;

    // Several events at once, and a changed catalogue.
    let batch: Vec<Value> = (1..9)
        .map(|n| json!({"user_id": other, "event": "view", "product_ids": [n.to_string()]}))
        .collect();
    assert_eq!(ask(&api, "POST", "/v1/events", Some(json!(batch))).await.0, 200);
    mapping.pump().await;
    for n in 0..3 {
        put_product(&api, &format!("{}", n + 1), n).await;
    }
    let mut changed = BTreeMap::new();
    visit(&api, &mut mapping, &users, 1, &mut changed).await;
    let mut after: Vec<String> = changed.values().flatten().cloned().collect();
    after.extend(logs_in(&api, &mut mapping).await);
    let (status, problem) = replay(&api, &after[0]).await;
    let detail = problem["detail"].as_str().unwrap();
    assert_eq!(status, 404, "{problem}");
    assert!(detail.contains("yet: answers are delivered within 15 minutes"), "{detail}");
    firehose.deliver(&account).await;
    let sizes: Vec<usize> = firehose.impressions.iter().map(recorded).collect();
    let mean = sizes.iter().sum::<usize>() / sizes.len();
    println!("{} answers, {mean} bytes recorded of each", sizes.len());
    assert!(sizes.len() == before.len() + after.len() && sizes.iter().all(|size| *size <= 512));
    all(&api, &before, "same").await;
    all(&api, &after, "same").await;
    let (_, found) = replay(&api, &after[0]).await;
    let places = found["places"].as_array().unwrap();
    assert!(places.iter().all(|place| place["is_same"] == true) && places.len() >= 5, "{found}");
    assert!(places.iter().any(|place| place["explanation"].is_object()), "{found}");

    // The catalogue moves on. The journal tells its earlier states until it is shortened.
    for n in 3..6 {
        put_product(&api, &format!("{}", n + 1), n).await;
    }
    all(&api, &after, "same").await;

    // Another release serves: the earlier one is opened again.
    let registry = S3Registry::new(Lake::on(account.lake()));
    registry.publish(&Release { model: None, ..learned.release() }).await.unwrap();
    let later = account.function("api", &[]).await;
    let (_, answer) =
        ask(&later, "POST", "/v1/recommendations", Some(json!({"user_id": user}))).await;
    assert_eq!(answer["model_version"], "none");
    all(&later, &after[..5], "same").await;

    for n in 6..ENTRIES + 3 {
        put_product(&later, &format!("{}", n % 9 + 1), n).await;
    }
    all(&later, &before[..5], "same").await;
    all(&later, &after[..5], "incomplete").await;
    let (_, found) = replay(&later, &after[0]).await;
    let why = found["missing"][0].as_str().unwrap();
    assert!(why.contains("catalogue") && found["places"] == json!([]), "{found}");

    // A shopper is erased; the others' answers stay.
    let (status, erased) = ask(&later, "DELETE", &format!("/v1/users/{other}"), None).await;
    assert_eq!(status, 202, "{erased}");
    all(&later, &answers[other], "erased").await;
    let (_, found) = replay(&later, &answers[other][0]).await;
    assert_eq!(found["user_id"], Value::Null, "{found}");
    all(&later, &answers[user][..5], "same").await;

    // What is unknown is, and what is missing is named.
    for id in ["019ac5a2-7c1e-7d3f-9f0e-2b6f3c1d4e5a", "nonsense"] {
        let (status, problem) = replay(&later, id).await;
        assert_eq!(status, 404, "{problem}");
        assert!(!problem["detail"].as_str().unwrap().contains("yet"), "{problem}");
    }
    let lake = account.lake();
    for key in account.keys("events").await {
        object_store::ObjectStoreExt::delete(&lake, &key.as_str().into()).await.unwrap();
    }
    // The first answers had no session yet.
    let (right, wrong) = outcomes(&later, &answers[user][..8], "same").await;
    assert!(right > 0 && wrong.len() > 2, "{wrong:?}");
    for found in wrong {
        let why = found["missing"][0].as_str().unwrap();
        assert!(why.contains("The session of that moment had"), "{found}");
    }
}
