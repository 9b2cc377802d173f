//! cartwheel-events.
