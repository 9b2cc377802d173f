//! Evaluates a model on the gate users.

use cartwheel_aws::functions;
use lambda_runtime::Error;

#[tokio::main]
async fn main() -> Result<(), Error> {
    cartwheel_lambdas::log();
    cartwheel_lambdas::run("evaluate", functions::evaluate).await
}
