//! Imports a shop's history: orders and events in CSV, JSON lines or Parquet, whatever their
//! columns are called.
//!
//! 1. *Recognise*: the beginning of a source tells its format ([`Format`]) and, with a
//!    [`Mapping`], what its columns mean.
//! 2. *Read*: each row is understood on its own as a line of an order or an event, or rejected
//!    with a reason. Lines go to partitions on disk, by customer.
//! 3. *Assemble*: the lines of a partition become orders and events, with their own times.
//! 4. *Commit*: the lake's manifest names the new parts, all at once.
//!
//! [`preview`] does the first two and imports nothing; where a column is missing, it still shows
//! those that there are. The crate reads no clock and no setting;
//! [`Options`] holds all decisions.

mod assemble;
mod columns;
mod delimited;
mod error;
mod feed;
mod field;
mod format;
mod import;
mod line;
mod mapping;
mod nested;
mod number;
mod options;
mod parquet_rows;
mod plan;
mod preview;
mod products;
mod progress;
mod read;
mod recognise;
mod source;
mod spill;
mod split;
mod table;
mod tally;
mod time;
mod write;

pub use assemble::Assembled;
pub use columns::Column;
pub use error::ImportError;
pub use feed::{Feed, FeedField, FeedMapping, FeedPreview, preview_feed, read_feed, read_feed_as};
pub use field::Field;
pub use format::{Dialect, Format};
pub use import::{Imported, import};
pub use mapping::{Columns, Mapping, OrderBy};
pub use options::Options;
pub use plan::Content;
pub use preview::{Preview, SourceFormat, preview};
pub use products::ServiceCode;
pub use progress::ImportStep;
pub use recognise::{How, Recognised};
pub use source::{Source, Stored, matches};
pub use tally::{Reason, UnderstoodRow};
pub use time::DateOrder;
