//! Importing a shop's order history.

mod csv_file;
mod error;
mod instacart;
mod lines;
mod orders;
mod part_writer;
mod products;
mod schemas;
mod source;
mod state;

pub use error::ImportError;
pub use instacart::{ImportOptions, ImportProgress, instacart};
