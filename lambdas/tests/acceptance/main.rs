//! Runs one scenario on the embedded backend and on the Lambda functions with emulated services.

#![allow(clippy::disallowed_methods, reason = "real programs are measured in real time")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod catalogue;
mod cloud;
mod console;
mod embedded;
mod firehose;
mod functions;
mod imported;
mod learned;
mod replayed;
mod scenario;
mod shop;

use learned::Learned;

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_of_the_shop_answer_alike() {
    let learned = Learned::make();
    // Day and hour are features: both runs have to be within the same hour.
    for _ in 0..3 {
        let hour = jiff::Timestamp::now().as_second() / 3600;
        let mut embedded = embedded::Embedded::open(&learned).await;
        let here = scenario::play(&mut embedded).await;
        drop(embedded);
        let mut functions = functions::Functions::open(&learned).await;
        let there = scenario::play(&mut functions).await;
        if jiff::Timestamp::now().as_second() / 3600 == hour {
            assert_eq!(here, there, "the same code gives the same answers");
            return;
        }
    }
    panic!("the hour changed during each run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_consumed_as_lambda_hands_it_over() {
    cloud::consumes_a_batch().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_release_events_are_accepted() {
    cloud::before_the_first_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_are_decided_published_and_rolled_back() {
    cloud::releases(&Learned::make()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_is_shown_models_and_runs() {
    console::shows(&Learned::make()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_user_is_gone_from_answers_table_and_loads() {
    cloud::erases(&Learned::make()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_catalogue_reaches_every_instance() {
    catalogue::changes(&Learned::make()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sagemaker_endpoint_scores_as_the_process_does() {
    cloud::scored_elsewhere(&Learned::make()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_release_is_swapped_whole_or_not_at_all() {
    cloud::follows(&Learned::make()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_users_or_endpoint_answers_are_degraded_and_quick() {
    cloud::bad_days(&Learned::make()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shops_files_are_imported_from_the_lake() {
    imported::imports().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_fails_says_why_and_changes_nothing() {
    imported::fails().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_made_again_from_what_the_account_stores() {
    replayed::answers(&Learned::make()).await;
}
