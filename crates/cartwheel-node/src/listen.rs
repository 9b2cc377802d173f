//! The server's listener: the API's settings, TLS with certificate reload, and the check
//! that a server without API keys is not reachable from other machines.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use cartwheel_api::{Connections, Tls, WebhookSecret};
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpSocket};

use cartwheel_settings::{Server, network, origin};

/// How often the certificate's files are checked for changes.
const TLS_CHECK: Duration = Duration::from_secs(2);
/// Most connections from commands at once.
const COMMANDS: usize = 16;
/// Files open in addition to connections: log, lake, sessions.
const OTHER_FILES: u64 = 512;

/// Derives the API's settings from the server's.
///
/// # Errors
/// When an origin or a network is not valid, or the secret of webhooks cannot be read.
pub fn api_settings(server: &Server) -> Result<cartwheel_api::Settings> {
    let origins = |texts: &[String]| texts.iter().map(|text| origin(text)).collect::<Result<_>>();
    Ok(cartwheel_api::Settings {
        hosts: server.hosts.clone(),
        trusted_proxies: proxies(server)?,
        max_body: server.max_body_bytes,
        timeout: Duration::from_secs(server.request_seconds),
        cors_origins: origins(&server.cors_origins).context("server.cors_origins")?,
        image_hosts: origins(&server.image_hosts).context("server.image_hosts")?,
        rate_per_key: server.rate_per_key,
        rate_per_address: server.rate_per_address,
        shopify_secret: server.shopify_secret.as_deref().map(webhook_secret).transpose()?,
        strict_transport: server.tls_cert.is_some(),
        ..cartwheel_api::Settings::default()
    })
}

fn webhook_secret(path: &Path) -> Result<WebhookSecret> {
    let named = || format!("server.shopify_secret: {}", path.display());
    let text = std::fs::read_to_string(path).with_context(named)?;
    WebhookSecret::new(text.trim()).with_context(|| {
        format!(
            "{} holds fewer than 16 characters: write the secret that Shopify shows into it",
            named()
        )
    })
}

fn proxies(server: &Server) -> Result<Vec<IpNet>> {
    let networks = server.trusted_proxies.iter().map(|text| network(text));
    networks.collect::<Result<_>>().context("server.trusted_proxies")
}

/// Derives the limits and TLS of connections from the server's settings.
///
/// # Errors
/// When the certificate or its key cannot be used, or a network is not valid.
pub fn connections(server: &Server) -> Result<Connections> {
    let tls = match (&server.tls_cert, &server.tls_key) {
        (Some(cert), Some(key)) => Some(Tls::open(cert, key).context("server.tls_cert")?),
        _ => None,
    };
    Ok(Connections {
        most: server.max_connections,
        proxies: proxies(server)?,
        idle: Duration::from_secs(server.idle_seconds),
        tls,
        ..Connections::default()
    })
}

/// Checks that a server without API keys listens on loopback only, unless
/// `open_to_everyone` is set.
///
/// # Errors
/// When other machines could reach a server without API keys; the message says what to do.
pub fn check_reach(listen: SocketAddr, keys: bool, open_to_everyone: bool) -> Result<()> {
    if listen.ip().is_loopback() || keys {
        return Ok(());
    }
    anyhow::ensure!(
        open_to_everyone,
        "other machines can reach {listen}, and this server requires no API key: create a key \
         with `cartwheel keys create operator --scope admin`, or listen on 127.0.0.1. \
         With --open-to-everyone the server starts anyway, and anyone who reaches it can read \
         all data, replace the models and erase users"
    );
    tracing::warn!(%listen, "OPEN TO EVERYONE: the server requires no API key, and anyone who \
                            reaches this address has full access");
    eprintln!("WARNING: open to everyone: anyone who reaches {listen} has full access");
    Ok(())
}

