//! Imports a shop's files from a folder of the lake.

use cartwheel_ambient::Clock;
use cartwheel_aws::Names;
use lambda_runtime::Error;

#[tokio::main]
async fn main() -> Result<(), Error> {
    cartwheel_lambdas::log();
    let names = Names::from_env(&[])?;
    let clock = Clock::system();
    // Lambda hands a function one event at a time, and keeps its files between two of them.
    let scratch = std::env::temp_dir().join("cartwheel-import");
    cartwheel_lambdas::run("import", |payload| {
        cartwheel_aws::import(&clock, &names.timezone, &scratch, payload)
    })
    .await
}
