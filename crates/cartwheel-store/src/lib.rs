//! cartwheel-store.
