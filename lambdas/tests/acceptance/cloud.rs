//! The shop as Lambda functions: the tests invoke the binaries with the events of API Gateway,
//! Kinesis and Step Functions.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{BinaryArray, RecordBatch, StringArray};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cartwheel_events::Record;
use cartwheel_feature_set::files;
use cartwheel_sessions::UserStore;
use cartwheel_stream::{Sequence, Stream};
use cartwheel_testkit::{Emulator, FaultProxy, Faults, Function, Rights};
use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use crate::learned::{Learned, files_below};
use crate::shop::products;

pub const LAKE: &str = "s3://lake";

/// The emulated services.
pub struct Account {
    kinesis: Emulator,
    dynamodb: Emulator,
    moto: Emulator,
    variables: Vec<(String, String)>,
    /// Listens to what the functions ask, if it is of interest.
    rights: Option<Rights>,
}

async fn config(url: &str) -> SdkConfig {
    let credentials = aws_sdk_dynamodb::config::Credentials::for_tests();
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .endpoint_url(url)
        .load()
        .await
}

impl Account {
    pub async fn open() -> Self {
        Self { rights: Some(Rights::default()), ..Self::unheard().await }
    }

    /// The same, with nothing between the functions and the services.
    pub async fn unheard() -> Self {
        let (kinesis, dynamodb, moto) =
            (Emulator::kinesis(), Emulator::dynamodb(), Emulator::moto());
        kinesis.make_stream("events", 2);
        dynamodb.make_users("users");
        moto.make_bucket("lake");
        let at_moto = config(&moto.url()).await;
        let sqs = aws_sdk_sqs::Client::new(&at_moto);
        let queue = sqs.create_queue().queue_name("dead").send().await.unwrap();
        let sns = aws_sdk_sns::Client::new(&at_moto);
        let topic = sns.create_topic().name("notices").send().await.unwrap();
        moto.make_delivery_stream("impressions", "lake");
        let mut variables = vec![
            ("AWS_REGION".to_owned(), "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID".to_owned(), "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), "test".to_owned()),
            ("AWS_ENDPOINT_URL_KINESIS".to_owned(), kinesis.url()),
            ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), dynamodb.url()),
            ("CARTWHEEL_LAKE".to_owned(), LAKE.to_owned()),
            ("CARTWHEEL_TABLE".to_owned(), "users".to_owned()),
            ("CARTWHEEL_STREAM".to_owned(), "events".to_owned()),
            ("CARTWHEEL_IMPRESSIONS".to_owned(), "impressions".to_owned()),
            ("CARTWHEEL_DEAD_LETTERS".to_owned(), queue.queue_url().unwrap().to_owned()),
            ("CARTWHEEL_TOPIC".to_owned(), topic.topic_arn().unwrap().to_owned()),
        ];
        for service in ["S3", "SQS", "SNS", "FIREHOSE", "SFN"] {
            variables.push((format!("AWS_ENDPOINT_URL_{service}"), moto.url()));
        }
        Self { kinesis, dynamodb, moto, variables, rights: None }
    }

    /// Starts a function's binary with additional variables, and listens to what it asks.
    pub async fn function(&self, name: &str, own: &[(&str, String)]) -> Function {
        let variables = self.variables(own);
        let variables = match &self.rights {
            Some(rights) => rights.listen(name, variables).await,
            None => variables,
        };
        Self::start(name, &variables).await
    }

    /// The variables of a function.
    fn variables(&self, own: &[(&str, String)]) -> Vec<(String, String)> {
        let mut variables = self.variables.clone();
        variables.extend(own.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        variables
    }

    async fn start(name: &str, variables: &[(String, String)]) -> Function {
        let binary = match name {
            "api" => env!("CARGO_BIN_EXE_api"),
            "consume" => env!("CARGO_BIN_EXE_consume"),
            "erase" => env!("CARGO_BIN_EXE_erase"),
            "load" => env!("CARGO_BIN_EXE_load-features"),
            "evaluate" => env!("CARGO_BIN_EXE_evaluate"),
            "publish" => env!("CARGO_BIN_EXE_publish"),
            "import" => env!("CARGO_BIN_EXE_import"),
            _ => env!("CARGO_BIN_EXE_notify"),
        };
        // The packaged binary instead of the one built for the tests.
        let packaged = std::env::var("CARTWHEEL_FUNCTIONS").map(|dir| {
            let name = if name == "load" { "load-features" } else { name };
            format!("{dir}/{name}/bootstrap")
        });
        let binary = packaged.unwrap_or_else(|_| binary.to_owned());
        Function::start(Path::new(&binary), name, variables).await
    }

    pub fn lake(&self) -> Arc<dyn ObjectStore> {
        let store = AmazonS3Builder::new()
            .with_bucket_name("lake")
            .with_region("us-east-1")
            .with_access_key_id("test")
            .with_secret_access_key("test")
            .with_allow_http(true)
            .with_endpoint(self.moto.url())
            .build();
        Arc::new(store.unwrap())
    }

    pub async fn put(&self, key: &str, bytes: Vec<u8>) {
        self.lake().put(&key.into(), bytes.into()).await.unwrap();
    }

    /// Uploads a folder of a lake on this machine.
    pub async fn upload(&self, lake: &Path, folder: &str) {
        for path in files_below(&lake.join(folder)) {
            let key = path.strip_prefix(lake).unwrap().to_str().unwrap();
            self.put(key, std::fs::read(&path).unwrap()).await;
        }
    }

    /// The stream of events.
    pub async fn stream(&self) -> cartwheel_aws::KinesisStream {
        let client = aws_sdk_kinesis::Client::new(&config(&self.kinesis.url()).await);
        cartwheel_aws::KinesisStream::new(client, "events").listed().await.unwrap()
    }

    /// The table of users.
    pub async fn users(&self) -> cartwheel_aws::Users {
        let client = aws_sdk_dynamodb::Client::new(&config(&self.dynamodb.url()).await);
        cartwheel_aws::Users::new(client, "users")
    }

    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        use futures::TryStreamExt;
        let objects: Vec<_> = self.lake().list(Some(&prefix.into())).try_collect().await.unwrap();
        objects.iter().map(|object| object.location.to_string()).collect()
    }

    /// Writes a feature set as the Glue job does, with user records in parts.
    async fn lay(&self, learned: &Learned, run: &str) {
        let set = &learned.set;
        let prefix = format!("features/{}", set.manifest.version);
        let users = set.users().unwrap();
        let records: Vec<(String, Vec<u8>)> = (0..users.len())
            .map(|at| users.record(at).unwrap())
            .map(|(id, state)| (id, state.encode()))
            .collect();
        for (n, part) in records.chunks(records.len().div_ceil(3)).enumerate() {
            let ids = StringArray::from_iter_values(part.iter().map(|record| &record.0));
            let data = BinaryArray::from_iter_values(part.iter().map(|record| &record.1));
            let columns: [(&str, arrow_array::ArrayRef); 2] =
                [("user_id", Arc::new(ids)), ("record", Arc::new(data))];
            let batch = RecordBatch::try_from_iter(columns).unwrap();
            let mut bytes = Vec::new();
            let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
            self.put(&format!("{prefix}/users/part-{n:05}.parquet"), bytes).await;
        }
        for name in [
            files::CATALOGUE,
            files::CATALOGUES_OF_OTHERS[0],
            files::GATE,
            files::HISTORIES,
            files::SCALER,
            files::FEATURES,
            files::SCHEMA,
            files::MANIFEST,
        ] {
            let bytes = std::fs::read(set.path(name)).unwrap();
            self.put(&format!("{prefix}/{name}"), bytes).await;
        }
        let named = json!({"feature_set": set.manifest.version});
        self.put(&format!("features/runs/{run}.json"), named.to_string().into_bytes()).await;
        // The archive that SageMaker writes.
        let archive = learned.lake().join("models").join(&learned.model).join("model.tar.gz");
        let key = format!("models/training/{run}/output/model.tar.gz");
        self.put(&key, std::fs::read(archive).unwrap()).await;
    }

    /// Performs the state machine's tasks for a feature set and a model; returns the evaluation.
    pub async fn run_pipeline(&self, learned: &Learned, run: &str, passed: bool) -> Value {
        self.lay(learned, run).await;
        let load = self.function("load", &[]).await;
        let list = json!({"action": "list", "lake": LAKE, "run": run});
        let built = load.invoke(&list).await.unwrap();
        let parts = built["parts"].as_array().unwrap();
        assert_eq!((parts.len(), &built["feature_set"]), (3, &json!(learned.set.manifest.version)));
        let mut users = 0;
        for part in parts {
            let part = json!({"action": "load", "lake": LAKE, "part": part,
                              "feature_set": built["feature_set"]});
            users += load.invoke(&part).await.unwrap()["users"].as_u64().unwrap();
        }
        assert_eq!(users, learned.set.manifest.users);
        let evaluation = self.function("evaluate", &[]).await;
        let evaluation = evaluation
            .invoke(&json!({
                "lake": LAKE, "run": run, "feature_set": built["feature_set"], "job": run,
                "artifacts": format!("{LAKE}/models/training/{run}/output/model.tar.gz"),
                "hyperparameters": {"num_round": "20"},
            }))
            .await
            .unwrap();
        let publish = self.function("publish", &[]).await;
        let decide = json!({"action": "decide", "passed": passed, "lake": LAKE, "run": run,
                            "feature_set": built["feature_set"], "evaluation": evaluation,
                            "endpoint": {"mode": "sagemaker", "name": "shop", "instance": "ml.m5.large"}});
        let decided = publish.invoke(&decide).await.unwrap();
        if passed {
            assert_eq!(decided["variants"].as_array().unwrap().len(), 2);
            assert_eq!(
                (&decided["release"], &decided["variants"][0]["ModelName"]),
                (&Value::Null, &json!(run))
            );
            let name = json!({"action": "publish", "lake": LAKE, "run": run, "variant": decided["variant"],
                              "feature_set": built["feature_set"], "model": evaluation["model"]});
            let released = publish.invoke(&name).await.unwrap();
            assert_eq!(released["release"]["model"], evaluation["model"]);
        }
        evaluation
    }

    /// Lets the execution `name` of a state machine run to its end, and returns the machine's ARN.
    pub fn execute(&self, name: &str, definition: &Value, input: &Value) -> String {
        self.moto.execute("shop-dev-pipeline", name, definition, input)
    }

    pub async fn json(&self, key: &str) -> Value {
        let bytes = self.lake().get(&key.into()).await.unwrap().bytes().await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }
}

