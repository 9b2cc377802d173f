//! The pending erasures of a lake on S3.
//!
//! One object has the list that a server keeps in its data directory. Every change is a conditional
//! put, since functions change it side by side; the feature job and `load` read it.

use cartwheel_events::UserId;
use cartwheel_lake::{Erasure, ErasureError, ErasureList};
use cartwheel_sessions::StoreError;

use crate::lake::{Lake, LakeError, Read};
use crate::retry::{TRIES, pause};
use crate::users::Users;

/// The name of the list.
const LIST: &str = "erasures/pending.json";
/// Attempts to change the list while others change it.
const RACES: u32 = 20;

/// Why erasures could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErasuresError {
    /// The lake does not answer.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The list, or how far a round is, is damaged.
    #[error("{object} is damaged: restore an earlier version of the object ({error})")]
    Damaged {
        /// The object's name.
        object: &'static str,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// The list is full.
    #[error(transparent)]
    List(#[from] ErasureError),
    /// Others changed the list each time.
    #[error("{LIST} changed {RACES} times meanwhile; try again")]
    Busy,
    /// The table does not answer.
    #[error(transparent)]
    Users(#[from] StoreError),
}

fn damaged(error: serde_json::Error) -> ErasuresError {
    ErasuresError::Damaged { object: LIST, error }
}

/// The pending erasures of a lake.
#[derive(Debug, Clone)]
pub struct LakeErasures {
    lake: Lake,
}

impl LakeErasures {
    /// The erasures of `lake`.
    pub fn new(lake: Lake) -> Self {
        Self { lake }
    }

    /// Reads the list.
    ///
    /// # Errors
    /// When S3 fails, or the list is damaged.
    pub async fn list(&self) -> Result<ErasureList, ErasuresError> {
        Ok(self.newest().await?.0)
    }

    async fn newest(&self) -> Result<(ErasureList, Option<String>), ErasuresError> {
        match self.lake.read(LIST, None).await? {
            Read::Missing | Read::Unchanged => Ok((ErasureList::default(), None)),
            Read::Found(found) => {
                let list = serde_json::from_slice(&found.content);
                Ok((list.map_err(damaged)?, Some(found.version)))
            }
        }
    }

    /// Changes the list, durably, and returns the result of `change`. It is called again if another
    /// process changed the list meanwhile.
    ///
    /// # Errors
    /// When `change` fails, S3 fails, or the list is damaged. The list may then have changed.
    pub async fn change<T>(
        &self,
        change: impl Fn(&mut ErasureList) -> Result<T, ErasureError>,
    ) -> Result<T, ErasuresError> {
        for n in 1..=RACES {
            let (before, version) = self.newest().await?;
            let mut list = before.clone();
            let result = change(&mut list)?;
            if list == before {
                return Ok(result);
            }
            let content = serde_json::to_vec(&list).map_err(damaged)?;
            if self.lake.put_if(LIST, content, version).await? {
                return Ok(result);
            }
            pause(n.min(TRIES)).await;
        }
        Err(ErasuresError::Busy)
    }

    /// Erases a shopper from the table, and records that the lake has to follow. `now_ms` is the
    /// current time, UTC milliseconds: what is accepted later stays. The same call may be repeated.
    ///
    /// # Errors
    /// When list or table do not answer. If the list has the shopper, the worker does the rest.
    pub async fn erase(
        &self,
        users: &Users,
        user_id: &UserId,
        now_ms: i64,
    ) -> Result<Erasure, ErasuresError> {
        let user = user_id.to_string();
        // Records on AWS have no place in one order: the time divides them.
        let erasure = Erasure { user_id: user, before: 0.into(), erased_at_ms: now_ms };
        self.change(|list| list.add(erasure.clone())).await?;
        users.forget(user_id, now_ms).await?;
        Ok(erasure)
    }
}
