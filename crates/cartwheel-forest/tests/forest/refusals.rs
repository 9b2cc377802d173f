//! Damaged and unsupported models are rejected with an error that names the problem.

use cartwheel_forest::{Forest, ModelError};
use serde_json::{Value, json};

use crate::fixtures;
use crate::model::{Tree, file, rng};

/// A valid model with one tree of seven nodes:
/// 0 → (1 → (3, 4), 2 → (5, 6)).
fn valid() -> Value {
    let tree = Tree {
        left: vec![1, 3, 5, -1, -1, -1, -1],
        right: vec![2, 4, 6, -1, -1, -1, -1],
        value: vec![0.5, 0.25, 0.75, 1.0, 2.0, 3.0, 4.0],
        feature: vec![0, 1, 1, 0, 0, 0, 0],
        default_left: vec![true; 7],
    };
    file(&[tree], 2, "binary:logistic", "5E-1")
}

fn rejected(edit: impl FnOnce(&mut Value)) -> ModelError {
    let mut model = valid();
    assert!(Forest::from_bytes(model.to_string().as_bytes()).is_ok());
    edit(&mut model);
    match Forest::from_bytes(model.to_string().as_bytes()) {
        Err(error) => error,
        Ok(_) => panic!("accepted: {model}"),
    }
}

fn rejected_tree(edit: impl FnOnce(&mut Value)) -> String {
    rejected(|model| edit(&mut model["learner"]["gradient_booster"]["model"]["trees"][0]))
        .to_string()
}

#[test]
fn nodes_that_do_not_form_a_tree_are_rejected() {
    for (key, node, value, says) in [
        ("left_children", 0, 7, "tree 0, node 0: a child is outside the tree"),
        ("right_children", 0, i32::MAX, "tree 0, node 0: a child is outside the tree"),
        ("left_children", 1, -2, "tree 0, node 1: a child is outside the tree"),
        ("left_children", 1, 0, "tree 0, node 1: a child already has another parent"),
        ("left_children", 0, 2, "tree 0, node 0: a child already has another parent"),
        ("left_children", 2, 3, "tree 0, node 2: a child already has another parent"),
        ("left_children", 2, 2, "tree 0, node 2: a child already has another parent"),
        ("left_children", 0, -1, "tree 0, node 0: it has only one child"),
        ("right_children", 2, -1, "tree 0, node 2: it has only one child"),
    ] {
        assert_eq!(rejected_tree(|tree| tree[key][node] = json!(value)), says, "{key}[{node}]");
    }
}

#[test]
fn splits_on_unknown_features_are_rejected() {
    for index in [2i64, 65_536, i64::MAX, -1] {
        assert_eq!(
            rejected_tree(|tree| tree["split_indices"][1] = json!(index)),
            "tree 0, node 1: it splits on a feature that the model does not have"
        );
    }
}

#[test]
fn arrays_and_headers_that_disagree_are_rejected() {
    for key in ["right_children", "split_conditions", "split_indices", "default_left"] {
        let error = rejected_tree(|tree| {
            tree[key].as_array_mut().unwrap().pop();
        });
        assert_eq!(error, format!("the model's `{key}` has 6 entries, not 7"));
    }
    for nodes in ["6", "8", "4294967296", "-7", "", "seven"] {
        let error = rejected_tree(|tree| tree["tree_param"]["num_nodes"] = json!(nodes));
        assert!(error.contains("num_nodes"), "{error}");
    }
    let error = rejected(|m| {
        m["learner"]["gradient_booster"]["model"]["gbtree_model_param"]["num_trees"] = json!("2")
    });
    assert!(matches!(error, ModelError::Parameter { name: "num_trees", .. }), "{error}");
    let error =
        rejected(|m| m["learner"]["gradient_booster"]["model"]["tree_info"] = json!([0, 0]));
    assert!(matches!(error, ModelError::Length { array: "tree_info", .. }), "{error}");
    let error = rejected(|m| m["learner"]["feature_names"] = json!(["one"]));
    assert!(matches!(error, ModelError::Length { array: "feature_names", .. }), "{error}");
    let error = rejected(|m| {
        let model = &mut m["learner"]["gradient_booster"]["model"];
        model["trees"] = json!([]);
        model["tree_info"] = json!([]);
    });
    assert!(matches!(error, ModelError::Parameter { name: "num_trees", .. }), "{error}");
    let error = rejected_tree(|tree| {
        for key in
            ["left_children", "right_children", "split_conditions", "split_indices", "default_left"]
        {
            tree[key] = json!([]);
        }
        tree["tree_param"]["num_nodes"] = json!("0");
    });
    assert_eq!(error, "tree 0, node 0: the tree has no root");
}

