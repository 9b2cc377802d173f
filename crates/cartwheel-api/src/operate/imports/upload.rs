//! Receives the file of an import: the body, as it is, to a file on disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header;
use futures::StreamExt;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;

use crate::http::problem::{Kind, Problem};
use crate::http::request::media_type;
use crate::operate::imports::open::Imports;

/// Content types of forms, and none: what a page can send to another site without a preflight.
const FORMS: [&str; 4] =
    ["", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded"];

/// A file that arrives. It is removed with its import unless it arrives whole.
struct Upload<'a> {
    imports: &'a Imports,
    id: &'a str,
    limit: u64,
    bytes: u64,
    /// As the client says.
    total: Option<u64>,
    is_whole: bool,
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            self.imports.abandon(self.id);
        }
    }
}

/// Checks that a request brings a file that fits, and returns its size if the client says it.
///
/// # Errors
/// When the body is too large, or a form, or encoded in a way that is not known.
pub(super) fn check(request: &Request, limit: u64) -> Result<Option<u64>, Problem> {
    let value = |name| {
        let value = request.headers().get(name).and_then(|value| value.to_str().ok());
        value.map(str::to_ascii_lowercase)
    };
    if FORMS.contains(&&*media_type(request)) {
        return Err(unsupported("content-type", "The content type is not that of a file."));
    }
    // An import recognises both by the file's own beginning.
    let coding = value(header::CONTENT_ENCODING);
    if coding.is_some_and(|coding| !["gzip", "x-gzip", "zstd", "identity"].contains(&&*coding)) {
        return Err(unsupported("content-encoding", "The content-encoding is not supported."));
    }
    let total = value(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    if total.is_some_and(|total| total > limit) { Err(too_large(limit)) } else { Ok(total) }
}

/// Writes the body of a request to the file of import `id`.
///
/// # Errors
/// When the body is too large, ends early or arrives too slowly, when the import is discarded or
/// the server stops, or when the disk is full. Nothing remains of the import.
pub(super) async fn receive(
    imports: &Arc<Imports>,
    id: &str,
    total: Option<u64>,
    request: Request,
    silence: Duration,
    mut closing: watch::Receiver<bool>,
) -> Result<(), Problem> {
    let limit = imports.limit();
    let mut upload = Upload { imports, id, limit, bytes: 0, total, is_whole: false };
    let path = imports.path(id).ok_or_else(discarded)?;
    let mut file = create(path).await.map_err(unwritable)?;
    let mut pieces = request.into_body().into_data_stream();
    loop {
        let piece = tokio::select! {
            piece = tokio::time::timeout(silence, pieces.next()) => piece,
            // The sender lives as long as the state.
            _ = closing.wait_for(|closing| *closing) => {
                return Err(Problem::new(Kind::Unavailable, "The server is stopping."));
            }
        };
        let slow = |_| Problem::new(Kind::SlowBody, "The file did not arrive in time.");
        let Some(piece) = piece.map_err(slow)? else { break };
        let piece =
            piece.map_err(|_| Problem::new(Kind::MalformedJson, "The body ended early."))?;
        upload.add(piece.len())?;
        file.write_all(&piece).await.map_err(unwritable)?;
    }
    file.flush().await.map_err(unwritable)?;
    if upload.bytes == 0 {
        return Err(Problem::field("", "The body is empty.", "the file itself"));
    }
    upload.is_whole = true;
    imports.arrived(id)
}

impl Upload<'_> {
    fn add(&mut self, bytes: usize) -> Result<(), Problem> {
        self.bytes += bytes as u64;
        if self.bytes > self.limit {
            return Err(too_large(self.limit));
        }
        let exists = self.imports.arrive(self.id, self.bytes, self.total);
        if exists { Ok(()) } else { Err(discarded()) }
    }
}

async fn create(path: PathBuf) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    File::create(path).await
}

fn too_large(limit: u64) -> Problem {
    let detail = "The file is larger than the server accepts. Compress it with gzip or zstd, split \
                  it, raise import.max_upload_bytes, or import it on the server with `cartwheel \
                  import`.";
    Problem {
        expected: Some(format!("at most {limit} bytes")),
        ..Problem::new(Kind::PayloadTooLarge, detail)
    }
}

fn unsupported(field: &str, detail: &str) -> Problem {
    Problem {
        field: Some(field.to_owned()),
        expected: Some(
            "the file itself as the body, such as curl --data-binary @FILE -H 'content-type: \
             application/octet-stream'"
                .to_owned(),
        ),
        ..Problem::new(Kind::UnsupportedMediaType, detail)
    }
}

fn discarded() -> Problem {
    Problem::new(Kind::Conflict, "The import was discarded while its file arrived.")
}

fn unwritable(error: std::io::Error) -> Problem {
    let detail = "The file cannot be stored: the disk may be full.";
    Problem::hiding(Kind::Unavailable, detail, error)
}
