//! Sends a notice of how a run ended.

use cartwheel_aws::{Names, Notices, functions, sdk_config};
use lambda_runtime::Error;

#[tokio::main]
async fn main() -> Result<(), Error> {
    cartwheel_lambdas::log();
    let names = Names::from_env(&["CARTWHEEL_TOPIC"])?;
    let notices = Notices::new(aws_sdk_sns::Client::new(&sdk_config().await), &names.topic);
    cartwheel_lambdas::run("notify", |payload| functions::notify(&notices, payload)).await
}
