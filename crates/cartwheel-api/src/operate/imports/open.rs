//! The open import: its file, the work on it, and its end.

use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cartwheel_ambient::{Clock, Ids};
use cartwheel_workflow::Progress;
use futures::FutureExt;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::http::blocking::blocking;
use crate::http::problem::{Kind, Problem};
use crate::operate::importer::{ImportFile, Importer, OnProgress};
use crate::operate::imports::check_mapping::check;
use crate::operate::imports::import::Import;
use crate::operate::views::import::{
    EarlierImports, ImportContent, ImportState, ImportView, StartFileImport,
};
use crate::operate::views::import_mapping::ImportMapping;

/// Time after which an import in which nothing happens is discarded, with its file.
const KEEP_MS: i64 = 24 * 3_600_000;
/// Interval at which that is checked.
const CHECK: Duration = Duration::from_secs(60);

/// Imports of uploaded files, one at a time. A file stays until its import is complete or
/// discarded, or until the server starts again.
pub struct Imports {
    folder: PathBuf,
    limit: u64,
    importer: Arc<dyn Importer>,
    clock: Clock,
    ids: Ids,
    open: Mutex<Option<Open>>,
    /// Held while a job on the lake is started, so that two do not find each other missing.
    turn: tokio::sync::Mutex<()>,
    /// Counts the changes of state.
    changes: watch::Sender<u64>,
}

struct Open {
    import: Import,
    /// What is going on.
    task: Option<JoinHandle<()>>,
}

