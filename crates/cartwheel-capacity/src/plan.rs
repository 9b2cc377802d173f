//! The plan: everything that a load needs and costs.

use serde::Serialize;

use crate::batch::{Features, Lake, Training};
use crate::limits::{FirstHit, Limit};
use crate::load::Load;
use crate::machine::Machine;
use crate::realtime::{Api, Delivery, Endpoint, Functions, Logs, Stream, Table};

/// What a load needs and costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The load that the plan is for.
    pub load: Load,
    /// The smallest single machine that bears it.
    pub one_machine: Machine,
    /// Kinesis.
    pub stream: Stream,
    /// DynamoDB.
    pub table: Table,
    /// Lambda.
    pub functions: Functions,
    /// Firehose.
    pub delivery: Delivery,
    /// S3.
    pub lake: Lake,
    /// Glue.
    pub features: Features,
    /// SageMaker training.
    pub training: Training,
    /// SageMaker endpoint; `None` if the API's process scores requests.
    pub endpoint: Option<Endpoint>,
    /// API Gateway, and the data that leaves AWS.
    pub api: Api,
    /// CloudWatch.
    pub logs: Logs,
    /// Which prices the costs are from.
    pub prices: PricesAsOf,
    /// The bill, by service.
    pub costs: Vec<Cost>,
    /// Sum of the bill in US dollars a month.
    pub usd_per_month: f64,
    /// US dollars for each million events; `None` without events.
    pub usd_per_million_events: Option<f64>,
    /// Quotas, the first to be reached first.
    pub limits: Vec<Limit>,
    /// The same quotas by the growth that reaches them.
    pub limits_first_hit: Vec<FirstHit>,
}

/// Which prices the costs are from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PricesAsOf {
    /// AWS region.
    pub region: String,
    /// Year and month.
    pub as_of: String,
    /// How reliable the prices are.
    pub note: String,
}

/// One service's part of the bill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// Name of the service.
    pub service: &'static str,
    /// US dollars a month.
    pub usd_per_month: f64,
    /// Address of the page that the prices are from.
    pub price_page: String,
}
