//! Erasure and export of users behind the API function.

use std::sync::Arc;
use std::time::Duration;

use cartwheel_ambient::Clock;
use cartwheel_api::{ErasureStep, ErasureView, UserRights};
use cartwheel_aws::{Lake, LakeErasures, Users, export};
use cartwheel_events::UserId;
use cartwheel_lake::PendingErasure;
use cartwheel_stream::Pending;
use serde_json::Value;

/// How long an export reads the lake: API Gateway waits for ten seconds.
const EXPORT: Duration = Duration::from_secs(6);

/// The users of the table and of the lake.
pub struct CloudUserRights {
    lake: Lake,
    erasures: LakeErasures,
    users: Arc<Users>,
    clock: Clock,
}

impl CloudUserRights {
    /// The users of `lake` and `users`.
    pub fn new(lake: Lake, users: Arc<Users>, clock: Clock) -> Self {
        Self { erasures: LakeErasures::new(lake.clone()), lake, users, clock }
    }
}

impl UserRights for CloudUserRights {
    fn erase<'a>(&'a self, user_id: &'a UserId) -> Pending<'a, Result<ErasureView, String>> {
        Box::pin(async move {
            let now_ms = self.clock.now_ms();
            let erased = self.erasures.erase(&self.users, user_id, now_ms).await;
            let erasure = erased.map_err(|error| error.to_string())?;
            Ok(ErasureView {
                user_id: erasure.user_id,
                erased_at_ms: erasure.erased_at_ms,
                step: ErasureStep::Lake,
                unreadable: Vec::new(),
            })
        })
    }

    fn erasures(&self) -> Pending<'_, Result<Vec<ErasureView>, String>> {
        Box::pin(async move {
            let list = self.erasures.list().await.map_err(|error| error.to_string())?;
            Ok(list.pending().map(view).collect())
        })
    }

    fn stored<'a>(&'a self, user_id: &'a UserId) -> Pending<'a, Result<Value, String>> {
        Box::pin(async move {
            let stored = export(&self.lake, user_id, EXPORT).await;
            stored.map_err(|error| error.to_string())
        })
    }
}

fn view(pending: &PendingErasure) -> ErasureView {
    let PendingErasure { erasure, cleaned, unreadable, .. } = pending;
    ErasureView {
        user_id: erasure.user_id.clone(),
        erased_at_ms: erasure.erased_at_ms,
        step: if cleaned.is_none() { ErasureStep::Lake } else { ErasureStep::Features },
        unreadable: unreadable.clone(),
    }
}
