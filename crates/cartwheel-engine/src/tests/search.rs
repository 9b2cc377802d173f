//! The search for hyperparameters, step by step as the state machine takes them.

use cartwheel_feature_set::Manifest;
use serde_json::{Value, json};

use crate::search::{SearchStep, step};

fn manifest(gate_examples: u64, search_questions: u64) -> Manifest {
    let json = json!({
        "version": "fs-1", "schema_hash": "h", "watermark_ms": 0, "users": 0, "orders": 0,
        "lines": 0, "products": 0, "train_rows": 0, "valid_rows": 0, "negatives": 4,
        "gate_examples": gate_examples, "search_questions": search_questions, "seed": 1,
    });
    serde_json::from_value(json).unwrap()
}

fn configured() -> Value {
    json!({
        "objective": "binary:logistic", "eval_metric": "auc,logloss", "num_round": "400",
        "early_stopping_rounds": "30", "max_depth": "5", "eta": "0.1", "min_child_weight": "10",
        "lambda": "5", "colsample_bytree": "0.15", "seed": "1",
    })
}

/// The payload of a first step.
fn payload(mode: &str, fixed: &Value) -> Value {
    let mut hyperparameters = configured();
    for (name, value) in fixed.as_object().unwrap() {
        hyperparameters[name] = value.clone();
    }
    json!({
        "action": "search", "lake": "s3://lake", "feature_set": "fs-1", "mode": mode,
        "hyperparameters": hyperparameters, "fixed": fixed, "search": null, "ended": [],
    })
}

fn next(payload: &Value, manifest: &Manifest) -> Value {
    let payload: SearchStep = serde_json::from_value(payload.clone()).unwrap();
    serde_json::to_value(step(&payload, manifest)).unwrap()
}

/// What a training of a job returns.
type Train<'a> = &'a dyn Fn(&Value) -> Result<f64, String>;

/// Searches to the end. Returns the last value and the number of trainings in each rung.
fn search(payload: &Value, train: Train<'_>) -> (Value, Vec<usize>) {
    let (mut payload, set) = (payload.clone(), manifest(100, 230));
    let mut rungs = Vec::new();
    loop {
        let search = next(&payload, &set);
        let jobs = search["jobs"].as_array().unwrap();
        if jobs.is_empty() {
            return (search, rungs);
        }
        rungs.push(jobs.len());
        assert!(rungs.len() <= 3, "the search ends");
        let ended = |job: &Value| match train(job) {
            Ok(loss) => json!({"trial": job["trial"], "metrics": [
                {"MetricName": "train:logloss", "Value": 0.01, "Timestamp": 1.5},
                {"MetricName": "validation:logloss", "Value": loss, "Timestamp": 1.5},
            ]}),
            Err(cause) => json!({"trial": job["trial"], "error": cause}),
        };
        payload["ended"] = jobs.iter().map(ended).collect();
        payload["search"] = search;
    }
}

fn number(of: &Value) -> f64 {
    of.as_str().unwrap().parse().unwrap()
}

fn outcome(search: &Value) -> &str {
    search["record"]["outcome"].as_str().unwrap()
}

/// Small trees learn best.
fn shallow(job: &Value) -> Result<f64, String> {
    let hyperparameters = &job["hyperparameters"];
    Ok(0.1 + 0.002 * number(&hyperparameters["max_depth"]) / number(&hyperparameters["num_round"]))
}

/// Small trees learn best, by far.
fn much_shallower(job: &Value) -> Result<f64, String> {
    Ok(number(&job["hyperparameters"]["max_depth"]) / 32.0)
}

