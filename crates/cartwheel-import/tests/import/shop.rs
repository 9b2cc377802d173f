//! A shop's lake and its sources.

use std::path::{Path, PathBuf};

use cartwheel_import::{Content, ImportError, Imported, Mapping, Options, Preview, Source};
use cartwheel_lake::{EarlierImports, Lake};
use serde_json::Value;

/// 2026-01-01T00:00Z.
pub const NOW_MS: i64 = 1_767_225_600_000;

/// The options of a plain call.
pub fn options(content: Content) -> Options {
    Options {
        content,
        mapping: Mapping::default(),
        timezone: "UTC".to_owned(),
        header: None,
        max_rejects: 5.0,
        earlier: EarlierImports::Refuse,
        services: Vec::new(),
        products: Vec::new(),
        now_ms: NOW_MS,
        threads: 2,
    }
}

/// A lake and a folder for sources.
pub struct Shop {
    dir: tempfile::TempDir,
}

impl Shop {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn lake(&self) -> Lake {
        Lake::open(&self.path().join("lake")).unwrap()
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> Source {
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        Source::File(path)
    }

    pub fn import(&self, source: &Source, options: &Options) -> Result<Imported, ImportError> {
        let sources = std::slice::from_ref(source);
        cartwheel_import::import(&self.lake(), sources, options, &mut |_| {})
    }

    /// The events of a user as `kind id product×pieces… time`, by time.
    pub fn events(&self, user: &str) -> Vec<String> {
        let records = self.lake().user_records(user, 1_000).unwrap();
        assert_eq!(records.problems, Vec::<String>::new());
        records.events.iter().map(event).collect()
    }

    /// Every file of the lake with its content.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().join("lake")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push((path.clone(), std::fs::read(path).unwrap()));
                }
            }
        }
        found.retain(|(path, _)| path.extension().is_none_or(|x| x != "lock"));
        found.sort();
        found
    }
}

/// How a source is understood.
pub fn preview(source: &Source, options: &Options) -> Result<Preview, ImportError> {
    cartwheel_import::preview(std::slice::from_ref(source), options, &mut |_| {})
}

fn event(record: &Value) -> String {
    let lists = ["product_ids", "quantities"].map(|name| record[name].as_array().unwrap());
    let items = lists[0].iter().zip(lists[1]);
    let items: Vec<String> = items.map(|(id, n)| format!("{}×{n}", id.as_str().unwrap())).collect();
    let text = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
    let items = record["query"].as_str().map_or(items.join(" "), |query| format!("{query:?}"));
    let time = jiff::Timestamp::from_millisecond(record["received_at_ms"].as_i64().unwrap());
    format!("{} {} {} {}", text("event"), text("event_id"), items, time.unwrap())
}