impl Imports {
    /// Imports whose files lie in `folder` and have at most `limit` bytes. Files of an earlier
    /// server are removed.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn new(
        folder: PathBuf,
        limit: u64,
        importer: Arc<dyn Importer>,
        clock: Clock,
    ) -> io::Result<Self> {
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self {
            folder,
            limit,
            importer,
            clock,
            ids: Ids::uuid_v7(),
            open: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            changes: watch::Sender::default(),
        })
    }

    /// Discards what nobody continues. Runs until dropped.
    pub async fn follow(self: Arc<Self>) {
        loop {
            tokio::time::sleep(CHECK).await;
            self.expire().await;
        }
    }

    /// Discards the import if nothing has happened in it for a day.
    pub(crate) async fn expire(&self) {
        let now_ms = self.clock.now_ms();
        let is_old =
            |open: &mut Open| open.import.is_idle() && now_ms - open.import.changed_ms >= KEEP_MS;
        let old = self.open.lock().take_if(is_old);
        if let Some(open) = old {
            let id = open.import.id.clone();
            if self.end(open).await.is_ok() {
                tracing::info!(import = id, "discarded an import that nobody continued");
            }
        }
    }

    /// The largest file, in bytes.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// The mappings that come with the program.
    pub(super) fn presets(&self) -> Vec<String> {
        self.importer.presets()
    }

    /// Orders and events that were imported before.
    pub(super) async fn earlier(&self) -> Result<EarlierImports, Problem> {
        let importer = Arc::clone(&self.importer);
        let detail = "The lake cannot be read at the moment.";
        let earlier = blocking(move || importer.earlier()).await?;
        earlier.map_err(|why| Problem::hiding(Kind::Unavailable, detail, why))
    }

    /// Waits for the turn to start a job on the lake: from looking whether another one runs until
    /// this one does.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Whether an import changes the lake or the catalogue.
    pub(crate) fn is_importing(&self) -> bool {
        let open = self.open.lock();
        open.as_ref().is_some_and(|open| open.import.state == ImportState::Importing)
    }

    /// Begins an import whose file arrives, and returns its id.
    pub(super) fn begin(&self, kind: ImportContent, name: &str) -> Result<String, Problem> {
        let now_ms = self.clock.now_ms();
        let mut open = self.open.lock();
        if let Some(Open { import, .. }) = open.as_ref().filter(|open| open.import.is_open()) {
            let detail = format!(
                "Another import is open: {} of {}. Start it, or discard it with DELETE \
                 /v1/imports/{}.",
                import.kind.as_str(),
                import.name,
                import.id
            );
            return Err(Problem::new(Kind::Conflict, detail));
        }
        if let Some(over) = open.take() {
            self.remove(&over.import.id);
        }
        let id = self.ids.next(now_ms);
        let import = Import::new(id.clone(), kind, file_name(name), now_ms);
        *open = Some(Open { import, task: None });
        Ok(id)
    }

    /// Where the file of an import lies.
    pub(super) fn path(&self, id: &str) -> Option<PathBuf> {
        let open = self.open.lock();
        open.as_ref().filter(|open| open.import.id == id).map(|open| self.file(&open.import))
    }

    fn file(&self, import: &Import) -> PathBuf {
        self.folder.join(&import.id).join(&import.name)
    }

    /// Reports that so many bytes have arrived. Returns whether the import still exists.
    pub(super) fn arrive(&self, id: &str, bytes: u64, total: Option<u64>) -> bool {
        self.change(id, |import, now_ms| {
            import.bytes = bytes;
            import.progress(Progress { what: "uploading".to_owned(), done: bytes, total }, now_ms);
        })
    }

    /// Reads the file of an import that has arrived whole.
    pub(super) fn arrived(self: &Arc<Self>, id: &str) -> Result<(), Problem> {
        self.change(id, Import::arrived);
        self.read(id, ImportMapping::default())
    }

    /// Forgets an import whose file did not arrive.
    pub(super) fn abandon(&self, id: &str) {
        let mut open = self.open.lock();
        if open.as_ref().is_some_and(|open| open.import.id == id) {
            *open = None;
        }
        self.remove(id);
    }

    /// Reads the file with a mapping, in the background.
    pub(super) fn read(self: &Arc<Self>, id: &str, mapping: ImportMapping) -> Result<(), Problem> {
        let mut guard = self.open.lock();
        let open = known(&mut guard, id)?;
        self.check(open.import.kind, &mapping)?;
        open.import.read(mapping, self.clock.now_ms()).map_err(conflict)?;
        let found = self.importer.preview(self.job(&open.import), self.progress(id));
        let (own, id) = (Arc::clone(self), id.to_owned());
        open.task = Some(tokio::spawn(async move {
            let found = unless_panicked(found).await;
            own.change(&id, |import, now_ms| import.found(found, now_ms));
        }));
        drop(guard);
        self.notify();
        Ok(())
    }

    /// Imports the file, in the background.
    pub(super) fn start(
        self: &Arc<Self>,
        id: &str,
        start: StartFileImport,
    ) -> Result<ImportView, Problem> {
        let mut guard = self.open.lock();
        let open = known(&mut guard, id)?;
        open.import.start(self.clock.now_ms()).map_err(conflict)?;
        let ended = self.importer.import(self.job(&open.import), start, self.progress(id));
        let own = Arc::clone(self);
        let of = id.to_owned();
        open.task = Some(tokio::spawn(async move {
            let ended = unless_panicked(ended).await;
            if ended.is_ok() {
                // The lake has it all, and an erasure reaches no other copy.
                own.remove(&of);
            }
            own.change(&of, |import, now_ms| import.ended(ended, now_ms));
        }));
        let view = self.view_of(&open.import);
        drop(guard);
        self.notify();
        Ok(view)
    }

    /// Ends what is going on in an import and removes everything of it.
    pub(super) async fn discard(&self, id: &str) -> Result<(), Problem> {
        let open = {
            let mut guard = self.open.lock();
            known(&mut guard, id)?;
            guard.take()
        };
        match open {
            Some(open) => self.end(open).await,
            None => Ok(()),
        }
    }

    /// Ends what is going on in an import that is no longer open, and removes everything of it.
    async fn end(&self, Open { import, task }: Open) -> Result<(), Problem> {
        self.notify();
        if let Some(task) = task {
            task.abort();
            // Its child processes end with it.
            let _ = task.await;
        }
        let folder = self.folder.join(&import.id);
        let importer = Arc::clone(&self.importer);
        // Products are written by the server itself, whole.
        let may_have_written =
            import.state == ImportState::Importing && import.kind != ImportContent::Products;
        blocking(move || {
            remove_folder(&folder);
            if may_have_written && let Err(error) = importer.clean() {
                tracing::warn!(error, "parts of a discarded import remain until the next one");
            }
        })
        .await
    }

    /// The import.
    pub(super) fn view(&self, id: &str) -> Result<ImportView, Problem> {
        let mut guard = self.open.lock();
        Ok(self.view_of(&known(&mut guard, id)?.import))
    }

    /// The import that is open or ended last.
    pub(super) fn last(&self) -> Option<ImportView> {
        self.open.lock().as_ref().map(|open| self.view_of(&open.import))
    }

    /// The import as soon as it is read, or after `limit`.
    pub(super) async fn when_read(&self, id: &str, limit: Duration) -> Result<ImportView, Problem> {
        let mut changes = self.changes.subscribe();
        let wait = async {
            loop {
                changes.mark_unchanged();
                match self.view(id) {
                    Ok(view) if view.state == ImportState::Reading => {}
                    other => return other,
                }
                if changes.changed().await.is_err() {
                    return self.view(id);
                }
            }
        };
        tokio::time::timeout(limit, wait).await.unwrap_or_else(|_| self.view(id))
    }

    fn view_of(&self, import: &Import) -> ImportView {
        import.view(self.importer.fields(import.kind), self.clock.now_ms())
    }

    fn check(&self, kind: ImportContent, mapping: &ImportMapping) -> Result<(), Problem> {
        check(mapping, kind, &self.importer.fields(kind), &self.presets())
    }

    fn job(&self, import: &Import) -> ImportFile {
        let path = self.file(import);
        ImportFile { path, kind: import.kind, mapping: import.mapping.clone() }
    }

    fn progress(self: &Arc<Self>, id: &str) -> OnProgress {
        let (own, id) = (Arc::downgrade(self), id.to_owned());
        Arc::new(move |progress| {
            if let Some(own) = own.upgrade() {
                own.change(&id, |import, now_ms| import.progress(progress, now_ms));
            }
        })
    }

    /// Changes an import, if it still exists.
    fn change(&self, id: &str, change: impl FnOnce(&mut Import, i64)) -> bool {
        let mut guard = self.open.lock();
        let Ok(open) = known(&mut guard, id) else { return false };
        change(&mut open.import, self.clock.now_ms());
        drop(guard);
        self.notify();
        true
    }

    fn notify(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn remove(&self, id: &str) {
        remove_folder(&self.folder.join(id));
    }
}

