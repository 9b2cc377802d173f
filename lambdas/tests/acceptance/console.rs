//! What the API function shows the console: models and runs.

use serde_json::{Value, json};

use crate::cloud::{Account, call, gateway};
use crate::learned::Learned;

/// SHA-256 of the key `foo`.
const HASH: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

pub async fn shows(learned: &Learned) {
    let account = Account::open().await;
    account.run_pipeline(learned, "run-1", true).await;
    let definition = json!({
        "StartAt": "BuildFeatures",
        "States": {
            "BuildFeatures": {"Type": "Pass", "Result": {"rows": 7}, "ResultPath": "$.built", "Next": "Refuse"},
            "Refuse": {"Type": "Fail", "Error": "TooFewUsers", "Cause": "3 users"},
        },
    });
    let input = json!({"lake": "s3://lake"});
    let machine = account.execute("shop-dev-1", &definition, &input);
    let own = [("CARTWHEEL_KEY_HASHES", HASH.to_owned()), ("CARTWHEEL_STATE_MACHINE", machine)];
    let api = account.function("api", &own).await;
    let ask = async |method: &str, path: &str| {
        call(&api, &gateway(method, path, None, Some("foo"))).await
    };

    let (status, listed) = ask("GET", "/v1/models").await;
    let models = listed["models"].as_array().unwrap();
    assert_eq!((status, models.len()), (200, 1), "{listed}");
    let model = &models[0];
    assert_eq!((&model["version"], &model["status"]), (&json!(learned.model), &json!("serving")));
    let evaluation = &model["evaluation"];
    assert_eq!((&evaluation["run"], &evaluation["passed"]), (&json!("run-1"), &json!(true)));
    assert!(evaluation["report"]["methods"].is_array(), "{evaluation}");
    let (status, shown) = ask("GET", &format!("/v1/models/{}", learned.model)).await;
    assert_eq!((status, &shown["trees"]), (200, &json!(20)), "{shown}");
    assert!(shown["importance"].as_array().unwrap().len() > 5, "{shown}");
    assert_eq!(shown["verdict"], model["verdict"]);
    assert_eq!(ask("GET", "/v1/models/m-0").await.0, 404);

    let (status, shown) = ask("GET", "/v1/pipeline/definition").await;
    assert_eq!((status, &shown), (200, &definition));
    let (status, listed) = ask("GET", "/v1/pipeline/executions").await;
    let run = &listed["executions"][0];
    assert_eq!(
        (status, &run["name"], &run["status"]),
        (200, &json!("shop-dev-1"), &json!("FAILED"))
    );
    assert_eq!(run["machine"], "shop-dev-pipeline");
    let (status, run) = ask("GET", "/v1/pipeline/executions/shop-dev-1").await;
    assert_eq!(
        (status, &run["error"], &run["cause"]),
        (200, &json!("TooFewUsers"), &json!("3 users"))
    );
    assert_eq!((&run["input"], &run["definition"]), (&input, &definition));
    let steps: Vec<&str> =
        run["history"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
    let expected = [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "FailStateEntered",
        "ExecutionFailed",
    ];
    assert_eq!(steps, expected);
    assert_eq!(run["history"][2]["details"]["output"]["built"], json!({"rows": 7}));
    assert_eq!(ask("GET", "/v1/pipeline/executions/shop-dev-0").await.0, 404);

    let (_, ready) = ask("GET", "/readyz").await;
    let elsewhere: &Value = &ready["operated_by"];
    assert!(elsewhere.as_str().unwrap().contains("scripts/run-pipeline"), "{ready}");
    for (method, path) in [
        ("POST", "/v1/models/rollback"),
        ("POST", &format!("/v1/models/{}/deploy", learned.model)),
        ("POST", "/v1/pipeline/executions"),
        ("POST", "/v1/pipeline/executions/shop-dev-1/redrive"),
        ("GET", "/v1/pipeline/executions/shop-dev-1/logs"),
        ("GET", "/v1/pipeline/executions/shop-dev-1/events"),
        ("GET", "/v1/lake"),
    ] {
        let (status, problem) = ask(method, path).await;
        assert_eq!((status, &problem["detail"]), (404, elsewhere), "{path}");
    }
    for path in ["/v1/models", "/v1/pipeline/executions", "/v1/pipeline/executions/shop-dev-1"] {
        for key in [None, Some("bar")] {
            assert_eq!(call(&api, &gateway("GET", path, None, key)).await.0, 401, "{path}");
        }
    }
    let (_, ready) = call(&api, &gateway("GET", "/readyz", None, None)).await;
    assert_eq!(ready["operated_by"], Value::Null, "only an admin is told");
}
