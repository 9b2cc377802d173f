//! Imports of uploaded files: upload, preview, start, watch. One import is open at a time.

mod check_mapping;
mod import;
pub(crate) mod open;
pub(crate) mod routes;
pub(crate) mod upload;
