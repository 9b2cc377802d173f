//! The OpenAPI document and its readable form.

pub(crate) mod document;
pub(crate) mod example;
pub(crate) mod reference;
pub(crate) mod schema;
