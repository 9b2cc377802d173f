//! Why an import fails as a whole.

use std::io;

use cartwheel_lake::ImportError as LakeImportError;

/// Why nothing was imported. The lake is as it was before. Texts name the fields of a mapping, not
/// the options of the command line, because they are read in the console and over HTTP too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A source does not exist or cannot be read.
    #[error("{name}: {problem}")]
    Source {
        /// The file or pattern.
        name: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The columns cannot be understood.
    #[error("{name}: {problem}")]
    Mapping {
        /// The file.
        name: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A mapping, a preset or an option is invalid.
    #[error("{0}")]
    Options(String),
    /// Too many rows were rejected.
    #[error(
        "{rejected} of {rows} rows are rejected, more than the accepted {percent} %; nothing is \
         imported: {reasons}"
    )]
    TooManyRejects {
        /// Rejected rows.
        rejected: u64,
        /// All rows.
        rows: u64,
        /// The accepted share, in percent.
        percent: f64,
        /// The most frequent reasons, each with a count and an example.
        reasons: String,
    },
    /// The lines of one customer are too many.
    #[error(
        "the rows of {owner} take {mib} MiB, more than {most} MiB: if the id stands for many \
         customers, name it in the mapping's no_customer"
    )]
    LargeOwner {
        /// The customer, or the order of an unknown customer.
        owner: String,
        /// Bytes of its rows, in MiB.
        mib: u64,
        /// The maximum.
        most: u64,
    },
    /// The rows name too many products.
    #[error("the rows name more than {0} products: name the column of product_id")]
    TooManyProducts(usize),
    /// There is nothing to import.
    #[error("the sources hold no usable row{0}")]
    Empty(String),
    /// The lake cannot be read or written.
    #[error(transparent)]
    Lake(#[from] LakeImportError),
    /// A temporary file cannot be written or read.
    #[error("import: {0}")]
    Io(#[from] io::Error),
}

impl ImportError {
    pub(crate) fn source(name: &str, problem: impl ToString) -> Self {
        Self::Source { name: name.to_owned(), problem: problem.to_string() }
    }

    pub(crate) fn mapping(name: &str, problem: impl ToString) -> Self {
        Self::Mapping { name: name.to_owned(), problem: problem.to_string() }
    }
}
