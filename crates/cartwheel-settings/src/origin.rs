//! Origins of web pages, names of hosts, networks.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use http::HeaderValue;
use ipnet::IpNet;

/// Parses an origin as browsers write it: `https://shop.example`, without a path.
///
/// # Errors
/// When the text is not an origin.
pub fn origin(text: &str) -> Result<HeaderValue> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let letter =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
    let valid = host.is_some_and(|host| !host.is_empty() && host.bytes().all(letter));
    anyhow::ensure!(
        valid,
        "{text:?} is not an origin: write it as https://shop.example, in lower case and without a \
         path"
    );
    Ok(HeaderValue::from_str(text)?)
}

/// Parses a network as `10.0.0.0/8`, or a single address.
///
/// # Errors
/// When the text is neither.
pub fn network(text: &str) -> Result<IpNet> {
    let single = text.parse::<IpAddr>().map(IpNet::from);
    single.or_else(|_| text.parse()).with_context(|| {
        format!("{text:?} is neither an address such as 192.0.2.1 nor a network such as 10.0.0.0/8")
    })
}

/// Whether the text is a host name in lower case, without scheme and port.
pub(crate) fn is_host(text: &str) -> bool {
    let letter =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    (1..=253).contains(&text.len()) && text.bytes().all(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_or_has_a_prefix() {
        for good in ["192.0.2.1", "10.0.0.0/8", "::1", "2001:db8::/32", "0.0.0.0/0"] {
            assert!(network(good).is_ok(), "{good}");
        }
        for bad in ["", "*", "10.0.0.0/33", "proxy.example", "10.0.0", "10.0.0.0/"] {
            assert!(network(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_host_is_a_name_alone() {
        assert!(is_host("shop.example") && is_host("cartwheel"));
        for bad in ["", "*", "shop.example:80", "https://shop.example", "Shop.example", "a/b"] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for good in ["https://shop.example", "http://localhost:3000", "https://[::1]:8443"] {
            assert!(origin(good).is_ok(), "{good}");
        }
        for bad in ["*", "", "shop.example", "https://", "https://a/", "https://A.b", "null"] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