/// A request of API Gateway's HTTP API, in payload format 2.0.
pub fn gateway(method: &str, path: &str, body: Option<&Value>, key: Option<&str>) -> Value {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut headers = json!({
        "content-type": "application/json",
        "host": "api.example.com",
        "x-forwarded-for": "192.0.2.1",
    });
    if let Some(key) = key {
        headers["x-api-key"] = key.into();
    }
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012", "apiId": "api", "domainName": "api.example.com",
            "domainPrefix": "api", "requestId": "id", "routeKey": "$default", "stage": "$default",
            "time": "23/Nov/2026:00:00:00 +0000", "timeEpoch": 1_795_000_000_000_u64,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1",
                     "sourceIp": "192.0.2.1", "userAgent": "test"},
        },
        "body": body.map(Value::to_string),
        "isBase64Encoded": false,
    })
}

pub async fn call(api: &Function, event: &Value) -> (u16, Value) {
    let answer = api.invoke(event).await.unwrap();
    let status = u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap();
    let body = answer["body"].as_str().unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// A record of the event source mapping.
pub fn kinesis_record(sequence: u64, user: &str) -> Value {
    let body = json!({"user_id": user, "event": "view", "product_ids": ["1"]});
    let event = cartwheel_events::Event::from_json(&body).unwrap();
    let id = format!("e{sequence}");
    let record = cartwheel_events::EventRecord::new(event, id, 1_795_000_000_000);
    incoming(0, sequence.into(), &Record::Event(record))
}

fn incoming(shard: u32, sequence: Sequence, record: &Record) -> Value {
    json!({
        "eventID": format!("shardId-{shard:012}:{sequence}"),
        "eventSource": "aws:kinesis", "eventVersion": "1.0",
        "eventName": "aws:kinesis:record", "awsRegion": "us-east-1",
        "kinesis": {
            "kinesisSchemaVersion": "1.0", "sequenceNumber": sequence.to_string(),
            "partitionKey": record.user_id(), "data": STANDARD.encode(record.to_vec()),
            "approximateArrivalTimestamp": 1_795_000_000.5,
        },
    })
}

/// Invokes the consumer with the stream's records, as the event source mapping does.
pub struct Mapping {
    stream: cartwheel_aws::KinesisStream,
    consume: Function,
    next: BTreeMap<u32, Sequence>,
}

impl Mapping {
    pub async fn open(account: &Account) -> Self {
        let stream = account.stream().await;
        let consume = account.function("consume", &[]).await;
        Self { stream, consume, next: BTreeMap::new() }
    }

    /// Invokes the consumer with what has come.
    pub async fn pump(&mut self) {
        for shard in 0..self.stream.shards() {
            let from = self.next.get(&shard).copied().unwrap_or_default();
            let batch = self.stream.read(shard, from, 100).await.unwrap();
            let records = batch.records.iter();
            let records = records.map(|(sequence, record)| incoming(shard, *sequence, record));
            let event = json!({"Records": records.collect::<Vec<_>>()});
            let answer = self.consume.invoke(&event).await.unwrap();
            assert_eq!(answer, json!({"batchItemFailures": []}));
            self.next.insert(shard, batch.next);
        }
    }
}

pub async fn consumes_a_batch() {
    let account = Account::open().await;
    let consume = account.function("consume", &[]).await;
    let mut records: Vec<Value> = (1..=60).map(|n| kinesis_record(n, "u")).collect();
    records[30]["kinesis"]["data"] = STANDARD.encode("{}").into();
    let event = json!({"Records": records});
    for _ in 0..2 {
        let answer = consume.invoke(&event).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}));
    }
    let users = account.users().await;
    let user = cartwheel_events::UserId::new("u").unwrap();
    let found = users.find(&[user], None, 1_795_000_000_000).await.unwrap();
    assert_eq!(found[0].session.as_ref().unwrap().events, 59);
    let error = consume.invoke(&json!({"Records": [{}]})).await.unwrap_err();
    assert!(error["errorMessage"].as_str().unwrap().contains("eventID"), "{error}");
}

