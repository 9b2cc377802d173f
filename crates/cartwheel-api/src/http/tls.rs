//! TLS with certificate and key from files that may be replaced while the server runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// Largest certificate or key file, in bytes.
const LARGEST: u64 = 1 << 20;

/// Certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file does not contain what it should.
    #[error("{path}: is no {expected} in PEM: {source}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// The expected content.
        expected: &'static str,
        /// The cause.
        source: pem::Error,
    },
    /// The key does not match the certificate, or its type is not supported.
    #[error("{cert} and {key} cannot be used: {source}")]
    Pair {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// The cause.
        source: rustls::Error,
    },
}

/// A certificate with its key. Clones share it.
#[derive(Clone)]
pub struct Tls {
    cert: Arc<Path>,
    key: Arc<Path>,
    config: Arc<RwLock<Arc<ServerConfig>>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("cert", &self.cert).field("key", &self.key).finish()
    }
}

impl Tls {
    /// Reads the certificate chain, the server's own certificate first, and its key, both PEM.
    ///
    /// # Errors
    /// When a file cannot be read or the key does not match the certificate.
    pub fn open(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let config = Arc::new(RwLock::new(Arc::new(config(cert, key)?)));
        Ok(Self { cert: cert.into(), key: key.into(), config })
    }

    /// Reads the files again. New connections use the new certificate; open ones continue.
    ///
    /// # Errors
    /// As [`Self::open`]; the previous certificate then stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = Arc::new(config(&self.cert, &self.key)?);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// The files.
    pub fn files(&self) -> [&Path; 2] {
        [&self.cert, &self.key]
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone().into()
    }
}

fn config(cert: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let bad = |path: &Path, expected| {
        let path = path.to_owned();
        move |source| TlsError::Pem { path, expected, source }
    };
    let chain = CertificateDer::pem_slice_iter(&read(cert)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(bad(cert, "certificate"))?;
    let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(bad(key, "private key"))?;
    let pair = |source| TlsError::Pair { cert: cert.to_owned(), key: key.to_owned(), source };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let read = || {
        let size = std::fs::metadata(path)?.len();
        match size <= LARGEST {
            true => std::fs::read(path),
            false => Err(std::io::Error::other("is larger than 1 MB")),
        }
    };
    read().map_err(|source| TlsError::Read { path: path.to_owned(), source })
}
