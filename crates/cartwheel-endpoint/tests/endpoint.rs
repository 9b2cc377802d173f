//! The endpoint's answers, with scores that XGBoost has predicted.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use cartwheel_endpoint::{Format, Settings, router};
use cartwheel_forest::Forest;
use tower::ServiceExt;

/// A model of 6 features, its rows, and what XGBoost predicts for them.
struct Fixture {
    router: Router,
    rows: Vec<f32>,
    predictions: Vec<f32>,
}

const WIDTH: usize = 6;

fn fixture(model: &str, settings: Settings) -> Fixture {
    let file = |name: String| {
        let path: PathBuf =
            [env!("CARGO_MANIFEST_DIR"), "../cartwheel-forest/tests/fixtures", &name]
                .iter()
                .collect();
        std::fs::read(path).unwrap()
    };
    let forest = Forest::from_bytes(&file(format!("{model}.ubj"))).unwrap();
    let expected: serde_json::Value =
        serde_json::from_slice(&file(format!("{model}.expected.json"))).unwrap();
    let floats = |key: &str| -> Vec<f32> {
        let bits = expected[key].as_array().unwrap().iter();
        bits.map(|bits| f32::from_bits(bits.as_u64().unwrap() as u32)).collect()
    };
    assert_eq!(forest.features(), WIDTH);
    Fixture {
        router: router(forest, settings),
        rows: floats("rows_bits"),
        predictions: floats("predictions_bits"),
    }
}

impl Fixture {
    fn csv(&self, separator: &str) -> String {
        let cell = |value: &f32| if value.is_nan() { String::new() } else { value.to_string() };
        let line = |row: &[f32]| row.iter().map(cell).collect::<Vec<_>>().join(separator) + "\n";
        self.rows.chunks_exact(WIDTH).map(line).collect()
    }

    /// `first` is the index of the first feature.
    fn libsvm(&self, first: usize) -> String {
        let line = |row: &[f32]| {
            let given = row.iter().enumerate().filter(|(_, value)| !value.is_nan());
            let cells = given.map(|(at, value)| format!(" {}:{value}", at + first));
            format!("0{}\n", cells.collect::<String>())
        };
        self.rows.chunks_exact(WIDTH).map(line).collect()
    }

    async fn ask(&self, request: Request<Body>) -> (StatusCode, String, String) {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let kind = answer.headers().get(header::CONTENT_TYPE);
        let kind = kind.map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 16 << 20).await.unwrap();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn invoke(
        &self,
        content_type: &str,
        accept: &str,
        body: impl Into<Body>,
    ) -> (StatusCode, String, String) {
        let request = Request::post("/invocations").header("content-type", content_type);
        self.ask(request.header("accept", accept).body(body.into()).unwrap()).await
    }

    async fn status(&self, content_type: &str, body: impl Into<Body>) -> u16 {
        self.invoke(content_type, "text/csv", body).await.0.as_u16()
    }
}

fn scores(csv: &str) -> Vec<u32> {
    csv.lines().map(|line| line.parse::<f32>().unwrap().to_bits()).collect()
}

