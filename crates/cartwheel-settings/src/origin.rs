//! Origins of web pages.

use anyhow::Result;
use http::HeaderValue;

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

#[cfg(test)]
mod tests {
    use super::*;

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
