//! Clients of the stand-ins.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use cartwheel_ambient::Clock;
use cartwheel_aws::{KinesisStream, Lake, Products, Users};
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;

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

pub async fn stream(url: &str, name: &str) -> KinesisStream {
    let client = aws_sdk_kinesis::Client::new(&config(url).await);
    KinesisStream::new(client, name).listed().await.unwrap()
}

pub async fn users(url: &str, table: &str) -> Users {
    Users::new(aws_sdk_dynamodb::Client::new(&config(url).await), table)
}

/// The live catalogue of a process of its own.
pub async fn products(url: &str, table: &str, lake: Lake) -> Arc<Products> {
    let client = aws_sdk_dynamodb::Client::new(&config(url).await);
    Arc::new(Products::new(client, table, lake, Clock::system()))
}

pub fn bucket(url: &str, name: &str) -> Arc<dyn ObjectStore> {
    let store = AmazonS3Builder::new()
        .with_bucket_name(name)
        .with_region("us-east-1")
        .with_access_key_id("test")
        .with_secret_access_key("test")
        .with_allow_http(true)
        .with_endpoint(url)
        .build();
    Arc::new(store.unwrap())
}
