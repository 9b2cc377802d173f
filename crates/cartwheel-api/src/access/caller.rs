//! The caller of a request.

use std::sync::Arc;

/// The name of the key that a request was admitted with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller(Option<Arc<str>>);

impl Caller {
    /// A caller with the key of that name.
    pub(crate) fn with_key(name: Arc<str>) -> Self {
        Self(Some(name))
    }

    /// The name of the key, or `anonymous`.
    pub(crate) fn name(&self) -> &str {
        self.0.as_deref().unwrap_or("anonymous")
    }
}
