//! The arguments of `placements`.

use std::path::PathBuf;

use clap::Subcommand;

/// The subcommands of `placements`.
#[derive(Debug, Subcommand)]
pub enum PlacementsCommand {
    /// List the placements: kind, limit, filter, and what fills them up.
    #[command(
        after_help = "Examples:\n  cartwheel placements list\n  cartwheel placements list --json"
    )]
    List,
    /// Print a placement, or all of them as a document for `apply`.
    #[command(
        after_help = "Examples:\n  cartwheel placements show home\n  cartwheel placements show > placements.json"
    )]
    Show {
        /// Name of the placement [default: the whole document].
        name: Option<String>,
    },
    /// Replace all placements by those of a file. A running server answers with them within a
    /// second.
    #[command(after_help = "Example:\n  cartwheel placements apply placements.json")]
    Apply {
        /// File with the document, as `show` prints it.
        file: PathBuf,
    },
    /// List the versions of the placements, the newest first: when, and by whom.
    #[command(
        after_help = "Examples:\n  cartwheel placements history\n  cartwheel placements history --json"
    )]
    History {
        /// Maximum number of versions; the last 50 are kept.
        #[arg(long, value_name = "N", default_value = "20")]
        limit: usize,
    },
    /// Put an earlier version back, as the newest one.
    #[command(after_help = "Examples:\n  cartwheel placements undo\n  cartwheel placements undo 3")]
    Undo {
        /// Number of the version; 0 for the placements that exist from the start [default: the
        /// version before the newest].
        version: Option<u64>,
    },
}
