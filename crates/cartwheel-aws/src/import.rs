//! `import`: a shop's files in the lake's folder `incoming/`, by the code of `cartwheel import`.
//!
//! The import is made on this machine, in a lake that holds nothing but the account's manifest. Its
//! parts are copied to the account, and then the manifest, unless another one has been written
//! meanwhile: an import that ends early changes nothing. `imports/runs/<run>.json` says how far it is
//! and how it ended.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cartwheel_ambient::Clock;
use cartwheel_import::{Content, ImportError, ImportStep, Mapping, Options, Source};
use cartwheel_lake::{EarlierImports, ImportOptions, ImportSummary};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::functions::FunctionError;
use crate::imported::Imported;
use crate::lake::Lake;
use crate::objects::Object;

/// The folder of the shop's files in the lake.
const INCOMING: &str = "incoming";
/// The file of a folder that says what its columns mean.
const MAPPING: &str = "mapping.toml";
/// Most bytes of a folder, as they are stored. On disk, lines of orders take 1.5 times their text, or 8
/// times what gzip makes of it: usually, these fit into 10 GB, and 15 minutes are enough several times.
const MAX_BYTES: u64 = 1 << 30;
/// What helps when an import is too large for a function.
const SMALLER: &str = "import a part of the history from each of several folders, with EARLIER=append \
                       from the second one, or run `cartwheel import` on a machine";
/// Milliseconds between two notes of the progress.
const NOTE_MS: i64 = 2_000;

/// The payload of `import`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The lake: `s3://bucket`, or `s3://bucket/prefix`.
    lake: String,
    /// A name that no other import has. It names the file of the progress.
    run: String,
    /// The folder of the files, below `incoming/`.
    folder: String,
    /// What the files are.
    content: ImportContent,
    /// What happens to data that was imported before.
    #[serde(default)]
    earlier: Earlier,
    /// The share of rows that may be rejected, in percent.
    #[serde(default = "five")]
    max_rejects: f64,
}

/// What the files of an import are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ImportContent {
    Orders,
    Events,
    /// Tables in the Instacart schema.
    Instacart,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Earlier {
    /// Another import is an error; with tables in the Instacart schema, they replace such tables.
    #[default]
    Refuse,
    Append,
    Replace,
}

fn five() -> f64 {
    5.0
}

/// How far an import is, and its answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Note {
    state: State,
    /// For people.
    message: String,
    /// The counts of an import that is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    summary: Option<ImportSummary>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Running,
    Done,
    Failed,
}

