//! Consumes the stream: updates sessions and counters, and sends malformed records to the
//! dead-letter queue.

use cartwheel_ambient::Clock;
use cartwheel_aws::{DeadLetters, Emf, KinesisEvent, Names, consume, sdk_config, users};
use lambda_runtime::{Error, LambdaEvent, service_fn};

const CONSUMED: &str = "cartwheel_consumed_total";
const POISON: &str = "cartwheel_poison_total";
const RETRIED: &str = "cartwheel_batches_retried_total";

#[tokio::main]
async fn main() -> Result<(), Error> {
    cartwheel_lambdas::log();
    let emf = Emf::install("consume", &[CONSUMED, POISON, RETRIED], Clock::system());
    let names = Names::from_env(&["CARTWHEEL_TABLE", "CARTWHEEL_DEAD_LETTERS"])?;
    let config = sdk_config().await;
    let users = users(&config, &names);
    let sqs = aws_sdk_sqs::Client::new(&config);
    let dead_letters = DeadLetters::new(sqs, &names.dead_letters);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<KinesisEvent>| {
        let consumed = consume(&users, &dead_letters, &event.payload).await;
        for (kind, count) in &consumed.events {
            metrics::counter!(CONSUMED, "event" => *kind).increment(*count);
        }
        metrics::counter!(POISON).increment(consumed.poison);
        if let Some(error) = &consumed.error {
            metrics::counter!(RETRIED).increment(1);
            tracing::error!(error, "part of the batch will be retried");
        }
        emf.flush();
        Ok::<_, Error>(consumed.answer)
    }))
    .await
}
