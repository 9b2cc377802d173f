//! Importing a shop's order history.

mod baskets;
mod csv_file;
mod error;
mod import_part;
mod instacart;
mod lines;
mod new_import;
mod orders;
mod part_writer;
mod products;
mod schemas;
mod source;
mod state;

pub use baskets::Basket;
pub use error::ImportError;
pub use import_part::ImportPart;
pub use instacart::{ImportOptions, ImportProgress, instacart};
pub use new_import::{EarlierImports, NewImport, Started};