#[tokio::test]
async fn scores_equal_xgboosts_to_the_last_bit_in_every_encoding() {
    for model in ["v1.7-logistic", "v1.7-pairwise", "v3.2-logistic", "v3.2-pairwise"] {
        let fixture = fixture(model, Settings::default());
        let expected: Vec<u32> = fixture.predictions.iter().map(|score| score.to_bits()).collect();
        let bodies = [
            ("text/csv", fixture.csv(",")),
            ("csv", fixture.csv(";")),
            ("text/csv; charset=utf-8; label_size=1", fixture.csv(", ")),
            ("text/libsvm", fixture.libsvm(0)),
            ("text/x-libsvm", fixture.libsvm(1)),
        ];
        for (content_type, body) in bodies {
            let (status, kind, answer) = fixture.invoke(content_type, "*/*", body).await;
            assert_eq!(status, StatusCode::OK, "{content_type}: {answer}");
            assert_eq!(kind, "text/csv; charset=utf-8");
            assert!(answer.ends_with('\n'));
            assert_eq!(scores(&answer), expected, "{model}, {content_type}");
        }
        let request = Request::post("/invocations").body(Body::from(fixture.libsvm(0))).unwrap();
        let (_, _, answer) = fixture.ask(request).await;
        assert_eq!(scores(&answer), expected, "without a content type");

        let (_, kind, answer) =
            fixture.invoke("text/csv", "application/json", fixture.csv(",")).await;
        assert_eq!(kind, "application/json");
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        let found: Vec<u32> = answer["predictions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["score"].as_f64().unwrap() as f32).to_bits())
            .collect();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn many_rows_are_scored_like_few() {
    let fixture = fixture("v3.2-logistic", Settings::default());
    let times = 200;
    let body = fixture.csv(",").repeat(times);
    assert!(body.len() > 256 << 10, "{}", body.len());
    let (status, _, answer) = fixture.invoke("text/csv", "text/csv", body).await;
    assert_eq!(status, StatusCode::OK);
    let expected: Vec<u32> = fixture.predictions.iter().map(|score| score.to_bits()).collect();
    assert_eq!(scores(&answer), expected.repeat(times));
}

#[tokio::test]
async fn what_cannot_be_scored_gets_the_containers_status() {
    let fixture = fixture("v3.2-logistic", Settings { max_body: 1000, ..Settings::default() });
    let row = "1,2,3,4,5,6";
    assert_eq!(fixture.status("text/csv", "").await, 204);
    assert_eq!(fixture.status("application/json", "").await, 204);
    for content_type in
        ["application/json", "text/plain", "application/x-parquet", "text/csv;label_size=2"]
    {
        assert_eq!(fixture.status(content_type, row).await, 415, "{content_type}");
    }
    for bad in [
        "\n",
        "a,b,c,d,e,f\n1,2,3,4,5,6",
        "1,2,3,4,5,6\n1,2,3",
        "1,2,3,4,5,6\n\n1,2,3,4,5,6",
        "1,2,3,4,5,inf",
        "1,2,3,4,5,1e39",
    ] {
        assert_eq!(fixture.status("text/csv", bad).await, 415, "{bad:?}");
    }
    assert_eq!(fixture.status("text/csv", vec![b'1', 0xff]).await, 415);
    for bad in ["\n", "0 qid:3 1:2", "0 1:x", "0 -1:2", "0 0:1 0:2"] {
        assert_eq!(fixture.status("text/libsvm", bad).await, 415, "{bad:?}");
    }
    assert_eq!(fixture.status("text/csv", "1,2,3,4,5,6,7").await, 400);
    assert_eq!(fixture.status("text/csv", "1,2,3,4,5").await, 400);
    assert_eq!(fixture.status("text/libsvm", "0 0:1 6:1").await, 400);
    assert_eq!(fixture.status("text/libsvm", "0 1:1 6:1").await, 200);
    assert_eq!(fixture.status("text/csv", format!("{row}\n").repeat(100)).await, 413);
    let (status, _, why) = fixture.invoke("text/csv", "image/png", row).await;
    assert_eq!(status, 406);
    assert!(why.contains("application/json"), "{why}");
    let (_, _, why) = fixture.invoke("text/csv", "text/csv", "1,2\n").await;
    assert_eq!(
        why,
        "row 1 has 2 values, the model takes 6: send its features in order, without a label\n"
    );
}

#[tokio::test]
async fn sagemaker_learns_that_it_is_healthy_and_what_to_send() {
    let fixture = fixture("v3.2-logistic", Settings::default());
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let (status, _, body) = fixture.ask(get("/ping")).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
    let (_, kind, body) = fixture.ask(get("/execution-parameters")).await;
    assert_eq!(kind, "application/json");
    let parameters: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert!(parameters["MaxConcurrentTransforms"].as_u64().unwrap() > 0);
    assert_eq!(parameters["BatchStrategy"], "MULTI_RECORD");
    assert_eq!(parameters["MaxPayloadInMB"], 6);
    assert_eq!(fixture.ask(get("/invocations")).await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(fixture.ask(get("/models")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_format_follows_the_environment_of_a_transform() {
    let usual = fixture("v3.2-logistic", Settings { usual: Format::Json, ..Settings::default() });
    let (_, _, answer) = usual.invoke("text/csv", "*/*", usual.csv(",")).await;
    assert!(answer.starts_with("{\"predictions\""), "{answer}");
    let batch = fixture("v3.2-logistic", Settings { batch: true, ..Settings::default() });
    let (_, kind, answer) = batch.invoke("text/csv", "application/json", batch.csv(",")).await;
    assert_eq!(kind, "application/json");
    assert_eq!(answer.lines().count(), batch.predictions.len());
}
