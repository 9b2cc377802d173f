//! The options of the command line that help after an import has failed.

use anyhow::{Error, anyhow};
use cartwheel_import::ImportError;
use cartwheel_lake::ImportError as LakeImportError;

use crate::show::reports_to_parent;

/// Options that say what columns mean.
pub const MAPPING: &str = "--map FIELD=COLUMN names a column, --map FIELD= leaves a field out, \
                           --columns names those of a file without a header, --event says which \
                           event every row is, and --date-order tells dmy from mdy";
/// The option for many rejected rows.
pub const MAX_REJECTS: &str = "--max-rejects accepts more";

/// An error with the options that help.
pub fn explained(error: ImportError) -> Error {
    let hint = match &error {
        ImportError::Mapping { .. } => MAPPING,
        ImportError::TooManyRejects { .. } => MAX_REJECTS,
        ImportError::TooManyProducts(_) => "--map product_id=COLUMN",
        ImportError::LargeOwner { .. } => "--mapping reads a mapping from a file",
        ImportError::Lake(LakeImportError::EarlierData { .. }) => {
            "--append adds to it, --replace removes it"
        }
        _ => return error.into(),
    };
    with_hint(&error.to_string(), hint)
}

/// A problem with the options that help. A parent process passes problems on to people who have no
/// command line before them: they get none.
pub fn with_hint(problem: &str, hint: &str) -> Error {
    match reports_to_parent() {
        true => anyhow!("{problem}"),
        false => anyhow!("{problem} ({hint})"),
    }
}
