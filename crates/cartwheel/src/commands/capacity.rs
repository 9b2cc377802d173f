//! `capacity`: prints what a load needs and costs.

use std::path::PathBuf;

use anyhow::{Context, Result};
use cartwheel_capacity::{Account, BUILT_IN, EndpointMode, Fits, Limit, Load, Plan, Prices, plan};
use clap::{Args, ValueEnum};

use crate::show::result;

/// The arguments of `capacity`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cartwheel capacity --events-per-second 200 --users 2000000 --products 50000
  cartwheel capacity --events-per-second 5000 --users 20000000 --products 500000 \
    --endpoint-mode sagemaker --json
docs/scale.md has the formulas and worked examples.")]
pub struct Capacity {
    #[command(flatten)]
    load: LoadArgs,
    /// Price table in the shape of infra/prices.toml [default: the prices of us-east-1].
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct LoadArgs {
    /// Events a second, averaged over a month.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = number_within::<0, 1_000_000>)]
    events_per_second: f64,
    /// Users with a record.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(..=10_000_000_000))]
    users: u64,
    /// Products in the catalogue.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(..=1_000_000_000))]
    products: u64,
    /// The busiest second as a multiple of the average.
    #[arg(long, value_name = "NUMBER", default_value_t = 3.0, allow_negative_numbers = true, value_parser = number_within::<1, 1_000>)]
    peak: f64,
    /// Bytes of an event's record as JSON.
    #[arg(long, value_name = "NUMBER", default_value_t = 350, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    event_bytes: u32,
    /// Distinct products that a user has bought.
    #[arg(long, value_name = "NUMBER", default_value_t = 40, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    products_per_user: u32,
    /// Orders in a user's history.
    #[arg(long, value_name = "NUMBER", default_value_t = 15, value_parser = clap::value_parser!(u32).range(..=100_000))]
    orders_per_user: u32,
    /// Answers with recommendations for each event. `/submit` gives one.
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0, allow_negative_numbers = true, value_parser = number_within::<0, 100>)]
    recommendations_per_event: f64,
    /// Runs of the pipeline a day.
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0, allow_negative_numbers = true, value_parser = number_within::<0, 96>)]
    retrain_per_day: f64,
    /// Days that the lake keeps its data.
    #[arg(long, value_name = "NUMBER", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    keep_days: u32,
    /// Where requests are scored.
    #[arg(long, value_name = "MODE", value_enum, default_value = "embedded")]
    endpoint_mode: EndpointModeArg,
    /// Quotas of the AWS account.
    #[arg(long, value_name = "KIND", value_enum, default_value = "standard")]
    account: AccountArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AccountArg {
    /// The documented defaults.
    Standard,
    /// Those of a new account.
    Fresh,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EndpointModeArg {
    /// In the process of the API.
    Embedded,
    /// On a SageMaker endpoint.
    Sagemaker,
}

impl LoadArgs {
    fn load(&self) -> Load {
        Load {
            events_per_second: self.events_per_second,
            users: self.users,
            products: self.products,
            peak: self.peak,
            event_bytes: self.event_bytes,
            products_per_user: self.products_per_user,
            orders_per_user: self.orders_per_user,
            recommendations_per_event: self.recommendations_per_event,
            retrain_per_day: self.retrain_per_day,
            keep_days: self.keep_days,
            endpoint_mode: match self.endpoint_mode {
                EndpointModeArg::Embedded => EndpointMode::Embedded,
                EndpointModeArg::Sagemaker => EndpointMode::Sagemaker,
            },
            account: match self.account {
                AccountArg::Standard => Account::Standard,
                AccountArg::Fresh => Account::Fresh,
            },
        }
    }
}

/// Parses a number from `LEAST` to `MOST`.
fn number_within<const LEAST: u32, const MOST: u32>(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    let within = number.filter(|n| (f64::from(LEAST)..=f64::from(MOST)).contains(n));
    // Minus zero becomes zero.
    within.map(f64::abs).ok_or_else(|| format!("expected a number from {LEAST} to {MOST}"))
}

/// Runs `capacity`.
pub fn run(args: &Capacity, json: bool) -> Result<()> {
    let prices = match &args.prices {
        Some(file) => {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file).with_context(|| name.clone())?;
            Prices::parse(&text).with_context(|| name)?
        }
        None => Prices::parse(BUILT_IN).context("infra/prices.toml")?,
    };
    let plan = plan(&args.load.load(), &prices);
    result(json, &plan, || text(&plan));
    Ok(())
}

