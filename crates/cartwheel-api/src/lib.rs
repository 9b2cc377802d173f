//! cartwheel-api.
