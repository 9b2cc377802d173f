//! The imported tables of the account's lake while an import is made here: its manifest comes, and the
//! new parts go with the manifest that names them.

use std::io;
use std::path::Path;

use cartwheel_lake::{ImportSummary, Manifest};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path as Key;
use tokio::runtime::Runtime;

use crate::functions::FunctionError;
use crate::lake::{Lake, LakeError, Read};

/// Parts that are copied at once.
const COPIES: usize = 4;
/// Milliseconds after which parts that no manifest names belong to no import any more: a function
/// lives for 15 minutes.
const ABANDONED_MS: i64 = 3_600_000;

/// A lake of this machine with the account's manifest, for an import.
pub(crate) struct Imported<'a> {
    account: &'a Lake,
    here: cartwheel_lake::Lake,
    /// The account's manifest, and its version. `None` before the first import.
    before: Option<(Manifest, String)>,
    runtime: &'a Runtime,
}

impl<'a> Imported<'a> {
    /// Reads the account's manifest into a new lake in `dir`.
    pub(crate) fn begin(
        account: &'a Lake,
        dir: &Path,
        runtime: &'a Runtime,
    ) -> Result<Self, FunctionError> {
        let here = cartwheel_lake::Lake::open(dir).map_err(io::Error::other)?;
        let found = runtime.block_on(account.read(Manifest::NAME, None))?;
        let mut before = None;
        if let Read::Found(found) = found {
            cartwheel_files::replace(&dir.join(Manifest::NAME), &found.content)?;
            let manifest = here.import_manifest().map_err(io::Error::other)?;
            before = manifest.map(|manifest| (manifest, found.version));
        }
        Ok(Self { account, here, before, runtime })
    }

    /// The lake to import into.
    pub(crate) fn here(&self) -> &cartwheel_lake::Lake {
        &self.here
    }

    /// Copies the new parts and the rejects file to the account, then replaces its manifest, and
    /// removes the parts that no manifest names any more.
    pub(crate) fn publish(
        &self,
        mut summary: ImportSummary,
        now_ms: i64,
        copied: &mut dyn FnMut(usize, usize),
    ) -> Result<ImportSummary, FunctionError> {
        if summary.unchanged {
            return Ok(summary);
        }
        let manifest = self.here.import_manifest().map_err(io::Error::other)?.unwrap_or_default();
        let new = manifest.parts().filter(|part| part.exists()).chain(&summary.rejects);
        let files: Vec<String> = new.map(|file| self.key(file)).collect();
        let total = files.len();
        let mut copies = futures::stream::iter(files)
            .map(|key| async move {
                let content = std::fs::read(self.here.dir().join(&key))?;
                Ok::<_, FunctionError>(self.account.put(&key, content).await?)
            })
            .buffer_unordered(COPIES);
        let mut done = 0;
        while self.runtime.block_on(copies.try_next())?.is_some() {
            done += 1;
            copied(done, total);
        }
        summary.rejects = summary.rejects.map(|rejects| self.key(&rejects).into());
        let written = self.with_rejects(&summary)?;
        let version = self.before.as_ref().map(|(_, version)| version.clone());
        if !self.runtime.block_on(self.account.put_if(Manifest::NAME, written, version))? {
            return Err(FunctionError::Options(
                "another import or an erasure has changed the imported data meanwhile: import again"
                    .to_owned(),
            ));
        }
        // The import is complete. What stays is removed by the next one.
        if let Err(error) = self.runtime.block_on(self.remove_unnamed(&manifest, now_ms)) {
            tracing::warn!(%error, "the parts of an earlier import remain");
        }
        Ok(summary)
    }

    /// The manifest as this lake has it, but for the rejects file, which is in the account.
    fn with_rejects(&self, summary: &ImportSummary) -> Result<Vec<u8>, FunctionError> {
        let text = std::fs::read(self.here.dir().join(Manifest::NAME))?;
        let mut manifest = Manifest::parse(text)?;
        manifest.summary.rejects.clone_from(&summary.rejects);
        if let Some(newest) = manifest.imports.last_mut() {
            newest.summary.rejects.clone_from(&summary.rejects);
        }
        Ok(manifest.to_bytes()?)
    }

    /// Removes the parts of replaced imports, and those that an import has left which was ended.
    async fn remove_unnamed(&self, manifest: &Manifest, now_ms: i64) -> Result<(), LakeError> {
        let named: Vec<String> = manifest.parts().map(|part| self.key(part)).collect();
        let replaced = self.before.iter().flat_map(|(manifest, _)| manifest.parts());
        let replaced: Vec<String> = replaced.map(|part| self.key(part)).collect();
        let Lake(store) = self.account;
        for table in Manifest::TABLES {
            let listed = store.list_with_delimiter(Some(&Key::from(table))).await?;
            for folder in listed.common_prefixes {
                if !folder.filename().is_some_and(|name| name.starts_with("import=")) {
                    continue;
                }
                for part in self.account.objects(folder.as_ref()).await? {
                    let key = part.location.to_string();
                    let age_ms = now_ms - part.last_modified.timestamp_millis();
                    let is_over = age_ms > ABANDONED_MS || replaced.contains(&key);
                    if is_over && !named.contains(&key) {
                        self.account.remove(&key).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The key of a file of this lake.
    fn key(&self, file: &Path) -> String {
        file.strip_prefix(self.here.dir()).unwrap_or(file).to_string_lossy().into_owned()
    }
}
