use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::figures::{MEASURED_EVENTS, MEASURED_LOG, MEASURED_RECOMMENDATIONS};
use crate::prices::Price;

fn prices() -> Prices {
    Prices::parse(BUILT_IN).unwrap()
}

/// A thousand events a second, a million users, ten thousand products.
fn load() -> Load {
    Load {
        events_per_second: 1_000.0,
        users: 1_000_000,
        products: 10_000,
        peak: 3.0,
        event_bytes: 350,
        products_per_user: 40,
        orders_per_user: 15,
        recommendations_per_event: 1.0,
        retrain_per_day: 1.0,
        keep_days: 365,
        endpoint_mode: EndpointMode::Embedded,
        account: Account::Standard,
    }
}

fn usd(plan: &Plan, service: &str) -> f64 {
    plan.costs.iter().find(|cost| cost.service == service).unwrap().usd_per_month
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-4 * expected.abs(), "{found}, expected {expected}");
}

/// Computed by hand from the formulas in docs/scale.md; a month has 2,628,000 seconds.
#[test]
fn a_thousand_events_a_second() {
    let plan = plan(&load(), &prices());
    // 3,000 records a second at the peak; 2,628 million of 1 kB in, of 350 bytes out twice.
    assert_eq!((plan.stream.shards, plan.stream.cheaper), (3, "provisioned"));
    close(plan.stream.on_demand_usd_per_month, 29.2 + 200.50 + 68.53);
    close(plan.stream.provisioned_usd_per_month, 32.85 + 36.792);
    close(usd(&plan, "Kinesis"), 298.23);
    // Two steps of 5 kB an event: 25,062.6 GB at 0.047.
    close(usd(&plan, "Firehose"), 1_177.94);
    // 300 million at 1.00, 2,328 million at 0.90.
    close(usd(&plan, "API Gateway"), 2_395.2);
    // A record of 1,991 bytes is one half read unit and two write units; a session of
    // 4,010 bytes is half a unit for the answer, one for `consume`, and four written.
    close(plan.table.reads_per_second_at_peak, 6_000.0);
    close(plan.table.writes_per_second_at_peak, 12_000.0);
    close(plan.table.writes_per_run, 2e6);
    // 90 sets of 1,991 + 100 bytes a user, and sessions of 4,010 + 100.
    close(plan.table.stored_gb, (90.0 * 2_091e6 + 4_110e6) / 1_073_741_824.0);
    close(usd(&plan, "DynamoDB"), 657.0 + 6_608.02 + 44.61 + 35.68);
    // 3,000 calls of 40 ms; the work of 3,000 records is 3.1 batches at once.
    assert_eq!(plan.functions.api_concurrency_at_peak, 120);
    assert_eq!(plan.functions.consume_concurrency_at_peak, 4);
    assert_eq!(plan.functions.api_memory_mb, 1_024);
    // 135 million lines at 115,789 a core-second and 31,536 million events at a million.
    assert_eq!(plan.features.workers, 6);
    close(plan.features.dpu_hours_per_month, 87.33);
    close(usd(&plan, "Glue"), 87.33 * 0.44);
    close(plan.usd_per_million_events.unwrap(), plan.usd_per_month / 2_628.0);
    // 2 / 25,360 and 2 / 2,920 of a core for each of 3,000.
    close(plan.one_machine.busy_at_peak, 3_000.0 / 25_360.0 + 3_000.0 / 2_920.0);
    assert_eq!(plan.one_machine.fits, Fits::Larger);
    // 2,000 requests a second to Firehose are two thirds of this load's peak.
    let firehose = plan.limits.iter().find(|l| l.name == "Firehose: impressions, requests");
    close(firehose.unwrap().reached_at_times.unwrap(), 2.0 / 3.0);
    assert!(plan.limits_first_hit[0].limits.contains(&"Firehose: impressions, requests"));
}

