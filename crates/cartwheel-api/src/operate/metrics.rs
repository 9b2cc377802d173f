//! The route for metrics: what the recorder has counted, and the state at this moment.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use cartwheel_stream::StreamState;
use serde_json::Value;
use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::http::problem::{Kind as ProblemKind, Problem};
use crate::operate::exposition::{Exposition, Kind};
use crate::operate::figures::{Figures, QUALITY_DAYS};
use crate::operate::flow::Flow;
use crate::operate::otlp;
use crate::operate::tasks::TaskState;
use crate::operate::views::models::{ModelEvaluation, ModelStatus, ModelView};
use crate::operate::views::quality::Quality;
use crate::routes::Routes;
use crate::state::{AppState, Shared};

/// The route for metrics.
pub(crate) fn routes() -> Routes {
    Routes::default().scoped(Scope::Admin, routes!(metrics))
}

/// Shows metrics in the Prometheus text format
///
/// Figures of models, runs and quality are those of the last five minutes.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses(
    (status = 200, description = "Metrics", body = String, content_type = "text/plain"),
))]
pub(crate) async fn metrics(State(state): State<Shared>) -> Response {
    let Some(text) = exposition(&state).await else {
        let detail = "Metrics are sent to another recorder.";
        return Problem::new(ProblemKind::NotFound, detail).into_response();
    };
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// What `/metrics` shows, as metrics of OTLP in its mapping to JSON; `None` if another recorder counts.
pub async fn otlp_metrics(state: &AppState) -> Option<Vec<Value>> {
    let text = exposition(state).await?;
    Some(otlp::metrics(&text, state.metrics.start_ms()?, state.clock.now_ms()))
}

/// Every metric in the Prometheus text format; `None` if another recorder counts.
async fn exposition(state: &AppState) -> Option<String> {
    let counted = state.metrics.render()?;
    let mut shown = Exposition::default();
    health(&mut shown, state);
    catalogue(&mut shown, state).await;
    if let Some(operator) = &state.operator {
        let now_ms = state.clock.now_ms();
        flow(&mut shown, &operator.flow());
        erasures(&mut shown, state).await;
        let running = operator.runner().running().is_some();
        let help = "1 while a run of the pipeline is running.";
        shown.gauge("cartwheel_pipeline_running", help, Some(flag(running)));
        let newest = state.figures.newest(operator.clone(), state.models.clone(), now_ms);
        if let Some(figures) = newest.await {
            pipeline(&mut shown, &figures);
            models(&mut shown, &figures.models);
            quality(&mut shown, figures.quality.as_ref());
        }
    }
    Some(counted + &shown.into_text())
}

/// 1 for true.
fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

/// A time in seconds.
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

fn health(shown: &mut Exposition, state: &AppState) {
    let engine = state.engine.status();
    let tasks = state.tasks.list();
    let mut build = shown.family("cartwheel_build_info", Kind::Gauge, "The program; always 1.");
    build.add(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let help = "1 if the stream takes events.";
    let accepts = state.stream.state() == StreamState::Ready;
    shown.gauge("cartwheel_stream_accepting", help, Some(flag(accepts)));
    let help = "1 if answers can be given and the sessions have caught up with the stream.";
    let ready = engine.ready && state.users.is_ready();
    shown.gauge("cartwheel_answers_ready", help, Some(flag(ready)));
    let help =
        "1 while the release cannot be opened as a whole, so that every answer lacks a part.";
    shown.gauge("cartwheel_release_degraded", help, Some(flag(engine.degraded)));
    let help = "1 if the background task runs, 0 while it waits for a restart or has failed.";
    let mut running = shown.family("cartwheel_task_running", Kind::Gauge, help);
    for task in tasks {
        running.add(&[("task", task.name)], flag(task.state == TaskState::Running));
    }
    let help = "The release that serves, and its model; always 1.";
    let mut release = shown.family("cartwheel_release_info", Kind::Gauge, help);
    if let Some(name) = &engine.release {
        let model = engine.model_version.as_deref().unwrap_or("none");
        release.add(&[("release", name), ("model", model)], 1.0);
    }
    let help = "Shoppers with a purchase history in the release that serves.";
    shown.gauge("cartwheel_release_users", help, Some(engine.users as f64));
    let help = "Products of the catalogue, without deleted ones.";
    shown.gauge("cartwheel_products", help, Some(engine.products as f64));
}

async fn catalogue(shown: &mut Exposition, state: &AppState) {
    let Some(catalogue) = &state.catalogue else { return };
    let unknown = catalogue.unknown().await.ok().map(|unknown| unknown.len() as f64);
    let help = "Products that only events name: the catalogue lacks them.";
    shown.gauge("cartwheel_products_unknown", help, unknown);
}

fn flow(shown: &mut Exposition, flow: &Flow) {
    let help = "Records of the stream that a consumer has not read yet.";
    let mut waiting = shown.family("cartwheel_stream_records_waiting", Kind::Gauge, help);
    waiting.add(&[("consumer", "sessions")], flow.sessions_waiting as f64);
    waiting.add(&[("consumer", "delivery")], flow.delivery_waiting as f64);
    let help = "Damaged places in the stream that were skipped since the start.";
    shown.gauge("cartwheel_stream_damaged_places", help, Some(flow.damaged as f64));
    let help = "Malformed records, written to the lake's errors.";
    shown.counter("cartwheel_delivery_rejected_total", help, flow.rejected);
    let help = "Records deleted from the stream before delivery.";
    shown.counter("cartwheel_delivery_missed_total", help, flow.missed);
    shown.counter("cartwheel_delivery_files_total", "Files written to the lake.", flow.files);
    let help = "1 if the last delivery to the lake failed.";
    shown.gauge("cartwheel_delivery_failing", help, Some(flag(flow.error.is_some())));
    let help = "Time of the last file written to the lake since the start, UTC.";
    let name = "cartwheel_delivery_last_file_timestamp_seconds";
    shown.gauge(name, help, flow.last_ms.map(seconds));
}

async fn erasures(shown: &mut Exposition, state: &AppState) {
    let Ok(rights) = state.user_rights() else { return };
    let Ok(erasures) = rights.erasures().await else { return };
    let help = "Erasures of shoppers that have not reached every file.";
    shown.gauge("cartwheel_erasures_pending", help, Some(erasures.len() as f64));
    let help = "Time of the oldest erasure that has not reached every file, UTC.";
    let oldest = erasures.iter().map(|erasure| erasure.erased_at_ms).min();
    shown.gauge("cartwheel_erasure_oldest_timestamp_seconds", help, oldest.map(seconds));
}

fn pipeline(shown: &mut Exposition, figures: &Figures) {
    let mut runs: BTreeMap<&str, f64> =
        ["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"].map(|s| (s, 0.0)).into();
    for run in &figures.runs {
        *runs.entry(&run.status).or_default() += 1.0;
    }
    let help = "Runs of the pipeline that are kept, by status.";
    let mut counts = shown.family("cartwheel_pipeline_runs", Kind::Gauge, help);
    for (status, count) in runs {
        counts.add(&[("status", status)], count);
    }
    let has_succeeded = |status: &str| status == "SUCCEEDED";
    // A run that a person has stopped tells nothing.
    let ended = figures.runs.iter().filter(|run| run.status != "ABORTED");
    let ended = ended.filter_map(|run| run.stopped_ms.map(|stopped_ms| (run, stopped_ms)));
    let last = ended.clone().max_by_key(|(_, stopped_ms)| *stopped_ms);
    let help = "1 if the last run of the pipeline that ended by itself has succeeded.";
    let succeeded = last.map(|(run, _)| flag(has_succeeded(&run.status)));
    shown.gauge("cartwheel_pipeline_last_run_success", help, succeeded);
    let help = "How long that run took, in seconds.";
    let took = last.map(|(run, stopped_ms)| seconds(stopped_ms - run.started_ms));
    shown.gauge("cartwheel_pipeline_last_run_duration_seconds", help, took);
    let help = "Time of the end of the last run that has succeeded, UTC.";
    let success = ended.filter(|(run, _)| has_succeeded(&run.status)).map(|(_, ms)| ms).max();
    shown.gauge("cartwheel_pipeline_last_success_timestamp_seconds", help, success.map(seconds));
}

fn models(shown: &mut Exposition, models: &[ModelView]) {
    let help = "Models that are kept, by status.";
    let mut counts = shown.family("cartwheel_models", Kind::Gauge, help);
    for (status, name) in [
        (ModelStatus::Candidate, "candidate"),
        (ModelStatus::Serving, "serving"),
        (ModelStatus::Challenger, "challenger"),
        (ModelStatus::Previous, "previous"),
        (ModelStatus::Retired, "retired"),
        (ModelStatus::Rejected, "rejected"),
    ] {
        let count = models.iter().filter(|model| model.status == status).count();
        counts.add(&[("status", name)], count as f64);
    }
    let serving = models.iter().find(|model| model.status == ModelStatus::Serving);
    let help = "Time at which the serving model was trained, UTC.";
    let trained = serving.map(|model| seconds(model.created_ms));
    shown.gauge("cartwheel_model_trained_timestamp_seconds", help, trained);
    let help = "Recall@10 of the serving model when the gate judged it, 0 to 1.";
    let evaluation = serving.and_then(|model| model.evaluation.as_ref());
    let recall = evaluation
        .and_then(|evaluation| evaluation.verdict.as_ref())
        .and_then(|verdict| verdict.figures.recall_at_10)
        .map(|recall| recall.mean);
    shown.gauge("cartwheel_model_recall_at_10", help, recall);
    let decided = models.iter().filter_map(|model| model.evaluation.as_ref());
    gate(shown, decided.max_by_key(|evaluation| evaluation.decided_ms));
}

/// The gate's newest decision.
fn gate(shown: &mut Exposition, newest: Option<&ModelEvaluation>) {
    let help = "1 if the model that the gate judged last has passed.";
    let passed = newest.map(|evaluation| flag(evaluation.passed));
    shown.gauge("cartwheel_gate_passed", help, passed);
    let help = "Time of the gate's last decision, UTC.";
    let decided = newest.map(|evaluation| seconds(evaluation.decided_ms));
    shown.gauge("cartwheel_gate_decided_timestamp_seconds", help, decided);
    let figures = newest.and_then(|evaluation| evaluation.verdict.as_ref()).map(|v| &v.figures);
    let help = "Recall@10 of the model that the gate judged last, minus its reference's.";
    let lead = figures.and_then(|figures| figures.difference).map(|difference| difference.mean);
    shown.gauge("cartwheel_gate_recall_at_10_lead", help, lead);
    let help = "Shoppers that the gate's last decision rests on.";
    let users = figures.map(|figures| figures.users as f64);
    shown.gauge("cartwheel_gate_users", help, users);
}

/// What followed from the answers of the last days, by placement.
fn quality(shown: &mut Exposition, quality: Option<&Quality>) {
    let Some(quality) = quality else { return };
    let help = format!("Answers with products in the last {QUALITY_DAYS} days.");
    let mut answers = shown.family("cartwheel_quality_answers", Kind::Gauge, &help);
    for part in &quality.placements {
        answers.add(&[("placement", &part.name)], part.answers.unwrap_or_default() as f64);
    }
    let help = format!(
        "Products of the answers of the last {QUALITY_DAYS} days that were sent, shown, viewed, \
         added to the cart and bought."
    );
    let mut products = shown.family("cartwheel_quality_products", Kind::Gauge, &help);
    for part in &quality.placements {
        let of = part.funnel;
        for (stage, count) in [
            ("sent", of.sent),
            ("shown", of.shown),
            ("viewed", of.viewed),
            ("added", of.added),
            ("bought", of.bought),
        ] {
            products.add(&[("placement", &part.name), ("stage", stage)], count as f64);
        }
    }
    let help = format!(
        "What shoppers paid for those products in the last {QUALITY_DAYS} days, in the shop's \
         currency."
    );
    let mut revenue = shown.family("cartwheel_quality_revenue", Kind::Gauge, &help);
    for part in &quality.placements {
        revenue.add(&[("placement", &part.name)], part.funnel.revenue);
    }
    let help = "The figures of quality are those of one in this many shoppers.";
    shown.gauge("cartwheel_quality_one_in", help, Some(f64::from(quality.one_in)));
}
