//! The format of a feature set on disk, and the shop's calendar.
//!
//! The feature job writes a [`FeatureSet`]; the engine, evaluation and training read it.
//! Both sides share this crate, so that the names and layouts of the files are defined
//! once. It depends on neither Arrow nor the lake.

mod calendar;
mod feature_set;
mod lock;
mod user_file;

pub use calendar::Calendar;
pub use feature_set::{FeatureSet, Manifest, SetError, write_json, write_packed};
pub use lock::{Building, Quiet};
pub use user_file::{UserFile, UserWriter, push_record};