#[test]
fn an_endpoint_costs_only_if_it_is_used() {
    let embedded = plan(&load(), &prices());
    let load = Load { endpoint_mode: EndpointMode::Sagemaker, ..load() };
    let plan = plan(&load, &prices());
    let endpoint = plan.endpoint.as_ref().unwrap();
    // 1,000 and 3,000 requests a second, 100 an instance at 70 %.
    assert_eq!((endpoint.instances, endpoint.instances_at_peak), (16, 44));
    let hours = 16.0 * 730.0 * 0.107;
    let traffic = 2_628e6 * 95_000.0 / 1_073_741_824.0 * 0.016;
    close(usd(&plan, "SageMaker") - usd(&embedded, "SageMaker"), hours + traffic);
    assert!(plan.limits.iter().any(|limit| limit.name.starts_with("SageMaker")));
}

#[test]
fn a_small_shop_needs_no_cloud() {
    let small = Load { events_per_second: 1.0, users: 10_000, products: 5_000, ..load() };
    let machine = plan(&small, &prices()).one_machine;
    assert_eq!((machine.fits, machine.cores), (Fits::Measured, Some(2)));
    // A peak of 3: 1 / (3 / 25,360 + 3 / 2,920).
    close(machine.measured_bears_times.unwrap(), 872.8);
    let huge = Load { events_per_second: 1e6, ..load() };
    let machine = plan(&huge, &prices()).one_machine;
    assert_eq!((machine.fits, machine.cores, machine.usd_per_month), (Fits::None, None, None));
}

/// The figures come from docs/performance.md and follow it when it is measured again.
#[test]
fn the_measured_figures_are_those_of_the_performance_page() {
    let page = include_str!("../../../docs/performance.md");
    for figure in [MEASURED_EVENTS, MEASURED_RECOMMENDATIONS, MEASURED_LOG] {
        let (thousands, rest) = ((figure / 1_000.0) as u32, (figure % 1_000.0) as u32);
        let cell = format!("| {thousands},{rest:03} |");
        assert!(page.contains(&cell), "docs/performance.md has no cell {cell:?}");
    }
}

/// A load grown to the multiple at which it reaches a quota takes exactly that quota.
#[test]
fn a_load_that_reaches_a_quota_takes_all_of_it() {
    let load = Load { endpoint_mode: EndpointMode::Sagemaker, users: 1_000_000_000, ..load() };
    let load = Load { products: 10_000_000, ..load };
    let before = plan(&load, &prices());
    assert_eq!(before.limits.len(), 19);
    for limit in &before.limits {
        let times = limit.reached_at_times.unwrap();
        let grown = |number: u64| (number as f64 * times).round() as u64;
        let all = Load {
            events_per_second: load.events_per_second * times,
            users: grown(load.users),
            products: grown(load.products),
            ..load.clone()
        };
        let plan = plan(&all, &prices());
        let now = plan.limits.iter().find(|found| found.name == limit.name).unwrap().now;
        close(now, limit.quota);
    }
}

#[test]
fn a_new_account_reaches_its_first_quota_before_the_first_run() {
    let fresh = Load { account: Account::Fresh, ..load() };
    let plan = plan(&fresh, &prices());
    let first = &plan.limits[0];
    assert_eq!(
        (first.name, first.reached_at_times),
        ("SageMaker: instances for training", Some(0.0))
    );
    assert_eq!(plan.limits_first_hit[0].limits[0], first.name);
    let concurrency = |plan: &Plan| {
        plan.limits.iter().find(|limit| limit.name == "Lambda: concurrency").unwrap().quota
    };
    assert_eq!(concurrency(&plan), 10.0);
    assert_eq!(concurrency(&super::plan(&load(), &prices())), 1_000.0);
}

/// Collects the numbers of a plan. JSON has finite numbers only.
fn numbers(value: &Value, path: &str, out: &mut Vec<(String, f64)>) {
    match value {
        Value::Number(number) => out.push((path.to_owned(), number.as_f64().unwrap())),
        Value::Array(items) => {
            items.iter().for_each(|item| numbers(item, path, out));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(key, item)| numbers(item, &format!("{path}.{key}"), out));
        }
        Value::Null => {
            let may = ["endpoint", "per_million_events", "at_times", "bears_times"];
            let machine = path.starts_with(".one_machine.");
            assert!(machine || may.iter().any(|end| path.ends_with(end)), "{path} is not a number");
        }
        Value::Bool(_) | Value::String(_) => {}
    }
}

