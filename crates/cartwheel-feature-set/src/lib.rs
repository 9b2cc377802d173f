//! The format of a feature set on disk, and the shop's calendar.
//!
//! The feature job writes a set ([`FeatureSetWriter`], [`NewFeatureSet`]); the engine,
//! evaluation and training read it ([`FeatureSet`]). Both sides share this crate, so that
//! the names and layouts of the files are defined once. It depends on neither Arrow nor
//! the lake.

mod calendar;
mod catalogue_file;
mod feature_set;
pub mod files;
mod label;
mod lock;
mod old_catalogue;
mod source_search;
mod user_file;
mod writer;

pub use calendar::Calendar;
pub use catalogue_file::{decode_catalogue, encode_catalogue};
pub use feature_set::{FeatureSet, Manifest, SetError};
pub use label::{EventWeights, InvalidLabel, Label};
pub use lock::{BuildLock, ExclusiveLock};
pub use source_search::{InvalidMode, ParameterSearch, ParameterTrial, SearchMode, SourceSearch};
pub use user_file::{UserFile, UserFileWriter, UserRecords};
pub use writer::{FeatureSetWriter, NewFeatureSet};
