//! Settings: defaults, then `cartwheel.toml`, then `CARTWHEEL_*` variables, then flags.

mod key;
mod load;
mod reference;
mod table;
mod values;
mod variables;

pub use load::InvalidSettings;
pub use reference::markdown;
pub use table::{Lake, Server, Settings, Stream, Train};

#[cfg(test)]
mod tests;
