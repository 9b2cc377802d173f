//! The file of API keys, and whether requests need one.
//!
//! `keys.state` says `required` from before the first key is valid until `cartwheel keys disable`
//! writes `disabled`. That no key can be read is never taken for "no key is needed".

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cartwheel_api::{ApiKey, KeyHash, Keys, Scope, key_name};
use serde::{Deserialize, Serialize};

use crate::data_dir::DataDir;

/// Interval at which a server reads the file again.
const KEY_CHECK: Duration = Duration::from_secs(1);

/// A key as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredKey {
    /// The name.
    pub name: String,
    /// SHA-256 of the key, in hexadecimal.
    pub hash: String,
    /// The scopes that it grants.
    pub scopes: Vec<String>,
    /// The time of creation, UTC milliseconds.
    pub created_ms: i64,
    /// The half that pages may contain, if the key has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publishable: Option<String>,
    /// The secret that signs shopper tokens. Signing needs the secret itself, so that it cannot
    /// be stored as a hash. The first releases made keys without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<String>,
}

/// The keys of a data directory.
#[derive(Debug, Clone)]
pub struct KeyFile {
    keys: PathBuf,
    state: PathBuf,
    lock: PathBuf,
}

/// Whether requests need a key, as `keys.state` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A key has existed.
    Required,
    /// An operator has disabled keys.
    Disabled,
    /// There is no such file: no key has existed, or an early release made it.
    Unsaid,
}

const REQUIRED: &str = "required\n";
const DISABLED: &str = "disabled\n";

impl KeyFile {
    /// The file in `data_dir`. It exists from the first key on.
    pub fn new(data_dir: &DataDir) -> Self {
        let keys = data_dir.keys();
        Self { state: data_dir.keys_state(), lock: keys.with_extension("lock"), keys }
    }

