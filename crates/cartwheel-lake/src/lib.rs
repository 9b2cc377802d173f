//! cartwheel-lake.