#[test]
fn numbers_that_are_not_finite_are_rejected() {
    let text = valid().to_string();
    for literal in ["1e39", "-1e39"] {
        let leaf = text.replace(",4.0]", &format!(",{literal}]"));
        assert_ne!(leaf, text);
        assert!(Forest::from_bytes(leaf.as_bytes()).is_err(), "{literal}");
    }
    // UBJ can hold NaN and infinity: overwrite a float of the first tree.
    let ubj = fixtures::bytes("v3.2-logistic.ubj");
    let key = b"split_conditions[$d#L";
    let floats = ubj.windows(key.len()).position(|w| w == key).unwrap() + key.len() + 8;
    for (at, says) in [(0, "node 0: its threshold"), (6, "node 6: its leaf value")] {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut broken = ubj.clone();
            broken[floats + 4 * at..][..4].copy_from_slice(&value.to_be_bytes());
            let error = Forest::from_bytes(&broken).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}

#[test]
fn leaves_whose_sum_overflows_are_rejected() {
    let error = rejected_tree(|tree| tree["split_conditions"][6] = json!(3e38));
    assert!(error.contains("overflow"), "{error}");
}

#[test]
fn models_of_other_kinds_are_rejected_by_name() {
    let unsupported = |says: &str, edit: &dyn Fn(&mut Value)| {
        let error = rejected(|model| edit(model));
        assert!(matches!(&error, ModelError::Unsupported(kind) if kind.contains(says)), "{error}");
    };
    let booster = |name: &'static str| {
        move |m: &mut Value| m["learner"]["gradient_booster"] = json!({ "name": name })
    };
    unsupported("dart", &booster("dart"));
    unsupported("gblinear", &|m| {
        m["learner"]["gradient_booster"] =
            json!({ "name": "gblinear", "model": { "weights": [0.5, 0.5, 0.5] } });
    });
    unsupported("multi:softprob", &|m| {
        m["learner"]["objective"]["name"] = json!("multi:softprob");
    });
    unsupported("outputs", &|m| m["learner"]["learner_model_param"]["num_class"] = json!("3"));
    unsupported("outputs", &|m| m["learner"]["learner_model_param"]["num_target"] = json!("2"));
    unsupported("outputs", &|m| {
        m["learner"]["gradient_booster"]["model"]["tree_info"] = json!([1]);
    });
    let tree = |m: &mut Value, key: &str, value: Value| {
        m["learner"]["gradient_booster"]["model"]["trees"][0][key] = value;
    };
    unsupported("categorical", &|m| tree(m, "split_type", json!([1, 0, 0, 0, 0, 0, 0])));
    unsupported("categorical", &|m| tree(m, "categories_nodes", json!([0])));
    unsupported("more than one value", &|m| {
        tree(m, "tree_param", json!({ "num_nodes": "7", "size_leaf_vector": "3" }));
    });
}

#[test]
fn invalid_base_scores_are_rejected() {
    for score in
        ["", "[]", "[0.5,0.5]", "[0.5", "NaN", "inf", "0", "1", "-0.5", "1e-45", "0.99999999"]
    {
        let error = rejected(|m| {
            m["learner"]["learner_model_param"]["base_score"] = json!(score);
        });
        assert!(matches!(error, ModelError::Parameter { name: "base_score", .. }), "{error}");
    }
}