    /// Reads every key.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn read(&self) -> Result<Vec<StoredKey>> {
        match cartwheel_files::read_checked(&self.keys) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| self.name()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error).with_context(|| self.name()),
        }
    }

    /// Whether every request needs a key: from the first key on, even if none is left.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn is_required(&self) -> Result<bool> {
        Ok(match self.state()? {
            State::Required => true,
            State::Disabled => !self.read()?.is_empty(),
            State::Unsaid => self.keys.exists(),
        })
    }

    /// Writes down that every request needs a key, unless that is written already.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn require(&self) -> Result<()> {
        match self.state()? {
            State::Required => Ok(()),
            State::Disabled | State::Unsaid => self.write_state(REQUIRED),
        }
    }

    /// Adds a key. From now on, every request needs one.
    ///
    /// # Errors
    /// When a key of that name exists, or the files cannot be written.
    pub fn create(&self, key: StoredKey) -> Result<()> {
        let _turn = self.lock()?;
        let mut keys = self.free(&key.name)?;
        keys.push(key);
        self.require()?;
        self.replace(&keys).with_context(|| self.name())
    }

    /// Returns all keys, of which none has this name.
    ///
    /// # Errors
    /// When one has it, or the file cannot be read.
    pub fn free(&self, name: &str) -> Result<Vec<StoredKey>> {
        let keys = self.read()?;
        anyhow::ensure!(
            !keys.iter().any(|other| other.name == name),
            "a key with the name {name:?} exists already: revoke it first, or choose another name"
        );
        Ok(keys)
    }

    /// Removes a key. Requests need a key as before, even if none is left.
    ///
    /// # Errors
    /// When there is no key of that name, or the file cannot be written.
    pub fn revoke(&self, name: &str) -> Result<()> {
        let _turn = self.lock()?;
        let mut keys = self.read()?;
        let before = keys.len();
        keys.retain(|key| key.name != name);
        anyhow::ensure!(
            keys.len() < before,
            "there is no key with the name {name:?}: see `cartwheel keys list`"
        );
        let written = match self.replace(&keys) {
            Err(error) if is_full(&error) => self.overwrite(&keys),
            written => written,
        };
        written.with_context(|| self.name())
    }

    /// Removes every key. From now on, requests need none.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn disable(&self) -> Result<()> {
        let _turn = self.lock()?;
        self.replace(&[]).with_context(|| self.name())?;
        self.write_state(DISABLED)
    }

    /// Reads the keys as the API checks them.
    ///
    /// # Errors
    /// When the file is damaged. A server must not take that for "no keys".
    pub fn api_keys(&self) -> Result<Vec<ApiKey>> {
        let key = |stored: StoredKey| -> Result<ApiKey> {
            let scopes = stored.scopes.iter().map(|scope| scope.parse::<Scope>());
            let (hash, scopes) =
                (stored.hash.parse::<KeyHash>()?, scopes.collect::<Result<_, _>>()?);
            // The first releases allowed any name, and names are written to logs.
            let name = key_name(&stored.name).map_or_else(|_| hash.short_name(), Into::into);
            let publishable = stored.publishable.as_deref().map(str::parse).transpose()?;
            let signing = stored.signing.as_deref().map(str::parse).transpose()?;
            Ok(ApiKey { name, hash, scopes, publishable, signing })
        };
        let keys = self.read()?.into_iter().map(key).collect::<Result<Vec<_>>>();
        keys.with_context(|| self.name())
    }

    /// Keeps `known` up to date with the files. `may_be_open` says whether a server at this
    /// address may do without keys. Runs until dropped.
    pub(crate) async fn follow(self, known: Keys, may_be_open: bool) {
        let mut seen = None;
        loop {
            tokio::time::sleep(KEY_CHECK).await;
            let found = self.state().and_then(|state| Ok((state, self.api_keys()?)));
            let found = found.map_err(|error| format!("{error:#}"));
            if seen.as_ref() == Some(&found) {
                continue;
            }
            match &found {
                Ok((State::Disabled, keys)) if keys.is_empty() => match may_be_open {
                    true => known.disable(),
                    false => tracing::error!(
                        "keys were disabled, but other machines can reach this server: the old \
                         keys stay valid"
                    ),
                },
                Ok((state, keys)) => {
                    if *state == State::Required {
                        known.require();
                    }
                    known.replace(keys.clone());
                    if keys.is_empty() && known.are_required() {
                        tracing::warn!(
                            "no API key is left, and requests need one: create a key, or run \
                             `cartwheel keys disable`"
                        );
                    }
                }
                Err(error) => tracing::error!(error, "cannot read the keys; keeping the old ones"),
            }
            seen = Some(found);
        }
    }

    /// Lets one process at a time change the keys.
    fn lock(&self) -> Result<File> {
        let lock = File::create(&self.lock).and_then(|file| file.lock().map(|()| file));
        lock.with_context(|| self.lock.display().to_string())
    }

    fn state(&self) -> Result<State> {
        let name = || self.state.display().to_string();
        match std::fs::read_to_string(&self.state) {
            Ok(text) if text == REQUIRED => Ok(State::Required),
            Ok(text) if text == DISABLED => Ok(State::Disabled),
            Ok(_) => anyhow::bail!(
                "{} says neither required nor disabled: write `required` and a line feed into it, \
                 or run `cartwheel keys disable`",
                name()
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::Unsaid),
            Err(error) => Err(error).with_context(name),
        }
    }

    fn write_state(&self, text: &str) -> Result<()> {
        let written = cartwheel_files::replace_private(&self.state, text.as_bytes());
        written.with_context(|| self.state.display().to_string())
    }

    /// Replaces every key. Only the owner of the file may read it, since it holds the secrets
    /// that sign shopper tokens.
    fn replace(&self, keys: &[StoredKey]) -> io::Result<()> {
        cartwheel_files::replace_private_checked(&self.keys, &serde_json::to_vec_pretty(keys)?)
    }

    /// Writes fewer keys over the old ones: on a full disk, a second file has no room. Blanks fill
    /// the rest. A crash in between leaves a damaged file, with which no server starts.
    fn overwrite(&self, keys: &[StoredKey]) -> io::Result<()> {
        let mut file = File::options().write(true).open(&self.keys)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let mut content = serde_json::to_vec_pretty(keys)?;
        // Without a checksum, which would take room too; the next change adds it again.
        content.resize(length.max(content.len()), b' ');
        file.write_all(&content)?;
        file.sync_all()
    }

    fn name(&self) -> String {
        self.keys.display().to_string()
    }
}