pub async fn before_the_first_release() {
    let account = Account::open().await;
    let hash = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    let api = account.function("api", &[("CARTWHEEL_KEY_HASHES", hash.to_owned())]).await;
    let view = json!({"user_id": "u", "event": "view", "product_ids": ["p"]});
    for key in [None, Some("bar")] {
        let (status, problem) = call(&api, &gateway("POST", "/submit", Some(&view), key)).await;
        assert_eq!((status, problem["status"].clone()), (401, json!(401)), "{problem}");
    }
    let (status, answer) = call(&api, &gateway("POST", "/submit", Some(&view), Some("foo"))).await;
    assert_eq!((status, answer["degraded"].clone()), (200, json!(false)), "{answer}");
    assert!(answer["record_id"].is_string() && products(&answer).is_empty(), "{answer}");
    let (status, _) = call(&api, &gateway("GET", "/readyz", None, None)).await;
    assert_eq!(status, 200, "a shop that has just begun is ready");
    let mut mapping = Mapping::open(&account).await;
    mapping.pump().await;
    let again = json!({"user_id": "u", "event": "checkout"});
    let (status, _) = call(&api, &gateway("POST", "/submit", Some(&again), Some("foo"))).await;
    assert_eq!(status, 422, "the session was read and its cart is empty");
}

