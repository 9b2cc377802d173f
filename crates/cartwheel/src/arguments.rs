//! Values of arguments that several commands take, with errors that show the form.

use std::net::SocketAddr;

use jiff::civil::Date;

/// Reads a day.
///
/// # Errors
/// When the text is no day of the calendar in ISO 8601.
pub fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "a day is written as 2026-01-31".to_owned())
}

/// Reads an address to listen on.
///
/// # Errors
/// When the text is not an IP address with a port.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an address is an IP address and a port, as 127.0.0.1:8080".to_owned())
}
