//! `capacity`: what a load needs and costs.

use anyhow::{Context, Result, anyhow};

use crate::capacity::prices::{BUILT_IN, Prices};
use crate::capacity::{Fits, Limit, Plan, plan};
use crate::cli;
use crate::show::result;

pub fn run(args: &cli::Capacity, json: bool) -> Result<()> {
    let (name, text) = match &args.prices {
        Some(file) => {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file).with_context(|| name.clone())?;
            (name, text)
        }
        None => ("infra/prices.toml".to_owned(), BUILT_IN.to_owned()),
    };
    let prices = Prices::parse(&text).map_err(|error| anyhow!("{name}: {error}"))?;
    let plan = plan(&args.load, &prices);
    result(json, &plan, || show(&plan));
    Ok(())
}

fn show(plan: &Plan) -> String {
    [machine(plan), needs(plan), costs(plan), limits(plan)].join("\n")
}

fn machine(plan: &Plan) -> String {
    let machine = &plan.one_machine;
    let verdict = match (machine.fits, machine.cores) {
        (Fits::Measured, _) => {
            "the measured one, 2 cores, is enough. The cheapest cloud is none".to_owned()
        }
        (Fits::Larger, Some(cores)) => {
            format!("{cores} cores are enough, if it scales as they do (not measured)")
        }
        _ => "none of up to 64 cores and 64 TB of disk is enough".to_owned(),
    };
    let mut out = format!("One machine: {verdict}.\n");
    let busy = number(machine.busy_at_peak * 100.0);
    out.push_str(&format!("  The peak keeps the measured machine {busy} % busy"));
    if let Some(times) = machine.measured_bears_times {
        out.push_str(&format!(": it bears {} times this load", number(times)));
    }
    let (memory, disk) = (number(machine.memory_gb), number(machine.disk_gb));
    out.push_str(&format!(".\n  {memory} GB of memory (of 4 GB a core), {disk} GB of disk"));
    if let Some((minutes, cost)) = machine.features_minutes.zip(machine.usd_per_month) {
        let (minutes, cost) = (number(minutes), usd(cost));
        out.push_str(&format!(", features in {minutes} minutes.\n"));
        out.push_str(&format!("  As a virtual machine about ${cost} a month, with no second one"));
    }
    out + ".\n"
}

fn needs(plan: &Plan) -> String {
    let Plan { api, functions, stream, delivery, table, lake, features, training, logs, .. } = plan;
    let endpoint = plan.endpoint.as_ref().map_or_else(String::new, |endpoint| {
        let (mean, peak) = (endpoint.instances, endpoint.instances_at_peak);
        format!("; endpoint: {mean} instances, {peak} at the peak")
    });
    let parts = [
        (
            "API Gateway",
            format!(
                "{} requests a month, {} a second at the peak",
                number(api.requests_per_month),
                number(api.requests_per_second_at_peak)
            ),
        ),
        (
            "Lambda",
            format!(
                "api {} at once with {} MB, consume {} at once (parallelization {})",
                number(functions.api_concurrency_at_peak as f64),
                number(functions.api_memory_mb as f64),
                number(functions.consume_concurrency_at_peak as f64),
                functions.consume_parallelization
            ),
        ),
        (
            "Kinesis",
            format!(
                "shards for the peak: {}; on-demand ${}, provisioned ${}: {} is cheaper",
                number(stream.shards as f64),
                usd(stream.on_demand_usd_per_month),
                usd(stream.provisioned_usd_per_month),
                stream.cheaper
            ),
        ),
        (
            "Firehose",
            format!("{} GB a month, records in steps of 5 kB", number(delivery.gb_per_month)),
        ),
        (
            "DynamoDB",
            format!(
                "{} reads and {} writes a second at the peak, {} writes a run, {} GB",
                number(table.reads_per_second_at_peak),
                number(table.writes_per_second_at_peak),
                number(table.writes_per_run),
                number(table.stored_gb)
            ),
        ),
        (
            "S3",
            format!(
                "{} GB after {} days, {} puts and {} gets a month",
                number(lake.stored_gb),
                plan.load.keep_days,
                number(lake.puts_per_month),
                number(lake.gets_per_month)
            ),
        ),
        (
            "Glue",
            format!(
                "{} workers G.1X, {} minutes a run, {} DPU-hours a month",
                number(features.workers as f64),
                number(features.minutes_per_run),
                number(features.dpu_hours_per_month)
            ),
        ),
        (
            "SageMaker",
            format!("{} hours of training{endpoint}", number(training.instance_hours_per_month)),
        ),
        ("CloudWatch", format!("{} GB of logs a month", number(logs.gb_per_month))),
        ("Data transfer", format!("{} GB a month to the internet", number(api.gb_out_per_month))),
    ];
    let rows = parts.iter().map(|(part, need)| format!("  {part:<15}{need}\n"));
    format!("On AWS:\n{}", rows.collect::<String>())
}

fn costs(plan: &Plan) -> String {
    let prices = &plan.prices;
    let mut out =
        format!("Cost a month in US dollars, {}, prices of {}:\n", prices.region, prices.as_of);
    let row = |name: &str, cost: f64| format!("  {name:<15}{:>12}\n", usd(cost));
    out.extend(plan.costs.iter().map(|cost| row(cost.service, cost.usd_per_month)));
    out.push_str(&row("Total", plan.usd_per_month));
    out.extend(plan.usd_per_million_events.map(|cost| row("A million events", cost)));
    out.push_str(&format!("  Prices are {}.\n", prices.note));
    out + "  Check them before you decide: the price table names the page of each.\n"
}

fn limits(plan: &Plan) -> String {
    let mut out =
        "Limits hit first (default quotas: yours are in Service Quotas; and what infra sets):\n"
            .to_owned();
    for hit in &plan.limits_first_hit {
        let title = match hit.times {
            1 => "At this load".to_owned(),
            times => format!("Up to {} times", number(f64::from(times))),
        };
        let none = if hit.limits.is_empty() { ": none." } else { ":" };
        out.push_str(&format!("  {title}{none}\n"));
        let named = plan.limits.iter().filter(|limit| hit.limits.contains(&limit.name));
        out.extend(named.map(row));
    }
    out
}

fn row(limit: &Limit) -> String {
    format!(
        "    {} times the {}: {}, {} of {} {} now.\n      {}\n",
        number(limit.reached_at_times.unwrap_or(f64::INFINITY)),
        limit.grows_with,
        limit.name,
        number(limit.now),
        number(limit.quota),
        limit.unit,
        limit.remedy,
    )
}

/// A number for people: three digits at least, thousands apart.
fn number(number: f64) -> String {
    let digits = match number {
        n if n.fract() == 0.0 || n >= 100.0 => 0,
        n if n >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{number:.digits$}");
    let whole = text.split('.').next().map_or(0, str::len);
    let mut out = String::with_capacity(text.len() + whole / 3);
    for (at, digit) in text.char_indices() {
        if at > 0 && at < whole && (whole - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn usd(amount: f64) -> String {
    if amount >= 100.0 { number(amount.round()) } else { format!("{amount:.2}") }
}
