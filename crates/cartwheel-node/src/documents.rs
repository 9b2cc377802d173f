//! The documents that a server holds in memory follow the registry.

use std::sync::Arc;
use std::time::Duration;

use cartwheel_registry::LiveDocument;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::sleep;

/// Reads the versions that other processes store, every `every`. Runs until dropped. The known
/// version stands while the registry cannot be read, which is logged once.
pub async fn follow_document<T: Default + Serialize + DeserializeOwned>(
    document: Arc<LiveDocument<T>>,
    every: Duration,
) {
    let mut unreadable = false;
    loop {
        let read = document.refresh().await;
        if let Err(error) = &read
            && !unreadable
        {
            tracing::error!(%error, "cannot read a document; its last known version stands");
        }
        unreadable = read.is_err();
        sleep(every).await;
    }
}
