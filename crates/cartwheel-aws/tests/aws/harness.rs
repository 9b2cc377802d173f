//! Clients of the stand-ins, and tables and streams in them.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use cartwheel_aws::{KinesisStream, Users};

/// The configuration that the adapters use, with an endpoint on this machine.
pub async fn config(url: &str) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(2));
    let retries =
        RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(5));
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .endpoint_url(url)
        .timeout_config(timeouts.build())
        .retry_config(retries)
        .load()
        .await
}

pub async fn make_stream(url: &str, name: &str, shards: i32) {
    let client = aws_sdk_kinesis::Client::new(&config(url).await);
    client.create_stream().stream_name(name).shard_count(shards).send().await.unwrap();
    for _ in 0..200 {
        let described = client.describe_stream_summary().stream_name(name).send().await.unwrap();
        let summary = described.stream_description_summary().unwrap();
        if summary.stream_status().as_str() == "ACTIVE" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the stream does not become active");
}

pub async fn stream(url: &str, name: &str) -> KinesisStream {
    let client = aws_sdk_kinesis::Client::new(&config(url).await);
    KinesisStream::new(client, name).listed().await.unwrap()
}

pub async fn make_table(url: &str, name: &str) {
    let client = aws_sdk_dynamodb::Client::new(&config(url).await);
    let mut request =
        client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in [("user_id", KeyType::Hash), ("item", KeyType::Range)] {
        let attribute = AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name(name).key_type(kind);
        request = request
            .attribute_definitions(attribute.build().unwrap())
            .key_schema(key.build().unwrap());
    }
    request.send().await.unwrap();
    for _ in 0..200 {
        let described = client.describe_table().table_name(name).send().await.unwrap();
        let status = described.table().and_then(|table| table.table_status()).cloned();
        if status.is_some_and(|status| status.as_str() == "ACTIVE") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the table does not become active");
}

pub async fn users(url: &str, table: &str) -> Users {
    Users::new(aws_sdk_dynamodb::Client::new(&config(url).await), table)
}