#[test]
fn the_smallest_and_the_largest_load_have_finite_plans() {
    let least = Load {
        events_per_second: 0.0,
        users: 0,
        products: 0,
        peak: 1.0,
        event_bytes: 1,
        products_per_user: 0,
        orders_per_user: 0,
        recommendations_per_event: 0.0,
        retrain_per_day: 0.0,
        keep_days: 1,
        endpoint_mode: EndpointMode::Embedded,
        account: Account::Standard,
    };
    let most = Load {
        events_per_second: 1e6,
        users: 10_000_000_000,
        products: 1_000_000_000,
        peak: 1_000.0,
        event_bytes: 1_048_576,
        products_per_user: 1_000_000,
        orders_per_user: 100_000,
        recommendations_per_event: 100.0,
        retrain_per_day: 96.0,
        keep_days: 3_650,
        endpoint_mode: EndpointMode::Sagemaker,
        account: Account::Standard,
    };
    for load in [&least, &most] {
        let plan = plan(load, &prices());
        let mut found = Vec::new();
        numbers(&serde_json::to_value(&plan).unwrap(), "", &mut found);
        assert!(found.len() > 50);
        for (path, number) in found {
            let bounded = (0.0..1e24).contains(&number) || path.ends_with("reached_at_times");
            assert!(bounded, "{path}: {number}");
        }
    }
    let nothing = plan(&least, &prices());
    assert_eq!(nothing.usd_per_million_events, None);
    assert_eq!(nothing.one_machine.fits, Fits::Measured);
    assert!(nothing.usd_per_month < 60.0, "{}", nothing.usd_per_month);
    assert!(nothing.limits_first_hit.iter().all(|hit| hit.limits.is_empty()));
}

fn any_load() -> impl Strategy<Value = Load> {
    let modes = [EndpointMode::Embedded, EndpointMode::Sagemaker];
    (
        (0.0..2e4_f64, 0..40_000_000_u64, 0..2_000_000_u64, 1.0..20.0_f64),
        (1..20_000_u32, 0..30_000_u32, 0..1_000_u32, 0.0..3.0_f64),
        (0.0..24.0_f64, 1..1_000_u32, prop::sample::select(modes.to_vec())),
    )
        .prop_map(|(a, b, c)| Load {
            events_per_second: a.0,
            users: a.1,
            products: a.2,
            peak: a.3,
            event_bytes: b.0,
            products_per_user: b.1,
            orders_per_user: b.2,
            recommendations_per_event: b.3,
            retrain_per_day: c.0,
            keep_days: c.1,
            endpoint_mode: c.2,
            account: Account::Standard,
        })
}

proptest! {
    /// A larger input never lowers an amount or a cost, and never moves a limit further away.
    #[test]
    fn a_larger_load_never_needs_less(load in any_load(), input in 0..10, times in 1.0..50.0_f64) {
        let mut more = load.clone();
        let grow = |number: u32| (f64::from(number) * times).ceil() as u32;
        match input {
            0 => more.events_per_second *= times,
            1 => more.users = (more.users as f64 * times) as u64,
            2 => more.products = (more.products as f64 * times) as u64,
            3 => more.peak *= times,
            4 => more.event_bytes = grow(more.event_bytes),
            5 => more.products_per_user = grow(more.products_per_user),
            6 => more.orders_per_user = grow(more.orders_per_user),
            7 => more.recommendations_per_event *= times,
            8 => more.retrain_per_day *= times,
            _ => more.keep_days = grow(more.keep_days),
        }
        let (before, after) = (plan(&load, &prices()), plan(&more, &prices()));
        let amounts = |plan: &Plan| {
            let mut amounts = vec![
                plan.stream.shards as f64,
                plan.stream.provisioned_usd_per_month,
                plan.table.reads_per_second_at_peak,
                plan.table.writes_per_second_at_peak,
                plan.table.writes_per_run,
                plan.functions.api_concurrency_at_peak as f64,
                plan.functions.consume_concurrency_at_peak as f64,
                plan.functions.api_memory_mb as f64,
                plan.features.workers as f64,
                plan.lake.stored_gb,
                plan.one_machine.busy_at_peak,
                plan.one_machine.memory_gb,
                plan.one_machine.disk_gb,
                plan.one_machine.cores.unwrap_or(u64::MAX) as f64,
            ];
            amounts.extend(plan.costs.iter().map(|cost| cost.usd_per_month));
            amounts.extend(plan.endpoint.iter().map(|endpoint| endpoint.instances_at_peak as f64));
            let mut limits: Vec<&Limit> = plan.limits.iter().collect();
            limits.sort_by_key(|limit| limit.name);
            amounts.extend(limits.iter().map(|l| -l.reached_at_times.unwrap_or(f64::INFINITY)));
            amounts
        };
        for (at, (a, b)) in amounts(&before).into_iter().zip(amounts(&after)).enumerate() {
            // Rounding may cost a sum its last bits.
            prop_assert!(b >= a - 1e-9 * a.abs() || a == b, "amount {at}: {a}, then {b}");
        }
        prop_assert!(after.usd_per_month >= before.usd_per_month * (1.0 - 1e-9));
    }
}

