//! TLS from files that are replaced while the server runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::serve::{Running, start};
use crate::{Connections, Tls};

/// Writes a certificate for localhost and its key, and returns the certificate.
fn certify(dir: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn open(dir: &Path) -> Result<Tls, crate::TlsError> {
    Tls::open(&dir.join("cert.pem"), &dir.join("key.pem"))
}

async fn connect(
    running: &Running,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(running.address).await?;
    let name = "localhost".try_into().unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

async fn is_served(socket: &mut TlsStream<TcpStream>) -> bool {
    socket.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"ok\n") {
        let mut chunk = [0; 1024];
        let read = socket.read(&mut chunk).await.unwrap();
        if read == 0 {
            return false;
        }
        text.extend_from_slice(&chunk[..read]);
    }
    text.starts_with(b"HTTP/1.1 200")
}

#[tokio::test]
async fn a_new_certificate_serves_new_connections_and_old_ones_stay_open() {
    let dir = tempfile::tempdir().unwrap();
    let first = certify(dir.path());
    let tls = open(dir.path()).unwrap();
    let running = start(Connections { tls: Some(tls.clone()), ..Connections::default() }).await;
    let mut old = connect(&running, &first).await.unwrap();
    assert!(is_served(&mut old).await);

    let second = certify(dir.path());
    assert!(connect(&running, &second).await.is_err(), "nobody has told the server yet");
    tls.reload().unwrap();
    assert!(is_served(&mut connect(&running, &second).await.unwrap()).await);
    assert!(connect(&running, &first).await.is_err());
    assert!(is_served(&mut old).await, "a connection that was there goes on");

    // A damaged file, and a key of another certificate.
    std::fs::write(dir.path().join("cert.pem"), "-----BEGIN CERTIFICATE-----\nnone").unwrap();
    assert!(tls.reload().is_err());
    let third = certify(dir.path());
    let other = tempfile::tempdir().unwrap();
    certify(other.path());
    std::fs::copy(other.path().join("key.pem"), dir.path().join("key.pem")).unwrap();
    assert!(tls.reload().is_err() && connect(&running, &third).await.is_err());
    assert!(is_served(&mut connect(&running, &second).await.unwrap()).await);

    running.stop.send(()).unwrap();
    drop(old);
    assert!(running.server.await.unwrap(), "it ends in order");
}

#[tokio::test]
async fn a_client_without_a_handshake_is_closed_in_time() {
    let dir = tempfile::tempdir().unwrap();
    certify(dir.path());
    let connections = Connections {
        tls: Some(open(dir.path()).unwrap()),
        head: Duration::from_millis(300),
        ..Connections::default()
    };
    let running = start(connections).await;
    let (mut silent, mut plain) = (
        TcpStream::connect(running.address).await.unwrap(),
        TcpStream::connect(running.address).await.unwrap(),
    );
    plain.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    for socket in [&mut silent, &mut plain] {
        let mut answer = Vec::new();
        let read = socket.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(20), read).await.expect("it is closed");
        assert!(!answer.starts_with(b"HTTP"), "nothing is said in plain");
    }
}

#[test]
fn errors_name_the_unusable_file() {
    let dir = tempfile::tempdir().unwrap();
    let error = open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("cert.pem"), "{error}");
    certify(dir.path());
    std::fs::write(dir.path().join("key.pem"), "nothing").unwrap();
    let error = open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("key.pem") && error.contains("private key"), "{error}");
    std::fs::write(dir.path().join("cert.pem"), "").unwrap();
    assert!(open(dir.path()).is_err(), "no certificate is none");
}
