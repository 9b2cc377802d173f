//! The files of the lake: their names, their format, reading and writing them.

pub(crate) mod checksum;
pub(crate) mod format;
pub(crate) mod guard;
pub(crate) mod lines;
pub(crate) mod partition;
pub(crate) mod parts;
pub(crate) mod rewrite;
pub(crate) mod scan;
pub(crate) mod staged;
pub(crate) mod upload;
pub(crate) mod walk;
