//! Imported events of the last seven days enter the sessions, as if they were backfilled.
//!
//! Each import is added once, shopper by shopper. Its id goes into the table of sessions when all
//! of its shoppers are written. After a crash before that, an import is added again, which changes
//! nothing: a session takes no event twice.

use std::sync::Arc;

use cartwheel_ambient::Clock;
use tokio::sync::mpsc;

use crate::imported_events::{ImportedEvents, ShopperEvents};
use crate::session::SESSION_MS;
use crate::session_table::StoreError;
use crate::sessions::Sessions;

/// Shoppers who are locked, changed and written together.
const BATCH: usize = 200;
/// Shoppers who are read ahead.
const WAITING: usize = 2 * BATCH;

/// Why imported events are not in the sessions.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The imports cannot be read now.
    #[error("{0}")]
    Unread(String),
}

/// Adds the imports that are not in the sessions yet. With `is_locked`, the caller holds the locks
/// of all users; otherwise the users of each batch are locked until they are written, so that no
/// later event of theirs may be in the stream while an import is only in memory.
pub(crate) async fn add_imports(
    sessions: &Arc<Sessions>,
    clock: &Clock,
    is_locked: bool,
) -> Result<(), AddError> {
    let Some(imported) = sessions.imported() else { return Ok(()) };
    let (own, of) = (Arc::clone(sessions), Arc::clone(imported));
    let (ids, mut added) = blocking(move || {
        let ids = of.ids().map_err(AddError::Unread)?;
        Ok((ids, own.table().imports()?))
    })
    .await?;
    let is_gone = added.iter().any(|id| !ids.contains(id));
    added.retain(|id| ids.contains(id));
    let new: Vec<String> = ids.into_iter().filter(|id| !added.contains(id)).collect();
    if new.is_empty() && !is_gone {
        return Ok(());
    }
    for id in new {
        let shoppers = add(sessions, Arc::clone(imported), &id, clock, is_locked).await?;
        tracing::info!(import = id, shoppers, "recent events of an import are in the sessions");
        added.push(id);
    }
    let own = Arc::clone(sessions);
    blocking(move || Ok(own.table().set_imports(&added)?)).await
}

/// Adds an import. Returns the number of shoppers with recent events.
async fn add(
    sessions: &Arc<Sessions>,
    imported: Arc<dyn ImportedEvents>,
    id: &str,
    clock: &Clock,
    is_locked: bool,
) -> Result<usize, AddError> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let now_ms = clock.now_ms();
    let id = id.to_owned();
    let reading = blocking(move || {
        let mut each = |shopper| sender.blocking_send(shopper).is_ok();
        imported.read(&id, now_ms.saturating_sub(SESSION_MS), &mut each).map_err(AddError::Unread)
    });
    let adding = async move {
        // Dropped with an error, so that the reader does not wait for room.
        let mut receiver = receiver;
        let (mut shoppers, mut batch) = (0, Vec::with_capacity(BATCH));
        while receiver.recv_many(&mut batch, BATCH).await > 0 {
            shoppers += batch.len();
            let users = batch.iter().map(|shopper: &ShopperEvents| &shopper.user_id);
            let lock = if is_locked { None } else { Some(sessions.lock_all(users).await) };
            let (own, full) = (Arc::clone(sessions), std::mem::take(&mut batch));
            blocking(move || {
                for shopper in &full {
                    own.apply_imported(&shopper.user_id, &shopper.events, now_ms)?;
                }
                own.flush()?;
                Ok(())
            })
            .await?;
            drop(lock);
        }
        Ok(shoppers)
    };
    let (read, added) = tokio::join!(reading, adding);
    read.and(added)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AddError> + Send + 'static,
) -> Result<T, AddError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(StoreError::Behind.into()))
}
