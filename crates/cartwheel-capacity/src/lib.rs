//! Computes what a load needs on one machine and on AWS, and what that costs a month.
//!
//! [`plan`] is a pure function of a [`Load`] and a price table. Amounts are averages over a month
//! of 730 hours, except where a name says `peak`. Rounding is upwards. Each constant in
//! `figures.rs` names its source: measured, documented by AWS, assumed, or set by this product.
//! docs/scale.md has the formulas in words.

mod batch;
mod costs;
mod figures;
mod limits;
mod load;
mod machine;
mod plan;
mod prices;
mod realtime;
#[cfg(test)]
mod tests;

pub use batch::{Features, Lake, Training};
pub use limits::{FirstHit, Limit};
pub use load::{Account, EndpointMode, Load};
pub use machine::{Fits, Machine};
pub use plan::{Cost, Plan, PricesAsOf};
pub use prices::{BUILT_IN, Prices, PricesError};
pub use realtime::{Api, Delivery, Endpoint, Functions, Logs, Stream, Table};

use load::Rates;

/// Plans for a load.
pub fn plan(load: &Load, prices: &Prices) -> Plan {
    let rates = Rates::of(load);
    let table = realtime::table(load, &rates);
    let functions = realtime::functions(load, &rates, &table);
    let limits = limits::limits(load, &rates, &table);
    let endpoint = matches!(load.endpoint_mode, EndpointMode::Sagemaker);
    let mut plan = Plan {
        load: load.clone(),
        one_machine: machine::one_machine(load, &rates, prices),
        stream: realtime::stream(load, &rates, prices),
        delivery: realtime::delivery(load, &rates),
        lake: batch::lake(load, &rates, &table, &functions),
        features: batch::features(load, &rates),
        training: batch::training(load),
        endpoint: endpoint.then(|| realtime::endpoint(&rates)),
        api: realtime::api(&rates),
        logs: realtime::logs(&functions),
        table,
        functions,
        prices: PricesAsOf {
            region: prices.region.clone(),
            as_of: prices.as_of.clone(),
            note: prices.note.clone(),
        },
        costs: Vec::new(),
        usd_per_month: 0.0,
        usd_per_million_events: None,
        limits_first_hit: limits::first_hit(&limits),
        limits,
    };
    plan.costs = costs::costs(&plan, &rates, prices);
    plan.usd_per_month = plan.costs.iter().map(|cost| cost.usd_per_month).sum();
    let millions = rates.events * figures::SECONDS / 1e6;
    plan.usd_per_million_events = (millions > 0.0).then(|| plan.usd_per_month / millions);
    plan
}
