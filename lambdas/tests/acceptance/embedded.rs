//! The shop as a server on one machine.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cartwheel_node::{DataDir, Extras, ServeOptions, serve};
use cartwheel_settings::Settings;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::learned::{Learned, files_below};
use crate::shop::Shop;

/// Longest wait for the server to start, and to follow a release.
const LIMIT: Duration = Duration::from_secs(30);

pub struct Embedded<'a> {
    learned: &'a Learned,
    data_dir: DataDir,
    address: String,
    /// Ends the server.
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl<'a> Embedded<'a> {
    /// A server over what the shop has learned from. No release serves yet.
    pub async fn open(learned: &'a Learned) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = DataDir(dir.path().join("data"));
        copy(&learned.lake(), &data_dir.lake());
        let (stop, stopped) = oneshot::channel();
        let place = data_dir.clone();
        let server = std::thread::spawn(move || run(&place, stopped));
        let address = until("the server starts", || {
            std::fs::read_to_string(data_dir.server()).ok().filter(|text| text.contains(':'))
        });
        let (stop, server, address) = (Some(stop), Some(server), address.await);
        Self { learned, data_dir, address, stop, server, _dir: dir }
    }
}

/// Serves a data directory on a free port until it is stopped.
fn run(data_dir: &DataDir, stopped: oneshot::Receiver<()>) {
    let mut settings = Settings::default();
    settings.delivery.max_age_seconds = 1;
    let mut server = settings.server.clone();
    server.listen.set_port(0);
    let extras = Extras::default();
    let options = ServeOptions { data_dir, settings: &settings, server, config: None, extras };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::select! {
            served = serve(options) => panic!("the server ended: {served:?}"),
            _ = stopped => {}
        }
    });
    runtime.shutdown_timeout(LIMIT);
}

fn copy(from: &Path, to: &Path) {
    for path in files_below(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(path, target).unwrap();
    }
}

/// Waits until something is there.
async fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < LIMIT, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Drop for Embedded<'_> {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.server.take().map(JoinHandle::join);
        // A failed server has failed the scenario, too.
        assert!(std::thread::panicking() || ended.is_none_or(|ended| ended.is_ok()));
    }
}

impl Shop for Embedded<'_> {
    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (address, method, path) = (self.address.clone(), method.to_owned(), path.to_owned());
        let body = body.map(|body| body.to_string());
        let asked = tokio::task::spawn_blocking(move || {
            cartwheel_testkit::request(&address, &method, &path, body.as_deref(), &headers)
        });
        asked.await.unwrap().expect("an answer")
    }

    async fn operate(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.call(method, path, body).await
    }

    async fn catch_up(&mut self) {}

    async fn deliver(&mut self) {}

    async fn erase_from_lake(&mut self) {}

    async fn lake_files(&self) -> Vec<(String, Vec<u8>)> {
        let lake = self.data_dir.lake();
        let parquet =
            files_below(&lake).into_iter().filter(|p| p.extension() == Some("parquet".as_ref()));
        // A compaction may remove a part that it has merged.
        let read = |path: PathBuf| {
            Some((path.strip_prefix(&lake).ok()?.to_str()?.to_owned(), std::fs::read(&path).ok()?))
        };
        parquet.filter_map(read).collect()
    }

    async fn publish(&mut self) {
        cartwheel_registry::publish(&self.data_dir.releases(), &self.learned.release()).unwrap();
        let start = Instant::now();
        while self.call("GET", "/readyz", None).await.1["engine"]["model_version"]
            != self.learned.model.as_str()
        {
            assert!(start.elapsed() < LIMIT, "the server does not follow the release");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn learned(&self) -> &Learned {
        self.learned
    }
}