#[test]
fn each_part_of_an_amount_costs_the_price_of_its_step() {
    let text = BUILT_IN.replace("stream_hour = 0.04 ", "stream_hour = [[0, 2], [10, 1]] ");
    let price: Price = Prices::parse(&text).unwrap().kinesis.stream_hour;
    for (amount, cost) in [(0.0, 0.0), (5.0, 10.0), (10.0, 20.0), (13.0, 23.0)] {
        close(price.of(amount), cost);
    }
}

/// Doubling any price of the table changes the plan.
#[test]
fn every_price_changes_the_plan() {
    let load = Load { endpoint_mode: EndpointMode::Sagemaker, ..load() };
    let plain = plan(&load, &prices());
    let table: toml::Table = BUILT_IN.parse().unwrap();
    let mut counted = 0;
    for (section, entries) in table.iter().filter_map(|(key, v)| Some((key, v.as_table()?))) {
        for name in entries.keys().filter(|name| *name != "source") {
            let mut dearer = table.clone();
            double(&mut dearer[section][name]);
            let prices = Prices::parse(&dearer.to_string()).unwrap();
            assert_ne!(plan(&load, &prices), plain, "{section}.{name}");
            counted += 1;
        }
    }
    assert_eq!(counted, 32);
}

fn double(price: &mut toml::Value) {
    match price {
        toml::Value::Array(steps) => steps.iter_mut().for_each(|step| double(&mut step[1])),
        other => *other = toml::Value::Float(other.as_float().unwrap() * 2.0),
    }
}

#[test]
fn a_wrong_price_table_is_an_error_that_names_the_key() {
    let gb_in = "gb_in = 0.08 ";
    for (from, to, expected) in [
        (gb_in, "gb_in = -1 ", "kinesis.gb_in: expected prices of 0 to"),
        (gb_in, "gb_in = nan ", "kinesis.gb_in: expected prices of 0 to"),
        (gb_in, "gb_in = \"free\" ", "kinesis.gb_in: expected a price, or [[0, price]"),
        (gb_in, "gb_in = [[1, 2]] ", "kinesis.gb_in: expected steps that begin at the amount 0"),
        (gb_in, "gb_in = [] ", "kinesis.gb_in: expected steps that begin at the amount 0"),
        (gb_in, "gb_in = [[0, 2], [0, 1]] ", "kinesis.gb_in: expected steps of growing amounts"),
        (gb_in, "", "kinesis: missing field `gb_in`"),
        (gb_in, "gb_inn = 1 ", "kinesis.gb_inn: unknown field"),
        ("[glue]", "[glu]", "glu: unknown field `glu`"),
        ("region = ", "# ", "missing field `region`"),
        ("[kinesis]", "[kinesis", "line 9"),
    ] {
        assert!(BUILT_IN.contains(from), "{from}");
        let error = Prices::parse(&BUILT_IN.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(expected), "{from} → {to}: {error}");
    }
}