pub async fn releases(learned: &Learned) {
    let account = Account::open().await;
    let first = account.run_pipeline(learned, "run-1", true).await;
    let current = account.json("releases/current.json").await;
    assert_eq!(current, serde_json::to_value(learned.release()).unwrap());
    let key = format!("models/{}/evaluation.json", learned.model);
    let noted = account.json(&key).await;
    assert_eq!((noted["passed"].clone(), noted["run"].clone()), (json!(true), json!("run-1")));
    assert_eq!(noted["report"]["difference"], first["difference"]);

    // The same data again: the model is compared with itself, and nothing changes.
    let second = account.run_pipeline(learned, "run-2", false).await;
    assert_eq!(
        (second["serving"].clone(), second["difference"].clone()),
        (json!(true), json!(0.0))
    );
    assert_eq!(account.json("releases/current.json").await, current);
    assert_eq!(account.json(&key).await["run"], "run-1", "the serving model is unchanged");

    let publish = account.function("publish", &[]).await;
    let rollback = json!({"action": "rollback", "lake": LAKE});
    let error = publish.invoke(&rollback).await.unwrap_err();
    assert!(
        error["errorMessage"].as_str().unwrap().contains("no release served before"),
        "{error}"
    );
    let unknown = json!({"action": "publish", "lake": LAKE, "model": "m-0",
                         "feature_set": learned.set.manifest.version});
    let error = publish.invoke(&unknown).await.unwrap_err();
    assert!(error["errorMessage"].as_str().unwrap().contains("m-0"), "{error}");
    assert_eq!(
        account.json("releases/current.json").await,
        current,
        "an invalid release is rejected"
    );

    let notify = account.function("notify", &[]).await;
    let notice = json!({"run": "run-1", "outcome": "released", "evaluation": first,
                        "released": {"release": current}});
    assert_eq!(notify.invoke(&notice).await.unwrap(), json!({}));
    // The detail of EventBridge's event.
    let failed = json!({"name": "run-2", "status": "FAILED", "error": "States.TaskFailed",
                        "cause": "no capacity", "executionArn": "arn:aws:states:us-east-1:1:execution:m:run-2"});
    assert_eq!(notify.invoke(&failed).await.unwrap(), json!({}));
    let error = notify.invoke(&json!({"run": 7})).await.unwrap_err();
    assert!(error["errorMessage"].as_str().unwrap().contains("expected a string"), "{error}");
}

