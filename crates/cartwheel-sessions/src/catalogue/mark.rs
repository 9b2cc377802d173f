//! A state of the live catalogue in a few bytes.

use cartwheel_events::ProductId;
use cartwheel_stream::Sequence;
use serde::{Deserialize, Serialize};

use crate::fingerprint::fingerprint;

/// Names a state of the live catalogue: how far the stream was applied, and a fingerprint by which a
/// state that was built again is recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CatalogueMark {
    /// The sequence number of the newest change that is applied.
    pub newest: Sequence,
    /// The combination of the newest change of each product. It does not depend on their order.
    pub fingerprint: u64,
}

impl CatalogueMark {
    /// Notes that the newest change of a product is that at `after`, and no longer that at `before`.
    pub(crate) fn note(
        &mut self,
        product_id: &ProductId,
        before: Option<Sequence>,
        after: Sequence,
    ) {
        let changed = before.into_iter().chain([after]);
        for sequence in changed {
            self.fingerprint ^= fingerprint(format!("{product_id} {sequence}").as_bytes());
        }
        self.newest = self.newest.max(after);
    }
}
