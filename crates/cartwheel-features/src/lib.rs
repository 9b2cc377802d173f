//! cartwheel-features.
