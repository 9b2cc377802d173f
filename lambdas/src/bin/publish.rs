//! Records the decision of the gate and publishes the release.

use cartwheel_ambient::Clock;
use cartwheel_aws::functions;
use lambda_runtime::Error;

#[tokio::main]
async fn main() -> Result<(), Error> {
    cartwheel_lambdas::log();
    let clock = Clock::system();
    cartwheel_lambdas::run("publish", |payload| functions::publish(&clock, payload)).await
}
