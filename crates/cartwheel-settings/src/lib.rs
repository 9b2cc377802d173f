//! Settings: defaults, then `cartwheel.toml`, then `CARTWHEEL_*` variables, then flags.

mod hyperparameters;
mod key;
mod load;
mod nearest;
mod origin;
mod reference;
mod table;
mod values;
mod variables;

pub use hyperparameters::{Assignment, Hyperparameters, configured, parse};
pub use load::InvalidSettings;
pub use origin::{network, origin};
pub use reference::markdown;
pub use table::{Lake, Server, Settings, Stream, Train};

#[cfg(test)]
mod tests;
