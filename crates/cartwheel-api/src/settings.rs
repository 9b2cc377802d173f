//! Settings of the API.

use std::time::Duration;

use axum::http::HeaderValue;
use ipnet::IpNet;

use crate::access::signature::WebhookSecret;

/// Limits and options of the API.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Largest body, in bytes.
    pub max_body: usize,
    /// Longest time to an answer.
    pub timeout: Duration,
    /// Impressions on their way to the stream at once. Further impressions are dropped and
    /// counted.
    pub impressions_in_flight: usize,
    /// Whether a gateway before this process decides which hosts and sites reach it, as on AWS.
    pub behind_gateway: bool,
    /// Names that this server answers to beside `localhost` and addresses. Empty with keys means
    /// every name.
    pub hosts: Vec<String>,
    /// Networks of the proxies that are believed about their clients' addresses.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins of other sites that may call from a browser.
    pub cors_origins: Vec<HeaderValue>,
    /// Origins of other sites whose pictures the pages may show.
    pub image_hosts: Vec<HeaderValue>,
    /// Requests per second of one key, with bursts of twice as many. 0 means no limit.
    pub rate_per_key: u32,
    /// Requests per second of one address, with bursts of twice as many. 0 means no limit.
    /// Requests from this machine and from behind a gateway are not limited.
    pub rate_per_address: u32,
    /// The secret of Shopify's webhooks. Without it, none are taken.
    pub shopify_secret: Option<WebhookSecret>,
    /// Whether browsers may only use TLS.
    pub strict_transport: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_body: 1 << 20,
            timeout: Duration::from_secs(10),
            impressions_in_flight: 1024,
            behind_gateway: false,
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            image_hosts: Vec::new(),
            rate_per_key: 0,
            rate_per_address: 0,
            shopify_secret: None,
            strict_transport: false,
        }
    }
}
