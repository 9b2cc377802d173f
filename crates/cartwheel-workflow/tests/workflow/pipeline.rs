//! The pipeline's definition, `infra/pipeline.asl.json`, through failures and redrives.

use cartwheel_workflow::{Event, Status};
use serde_json::{Value, json};

use crate::steps::Simulation;

/// A run of the pipeline with two parts of user records, nothing to search and no folds.
fn run(mode: &str) -> Simulation {
    let definition: Value =
        serde_json::from_str(include_str!("../../../../infra/pipeline.asl.json")).unwrap();
    let functions =
        json!({"load": "load", "evaluate": "evaluate", "publish": "publish", "notify": "notify"});
    let input = json!({
        "lake": "s3://lake",
        "functions": functions,
        "features": {"job": "features", "max_examples": "1000"},
        "training": {"image": "image", "role": "role", "instance": "ml.m5.xlarge", "search": "off"},
        "endpoint": {"mode": mode, "name": "shop-dev", "instance": "ml.m5.large"},
        "gate": {"margin": 0, "min_users": 20},
        "hyperparameters": {},
    });
    Simulation::new(&definition, input)
}

fn payload(value: Value) -> Value {
    json!({"Payload": value})
}

/// Succeeds with every task up to the training.
fn until_training(simulation: &mut Simulation) {
    simulation.succeed(json!({"JobRunState": "SUCCEEDED"}));
    simulation.succeed(payload(json!({
        "feature_set": "fs-1", "parts": ["a", "b"], "judged_by": "gate", "folds": [],
        "hyperparameters": {},
    })));
    assert_eq!(simulation.tasks.len(), 2, "two parts are loaded at once");
    simulation.succeed(payload(json!({"users": 1})));
    simulation.succeed(payload(json!({"users": 1})));
    assert_eq!(simulation.execution.current(), ["RefreshFeatures"]);
    assert_eq!(simulation.tasks[0].input["Payload"]["keep"], json!(true));
    simulation.succeed(payload(json!({"release": {"feature_set": "fs-1"}})));
    simulation.succeed(payload(json!({"jobs": [], "hyperparameters": {}, "record": null})));
    assert_eq!(simulation.execution.current(), ["Train"]);
}

/// What the function answers to an accepted model, while the variant `a` serves.
fn variants() -> Value {
    let production = |name: &str, model: &str| json!({"VariantName": name, "ModelName": model});
    json!({
        "release": null,
        "variant": {"name": "b", "model": "run"},
        "variants": [production("b", "run"), production("a", "old")],
    })
}

/// Succeeds with every task from the training to the decision.
fn until_accepted(simulation: &mut Simulation) {
    let job = simulation.tasks[0].input["TrainingJobName"].clone();
    simulation.succeed(json!({
        "TrainingJobName": job,
        "ModelArtifacts": {"S3ModelArtifacts": format!("s3://lake/training/{job}/output/model.tar.gz")},
    }));
    let verdict = json!({"outcome": "released"});
    simulation.succeed(payload(json!({
        "model": "m-1", "difference": 0.1, "reference": "popular", "verdict": verdict,
    })));
    assert_eq!(simulation.execution.current(), ["Accept"]);
    let asked = &simulation.tasks[0].input["Payload"]["endpoint"];
    let variants = match asked["mode"].as_str() {
        Some("sagemaker") => variants(),
        _ => json!({"release": null, "variant": null, "variants": []}),
    };
    simulation.succeed(payload(variants));
}

fn until_released(simulation: &mut Simulation) {
    assert_eq!(simulation.execution.current(), ["Publish"]);
    simulation.succeed(payload(json!({"release": {"model": "m-1"}})));
    simulation.succeed(payload(json!({})));
    let Status::Succeeded { output } = simulation.execution.status() else {
        panic!("{:?}", simulation.execution.status())
    };
    assert_eq!((&output["outcome"], &output["model"]), (&json!("released"), &json!("m-1")));
}

/// Fails the next task until it is no longer retried.
fn fail_for_good(simulation: &mut Simulation, error: &str) {
    while *simulation.execution.status() == Status::Running {
        if simulation.tasks.is_empty() {
            assert!(simulation.wake());
        } else {
            simulation.fail(error);
        }
    }
    assert_eq!(simulation.error(), error);
}

#[test]
fn a_failed_run_that_is_redriven_continues_at_the_failed_task() {
    let mut simulation = run("embedded");
    fail_for_good(&mut simulation, "Glue.EntityNotFoundException");
    simulation.apply(Event::Redrive);
    assert_eq!(simulation.execution.current(), ["BuildFeatures"]);
    until_training(&mut simulation);

    assert_eq!(simulation.tasks[0].input["TrainingJobName"], json!("run-r1"));
    fail_for_good(&mut simulation, "States.TaskFailed");
    simulation.apply(Event::Redrive);
    assert_eq!(simulation.execution.current(), ["Train"]);
    assert_eq!(simulation.tasks[0].input["TrainingJobName"], json!("run-r2"));
    until_accepted(&mut simulation);
    fail_for_good(&mut simulation, "Lambda.Unknown");
    simulation.apply(Event::Redrive);
    until_released(&mut simulation);
}

