//! What is known of a shopper.

use cartwheel_engine::StoredRecord;
use cartwheel_sessions::{Session, Shopper};

/// What the user store returned for a shopper.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// `None` if the store could not be read.
    pub(crate) shopper: Option<Shopper>,
    /// The feature set of the shopper's record, if the engine needs one.
    pub(crate) feature_set: Option<String>,
}

impl Known {
    /// The shopper's session, if there was any event in it.
    pub(crate) fn session(&self) -> Option<&Session> {
        let session = self.shopper.as_ref()?.session.as_deref();
        session.filter(|session| session.events > 0)
    }

    /// The shopper's record, if the engine needs one.
    pub(crate) fn record(&self) -> Option<StoredRecord<'_>> {
        let (feature_set, shopper) = (self.feature_set.as_deref()?, self.shopper.as_ref()?);
        Some(StoredRecord { feature_set, bytes: shopper.record.as_deref() })
    }
}
