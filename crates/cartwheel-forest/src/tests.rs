use serde_json::{Value, json};

use crate::{Forest, ModelError, Objective};

/// Two trees by hand: x0 < 0.5 ? (x1 < 2 ? 1 : 2) : 3, missing x0 goes right; and a stump leaf.
fn model() -> Value {
    json!({"learner": {
        "feature_names": ["a", "b"],
        "gradient_booster": {"name": "gbtree", "model": {"trees": [
            {"left_children": [1, 3, -1, -1, -1], "right_children": [2, 4, -1, -1, -1],
             "split_indices": [0, 1, 0, 0, 0], "default_left": [0, 1, 0, 0, 0],
             "split_conditions": [0.5, 2.0, 3.0, 1.0, 2.0], "categories": []},
            {"left_children": [-1], "right_children": [-1], "split_indices": [0],
             "default_left": [0], "split_conditions": [0.25], "categories": []}]}},
        "learner_model_param": {"base_score": "[5E-1]", "num_class": "0", "num_feature": "2",
                                "num_target": "1"},
        "objective": {"name": "binary:logistic"}}, "version": [3, 2, 0]})
}

fn load(model: &Value) -> Result<Forest, ModelError> {
    Forest::from_bytes(model.to_string().as_bytes())
}

#[test]
fn a_small_forest_by_hand() {
    let forest = load(&model()).unwrap();
    assert_eq!((forest.features(), forest.trees()), (2, 2));
    assert_eq!(forest.objective(), Objective::Logistic);
    assert_eq!(forest.feature_names(), ["a", "b"]);
    let nan = f32::NAN;
    let rows = [0.0, 1.0, 0.0, 2.0, 0.5, 0.0, nan, 0.0, 0.0, nan, f32::NEG_INFINITY, 9.0];
    let mut out = [0.0; 6];
    forest.margins(&rows, &mut out);
    assert_eq!(out, [1.25, 2.25, 3.25, 3.25, 1.25, 2.25]);
    forest.probabilities(&rows, &mut out);
    assert!((out[0] - 1.0 / (1.0 + (-1.25_f32).exp())).abs() < 1e-7);
}

#[test]
fn each_fault_is_refused() {
    let tree = "/learner/gradient_booster/model/trees/0";
    let faults = [
        ("/learner/gradient_booster/name", json!("dart")),
        ("/learner/objective/name", json!("multi:softmax")),
        ("/learner/learner_model_param/num_class", json!("3")),
        ("/learner/learner_model_param/num_feature", json!("0")),
        ("/learner/learner_model_param/num_feature", json!("1")),
        ("/learner/learner_model_param/base_score", json!("x")),
        ("/learner/learner_model_param/base_score", json!("1")),
        (&format!("{tree}/left_children/0"), json!(0)),
        (&format!("{tree}/left_children/0"), json!(9)),
        (&format!("{tree}/left_children/0"), json!(-1)),
        (&format!("{tree}/right_children/1"), json!(2)),
        (&format!("{tree}/split_conditions/2"), json!(null)),
        (&format!("{tree}/split_conditions/2"), json!(1e300)),
        (&format!("{tree}/split_indices/0"), json!(-1)),
        (&format!("{tree}/default_left"), json!([])),
        (&format!("{tree}/categories"), json!([1])),
    ];
    for (path, value) in faults {
        let mut model = model();
        *model.pointer_mut(path).unwrap() = value.clone();
        assert!(load(&model).is_err(), "{path} = {value}");
    }
}

#[test]
fn mutations_never_panic() {
    let text = model().to_string().into_bytes();
    let mut state = 7_u64;
    let mut random = |n: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let mut kept = 0;
    for _ in 0..10_000 {
        let mut bytes = text.clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes.truncate(at.max(1)),
                _ => bytes[at] = b"0123456789-\"[]{},e."[random(19)],
            }
        }
        if let Ok(forest) = Forest::from_bytes(&bytes) {
            let rows = vec![f32::NAN; forest.features().min(4096) * 2];
            let mut out = vec![0.0; rows.len() / forest.features().max(1)];
            forest.margins(&rows, &mut out);
            assert!(out.iter().all(|x| x.is_finite() || x.is_infinite()));
            kept += 1;
        }
    }
    assert!(kept > 0, "some mutations are harmless");
}