/// Whether a write failed because there is no room.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn key(name: &str) -> StoredKey {
        StoredKey {
            name: name.to_owned(),
            hash: KeyHash::of(name).to_string(),
            scopes: vec!["admin".to_owned()],
            created_ms: 1,
            publishable: None,
            signing: None,
        }
    }

    fn file() -> (tempfile::TempDir, KeyFile) {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyFile::new(&DataDir(dir.path().to_owned()));
        (dir, file)
    }

    fn names(file: &KeyFile) -> Vec<String> {
        file.read().unwrap().into_iter().map(|key| key.name).collect()
    }

    #[test]
    fn from_the_first_key_on_requests_need_one_until_keys_are_disabled() {
        let (_dir, file) = file();
        assert!(!file.is_required().unwrap());
        file.create(key("a")).unwrap();
        assert!(file.is_required().unwrap());
        file.revoke("a").unwrap();
        assert!(file.is_required().unwrap() && names(&file).is_empty());
        // Neither file alone opens the server when it disappears.
        for path in [&file.keys, &file.state] {
            file.create(key("b")).unwrap();
            std::fs::remove_file(path).unwrap();
            assert!(file.is_required().unwrap(), "{path:?}");
            let _ = file.revoke("b");
        }
        file.disable().unwrap();
        assert!(!file.is_required().unwrap());
        file.create(key("c")).unwrap();
        assert!(file.is_required().unwrap());
        std::fs::write(&file.state, "requ").unwrap();
        assert!(file.is_required().is_err(), "damage is not taken for an open server");
    }

    #[test]
    fn changes_at_the_same_time_lose_no_key() {
        let (_dir, file) = file();
        let file = Arc::new(file);
        let create = |n: usize| {
            let file = file.clone();
            std::thread::spawn(move || {
                file.create(key(&format!("key-{n}"))).unwrap();
                if n.is_multiple_of(2) {
                    file.revoke(&format!("key-{n}")).unwrap();
                }
            })
        };
        let all: Vec<_> = (0..16).map(create).collect();
        all.into_iter().for_each(|thread| thread.join().unwrap());
        let mut left = names(&file);
        left.sort();
        let mut odd: Vec<String> = (0..16).skip(1).step_by(2).map(|n| format!("key-{n}")).collect();
        odd.sort();
        assert_eq!(left, odd);
    }

    #[test]
    fn on_a_full_disk_fewer_keys_are_written_over_the_old_ones() {
        let (_dir, file) = file();
        file.create(key("a")).unwrap();
        file.create(key("b")).unwrap();
        let before = std::fs::metadata(&file.keys).unwrap().len();
        file.overwrite(&[key("b")]).unwrap();
        assert_eq!(names(&file), ["b"]);
        assert_eq!(std::fs::metadata(&file.keys).unwrap().len(), before, "it takes no more room");
        file.overwrite(&[]).unwrap();
        assert_eq!(file.api_keys().unwrap(), []);
    }

    #[tokio::test]
    async fn a_running_server_stays_closed_whatever_happens_to_the_files() {
        let (_dir, file) = file();
        file.create(key("a")).unwrap();
        let known: Keys = file.api_keys().unwrap().into_iter().collect();
        let follower = tokio::spawn(file.clone().follow(known.clone(), true));
        let pass = || tokio::time::sleep(KEY_CHECK * 3 / 2);
        let aside = file.keys.with_extension("aside");
        std::fs::rename(&file.keys, &aside).unwrap();
        std::fs::remove_file(&file.state).unwrap();
        pass().await;
        assert!(known.are_required(), "moved away");
        std::fs::write(&file.keys, "[]").unwrap();
        pass().await;
        assert!(known.are_required(), "emptied");
        file.disable().unwrap();
        pass().await;
        assert!(!known.are_required(), "disabled");
        file.create(key("b")).unwrap();
        pass().await;
        assert!(known.are_required(), "the next key");
        follower.abort();
    }
}
