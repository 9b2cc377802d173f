//! The price table: `infra/prices.toml`, or a text of the same shape.

use serde::Deserialize;

/// The price table that ships with the product.
pub const BUILT_IN: &str = include_str!("../../../infra/prices.toml");

/// A text that is not a price table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PricesError {
    /// The text is not TOML. The message names the line.
    #[error("{0}")]
    NotToml(String),
    /// A key is missing, unknown or not a price.
    #[error("{key}: {message}")]
    Key {
        /// Section and name, such as `kinesis.gb_in`.
        key: String,
        /// What was found, and what was expected.
        message: String,
    },
}

/// Steps of one price: from which amount a month on it applies, and US dollars a unit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "PriceToml")]
pub struct Price(Vec<Step>);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    from: f64,
    usd: f64,
}

/// A price as the file has it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a price, or [[0, price], [from amount, price], …]")]
enum PriceToml {
    Flat(f64),
    Steps(Vec<(f64, f64)>),
}

impl TryFrom<PriceToml> for Price {
    type Error = &'static str;

    fn try_from(toml: PriceToml) -> Result<Self, Self::Error> {
        let steps = match toml {
            PriceToml::Flat(usd) => vec![Step { from: 0.0, usd }],
            PriceToml::Steps(steps) => {
                steps.into_iter().map(|(from, usd)| Step { from, usd }).collect()
            }
        };
        if steps.first().is_none_or(|step| step.from != 0.0) {
            return Err("expected steps that begin at the amount 0");
        }
        if !steps.windows(2).all(|pair| pair[0].from < pair[1].from) {
            return Err("expected steps of growing amounts");
        }
        if !steps.iter().all(|step| step.from.is_finite() && (0.0..=1e6).contains(&step.usd)) {
            return Err("expected prices of 0 to 1000000 dollars");
        }
        Ok(Self(steps))
    }
}

impl Price {
    /// Costs of `amount` in US dollars. Each part of the amount costs the price of its step.
    pub fn of(&self, amount: f64) -> f64 {
        let ends = self.0.iter().skip(1).map(|step| step.from).chain([f64::INFINITY]);
        let parts = self.0.iter().zip(ends);
        parts.map(|(step, to)| (amount.min(to) - step.from).max(0.0) * step.usd).sum()
    }
}

/// Declares the sections of the table, each with its prices.
macro_rules! prices {
    ($($section:ident: $name:ident { $($price:ident),+ })+) => {
        /// Every price, grouped by the page that it is from.
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Prices {
            /// AWS region.
            pub region: String,
            /// Year and month of the prices.
            pub as_of: String,
            /// How reliable the prices are.
            pub note: String,
            $(pub(crate) $section: $name,)+
        }
        $(
            #[derive(Debug, Clone, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub(crate) struct $name {
                pub(crate) source: String,
                $(pub(crate) $price: Price),+
            }
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
    /// Reads a price table from TOML.
    ///
    /// # Errors
    /// When a key is missing, unknown or not a price. The error names the key.
    pub fn parse(text: &str) -> Result<Self, PricesError> {
        let table = toml::Deserializer::parse(text)
            .map_err(|error| PricesError::NotToml(error.to_string()))?;
        serde_path_to_error::deserialize(table).map_err(|error| PricesError::Key {
            key: error.path().to_string(),
            message: error.inner().message().to_owned(),
        })
    }
}
