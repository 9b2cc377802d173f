//! cartwheel-forest.
