//! The arguments of `serve` and `demo`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::arguments::address;
use crate::commands::generate::ShopSize;
use cartwheel_settings::Server;

/// The arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cartwheel demo\n  cartwheel demo --data ./my-shop")]
pub struct Demo {
    /// Folder with orders in the Instacart schema, to use instead of the synthetic shop.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address and port to listen on.
    #[arg(long, value_parser = address)]
    pub listen: Option<SocketAddr>,
    #[command(flatten)]
    pub size: ShopSize,
}

/// The arguments of `serve`.
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:
  cartwheel serve --listen 127.0.0.1:8080
  cartwheel keys create operator --scope admin && cartwheel serve --listen 0.0.0.0:8443 \
    --tls-cert fullchain.pem --tls-key privkey.pem
  CARTWHEEL_LAKE=s3://lake CARTWHEEL_TABLE=users CARTWHEEL_STREAM=events cartwheel serve --backend aws")]
pub struct Serve {
    /// Address and port to listen on.
    #[arg(long, value_parser = address)]
    pub listen: Option<SocketAddr>,
    /// Certificate chain, PEM. The server then speaks TLS only.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM. The server reloads both files when they change.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Allow listening beyond this machine without API keys. Everyone who reaches the server can
    /// then read all data and replace the models.
    #[arg(long)]
    pub open_to_everyone: bool,
    /// Where stream, users and lake are.
    #[arg(long, value_enum, default_value = "embedded")]
    pub backend: Backend,
}

impl Serve {
    /// The configured server, with the given arguments instead.
    pub fn server(&self, configured: &Server) -> Server {
        Server {
            listen: self.listen.unwrap_or(configured.listen),
            open_to_everyone: self.open_to_everyone || configured.open_to_everyone,
            tls_cert: self.tls_cert.clone().or_else(|| configured.tls_cert.clone()),
            tls_key: self.tls_key.clone().or_else(|| configured.tls_key.clone()),
            ..configured.clone()
        }
    }
}

/// Where stream, users and lake are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Backend {
    /// In the data directory.
    #[default]
    Embedded,
    /// In an AWS account: `CARTWHEEL_LAKE`, `CARTWHEEL_TABLE` and `CARTWHEEL_STREAM` name them,
    /// and the account's usual credentials open them.
    Aws,
}
