//! Which hosts a server answers to, and which sites may send it requests: a page that a person
//! visits must not use the person's browser to reach a server that the page cannot reach itself.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, header};

use crate::http::peer::FORWARDED;
use crate::http::problem::{Kind, Problem};
use crate::settings::Settings;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Longest host that a problem repeats, in characters.
const LONGEST_HOST: usize = 80;

/// Checks by which host, and from which site, a request comes. Behind a gateway, that is for
/// the gateway to decide.
///
/// # Errors
/// - 403 if a proxy that is not trusted stands before a server without keys.
/// - 421 if the host is not this server's: a foreign name may have been pointed at this server
///   after a browser loaded a page from it (DNS rebinding). A server with keys answers to every
///   name unless `hosts` lists some: a page has no key.
/// - 403 if a page of another site sends what may change something.
pub(crate) fn check(
    settings: &Settings,
    needs_keys: bool,
    request: &Request,
) -> Result<(), Problem> {
    if settings.behind_gateway {
        return Ok(());
    }
    let headers = request.headers();
    if !needs_keys && FORWARDED.iter().any(|name| headers.contains_key(name)) {
        return Err(Problem::new(
            Kind::ForwardedWithoutKeys,
            "A proxy has forwarded this request, and the server has no API key: create one with \
             `cartwheel keys create operator --scope admin`, or name the proxy in \
             server.trusted_proxies if it decides who may call.",
        ));
    }
    if !needs_keys || !settings.hosts.is_empty() {
        check_host(settings, request)?;
    }
    if !request.method().is_safe() && is_foreign(settings, request) {
        return Err(Problem::new(
            Kind::ForeignSite,
            "A page of another site has sent this request: list its origin in \
             server.cors_origins if it may call this server.",
        ));
    }
    Ok(())
}

/// Checks every host that the request names. Browsers always name one.
fn check_host(settings: &Settings, request: &Request) -> Result<(), Problem> {
    let in_uri = request.uri().authority().map(Authority::as_str);
    let in_headers = request.headers().get_all(header::HOST).iter();
    let in_headers = in_headers.map(|host| host.to_str().unwrap_or("?"));
    match in_uri.into_iter().chain(in_headers).find(|host| !answers_to(settings, host)) {
        None => Ok(()),
        Some(host) => {
            let host: String = host.chars().take(LONGEST_HOST).collect();
            let detail = format!(
                "This server does not answer to the host {host:?}: add it to server.hosts, without \
                 the port. localhost and addresses are always allowed."
            );
            Err(Problem::new(Kind::Misdirected, detail))
        }
    }
}

/// Whether `host`, with or without a port, is this server. An address is: no name was looked up,
/// so that none can have been pointed elsewhere.
fn answers_to(settings: &Settings, host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    is_near(name) || settings.hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// Whether a host is an address or localhost.
pub(crate) fn is_near(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

/// Whether a page of another site that may not call has sent the request. What is no browser
/// says nothing of this.
pub(crate) fn is_foreign(settings: &Settings, request: &Request) -> bool {
    let headers = request.headers();
    let origin = headers.get(header::ORIGIN);
    if origin.is_some_and(|origin| settings.cors_origins.contains(origin)) {
        return false;
    }
    match (headers.get(SEC_FETCH_SITE), origin) {
        // Stated by the browser itself: a page cannot set it. It holds behind proxies that
        // change the host.
        (Some(site), _) => site != "same-origin" && site != "none",
        // Older browsers, and every browser on plain HTTP beyond loopback.
        (None, Some(origin)) => !is_same(origin, headers.get(header::HOST)),
        (None, None) => false,
    }
}

/// Whether an origin, such as `https://shop.example`, is that of `host`.
fn is_same(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_ascii_lowercase();
    let (origin, host) = (text(origin), host.map(text).unwrap_or_default());
    origin.split_once("://").is_some_and(|(_, own)| own == host)
}
