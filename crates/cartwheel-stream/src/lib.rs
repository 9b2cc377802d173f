//! cartwheel-stream.