#[test]
fn a_trial_that_is_clearly_better_trains_the_model() {
    let (search, rungs) = search(&payload("quick", &json!({})), &much_shallower);
    assert_eq!(rungs, [4, 2], "the better half goes on, with the configured values");
    let record = &search["record"];
    assert_eq!((&record["chosen"], &record["rounds"]), (&json!(1), &json!([40, 160])));
    let trials = record["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 4);
    assert_eq!(
        (&trials[0]["losses"], &trials[1]["losses"]),
        (&json!([0.15625, 0.15625]), &json!([0.09375, 0.09375]))
    );
    assert_eq!(trials[2]["losses"].as_array().unwrap().len(), 1);
    assert_eq!(
        trials[0]["hyperparameters"],
        json!({
            "max_depth": "5", "min_child_weight": "10", "lambda": "5", "colsample_bytree": "0.15",
        })
    );
    assert!(outcome(&search).contains("0.09375, is 40.0 % below"), "{}", outcome(&search));
    // Only the searched values of the model change.
    let mut expected = configured();
    for (name, value) in trials[1]["hyperparameters"].as_object().unwrap() {
        expected[name] = value.clone();
    }
    assert_eq!(search["hyperparameters"], expected);
    assert_eq!(search["hyperparameters"]["max_depth"], "3");
}

#[test]
fn a_trial_has_no_more_rounds_than_the_model() {
    let first = next(&payload("quick", &json!({"num_round": "60"})), &manifest(100, 230));
    assert_eq!(first["record"]["rounds"], json!([40, 60]));
    let short = next(&payload("quick", &json!({"num_round": "20"})), &manifest(100, 230));
    assert_eq!(short["jobs"][0]["hyperparameters"]["num_round"], "20");
}

#[test]
fn trials_learn_fast_from_the_weights_of_the_set() {
    let first = next(&payload("quick", &json!({"eta": "0.05"})), &manifest(100, 230));
    let jobs = first["jobs"].as_array().unwrap();
    assert_eq!(jobs[0]["name"], "0-0");
    for job in jobs {
        let given = |name: &str| job["hyperparameters"][name].as_str().unwrap().to_owned();
        assert_eq!((given("eta"), given("num_round")), ("0.3".to_owned(), "40".to_owned()));
        assert_eq!(
            (given("eval_metric"), given("scale_pos_weight")),
            ("logloss".to_owned(), "0.25".to_owned())
        );
        assert_eq!(given("objective"), "binary:logistic");
    }
    assert_eq!(first["hyperparameters"]["eta"], "0.05");
}

#[test]
fn a_small_lead_changes_nothing() {
    let (kept, rungs) = search(&payload("quick", &json!({})), &shallow);
    assert_eq!((rungs, &kept["record"]["chosen"]), (vec![4, 2], &json!(0)));
    assert_eq!(kept["hyperparameters"], configured());
    assert!(outcome(&kept).ends_with("a change asks for 2 %."), "{}", outcome(&kept));
    let worse = |job: &Value| Ok(if job["trial"] == 0 { 0.1 } else { 0.2 });
    let (kept, rungs) = search(&payload("full", &json!({})), &worse);
    assert_eq!(
        (rungs, &kept["record"]["chosen"]),
        (vec![12], &json!(0)),
        "nothing is left to compare"
    );
    assert_eq!(outcome(&kept), "No trial had a lower logloss than the configured values.");
}

#[test]
fn a_full_search_halves_twice_and_tries_the_same_for_the_same_seed() {
    let by_number = |job: &Value| Ok(1.0 - 0.01 * job["trial"].as_f64().unwrap());
    let (first, rungs) = search(&payload("full", &json!({})), &by_number);
    assert_eq!((rungs, &first["record"]["chosen"]), (vec![12, 6, 3], &json!(11)));
    assert_eq!(search(&payload("full", &json!({})), &by_number).0, first);
    let other = search(&payload("full", &json!({"seed": "2"})), &by_number).0;
    assert_ne!(other["record"]["trials"], first["record"]["trials"]);
}

#[test]
fn values_that_were_set_for_the_run_stay() {
    let fixed = json!({"max_depth": "7", "lambda": "5"});
    let (search, _) = search(&payload("full", &fixed), &|job| {
        Ok(number(&job["hyperparameters"]["colsample_bytree"]))
    });
    for trial in search["record"]["trials"].as_array().unwrap() {
        let values = &trial["hyperparameters"];
        assert_eq!((&values["max_depth"], &values["lambda"]), (&json!("7"), &json!("5")));
    }
    assert_eq!(search["hyperparameters"]["colsample_bytree"], "0.15");
}

#[test]
fn a_trial_that_fails_drops_out() {
    let cause =
        json!({"FailureReason": "AlgorithmError: memory", "TrainingJobName": "t"}).to_string();
    let without = |failed: &[i64]| {
        let train = |job: &Value| match failed.contains(&job["trial"].as_i64().unwrap()) {
            true => Err(cause.clone()),
            false => much_shallower(job),
        };
        search(&payload("quick", &json!({})), &train).0
    };
    let second = without(&[1]);
    assert_eq!(second["record"]["trials"][1]["error"], "AlgorithmError: memory");
    assert_eq!(
        (&second["record"]["chosen"], &second["hyperparameters"]["max_depth"]),
        (&json!(2), &json!("3"))
    );
    let neither = without(&[1, 2]);
    assert_eq!(
        (&neither["record"]["chosen"], &neither["hyperparameters"]),
        (&json!(0), &configured())
    );
}

#[test]
fn without_the_configured_trial_or_any_result_the_configured_values_are_used() {
    let cause = || Err("x".repeat(1000));
    let configured_failed = |job: &Value| if job["trial"] == 0 { cause() } else { Ok(0.01) };
    let late = |job: &Value| match job["hyperparameters"]["num_round"] == "160" {
        true => cause(),
        false => much_shallower(job),
    };
    let unmeasured = |_: &Value| Ok(f64::NAN);
    let trains: [Train<'_>; 3] = [&configured_failed, &late, &unmeasured];
    for train in trains {
        let (search, _) = search(&payload("quick", &json!({})), train);
        assert_eq!(
            (&search["record"]["chosen"], &search["hyperparameters"]),
            (&json!(0), &configured())
        );
        assert!(outcome(&search).contains("configured values failed"), "{}", outcome(&search));
        let error = search["record"]["trials"][0]["error"].as_str().unwrap();
        assert!((10..=300).contains(&error.len()), "{error}");
    }
}

#[test]
fn nothing_is_tried_where_nothing_can_be_compared() {
    let all =
        json!({"max_depth": "4", "min_child_weight": "1", "lambda": "1", "colsample_bytree": "1"});
    let large = manifest(100, 230);
    for (mode, fixed, set, expected) in [
        ("off", json!({}), &large, "is off"),
        ("quick", json!({"objective": "rank:ndcg"}), &large, "the objective binary:logistic"),
        ("full", json!({"booster": "gblinear"}), &large, "the run sets another one"),
        ("quick", json!({}), &manifest(19, 230), "cross-validation judges"),
        ("quick", json!({}), &manifest(100, 40), "40 validation questions"),
        ("full", all, &large, "that the search varies are set"),
    ] {
        let payload = payload(mode, &fixed);
        let search = next(&payload, set);
        assert!(outcome(&search).contains(expected), "{}", outcome(&search));
        assert_eq!((&search["jobs"], &search["record"]["trials"]), (&json!([]), &json!([])));
        assert_eq!(search["hyperparameters"], payload["hyperparameters"]);
    }
}