fn known<'a>(open: &'a mut Option<Open>, id: &str) -> Result<&'a mut Open, Problem> {
    let missing = || {
        let detail = "There is no such import: it was discarded, or the server has started again.";
        Problem::new(Kind::NotFound, detail)
    };
    open.as_mut().filter(|open| open.import.id == id).ok_or_else(missing)
}

fn conflict(detail: String) -> Problem {
    Problem::new(Kind::Conflict, detail)
}

fn remove_folder(folder: &Path) {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, folder = %folder.display(), "cannot remove an uploaded file");
        }
        _ => {}
    }
}

/// The result of work, or an error if it panics.
async fn unless_panicked<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let ended = AssertUnwindSafe(work).catch_unwind().await;
    ended.unwrap_or_else(|_| Err("The server has a bug: its log has the cause.".to_owned()))
}

/// Longest name of a file, in bytes.
const LONGEST_NAME: usize = 120;

/// A name for the file on disk that looks like the one given.
fn file_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = |c: char| if c.is_alphanumeric() || " ._-()".contains(c) { c } else { '_' };
    let name: String = last.chars().map(plain).collect();
    let name = name[..name.floor_char_boundary(LONGEST_NAME)].trim();
    // Names that begin so are hidden or look like options.
    match name.strip_prefix(['.', '-']) {
        Some(rest) => format!("_{rest}"),
        None if name.is_empty() => "file".to_owned(),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_lead_nowhere_else() {
        for (given, expected) in [
            ("orders 2025.csv.gz", "orders 2025.csv.gz"),
            ("C:\\shop\\bestellungen-größe.csv", "bestellungen-größe.csv"),
            ("../../etc/passwd", "passwd"),
            ("..", "_."),
            ("-", "_"),
            ("a*b?\u{0}\n.csv", "a_b___.csv"),
            ("", "file"),
        ] {
            assert_eq!(file_name(given), expected, "{given:?}");
        }
        assert!(file_name(&"ä".repeat(500)).len() <= LONGEST_NAME);
    }
}
