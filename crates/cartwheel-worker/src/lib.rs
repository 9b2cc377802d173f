//! cartwheel-worker.
