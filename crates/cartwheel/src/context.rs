//! What every command works with.

use std::path::PathBuf;

use cartwheel_ambient::Clock;

use cartwheel_node::DataDir;
use cartwheel_settings::Settings;

/// What every command works with.
#[derive(Debug, Clone)]
pub struct Context {
    /// The data directory.
    pub data_dir: DataDir,
    /// The settings in effect.
    pub settings: Settings,
    /// The configuration file, if there is one.
    pub config: Option<PathBuf>,
    /// Whether to print results as JSON.
    pub json: bool,
    /// The time of day.
    pub clock: Clock,
}