pub async fn bad_days(learned: &Learned) {
    let account = Account::open().await;
    account.run_pipeline(learned, "run-1", true).await;
    let proxy = FaultProxy::start(account.dynamodb.port(), 1, Faults::default()).await;
    let nowhere = format!("http://127.0.0.1:{}", cartwheel_testkit::free_port());
    let own = [
        ("AWS_ENDPOINT_URL_DYNAMODB", proxy.url()),
        ("CARTWHEEL_ENDPOINT", "shop".to_owned()),
        ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", nowhere),
    ];
    // Nobody listens in between, since the answers are timed.
    let api = Account::start("api", &account.variables(&own)).await;
    let plain = Account::start("api", &account.variables(&[])).await;
    let user = &learned.users[0];
    let ask = gateway("GET", &format!("/v1/users/{user}/recommendations"), None, None);

    // The endpoint is down: the model in the process gives the same answer.
    let (_, expected) = call(&plain, &ask).await;
    assert_eq!(expected["degraded"], json!(false));
    let (status, answer) = call(&api, &ask).await;
    assert_eq!((status, answer["degraded"].clone()), (200, json!(true)));
    assert_eq!(products(&answer), products(&expected));

    // The table is down too: popular products are recommended, and events are still stored.
    proxy.set(Faults { error: 1.0, ..Faults::default() });
    let mut times = Vec::new();
    for n in 0..100 {
        let view = json!({"user_id": user, "event": "view", "product_ids": ["1"]});
        let event = match n % 2 {
            0 => ask.clone(),
            _ => gateway("POST", "/submit", Some(&view), None),
        };
        let start = Instant::now();
        let (status, answer) = call(&api, &event).await;
        times.push(start.elapsed());
        assert_eq!((status, answer["degraded"].clone()), (200, json!(true)), "{answer}");
        assert_eq!(products(&answer).len(), 10);
    }
    times.sort_unstable();
    assert!(times[90] < Duration::from_millis(100), "requests soon stop waiting: {:?}", times[90]);
    let checkout =
        gateway("POST", "/submit", Some(&json!({"user_id": user, "event": "checkout"})), None);
    assert_eq!(call(&api, &checkout).await.0, 503, "the cart is unknown");

    // The table recovers, and so does the answer.
    proxy.set(Faults::default());
    for n in 0..200 {
        let (_, answer) = call(&plain, &ask).await;
        if products(&call(&api, &ask).await.1) == products(&answer) {
            break;
        }
        assert!(n < 199, "it recovers");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(!account.keys("impressions").await.is_empty(), "Firehose has the impressions");
}

/// A server with the interface of SageMaker's XGBoost container.
async fn container(learned: &Learned) -> String {
    let bundle = cartwheel_registry::read(&learned.lake().join("models"), &learned.model).unwrap();
    let forest = Arc::new(bundle.forest);
    let invoke = async move |headers: axum::http::HeaderMap, body: String| {
        // The release names the variant that has its model.
        assert_eq!(headers["x-amzn-sagemaker-target-variant"], "a");
        if headers["content-type"] != "text/csv" {
            return (axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE, String::new());
        }
        let cell = |cell: &str| if cell.is_empty() { f32::NAN } else { cell.parse().unwrap() };
        let rows: Vec<f32> = body.lines().flat_map(|row| row.split(',').map(cell)).collect();
        let mut scores = vec![0.0; body.lines().count()];
        forest.probabilities(&rows, &mut scores);
        let lines: String = scores.iter().map(|score| format!("{score}\n")).collect();
        (axum::http::StatusCode::OK, lines)
    };
    let router =
        axum::Router::new().route("/endpoints/shop/invocations", axum::routing::post(invoke));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

pub async fn scored_elsewhere(learned: &Learned) {
    let account = Account::open().await;
    account.run_pipeline(learned, "run-1", true).await;
    let own = [
        ("CARTWHEEL_ENDPOINT", "shop".to_owned()),
        ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", container(learned).await),
    ];
    let (elsewhere, here) =
        (account.function("api", &own).await, account.function("api", &[]).await);
    for user in [learned.users[0].as_str(), "nobody"] {
        let path = format!("/v1/users/{user}/recommendations?limit=50");
        let ask = gateway("GET", &path, None, None);
        let (there, here) = (call(&elsewhere, &ask).await.1, call(&here, &ask).await.1);
        assert_eq!(there["degraded"], json!(false), "{there}");
        assert_eq!(there["recommendations"], here["recommendations"]);
    }
}

pub async fn follows(learned: &Learned) {
    use cartwheel_aws::{Follower, Lake, S3Registry};
    use cartwheel_engine::ServingEngine;
    use cartwheel_registry::Registry;
    let account = Account::open().await;
    let registry = Arc::new(S3Registry::new(Lake::on(account.lake())));
    let (early, opened) = Follower::open(registry.clone(), "UTC").await.unwrap();
    let engine = Arc::new(ServingEngine::new(opened));
    assert_eq!(engine.release().feature_set, "none");

    account.run_pipeline(learned, "run-1", true).await;
    assert!(early.refresh(&engine).await.unwrap(), "the first release");
    assert_eq!(engine.release(), learned.release());
    assert!(!early.refresh(&engine).await.unwrap(), "nothing new");

    // An incomplete release is not loaded; the next one is.
    let mut broken = learned.release();
    broken.model = Some("m-gone".to_owned());
    registry.publish(&broken).await.unwrap();
    assert!(early.refresh(&engine).await.is_err());
    assert_eq!(engine.release(), learned.release(), "the old release still serves");
    let bare = cartwheel_registry::Release { model: None, ..learned.release() };
    registry.publish(&bare).await.unwrap();
    assert!(early.refresh(&engine).await.unwrap());
    assert_eq!(engine.release(), bare);
    assert!(early.is_due(Duration::ZERO) && !early.is_due(Duration::from_secs(60)));
}

/// A user is erased by the API, stays away when the same feature set is loaded again, and the
/// function `erase` goes over the lake.
pub async fn erases(learned: &Learned) {
    let account = Account::open().await;
    account.run_pipeline(learned, "run-1", true).await;
    let (api, mut mapping) = (account.function("api", &[]).await, Mapping::open(&account).await);
    let user = &learned.users[0];
    let ask = async |method: &str, path: &str| call(&api, &gateway(method, path, None, None)).await;
    let add = json!({"user_id": user, "event": "add_to_cart", "product_ids": ["1"]});
    assert_eq!(call(&api, &gateway("POST", "/submit", Some(&add), None)).await.0, 200);
    mapping.pump().await;
    let export = format!("/v1/users/{user}/export");
    let (status, known) = ask("GET", &export).await;
    assert_eq!((status, known["session"]["cart"].as_array().map(Vec::len)), (200, Some(1)));
    assert!(known["record"].is_object() && known["stored"]["events"] == json!([]), "{known}");

    // Accepted before the erasure, and consumed after it.
    assert_eq!(call(&api, &gateway("POST", "/submit", Some(&add), None)).await.0, 200);
    let (status, erased) = ask("DELETE", &format!("/v1/users/{user}")).await;
    assert_eq!((status, &erased["step"]), (202, &json!("lake")), "{erased}");
    mapping.pump().await;
    account.run_pipeline(learned, "run-2", false).await;
    let (status, gone) = ask("GET", &export).await;
    let cart = gone["session"]["cart"].as_array().map_or(0, Vec::len);
    assert_eq!((status, cart, &gone["record"]), (200, 0, &Value::Null), "{gone}");
    let (_, listed) = ask("GET", "/v1/erasures").await;
    assert_eq!(listed["erasures"], json!([erased]));
    let (_, answer) = ask("GET", &format!("/v1/users/{user}/recommendations")).await;
    let (_, stranger) = ask("GET", "/v1/users/nobody/recommendations").await;
    assert_eq!(products(&answer), products(&stranger), "nothing is known of the user");

    // Without a retention all is delivered; the serving set still holds the user.
    let erase = account.function("erase", &[("CARTWHEEL_STREAM_HOURS", "0".to_owned())]).await;
    let pass = erase.invoke(&json!({})).await.unwrap();
    assert_eq!((&pass["cleaned"], &pass["finished"]), (&json!(1), &json!(0)), "{pass}");
    let (_, listed) = ask("GET", "/v1/erasures").await;
    assert_eq!(listed["erasures"][0]["step"], "features", "{listed}");
}
