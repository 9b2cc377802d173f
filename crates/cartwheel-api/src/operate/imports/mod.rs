//! Imports of uploaded files: upload, preview, start, watch. One import is open at a time.

mod import;
pub(crate) mod open;
pub(crate) mod routes;
pub(crate) mod upload;
