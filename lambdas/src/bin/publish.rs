//! Records the decision of the gate and publishes the release.

use cartwheel_aws::functions;
use lambda_runtime::Error;

#[tokio::main]
async fn main() -> Result<(), Error> {
    cartwheel_lambdas::log();
    cartwheel_lambdas::run("publish", functions::publish).await
}