fn text(plan: &Plan) -> String {
    [machine(plan), needs(plan), costs(plan), limits(plan)].join("\n")
}

fn machine(plan: &Plan) -> String {
    let machine = &plan.one_machine;
    let verdict = match (machine.fits, machine.cores) {
        (Fits::Measured, _) => {
            "the measured machine with 2 cores is enough. AWS is not needed".to_owned()
        }
        (Fits::Larger, Some(cores)) => {
            format!("{cores} cores are enough, if speed grows with the cores (not measured)")
        }
        _ => "no machine with up to 64 cores and 64 TB of disk is enough".to_owned(),
    };
    let busy = number(machine.busy_at_peak * 100.0);
    let mut out = format!("One machine: {verdict}.\n");
    out.push_str(&format!("  The peak takes {busy} % of the measured machine"));
    if let Some(times) = machine.measured_bears_times {
        out.push_str(&format!(", which bears {} times this load", number(times)));
    }
    let (memory, disk) = (number(machine.memory_gb), number(machine.disk_gb));
    out.push_str(&format!(".\n  Memory {memory} GB (4 GB a core), disk {disk} GB"));
    if let Some((minutes, cost)) = machine.features_minutes.zip(machine.usd_per_month) {
        let (minutes, cost) = (number(minutes), usd(cost));
        out.push_str(&format!(", features of one run {minutes} minutes.\n"));
        out.push_str(&format!(
            "  A virtual machine costs about ${cost} a month, without a standby"
        ));
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
                "concurrency at the peak: api {} ({} MB each), consume {} ({} for each shard)",
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
            format!("{} GB a month, billed in steps of 5 kB", number(delivery.gb_per_month)),
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
                "{} G.1X workers, {} minutes a run, {} DPU-hours a month",
                number(features.workers as f64),
                number(features.minutes_per_run),
                number(features.dpu_hours_per_month)
            ),
        ),
        (
            "SageMaker",
            format!(
                "{} hours of training a month{endpoint}",
                number(training.instance_hours_per_month)
            ),
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
        format!("Costs a month in US dollars, {}, prices of {}:\n", prices.region, prices.as_of);
    let row = |name: &str, cost: f64| format!("  {name:<15}{:>12}\n", usd(cost));
    out.extend(plan.costs.iter().map(|cost| row(cost.service, cost.usd_per_month)));
    out.push_str(&row("Total", plan.usd_per_month));
    out.extend(plan.usd_per_million_events.map(|cost| row("A million events", cost)));
    out.push_str(&format!("  Prices are {}.\n", prices.note));
    out + "  Check them before you decide. The price table names the page of each price.\n"
}

fn limits(plan: &Plan) -> String {
    let mut out =
        "Limits in the order in which a growing load reaches them (AWS's default quotas, \
                   and infra's settings):\n"
            .to_owned();
    for group in &plan.limits_first_hit {
        let title = match group.times {
            1 => "At this load".to_owned(),
            times => format!("Up to {} times", number(f64::from(times))),
        };
        let none = if group.limits.is_empty() { ": none." } else { ":" };
        out.push_str(&format!("  {title}{none}\n"));
        let named = plan.limits.iter().filter(|limit| group.limits.contains(&limit.name));
        out.extend(named.map(row));
    }
    out
}

fn row(limit: &Limit) -> String {
    format!(
        "    at {} times the {}: {} (now {} of {} {})\n      {}\n",
        number(limit.reached_at_times.unwrap_or(f64::INFINITY)),
        limit.grows_with,
        limit.name,
        number(limit.now),
        number(limit.quota),
        limit.unit,
        limit.remedy,
    )
}

/// Formats a number with at least three digits, and commas between thousands.
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
