//! The monthly bill, by service.

use crate::figures::{
    ALARMS, DASHBOARDS, HOURS, METRICS, SECONDS, TRANSITIONS, WEB_GB, WEB_REQUESTS,
};
use crate::load::Rates;
use crate::plan::{Cost, Plan};
use crate::prices::{Price, Prices};
use crate::realtime::{reads, writes};

/// Bills each service as `infra/environments/prod` deploys it: the stream on-demand, the table
/// with point-in-time recovery.
pub(crate) fn costs(plan: &Plan, rates: &Rates, prices: &Prices) -> Vec<Cost> {
    let cost = |service, usd_per_month, page: &str| Cost {
        service,
        usd_per_month,
        price_page: page.to_owned(),
    };
    let Plan { stream, table, functions, delivery, lake, features, api, logs, .. } = plan;
    let runs = plan.load.runs();
    let million = |price: &Price, number: f64| price.of(number / 1e6);
    let thousand = |price: &Price, number: f64| price.of(number / 1e3);
    let p = prices;
    let writes = writes(rates) * SECONDS + runs * table.writes_per_run;
    let endpoint = plan.endpoint.as_ref().map_or(0.0, |endpoint| {
        p.sagemaker.endpoint_hour.of(endpoint.instances as f64 * HOURS)
            + p.sagemaker.endpoint_gb.of(endpoint.gb_per_month)
    });
    vec![
        cost(
            "API Gateway",
            million(&p.api_gateway.million_requests, api.requests_per_month),
            &p.api_gateway.source,
        ),
        cost(
            "Lambda",
            million(&p.lambda.million_requests, functions.invocations_per_month)
                + p.lambda.gb_second.of(functions.gb_seconds_per_month),
            &p.lambda.source,
        ),
        cost("Kinesis", stream.on_demand_usd_per_month, &p.kinesis.source),
        cost(
            "Firehose",
            p.firehose.gb.of(delivery.gb_per_month)
                + p.firehose.gb_parquet.of(delivery.gb_per_month),
            &p.firehose.source,
        ),
        cost(
            "DynamoDB",
            million(&p.dynamodb.million_reads, reads(&plan.load, rates) * SECONDS)
                + million(&p.dynamodb.million_writes, writes)
                + p.dynamodb.gb_month.of(table.stored_gb)
                + p.dynamodb.recovery_gb_month.of(table.stored_gb),
            &p.dynamodb.source,
        ),
        cost(
            "S3",
            p.s3.gb_month.of(lake.stored_gb)
                + thousand(&p.s3.thousand_puts, lake.puts_per_month)
                + thousand(&p.s3.thousand_gets, lake.gets_per_month),
            &p.s3.source,
        ),
        cost("Glue", p.glue.dpu_hour.of(features.dpu_hours_per_month), &p.glue.source),
        cost(
            "SageMaker",
            p.sagemaker.training_hour.of(plan.training.instance_hours_per_month) + endpoint,
            &p.sagemaker.source,
        ),
        cost(
            "Step Functions",
            thousand(
                &p.step_functions.thousand_transitions,
                runs * (TRANSITIONS + features.parts as f64),
            ),
            &p.step_functions.source,
        ),
        cost(
            "CloudWatch",
            p.cloudwatch.log_gb.of(logs.gb_per_month)
                + p.cloudwatch.log_gb_month.of(logs.gb_per_month)
                + p.cloudwatch.metric_month.of(METRICS)
                + p.cloudwatch.alarm_month.of(ALARMS)
                + p.cloudwatch.dashboard_month.of(DASHBOARDS),
            &p.cloudwatch.source,
        ),
        cost(
            "CloudFront",
            p.cloudfront.gb_out.of(WEB_GB) + million(&p.cloudfront.million_requests, WEB_REQUESTS),
            &p.cloudfront.source,
        ),
        cost("Data transfer", p.transfer.gb_out.of(api.gb_out_per_month), &p.transfer.source),
    ]
}
