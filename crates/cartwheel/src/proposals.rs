//! Changes that an assistant proposes and a person confirms.

use std::io;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use cartwheel_ambient::{Clock, Ids};
use cartwheel_node::DataDir;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most proposals that wait for a person.
const MOST: usize = 100;
/// Digits of a proposal's id.
const DIGITS: usize = 12;

/// A request that changes the shop once a person confirms it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its id, by which a person confirms it.
    pub id: String,
    /// When it was made, UTC milliseconds.
    pub proposed_ms: i64,
    /// What would change, in one sentence.
    pub title: String,
    /// Why, in the words of the assistant.
    pub why: String,
    /// The request of the API that makes the change.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its body, if it has one.
    pub body: Option<Value>,
    /// The page of the console where a person can look first.
    pub console: String,
}

/// The proposals of a data directory: a file each, written once and removed with the decision.
#[derive(Debug, Clone)]
pub struct Proposals {
    folder: PathBuf,
}

impl Proposals {
    /// The proposals in `data_dir`.
    pub fn new(data_dir: &DataDir) -> Self {
        Self { folder: data_dir.proposals() }
    }

    /// Stores a proposal under a new id, which it returns.
    ///
    /// # Errors
    /// When too many wait, or the file cannot be written.
    pub fn add(&self, mut proposal: Proposal, clock: &Clock, ids: &Ids) -> Result<Proposal> {
        anyhow::ensure!(
            self.list()?.len() < MOST,
            "{MOST} proposals wait already: confirm or reject some with `cartwheel proposals`"
        );
        proposal.proposed_ms = clock.now_ms();
        let id = ids.next(proposal.proposed_ms).replace('-', "");
        // The last digits are the random ones.
        proposal.id = id.get(id.len().saturating_sub(DIGITS)..).unwrap_or(&id).to_owned();
        cartwheel_files::create_dir(&self.folder)
            .and_then(|()| {
                let text = serde_json::to_vec_pretty(&proposal)?;
                cartwheel_files::replace(&self.path(&proposal.id), &text)
            })
            .with_context(|| self.folder.display().to_string())?;
        Ok(proposal)
    }

    /// Every proposal that waits, oldest first.
    ///
    /// # Errors
    /// When the folder or a file cannot be read.
    pub fn list(&self) -> Result<Vec<Proposal>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| self.folder.display().to_string()),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let shown = || path.display().to_string();
                let text = std::fs::read(&path).with_context(shown)?;
                found.push(serde_json::from_slice::<Proposal>(&text).with_context(shown)?);
            }
        }
        found.sort_by(|a, b| (a.proposed_ms, &a.id).cmp(&(b.proposed_ms, &b.id)));
        Ok(found)
    }

    /// The proposal with that id.
    ///
    /// # Errors
    /// When there is none, or its file cannot be read.
    pub fn find(&self, id: &str) -> Result<Proposal> {
        let found = self.list()?.into_iter().find(|proposal| proposal.id == id);
        found.with_context(|| {
            format!("no proposal {id:?} waits: `cartwheel proposals list` shows those that do")
        })
    }

    /// Removes a proposal that was decided on.
    ///
    /// # Errors
    /// When its file cannot be removed.
    pub fn remove(&self, proposal: &Proposal) -> Result<()> {
        let path = self.path(&proposal.id);
        std::fs::remove_file(&path).with_context(|| path.display().to_string())
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(id).with_extension("json")
    }
}
