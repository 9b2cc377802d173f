//! The price table: `infra/prices.toml`, or a file of the same shape.

use serde::Deserialize;

/// The table that the binary carries.
pub const BUILT_IN: &str = include_str!("../../../../infra/prices.toml");

/// Steps of one price, from the smallest amount a month on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Price(Vec<(f64, f64)>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a price, or [[0, price], [from amount, price], …]")]
enum Written {
    Flat(f64),
    Steps(Vec<(f64, f64)>),
}

impl TryFrom<Written> for Price {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let steps = match written {
            Written::Flat(price) => vec![(0.0, price)],
            Written::Steps(steps) => steps,
        };
        if steps.first().is_none_or(|step| step.0 != 0.0) {
            return Err("expected steps that begin at the amount 0");
        }
        if !steps.windows(2).all(|pair| pair[0].0 < pair[1].0) {
            return Err("expected steps of growing amounts");
        }
        if !steps.iter().all(|step| step.0.is_finite() && (0.0..=1e6).contains(&step.1)) {
            return Err("expected prices of 0 to 1000000 dollars");
        }
        Ok(Self(steps))
    }
}

impl Price {
    /// What `amount` costs, each part of it at the price of its step.
    pub fn of(&self, amount: f64) -> f64 {
        let ends = self.0.iter().skip(1).map(|step| step.0).chain([f64::INFINITY]);
        let parts = self.0.iter().zip(ends);
        parts.map(|(&(from, price), to)| (amount.min(to) - from).max(0.0) * price).sum()
    }
}

// Each section of the table with its prices, named once.
macro_rules! prices {
    ($($section:ident: $name:ident { $($price:ident),+ })+) => {
        /// Every price, by the page that it is from.
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Prices {
            pub region: String,
            /// When the prices were known.
            pub as_of: String,
            /// How well.
            pub note: String,
            $(pub $section: $name,)+
        }
        $(
            #[derive(Debug, Clone, Deserialize)]
            #[serde(deny_unknown_fields)]
                pub struct $name { pub source: String, $(pub $price: Price),+ }
        )+
    };
}

prices! {
    kinesis: Kinesis { stream_hour, gb_in, gb_out, shard_hour, million_put_units }
    firehose: Firehose { gb, gb_parquet }
    dynamodb: DynamoDb { million_reads, million_writes, gb_month, recovery_gb_month }
    lambda: Lambda { million_requests, gb_second }
    api_gateway: ApiGateway { million_requests }
    s3: S3 { gb_month, thousand_puts, thousand_gets }
    glue: Glue { dpu_hour }
    sagemaker: SageMaker { training_hour, endpoint_hour, endpoint_gb }
    step_functions: StepFunctions { thousand_transitions }
    cloudwatch: CloudWatch { log_gb, log_gb_month, metric_month, alarm_month, dashboard_month }
    cloudfront: CloudFront { gb_out, million_requests }
    transfer: Transfer { gb_out }
    machine: MachinePrices { vcpu_hour, disk_gb_month }
}

impl Prices {
    /// Reads a table.
    ///
    /// # Errors
    /// When a key is missing, unknown or holds no price; the error names it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let table = toml::Deserializer::parse(text).map_err(|error| error.to_string())?;
        serde_path_to_error::deserialize(table)
            .map_err(|error| format!("{}: {}", error.path(), error.inner().message()))
    }
}
