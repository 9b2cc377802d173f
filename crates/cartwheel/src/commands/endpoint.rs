//! `endpoint`: scores over HTTP, as SageMaker's XGBoost container answers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cartwheel_api::Connections;
use cartwheel_endpoint::{Format, router};
use cartwheel_forest::Forest;
use cartwheel_node::interrupted;
use cartwheel_registry::layout::MANIFEST;
use clap::{Args, ValueEnum};
use tokio::net::TcpListener;

use crate::arguments::address;
use crate::commands::serve::run_server;

/// The largest body that can be allowed. SageMaker itself sends at most 100 MB.
const MOST_BYTES: u64 = 100 << 20;

/// The arguments of `endpoint`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cartwheel endpoint --model data/lake/models/20261123-211200
  cartwheel endpoint --model model.json --listen 127.0.0.1:9000
  curl --data-binary @rows.csv -H 'content-type: text/csv' http://127.0.0.1:8080/invocations
  docker run -v ./model:/opt/ml/model IMAGE cartwheel endpoint serve")]
pub struct Endpoint {
    /// SageMaker's argument for containers: listen on every address, and take the model from
    /// /opt/ml/model.
    #[arg(value_enum, value_name = "serve")]
    mode: Option<Mode>,
    /// Model: a file that XGBoost 1.7 or later has written (JSON or UBJ), a model.tar.gz, a model's folder of
    /// `cartwheel models list`, or a folder with one such file.
    #[arg(
        long,
        value_name = "PATH",
        required_unless_present = "mode",
        default_value_if("mode", "serve", "/opt/ml/model")
    )]
    model: Option<PathBuf>,
    /// Address and port to listen on. There are no API keys: whoever reaches it can ask for scores
    /// [default: 127.0.0.1:8080; with `serve`, 0.0.0.0 and the port of SAGEMAKER_BIND_TO_PORT or 8080].
    #[arg(long, value_parser = address)]
    listen: Option<SocketAddr>,
    /// Largest body.
    #[arg(long, value_name = "BYTES", env = "MAX_CONTENT_LENGTH", default_value_t = 6 << 20,
          value_parser = clap::value_parser!(u64).range(1..=MOST_BYTES))]
    max_body: u64,
    /// Format of answers to requests that accept any: text/csv or application/json.
    #[arg(
        long,
        value_name = "TYPE",
        env = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT",
        default_value = "text/csv"
    )]
    accept: Format,
}

/// What SageMaker starts a container for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Serving a model.
    Serve,
}

impl Endpoint {
    fn address(&self) -> Result<SocketAddr> {
        if let Some(listen) = self.listen {
            return Ok(listen);
        }
        if self.mode.is_none() {
            return Ok(([127, 0, 0, 1], 8080).into());
        }
        let port = match std::env::var("SAGEMAKER_BIND_TO_PORT") {
            Ok(port) => {
                port.parse().with_context(|| format!("SAGEMAKER_BIND_TO_PORT is {port:?}"))?
            }
            Err(_) => 8080,
        };
        Ok(([0, 0, 0, 0], port).into())
    }
}

/// Serves until Ctrl-C or SIGTERM, then waits up to 6 s for open requests.
pub fn run(args: &Endpoint) -> Result<()> {
    let path = args.model.as_deref().context("--model names no model")?;
    let forest = load(path).with_context(|| format!("{} cannot be served", path.display()))?;
    let listen = args.address()?;
    let settings = cartwheel_endpoint::Settings {
        max_body: usize::try_from(args.max_body)?,
        usual: args.accept,
        batch: std::env::var_os("SAGEMAKER_BATCH").is_some_and(|batch| !batch.is_empty()),
    };
    run_server(async {
        let interrupted = interrupted();
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("listen on {listen}"))?;
        let (trees, features) = (forest.trees(), forest.features());
        let address = listener.local_addr()?;
        eprintln!(
            "Scoring at http://{address}  ({trees} trees, {features} features; Ctrl-C stops)"
        );
        let router = router(forest, settings);
        let connections = Connections::default();
        if !cartwheel_api::serve(listener, router, connections, interrupted).await {
            tracing::warn!("the shutdown interrupted some requests");
        }
        Ok(())
    })
}

/// Reads and verifies a model.
fn load(path: &Path) -> Result<Forest> {
    let file = if path.is_dir() {
        if path.join(MANIFEST).exists() {
            let version = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let models = path.parent().unwrap_or(Path::new(""));
            return Ok(cartwheel_registry::read(models, version)?.forest);
        }
        only_file(path)?
    } else {
        path.to_owned()
    };
    let bytes = std::fs::read(&file).with_context(|| file.display().to_string())?;
    // The archive that SageMaker's training leaves is gzip.
    let model = match bytes.starts_with(&[0x1f, 0x8b]) {
        true => cartwheel_registry::extract(&bytes)?,
        false => bytes,
    };
    Ok(Forest::from_bytes(&model)?)
}

/// The file of a folder that has one, apart from hidden ones.
fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    anyhow::ensure!(
        files.len() == 1,
        "the folder has {} files: it has to have one, the model",
        files.len()
    );
    Ok(files.remove(0))
}
