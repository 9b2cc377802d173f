//! What the caller of an import decides.

use cartwheel_lake::EarlierImports;

use crate::mapping::Mapping;
use crate::plan::Content;

/// How to import.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the rows are.
    pub content: Content,
    /// What the caller says about the columns; the rest is recognised.
    pub mapping: Mapping,
    /// The IANA time zone of times without a zone, unless the mapping names one.
    pub timezone: String,
    /// The names of the columns of a file whose first line is not a header.
    pub header: Option<Vec<String>>,
    /// The share of rows that may be rejected, in percent.
    pub max_rejects: f64,
    /// What happens to data that was imported before.
    pub earlier: EarlierImports,
    /// Codes that are no products, beside those that are recognised.
    pub services: Vec<String>,
    /// Codes that are products, whatever their names say.
    pub products: Vec<String>,
    /// The current time, UTC milliseconds.
    pub now_ms: i64,
    /// Threads that understand rows, beside the one that reads.
    pub threads: usize,
}
