//! Loads the user records of a feature set into the users table.

use cartwheel_ambient::Clock;
use cartwheel_aws::{Names, functions, sdk_config, users};
use lambda_runtime::Error;

#[tokio::main]
async fn main() -> Result<(), Error> {
    cartwheel_lambdas::log();
    let names = Names::from_env(&["CARTWHEEL_TABLE"])?;
    let users = users(&sdk_config().await, &names);
    let clock = Clock::system();
    cartwheel_lambdas::run("load", |payload| functions::load(&users, &clock, payload)).await
}
