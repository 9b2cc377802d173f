//! cartwheel-recommend.
