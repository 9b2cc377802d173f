//! Erases users from the lake whose erasure was requested. A schedule invokes it.

use std::time::Duration;

use cartwheel_ambient::Clock;
use cartwheel_aws::{Lake, LakeEraser, Names, sdk_config, users};
use lambda_runtime::Error;
use serde::Deserialize;

/// How long a pass reads the lake: the function may take 15 minutes.
const LIMIT: Duration = Duration::from_secs(12 * 60);
/// After how many hours all records are delivered, if the environment does not say it.
const RETENTION_HOURS: u64 = 25;

/// What the schedule sends: nothing.
#[derive(Debug, Deserialize)]
struct Payload {}

#[tokio::main]
async fn main() -> Result<(), Error> {
    cartwheel_lambdas::log();
    let names = Names::from_env(&["CARTWHEEL_LAKE", "CARTWHEEL_TABLE"])?;
    let hours = std::env::var("CARTWHEEL_STREAM_HOURS").ok().map(|hours| hours.parse::<u64>());
    let hours = hours.transpose()?.unwrap_or(RETENTION_HOURS);
    let retention = Duration::from_secs(hours.saturating_mul(3600));
    let lake = Lake::open(&names.lake)?;
    let users = users(&sdk_config().await, &names);
    let (lake, users, clock) = (&lake, &users, Clock::system());
    cartwheel_lambdas::run("erase", async |Payload {}| {
        let eraser = LakeEraser::new(lake, users, retention);
        // Boxed, since the compiler limits how deep futures stand in one another.
        Box::pin(eraser.pass(clock.now_ms(), LIMIT)).await
    })
    .await
}