/// Takes an address that the server listens on later: until then, connections are refused.
///
/// # Errors
/// When another program listens there, or the address cannot be used.
pub fn take_address(address: SocketAddr) -> Result<TcpSocket> {
    let taken = || -> io::Result<TcpSocket> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Connections of an earlier server that are still closing do not hold the address.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    };
    taken().map_err(|error| cannot_listen(address, error))
}

/// Says why the server cannot listen on `address`, and what to do.
pub fn cannot_listen(address: SocketAddr, error: io::Error) -> anyhow::Error {
    if error.kind() != io::ErrorKind::AddrInUse {
        return anyhow::Error::new(error).context(format!("listen on {address}"));
    }
    let mut other = address;
    other.set_port(address.port().checked_add(1).unwrap_or(8080));
    anyhow::anyhow!(
        "another program listens on {address}, perhaps another `cartwheel serve`: stop it, or \
         choose another address, such as --listen {other}"
    )
}

/// The server's URL, for a browser.
pub fn url(address: SocketAddr, connections: &Connections) -> String {
    let scheme = if connections.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// Serves local commands in plain HTTP on a loopback port of their own if the server uses
/// TLS, so that commands need not know the certificate's name. Runs until `ended`.
/// Returns the address, or `None` without TLS.
///
/// # Errors
/// When no port can be bound.
pub async fn for_commands(
    connections: &Connections,
    router: &cartwheel_api::Router,
    ended: impl Future<Output = ()> + Send + 'static,
) -> Result<Option<SocketAddr>> {
    if connections.tls.is_none() {
        return Ok(None);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let few = Connections { most: COMMANDS, ..Connections::default() };
    tokio::spawn(cartwheel_api::serve(listener, router.clone(), few, ended));
    Ok(Some(address))
}

/// Reloads the certificate when its files change; runs until dropped. If the new certificate
/// and key do not match, it logs an error and keeps the old ones.
pub async fn follow_certificate(tls: Tls) {
    let stamps = || tls.files().map(stamp);
    let mut seen = stamps();
    loop {
        tokio::time::sleep(TLS_CHECK).await;
        let now = stamps();
        if now == seen {
            continue;
        }
        match tls.reload() {
            Ok(()) => tracing::warn!("reloaded the certificate for new connections"),
            Err(error) => {
                tracing::error!(%error, "cannot reload the certificate; the old one stays in use")
            }
        }
        seen = now;
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

/// The open files that a server with so many connections needs.
pub fn files_needed(connections: usize) -> u64 {
    connections as u64 + OTHER_FILES
}

/// Raises the limit of open files to the most that the system allows, and logs a warning if
/// connections need more.
pub fn raise_file_limit(connections: &Connections) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call writes to the struct, which outlives it.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the call only reads the struct, and fails if the limit may not be raised.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    if limit.rlim_max < files_needed(connections.most) {
        let (files, wanted) = (limit.rlim_max, connections.most);
        tracing::warn!(files, wanted, "server.max_connections exceeds the limit of open files");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_address_is_an_error_before_anything_else_starts() {
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = other.local_addr().unwrap();
        let error = take_address(address).unwrap_err().to_string();
        let expected = format!("another program listens on {address}");
        assert!(error.contains(&expected) && error.contains("--listen"), "{error}");
        drop(other);
        let taken = take_address(address).unwrap();
        assert_eq!(taken.listen(1).unwrap().local_addr().unwrap(), address);
    }

    #[test]
    fn other_machines_need_api_keys_or_an_explicit_flag() {
        let (here, there) = ("127.0.0.1:1".parse().unwrap(), "0.0.0.0:1".parse().unwrap());
        assert!(check_reach(here, false, false).is_ok());
        assert!(check_reach(there, true, false).is_ok());
        assert!(check_reach(there, false, true).is_ok());
        let error = check_reach(there, false, false).unwrap_err().to_string();
        assert!(error.contains("keys create") && error.contains("--open-to-everyone"), "{error}");
    }
}