/// `import`: imports the files of a folder, and answers with its last note. A failed import is an
/// answer too, so that Lambda does not repeat it.
///
/// # Errors
/// When the note cannot be written. The same call may be repeated.
pub async fn import(
    clock: &Clock,
    timezone: &str,
    scratch: &Path,
    payload: Import,
) -> Result<Value, FunctionError> {
    let worker = (clock.clone(), timezone.to_owned(), scratch.to_owned(), payload);
    let work = move || {
        let (clock, timezone, scratch, payload) = worker;
        let runtime = Arc::new(Builder::new_current_thread().enable_all().build()?);
        let lake = Lake::open(&payload.lake)?;
        Worker { clock, timezone, scratch, payload, lake, runtime }.run()
    };
    // The code of imports blocks.
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

struct Worker {
    clock: Clock,
    timezone: String,
    /// A folder of this import alone, on this machine.
    scratch: PathBuf,
    payload: Import,
    lake: Lake,
    runtime: Arc<Runtime>,
}

impl Worker {
    fn run(&self) -> Result<Value, FunctionError> {
        if !is_name(&self.payload.run) {
            return Err(unnamed("run", &self.payload.run));
        }
        let before = self.runtime.block_on(self.lake.find(&self.notes()))?;
        let before: Option<Note> = before.and_then(|note| serde_json::from_slice(&note).ok());
        let last = match before {
            // Lambda calls again when a function was ended.
            Some(note) if note.state == State::Running => Note {
                state: State::Failed,
                message: format!(
                    "the import was ended while it was {}: it took more than 15 minutes or the \
                     function's memory, and nothing is imported ({SMALLER})",
                    note.message
                ),
                summary: None,
            },
            Some(note) => note,
            None => match self.import() {
                Ok(summary) => {
                    let message = summary.to_string();
                    Note { state: State::Done, message, summary: Some(summary) }
                }
                Err(error) => {
                    let message = explained(&error);
                    tracing::error!(run = self.payload.run, message, "failed");
                    Note { state: State::Failed, message, summary: None }
                }
            },
        };
        self.note(&last)?;
        Ok(json!(last))
    }

    fn notes(&self) -> String {
        format!("imports/runs/{}.json", self.payload.run)
    }

    fn note(&self, note: &Note) -> Result<(), FunctionError> {
        let text = serde_json::to_vec_pretty(note).map_err(io::Error::other)?;
        Ok(self.runtime.block_on(self.lake.put(&self.notes(), text))?)
    }

    /// Notes the progress. A note that S3 does not take is no reason to end the import.
    fn progress(&self, last_ms: &mut i64, message: fmt::Arguments<'_>) {
        let now_ms = self.clock.now_ms();
        if now_ms - *last_ms < NOTE_MS {
            return;
        }
        *last_ms = now_ms;
        let note = Note { state: State::Running, message: message.to_string(), summary: None };
        if let Err(error) = self.note(&note) {
            tracing::warn!(%error, "the progress was not noted");
        }
    }

    fn import(&self) -> Result<ImportSummary, FunctionError> {
        let mut noted = i64::MIN / 2;
        self.progress(&mut noted, format_args!("looking for files"));
        let Import { folder, max_rejects, .. } = &self.payload;
        if !folder.split('/').all(is_name) {
            return Err(unnamed("folder", folder));
        }
        if !(0.0..=100.0).contains(max_rejects) {
            return Err(FunctionError::Options(format!("max_rejects {max_rejects}: 0 to 100 %")));
        }
        let files = self.files()?;
        // What an import left that was ended in this place.
        match std::fs::remove_dir_all(&self.scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let imported = Imported::begin(&self.lake, &self.scratch.join("lake"), &self.runtime)?;
        let summary = match self.payload.content {
            ImportContent::Orders => self.history(Content::Orders, files, &imported, &mut noted)?,
            ImportContent::Events => self.history(Content::Events, files, &imported, &mut noted)?,
            ImportContent::Instacart => self.instacart(&files, &imported, &mut noted)?,
        };
        let mut copied = |done, total| {
            self.progress(&mut noted, format_args!("copying part {done} of {total} to the lake"));
        };
        let summary = imported.publish(summary, self.clock.now_ms(), &mut copied)?;
        std::fs::remove_dir_all(&self.scratch)?;
        Ok(summary)
    }

    /// The files of the folder, by name.
    fn files(&self) -> Result<Vec<Object>, FunctionError> {
        let folder = format!("{}/{INCOMING}/{}", self.payload.lake, self.payload.folder);
        let mut files = self.runtime.block_on(Object::list(&folder))?;
        files.retain(|file| !file.file_name().starts_with('.'));
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        if !files.iter().any(|file| file.file_name() != MAPPING) {
            return Err(FunctionError::Options(format!(
                "{folder}/ holds no file: upload the shop's files first, with \
                 `aws s3 cp --recursive … {folder}/`"
            )));
        }
        if bytes > MAX_BYTES {
            return Err(FunctionError::Options(format!(
                "the files of {folder}/ have {} MiB, and one import takes at most {}: compress \
                 them with gzip or zstd, or {SMALLER}",
                bytes >> 20,
                MAX_BYTES >> 20
            )));
        }
        Ok(files)
    }

    fn history(
        &self,
        content: Content,
        files: Vec<Object>,
        imported: &Imported<'_>,
        noted: &mut i64,
    ) -> Result<ImportSummary, FunctionError> {
        let (mappings, files): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| file.file_name() == MAPPING);
        let mapping = match mappings.first() {
            Some(file) => {
                let text = io::read_to_string(file.reader(Arc::clone(&self.runtime)))?;
                Mapping::parse(&text)
                    .map_err(|error| FunctionError::Options(format!("{}: {error}", file.uri)))?
            }
            None => Mapping::default(),
        };
        let source = |file: Object| file.source(&self.runtime);
        let sources: Vec<Source> = files.into_iter().map(source).collect();
        let options = Options {
            content,
            mapping,
            timezone: self.timezone.clone(),
            header: None,
            max_rejects: self.payload.max_rejects,
            earlier: match self.payload.earlier {
                Earlier::Refuse => EarlierImports::Refuse,
                Earlier::Append => EarlierImports::Keep,
                Earlier::Replace => EarlierImports::Replace,
            },
            services: Vec::new(),
            products: Vec::new(),
            now_ms: self.clock.now_ms(),
            threads: std::thread::available_parallelism().map_or(1, Into::into),
        };
        let mut step = |step: ImportStep| match step {
            ImportStep::Read { bytes, total } => {
                let total = total.unwrap_or(bytes) >> 20;
                self.progress(noted, format_args!("reading {} of {total} MiB", bytes >> 20));
            }
            ImportStep::Write { done, total } => {
                self.progress(noted, format_args!("writing part {done} of {total}"));
            }
        };
        let done = cartwheel_import::import(imported.here(), &sources, &options, &mut step)?;
        Ok(done.summary)
    }

    fn instacart(
        &self,
        files: &[Object],
        imported: &Imported<'_>,
        noted: &mut i64,
    ) -> Result<ImportSummary, FunctionError> {
        let earlier = match self.payload.earlier {
            Earlier::Refuse => EarlierImports::ReplaceKind,
            Earlier::Append => {
                return Err(FunctionError::Options(
                    "tables in the Instacart schema replace such tables: they are not appended"
                        .to_owned(),
                ));
            }
            Earlier::Replace => EarlierImports::Replace,
        };
        // Its reader reads files twice.
        let shop = self.scratch.join("shop");
        std::fs::create_dir_all(&shop)?;
        for file in files {
            self.progress(noted, format_args!("reading {}", file.file_name()));
            let mut copy = BufWriter::new(File::create(shop.join(file.file_name()))?);
            io::copy(&mut file.reader(Arc::clone(&self.runtime)), &mut copy)?;
            io::Write::flush(&mut copy)?;
        }
        let options = ImportOptions { as_of_ms: None, now_ms: self.clock.now_ms(), earlier };
        let summary =
            cartwheel_lake::import::instacart(imported.here(), &shop, &options, &mut |at| {
                let (read, total) = (at.bytes >> 20, at.total_bytes >> 20);
                self.progress(noted, format_args!("importing {read} of {total} MiB"));
            });
        Ok(summary.map_err(ImportError::from)?)
    }
}

/// Whether a name is a single step of a key.
fn is_name(name: &str) -> bool {
    let is_known = |b: u8| b.is_ascii_alphanumeric() || b"-_.=".contains(&b);
    !name.is_empty() && name != ".." && name.len() <= 128 && name.bytes().all(is_known)
}

fn unnamed(what: &str, name: &str) -> FunctionError {
    FunctionError::Options(format!(
        "{what} {name:?} is not a name: letters, digits, `-`, `_`, `.` and `=`, and `/` between folders"
    ))
}

/// An error with what helps here.
fn explained(error: &FunctionError) -> String {
    let hint = match error {
        FunctionError::Import(ImportError::Mapping { .. }) => {
            "say what columns mean in a file mapping.toml beside the others: docs/import.md, Mappings"
        }
        FunctionError::Import(ImportError::Io(full)) | FunctionError::Io(full)
            if full.kind() == io::ErrorKind::StorageFull =>
        {
            SMALLER
        }
        FunctionError::Import(ImportError::TooManyRejects { .. }) => {
            "MAX_REJECTS=PERCENT accepts more"
        }
        FunctionError::Import(ImportError::Lake(cartwheel_lake::ImportError::EarlierData {
            ..
        })) => "EARLIER=append or EARLIER=replace",
        _ => return error.to_string(),
    };
    format!("{error} ({hint})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_what_helps() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        for error in [FunctionError::Import(ImportError::Io(full())), FunctionError::Io(full())] {
            assert!(explained(&error).contains("several folders"), "{error}");
        }
        let other = FunctionError::Io(io::Error::other("no such file"));
        assert_eq!(explained(&other), "import: no such file");
    }
}
