use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cartwheel_aws::{DeadLetters, KinesisEvent, consume};
use cartwheel_events::{Record, UserId};
use cartwheel_sessions::UserStore;
use cartwheel_stream::conformance::record;
use cartwheel_testkit::{Emulator, FaultProxy, Faults};
use serde_json::{Value, json};

use crate::harness::{config, users};

const NOW: i64 = 1_700_000_000_000;

fn event(records: &[(u64, Vec<u8>)]) -> KinesisEvent {
    let records = records.iter().map(|(sequence, data)| {
        json!({
            "eventID": format!("shardId-000000000002:{sequence}"),
            "eventSource": "aws:kinesis",
            "kinesis": {"sequenceNumber": sequence.to_string(), "data": STANDARD.encode(data),
                        "partitionKey": "u", "approximateArrivalTimestamp": 1.7e9},
        })
    });
    serde_json::from_value(json!({"Records": records.collect::<Vec<_>>()})).unwrap()
}

fn view(user: &str, id: &str) -> Vec<u8> {
    let Record::Event(event) = record(user, id) else { unreachable!("an event") };
    serde_json::to_vec(&event).unwrap()
}

async fn queue(url: &str) -> (aws_sdk_sqs::Client, String) {
    let client = aws_sdk_sqs::Client::new(&config(url).await);
    let made = client.create_queue().queue_name("dead").send().await.unwrap();
    (client, made.queue_url().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_goes_to_the_dead_letters_and_the_others_are_applied() {
    let (dynamodb, moto) = (Emulator::dynamodb(), Emulator::moto());
    dynamodb.make_users("users");
    let store = users(&dynamodb.url(), "users").await;
    let (sqs, url) = queue(&moto.url()).await;
    let dead_letters = DeadLetters::new(sqs.clone(), &url);

    let batch = event(&[
        (10, view("a", "e1")),
        (11, b"{\"user_id\":".to_vec()),
        (12, vec![b'x'; 400_000]),
        (13, view("b", "e2")),
        (14, view("a", "e3")),
    ]);
    let consumed = consume(&store, &dead_letters, &batch).await;
    assert_eq!(serde_json::to_value(&consumed.answer).unwrap(), json!({"batchItemFailures": []}));
    assert_eq!((consumed.events["view"], consumed.poison), (3, 2));
    let ids = ["a", "b"].map(|user| UserId::new(user).unwrap());
    let found = store.find(&ids, None, NOW).await.unwrap();
    let events = found.iter().map(|shopper| shopper.session.as_ref().unwrap().events);
    assert_eq!(events.collect::<Vec<_>>(), [2, 1]);

    // Delivered again as a whole: nothing changes but the dead letters, which tell where
    // each came from.
    consume(&store, &dead_letters, &batch).await;
    assert_eq!(store.find(&ids, None, NOW).await.unwrap(), found);
    let letters = sqs.receive_message().queue_url(&url).max_number_of_messages(10).send().await;
    let letters = letters.unwrap();
    let bodies: Vec<Value> = letters
        .messages()
        .iter()
        .map(|message| serde_json::from_str(message.body().unwrap()).unwrap())
        .collect();
    assert_eq!(bodies.len(), 4);
    let first = bodies.iter().find(|body| body["record"] == "shardId-000000000002:11").unwrap();
    assert_eq!(STANDARD.decode(first["data"].as_str().unwrap()).unwrap(), b"{\"user_id\":");
    assert!(first["reason"].as_str().unwrap().contains("EOF"), "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_does_not_answer_brings_the_batch_back() {
    let (dynamodb, moto) = (Emulator::dynamodb(), Emulator::moto());
    dynamodb.make_users("users");
    let proxy = FaultProxy::start(dynamodb.port(), 1, Faults { error: 1.0, ..Faults::default() });
    let proxy = proxy.await;
    let store = users(&proxy.url(), "users").await;
    let (sqs, url) = queue(&moto.url()).await;
    let batch = event(&[(10, view("a", "e1")), (11, view("b", "e2"))]);

    let consumed = consume(&store, &DeadLetters::new(sqs.clone(), &url), &batch).await;
    let failures = serde_json::to_value(&consumed.answer).unwrap();
    assert_eq!(failures, json!({"batchItemFailures": [{"itemIdentifier": "10"}]}));
    assert!(consumed.error.is_some() && consumed.events.is_empty());

    proxy.set(Faults::default());
    let consumed = consume(&store, &DeadLetters::new(sqs.clone(), &url), &batch).await;
    assert_eq!(consumed.answer.batch_item_failures, []);

    // A queue that takes nothing: the shard goes no further than the poison.
    let gone = DeadLetters::new(sqs, format!("{url}-gone"));
    let batch = event(&[(20, view("a", "e3")), (21, b"?".to_vec()), (22, view("a", "e4"))]);
    let consumed = consume(&store, &gone, &batch).await;
    let failures = serde_json::to_value(&consumed.answer).unwrap();
    assert_eq!(failures, json!({"batchItemFailures": [{"itemIdentifier": "21"}]}));
    assert_eq!(consumed.events["view"], 1);
    let found = store.find(&[UserId::new("a").unwrap()], None, NOW).await.unwrap();
    assert_eq!(found[0].session.as_ref().unwrap().events, 2, "e1 and e3");
}