#[test]
fn a_table_that_throttles_for_minutes_fails_no_run() {
    let mut simulation = run("embedded");
    simulation.succeed(json!({"JobRunState": "SUCCEEDED"}));
    simulation.succeed(payload(json!({
        "feature_set": "fs-1", "parts": ["a"], "judged_by": "gate", "folds": [], "hyperparameters": {},
    })));
    let before = simulation.seconds();
    for _ in 0..8 {
        simulation.fail("Runtime.ExitError");
        while simulation.tasks.is_empty() {
            assert!(simulation.wake());
        }
    }
    simulation.succeed(payload(json!({"users": 1})));
    assert_eq!(simulation.execution.current(), ["RefreshFeatures"]);
    assert!(simulation.seconds() - before > 120.0, "{}", simulation.seconds() - before);
}

#[test]
fn an_endpoint_that_was_rolled_back_publishes_no_release_until_a_redrive_updates_it() {
    let mut simulation = run("sagemaker");
    until_training(&mut simulation);
    until_accepted(&mut simulation);
    simulation.succeed(json!({}));
    simulation.succeed(json!({}));
    assert_eq!(simulation.execution.current(), ["FindEndpoint"]);
    simulation.succeed(json!({"EndpointStatus": "InService", "EndpointConfigName": "old"}));
    assert_eq!(simulation.execution.current(), ["UpdateEndpoint"]);
    assert_eq!(simulation.tasks[0].input["RetainAllVariantProperties"], json!(true));
    simulation.succeed(json!({}));
    let described = |simulation: &mut Simulation, status: &str, config: &str| {
        assert_eq!(simulation.execution.current(), ["Endpoint"]);
        simulation.succeed(json!({"EndpointStatus": status, "EndpointConfigName": config}));
    };
    described(&mut simulation, "Updating", "old");
    assert!(simulation.wake());
    described(&mut simulation, "InService", "old");
    assert_eq!(simulation.execution.current(), ["RefuseEndpoint"]);
    fail_for_good(&mut simulation, "FunctionError");

    simulation.apply(Event::Redrive);
    assert_eq!(simulation.execution.current(), ["RefuseEndpoint"]);
    let asked = &simulation.tasks[0].input["Payload"];
    assert_eq!((&asked["attempt"], &asked["redrives"]), (&json!(0), &json!(1)));
    simulation.succeed(payload(json!({"release": null})));
    simulation.succeed(json!({"EndpointStatus": "InService", "EndpointConfigName": "old"}));
    simulation.succeed(json!({}));
    described(&mut simulation, "InService", "run");
    until_released(&mut simulation);
}

#[test]
fn the_serving_variant_stays_until_the_release_names_the_new_one() {
    let mut simulation = run("sagemaker");
    until_training(&mut simulation);
    until_accepted(&mut simulation);
    assert_eq!(simulation.execution.current(), ["CreateModel"]);
    simulation.succeed(json!({}));
    assert_eq!(simulation.execution.current(), ["CreateEndpointConfig"]);
    let config = &simulation.tasks[0].input;
    assert_eq!(config["ProductionVariants"], variants()["variants"]);
    simulation.succeed(json!({}));
    simulation.succeed(json!({"EndpointStatus": "InService", "EndpointConfigName": "old"}));
    simulation.succeed(json!({}));
    simulation.succeed(json!({"EndpointStatus": "InService", "EndpointConfigName": "run"}));
    assert_eq!(simulation.execution.current(), ["Publish"]);
    assert_eq!(simulation.tasks[0].input["Payload"]["variant"], variants()["variant"]);
    until_released(&mut simulation);
}

#[test]
fn an_endpoint_in_a_final_state_fails_the_run_at_once() {
    for status in ["Failed", "OutOfService", "UpdateRollbackFailed", "Deleting"] {
        let mut simulation = run("sagemaker");
        until_training(&mut simulation);
        until_accepted(&mut simulation);
        simulation.succeed(json!({}));
        simulation.succeed(json!({}));
        simulation.succeed(json!({"EndpointStatus": "InService", "EndpointConfigName": "old"}));
        simulation.succeed(json!({}));
        simulation.succeed(json!({"EndpointStatus": status, "EndpointConfigName": "run"}));
        assert_eq!(simulation.execution.current(), ["RefuseEndpoint"], "{status}");
    }
}

#[test]
fn throttling_is_not_taken_for_a_missing_endpoint() {
    for (cause, state) in [
        ("Rate exceeded (Service: SageMaker, Status Code: 400)", "RefuseEndpoint"),
        ("Could not find endpoint \"shop-dev\". (Service: SageMaker)", "CreateEndpoint"),
    ] {
        let mut simulation = run("sagemaker");
        until_training(&mut simulation);
        until_accepted(&mut simulation);
        simulation.succeed(json!({}));
        simulation.succeed(json!({}));
        while simulation.execution.current() == ["FindEndpoint"] {
            if simulation.tasks.is_empty() {
                assert!(simulation.wake());
            } else {
                simulation.fail_with("SageMaker.SageMakerException", cause);
            }
        }
        assert_eq!(simulation.execution.current(), [state]);
    }
}
