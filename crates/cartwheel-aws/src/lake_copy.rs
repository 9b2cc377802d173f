//! Copies of a few of a lake's objects in a directory, so that the code of a local lake reads them
//! and erases from them.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cartwheel_lake::{Lake as Folder, Manifest};
use futures::TryStreamExt;
use futures::stream::{self, StreamExt};
use object_store::{ObjectMeta, ObjectStoreExt};
use tempfile::TempDir;

use crate::lake::{Lake, LakeError};

/// Downloads at once.
const CONCURRENT: usize = 8;

/// The folders of delivered tables that have users.
pub(crate) const DELIVERED: [&str; 2] = ["events", "impressions"];

/// The lake's manifest of imports, and its version. An empty one before the first import.
pub(crate) async fn manifest(lake: &Lake) -> Result<(Manifest, Option<String>), LakeError> {
    match lake.read(Manifest::NAME, None).await? {
        crate::lake::Read::Found(found) => {
            let manifest = Manifest::parse(found.content.to_vec());
            let manifest = manifest.map_err(|error| LakeError::file(Manifest::NAME, error))?;
            Ok((manifest, Some(found.version)))
        }
        _ => Ok((Manifest::default(), None)),
    }
}

/// The objects of the lake that may hold users: delivered parts and the parts of imports, the newest
/// first.
pub(crate) async fn objects(
    lake: &Lake,
    manifest: &Manifest,
) -> Result<Vec<ObjectMeta>, LakeError> {
    let named: Vec<String> = manifest.parts().map(|part| part.display().to_string()).collect();
    let mut found = Vec::new();
    for table in DELIVERED {
        found.extend(lake.objects(table).await?);
    }
    for table in ["orders", "order_products"] {
        if named.iter().any(|part| part.starts_with(table)) {
            found.extend(lake.objects(table).await?);
        }
    }
    found.retain(|object| {
        let key = object.location.as_ref();
        // Parts of imports that no manifest names are of no table.
        let is_import = key.contains("/import=") || !DELIVERED.iter().any(|t| key.starts_with(t));
        key.ends_with(".parquet") && (!is_import || named.iter().any(|part| part == key))
    });
    found.sort_by(|a, b| place(b).cmp(place(a)));
    Ok(found)
}

/// What objects are ordered by. A part that replaces another follows it: `part-00000-1` comes after
/// `part-00000`.
pub(crate) fn place(object: &ObjectMeta) -> &str {
    object.location.as_ref().trim_end_matches(".parquet")
}

/// Groups objects into batches of at most `bytes`, but at least one object each.
pub(crate) fn batches(objects: Vec<ObjectMeta>, bytes: u64) -> Vec<Vec<ObjectMeta>> {
    let mut batches: Vec<Vec<ObjectMeta>> = Vec::new();
    let mut size = 0;
    for object in objects {
        match batches.last_mut().filter(|_| size + object.size <= bytes) {
            Some(batch) => batch.push(object.clone()),
            None => {
                batches.push(vec![object.clone()]);
                size = 0;
            }
        }
        size += object.size;
    }
    batches
}

/// Tells whether a file was replaced. Its time alone does not: a clock tick of the kernel is
/// milliseconds long. Both files exist while one replaces the other, so their inodes differ.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    written: SystemTime,
}

impl Stamp {
    fn of(file: &Metadata) -> io::Result<Self> {
        Ok(Self { inode: file.ino(), bytes: file.len(), written: file.modified()? })
    }
}

/// Copies an object into a file. Returns its name and the file's stamp.
async fn copy(lake: Lake, object: ObjectMeta, path: PathBuf) -> Result<(String, Stamp), LakeError> {
    let key = object.location.as_ref();
    let failed = |error: io::Error| LakeError::file(key, error);
    std::fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(failed)?;
    let mut file = std::fs::File::create(&path).map_err(failed)?;
    let mut content = lake.0.get(&object.location).await?.into_stream();
    while let Some(bytes) = content.try_next().await? {
        file.write_all(&bytes).map_err(failed)?;
    }
    let stamp = file.metadata().and_then(|file| Stamp::of(&file)).map_err(failed)?;
    Ok((key.to_owned(), stamp))
}

/// A part of a lake in a temporary directory.
#[derive(Debug)]
pub(crate) struct LakeCopy {
    dir: TempDir,
    /// Each file as it was copied.
    files: BTreeMap<String, Stamp>,
}

/// How a file of a copy has changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Removed,
    /// It has other rows, which are in this file.
    Rewritten(PathBuf),
}

impl LakeCopy {
    /// Copies objects, and a manifest that names those of them which are of imports.
    pub(crate) async fn of(
        lake: &Lake,
        objects: &[ObjectMeta],
        manifest: &Manifest,
    ) -> Result<Self, LakeError> {
        let dir = tempfile::tempdir().map_err(|error| LakeError::file("temporary files", error))?;
        let copies = objects.iter().cloned().map(|object| {
            let (lake, path) = (lake.clone(), dir.path().join(object.location.as_ref()));
            copy(lake, object, path)
        });
        let files: BTreeMap<String, Stamp> =
            stream::iter(copies).buffer_unordered(CONCURRENT).try_collect().await?;
        let mut own = manifest.clone();
        own.replace(|part| match files.contains_key(&*part.to_string_lossy()) {
            true => None,
            false => Some(Vec::new()),
        });
        let failed = |error: io::Error| LakeError::file(Manifest::NAME, error);
        let path = dir.path().join(Manifest::NAME);
        std::fs::create_dir_all(path.parent().unwrap_or(dir.path())).map_err(failed)?;
        std::fs::write(&path, own.to_bytes().map_err(failed)?).map_err(failed)?;
        Ok(Self { dir, files })
    }

    /// Opens the copy as a lake.
    pub(crate) fn open(&self) -> Result<Folder, cartwheel_lake::LakeError> {
        Folder::open(self.dir.path())
    }

    /// What was done to the files since they were copied. A part of an import is replaced under
    /// another name, which the manifest of the copy then has.
    pub(crate) fn changes(&self) -> io::Result<(BTreeMap<String, Change>, Manifest)> {
        let mut changes = BTreeMap::new();
        for (key, copied) in &self.files {
            let path = self.dir.path().join(key);
            match path.metadata().and_then(|file| Stamp::of(&file)) {
                Ok(now) if now == *copied => {}
                Ok(_) => drop(changes.insert(key.clone(), Change::Rewritten(path))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    changes.insert(key.clone(), Change::Removed);
                }
                Err(error) => return Err(error),
            }
        }
        let manifest = Manifest::parse(std::fs::read(self.dir.path().join(Manifest::NAME))?)?;
        Ok((changes, manifest))
    }

    /// The file of that name in the lake.
    pub(crate) fn path(&self, key: &Path) -> PathBuf {
        self.dir.path().join(key)
    }
}
