//! cartwheel-training.
