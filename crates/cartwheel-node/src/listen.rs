//! How the server listens: settings into what the API takes, the certificate that is
//! looked at again, and who may reach the server at all.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use cartwheel_api::{Connections, Tls};
use tokio::net::TcpListener;

use cartwheel_settings::Server;
use cartwheel_settings::origin;

/// How often the certificate's files are looked at.
const TLS_CHECK: Duration = Duration::from_secs(2);
/// Commands that speak to the server at once.
const COMMANDS: usize = 16;
/// Files that are open beside connections: log, lake, sessions.
const OTHER_FILES: u64 = 512;

/// What the API is told of the settings.
///
/// # Errors
/// When an origin cannot be one.
pub fn api_settings(server: &Server) -> Result<cartwheel_api::Settings> {
    let origins = server.cors_origins.iter().map(|text| origin(text));
    Ok(cartwheel_api::Settings {
        max_body: server.max_body_bytes,
        timeout: Duration::from_secs(server.request_seconds),
        cors_origins: origins.collect::<Result<_>>().context("server.cors_origins")?,
        rate_per_key: server.rate_per_key,
        rate_per_address: server.rate_per_address,
        strict_transport: server.tls_cert.is_some(),
        ..cartwheel_api::Settings::default()
    })
}

/// How connections are taken.
///
/// # Errors
/// When the certificate or its key cannot be used.
pub fn connections(server: &Server) -> Result<Connections> {
    let tls = match (&server.tls_cert, &server.tls_key) {
        (Some(cert), Some(key)) => Some(Tls::open(cert, key).context("server.tls_cert")?),
        _ => None,
    };
    Ok(Connections {
        most: server.max_connections,
        idle: Duration::from_secs(server.idle_seconds),
        tls,
        ..Connections::default()
    })
}

/// Refuses to be reached from other machines where no key is asked for, unless told to.
///
/// # Errors
/// What to do.
pub fn check_reach(listen: SocketAddr, keys: bool, open_to_everyone: bool) -> Result<()> {
    if listen.ip().is_loopback() || keys {
        return Ok(());
    }
    anyhow::ensure!(
        open_to_everyone,
        "{listen} can be reached from other machines, and this server asks for no API keys: \
         make one with `cartwheel keys create operator --scope admin`, or listen on 127.0.0.1. \
         With --open-to-everyone it serves whoever comes, who may then read all data, replace \
         the models and erase users"
    );
    tracing::warn!(%listen, "OPEN TO EVERYONE: no API key is asked for, and whoever reaches this \
                            address may do everything");
    eprintln!("WARNING: open to everyone: whoever reaches {listen} may do everything");
    Ok(())
}

/// The address to open in a browser.
pub fn url(address: SocketAddr, connections: &Connections) -> String {
    let scheme = if connections.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// Where the server speaks TLS, this machine's command line reaches it on a port of its
/// own, in plain HTTP and on loopback alone: it need not know the certificate's name.
/// Gives the address, until `ended`.
///
/// # Errors
/// When there is no free port.
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

/// Serves a new certificate from the moment its files are there; runs until dropped.
/// Files that do not go together are told of, and the old ones stay in use.
pub async fn follow_certificate(tls: Tls) {
    let written = || tls.files().map(written);
    let mut seen = written();
    loop {
        tokio::time::sleep(TLS_CHECK).await;
        let now = written();
        if now == seen {
            continue;
        }
        match tls.reload() {
            Ok(()) => tracing::warn!("new connections get the new certificate"),
            Err(error) => tracing::error!(%error, "the certificate stays as it was"),
        }
        seen = now;
    }
}

fn written(path: &Path) -> Option<(SystemTime, u64)> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

/// Lets the process open as many files as the system allows it, and says so where that
/// is less than connections need.
pub fn raise_file_limit(connections: &Connections) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes to the struct that it is given.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: reads the struct; fails where the limit may not be raised.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    if limit.rlim_max < connections.most as u64 + OTHER_FILES {
        let (files, wanted) = (limit.rlim_max, connections.most);
        tracing::warn!(files, wanted, "server.max_connections is more than files may be open");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_let_in_with_keys_or_in_plain_words() {
        let (here, there) = ("127.0.0.1:1".parse().unwrap(), "0.0.0.0:1".parse().unwrap());
        assert!(check_reach(here, false, false).is_ok());
        assert!(check_reach(there, true, false).is_ok());
        assert!(check_reach(there, false, true).is_ok());
        let error = check_reach(there, false, false).unwrap_err().to_string();
        assert!(error.contains("keys create") && error.contains("--open-to-everyone"), "{error}");
    }
}
