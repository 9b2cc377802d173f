//! Clients of the services, with limits on the time that calls take.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use cartwheel_ambient::Clock;

use crate::{Endpoint, KinesisStream, Lake, Names, Products, StateMachine, Users};

/// Loads region, credentials and endpoints from the environment, and sets short timeouts
/// and two retries with jitter.
pub async fn sdk_config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_millis(500))
        .operation_attempt_timeout(Duration::from_secs(2))
        .operation_timeout(Duration::from_secs(6))
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(25))
        .with_max_backoff(Duration::from_millis(500));
    aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(retries)
        .load()
        .await
}

/// The stream, for putting records. It is not listed, so that it cannot be read.
pub fn stream(config: &SdkConfig, names: &Names) -> KinesisStream {
    let stream = KinesisStream::new(aws_sdk_kinesis::Client::new(config), &names.stream);
    match names.impressions.as_str() {
        "" => stream,
        firehose => stream.impressions_to(aws_sdk_firehose::Client::new(config), firehose),
    }
}

/// The table of users.
pub fn users(config: &SdkConfig, names: &Names) -> Users {
    Users::new(aws_sdk_dynamodb::Client::new(config), &names.table)
}

/// The live catalogue, in the table of users and in the lake.
pub fn products(config: &SdkConfig, names: &Names, lake: Lake) -> Products {
    let client = aws_sdk_dynamodb::Client::new(config);
    Products::new(client, &names.table, lake, Clock::system())
}

/// The endpoint that scores, if one is named.
pub fn endpoint(config: &SdkConfig, names: &Names) -> Option<Endpoint> {
    let client = || aws_sdk_sagemakerruntime::Client::new(config);
    (!names.endpoint.is_empty()).then(|| Endpoint::new(client(), &names.endpoint))
}

/// The pipeline's state machine, if one is named.
pub fn state_machine(config: &SdkConfig, names: &Names) -> Option<StateMachine> {
    let client = || aws_sdk_sfn::Client::new(config);
    (!names.state_machine.is_empty()).then(|| StateMachine::new(client(), &names.state_machine))
}
