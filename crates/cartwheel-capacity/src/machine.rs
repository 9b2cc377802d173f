//! How far one machine is enough.

use serde::Serialize;

use crate::batch::stored_events;
use crate::figures::{
    CHECKOUT_BYTES, CORE_MEMORY, DAY, FOLD_LINES, FOLD_MEMORY, GB, HOURS, LINE_FILE,
    MEASURED_CORES, MEASURED_EVENTS, MEASURED_LOG, MEASURED_RECOMMENDATIONS, MOST_CORES, MOST_DISK,
    ORDER_LINES, PRODUCT_MEMORY,
};
use crate::load::{Load, Rates, count};
use crate::prices::Prices;
use crate::realtime::record_bytes;

/// The smallest single machine that bears the load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Machine {
    /// Which machine is enough.
    pub fits: Fits,
    /// Share of the measured machine's two cores that is busy at the peak.
    pub busy_at_peak: f64,
    /// How many times this load the measured machine bears at its peak; `None` without load.
    pub measured_bears_times: Option<f64>,
    /// Cores of the smallest machine that is enough, if speed grows with the cores; `None` if no
    /// machine is enough.
    pub cores: Option<u64>,
    /// Memory that the feature job and two catalogues take, in GB.
    pub memory_gb: f64,
    /// Disk space in GB after `keep_days`.
    pub disk_gb: f64,
    /// Minutes of one run's features, on half of the cores.
    pub features_minutes: Option<f64>,
    /// US dollars a month for such a virtual machine.
    pub usd_per_month: Option<f64>,
    /// Address of the page that the price is from.
    pub price_page: String,
}

/// Which machine is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fits {
    /// The measured machine.
    Measured,
    /// A larger machine, if speed grows with its cores. That is not measured.
    Larger,
    /// No machine with up to 64 cores and 64 TB of disk.
    None,
}

/// Cores that are busy at the peak. An event costs 2 cores / [`MEASURED_EVENTS`] a second, an
/// answer 2 / [`MEASURED_RECOMMENDATIONS`].
fn busy_cores(rates: &Rates) -> f64 {
    let events = rates.events / MEASURED_EVENTS;
    let recommendations = rates.recommendations / MEASURED_RECOMMENDATIONS;
    (events + recommendations) * MEASURED_CORES * rates.peak
}

/// Finds the smallest machine of 2, 4, … 64 cores that is at most half busy at the peak, has the
/// memory and disk for jobs and lake, and finishes a run's features before the next run begins.
pub(crate) fn one_machine(load: &Load, rates: &Rates, prices: &Prices) -> Machine {
    let busy = busy_cores(rates);
    let orders = load.users as f64 * f64::from(load.orders_per_user);
    // Two releases are in memory while one replaces the other.
    let memory =
        FOLD_MEMORY + orders * CHECKOUT_BYTES + 2.0 * load.products as f64 * PRODUCT_MEMORY;
    let disk = stored_events(load, rates)
        + 2.0 * load.users as f64 * record_bytes(load)
        + orders * ORDER_LINES * LINE_FILE;
    let fold_core_seconds = orders * ORDER_LINES / FOLD_LINES;
    let half = |cores: f64| fold_core_seconds / (cores / 2.0);
    let enough = |cores: f64| {
        busy * 2.0 <= cores
            && memory <= cores * CORE_MEMORY
            && disk <= MOST_DISK
            && half(cores) * load.retrain_per_day <= DAY
            && rates.events * rates.peak <= MEASURED_LOG
    };
    let sizes = std::iter::successors(Some(MEASURED_CORES), |cores| Some(cores * 2.0));
    let cores = sizes.take_while(|&cores| cores <= MOST_CORES).find(|&cores| enough(cores));
    let disk_gb = disk / GB;
    Machine {
        fits: match cores {
            Some(MEASURED_CORES) => Fits::Measured,
            Some(_) => Fits::Larger,
            None => Fits::None,
        },
        busy_at_peak: busy / MEASURED_CORES,
        measured_bears_times: (busy > 0.0).then(|| MEASURED_CORES / busy),
        cores: cores.map(count),
        memory_gb: memory / GB,
        disk_gb,
        features_minutes: cores.map(|cores| half(cores) / 60.0),
        usd_per_month: cores.map(|cores| {
            prices.machine.vcpu_hour.of(cores * HOURS) + prices.machine.disk_gb_month.of(disk_gb)
        }),
        price_page: prices.machine.source.clone(),
    }
}