#[test]
fn sizes_above_the_limits_are_rejected() {
    let error = rejected(|m| {
        m["learner"]["learner_model_param"]["num_feature"] = json!("65537");
    });
    assert!(matches!(error, ModelError::TooLarge { unit: "features", .. }), "{error}");
    let stump = Tree::random(&mut rng(1), 0, 1);
    let many = file(&vec![stump; 10_001], 1, "rank:ndcg", "0").to_string();
    let error = Forest::from_bytes(many.as_bytes()).unwrap_err();
    assert!(matches!(error, ModelError::TooLarge { unit: "trees", .. }), "{error}");
    let deep = Tree::random(&mut rng(1), 1_001, 1);
    let deep = file(&[deep], 1, "rank:ndcg", "0").to_string();
    let error = Forest::from_bytes(deep.as_bytes()).unwrap_err();
    assert!(matches!(error, ModelError::TooLarge { unit: "levels in a tree", .. }), "{error}");
}

#[test]
fn files_that_are_not_models_are_rejected() {
    for bytes in [&b""[..], b"  ", b"binf", b"\x80\x04\x95", b"[]", b"null", b"{", b"\xff\xfe"] {
        assert_eq!(Forest::from_bytes(bytes).unwrap_err(), ModelError::Format, "{bytes:?}");
    }
    for bytes in [&b"{}"[..], b"{\"learner\":{}}", b"{\"learner\":[", b"{\"learner\":3}"] {
        let error = Forest::from_bytes(bytes).unwrap_err();
        assert!(matches!(error, ModelError::Json(_)), "{error}");
    }
}

#[test]
fn ubj_lengths_beyond_the_file_are_rejected() {
    let key = b"{L\0\0\0\0\0\0\0\x07learner";
    let huge = b"L\x7f\xff\xff\xff\xff\xff\xff\xff";
    let tails: [&[u8]; 9] = [
        b"{L\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"{L\xff\xff\xff\xff\xff\xff\xff\xff",
        b"[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"[$Z#L\0\0\0\0\0\0\0\x10",
        b"[$d",
        b"[#",
        b"SL\0\0\0\0\0\0\0\x10",
        b"NNNN",
        b"H",
    ];
    for tail in tails {
        for bytes in [[&key[..], tail].concat(), [&key[..], tail, huge].concat()] {
            let error = Forest::from_bytes(&bytes).unwrap_err();
            assert!(matches!(error, ModelError::Ubj(_)), "{error}");
        }
    }
    // Endless nesting, in a part that the schema skips.
    let mut nested = b"{L\0\0\0\0\0\0\0\x01x".to_vec();
    nested.extend(std::iter::repeat_n(b'[', 1 << 20));
    let error = Forest::from_bytes(&nested).unwrap_err().to_string();
    assert!(error.contains("nested too deeply"), "{error}");
    let mut trailing = fixtures::bytes("v3.2-logistic.ubj");
    trailing.push(b'N');
    let error = Forest::from_bytes(&trailing).unwrap_err().to_string();
    assert!(error.contains("1 bytes follow"), "{error}");
}

#[test]
fn a_truncated_file_is_rejected() {
    for name in ["v1.7-logistic.json", "v3.2-logistic.ubj"] {
        let whole = fixtures::bytes(name);
        for length in 0..whole.len() {
            assert!(Forest::from_bytes(&whole[..length]).is_err(), "{name} cut at {length}");
        }
    }
}

#[test]
#[should_panic(expected = "differ in length")]
fn rows_of_the_wrong_width_panic() {
    let forest = Forest::from_bytes(valid().to_string().as_bytes()).unwrap();
    forest.margins(&[0.0; 3], &mut [0.0]);
}
