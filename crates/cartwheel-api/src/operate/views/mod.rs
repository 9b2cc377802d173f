//! What operators see, as plain data.

pub(crate) mod erasure;
pub(crate) mod import;
pub(crate) mod import_mapping;
pub(crate) mod import_preview;
pub(crate) mod lake;
pub(crate) mod models;
pub(crate) mod quality;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod searches;
