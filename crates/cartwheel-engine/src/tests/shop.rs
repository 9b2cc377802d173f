//! A shop of ten products: 0 and 1 are always bought together, 2 and 3 too, 9 never.

use cartwheel_events::{ProductId, UserId};
use cartwheel_feature_set::Calendar;
use cartwheel_features::{
    Catalogue, Context, Event, Line, Order, Partial, ProductInfo, SampleSizes, Scaler, UserState,
};
use cartwheel_forest::Forest;
use cartwheel_recommend::{FEATURES, Model};
use cartwheel_registry::{Release, Variant};
use cartwheel_sessions::{CartItem, Session, SessionCheckout};
use serde_json::json;

use crate::{Filters, Opened, Query, StoredRecord};

pub const FEATURE_SET: &str = "fs-1";
pub const DAY_MS: i64 = 86_400_000;
/// Noon of a day in 2026.
pub const NOW_MS: i64 = 1_780_000_000_000;

fn order(number: u32, products: &[u32]) -> Order {
    let line = |&product| Line { product, position: 1, reordered: None };
    Order {
        number,
        context: Context {
            days_since_prior: Some(7.0),
            at_ms: Some(NOW_MS - 100 * DAY_MS + i64::from(number) * 7 * DAY_MS),
            ..Context::default()
        },
        lines: products.iter().map(line).collect(),
    }
}

/// A user with four orders of the products 0, 1 and 4.
pub fn regular() -> UserState {
    let mut state = UserState::default();
    (1..=4).for_each(|number| state.apply(Event::Order(&order(number, &[0, 1, 4]))));
    state
}

fn catalogue() -> Catalogue {
    let mut partial = Partial::new(10, SampleSizes { baskets: 1000, shoppers: 100, visits: 100 });
    for shopper in 0..20_u64 {
        let mut state = UserState::default();
        for number in 1..=4 {
            let pair = if (shopper + u64::from(number)) % 2 == 0 { [0, 1] } else { [2, 3] };
            let order = order(number, &[pair[0], pair[1], 4 + (shopper % 5) as u32]);
            partial.order(&state, &order, shopper);
            state.apply(Event::Order(&order));
        }
    }
    let info = |p: u32| ProductInfo {
        product_id: format!("p{p}"),
        name: format!("Product {p}"),
        aisle: format!("aisle {}", p / 2),
        department: if p < 5 { "food" } else { "other" }.to_owned(),
        ..ProductInfo::default()
    };
    Catalogue::finish((0..10).map(info).collect(), partial)
}

/// The file of a model of one split: products that the user has bought before are likely.
pub fn model_file() -> Vec<u8> {
    let bought = FEATURES.iter().position(|name| *name == "up_order_count").unwrap();
    let tree = json!({
        "default_left": [1, 0, 0], "left_children": [1, -1, -1], "right_children": [2, -1, -1],
        "split_conditions": [0.5, -2.0, 2.0], "split_indices": [bought, 0, 0],
        "split_type": [0, 0, 0], "categories": [], "categories_nodes": [],
        "categories_segments": [], "categories_sizes": [],
        "loss_changes": [1.0, 0.0, 0.0], "sum_hessian": [4.0, 2.0, 2.0],
        "base_weights": [0.0, -2.0, 2.0], "parents": [2_147_483_647, 0, 0], "id": 0,
        "tree_param": {"num_deleted": "0", "num_feature": FEATURES.len().to_string(),
                       "num_nodes": "3", "size_leaf_vector": "1"},
    });
    let file = json!({
        "version": [3, 2, 0],
        "learner": {
            "attributes": {}, "feature_names": [], "feature_types": [],
            "gradient_booster": {"name": "gbtree", "model": {
                "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "1"},
                "iteration_indptr": [0, 1], "tree_info": [0], "trees": [tree]}},
            "learner_model_param": {"base_score": "5E-1", "boost_from_average": "1",
                "num_class": "0", "num_feature": FEATURES.len().to_string(), "num_target": "1"},
            "objective": {"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}},
        },
    });
    file.to_string().into_bytes()
}

/// The model of [`model_file`].
pub fn model() -> Model {
    let forest = Forest::from_bytes(&model_file()).unwrap();
    let scaler = Scaler { mean: vec![0.0; FEATURES.len()], std: vec![1.0; FEATURES.len()] };
    Model::new(forest, scaler).unwrap()
}

/// A release whose user records come with each query.
pub fn release(model: Option<Model>) -> Opened {
    let version = model.is_some().then(|| "m-1".to_owned());
    Opened {
        release: Release {
            feature_set: FEATURE_SET.to_owned(),
            model: version,
            schema_hash: "s".to_owned(),
            variant: Some(Variant { name: "a".to_owned(), model: "run".to_owned() }),
            challenger: None,
        },
        catalogue: catalogue(),
        users: None,
        user_count: 20,
        model,
        challenger: None,
        trained_on: Some(FEATURE_SET.to_owned()),
        calendar: Calendar::new("UTC").unwrap(),
        erasures: 3,
        stands_in: false,
    }
}

pub fn product(id: &str) -> ProductId {
    ProductId::new(id).unwrap()
}

pub fn session(cart: &[&str], checkouts: &[(&str, i64, &[&str])]) -> Session {
    Session {
        cart: cart.iter().map(|id| CartItem { product_id: product(id), quantity: 1 }).collect(),
        checkouts: checkouts
            .iter()
            .map(|(event_id, received_at_ms, items)| SessionCheckout {
                event_id: (*event_id).to_owned(),
                received_at_ms: *received_at_ms,
                items: items.iter().map(|id| product(id)).collect(),
            })
            .collect(),
        ..Session::default()
    }
}

/// A question of `user_id` without session, whose record is `bytes`.
pub fn query<'a>(user_id: &'a UserId, bytes: Option<&'a [u8]>) -> Query<'a> {
    Query {
        user_id,
        session: None,
        record: Some(StoredRecord { feature_set: FEATURE_SET, bytes }),
        cart: None,
        limit: 10,
        filters: Filters::default(),
        rules: None,
        explain: false,
        now_ms: NOW_MS,
    }
}

/// A release made of orders alone, without descriptions of its products.
pub fn unnamed_release() -> Opened {
    let mut opened = release(None);
    for product in &mut opened.catalogue.products {
        product.info = ProductInfo::unnamed(&product.info.product_id);
    }
    opened
}
