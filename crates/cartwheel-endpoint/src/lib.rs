//! cartwheel-endpoint.
