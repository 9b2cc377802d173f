//! The arguments of `rules`.

use std::path::PathBuf;

use clap::Subcommand;

/// The subcommands of `rules`.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// List the rules: action, products, scope, and whether they are active.
    #[command(after_help = "Examples:\n  cartwheel rules list\n  cartwheel rules list --json")]
    List,
    /// Print a rule, or all of them as a document for `apply`.
    #[command(
        after_help = "Examples:\n  cartwheel rules show overstocked-tea\n  cartwheel rules show > rules.json"
    )]
    Show {
        /// Id of the rule [default: the whole document].
        id: Option<String>,
    },
    /// Check the rules of a file and tell which contradict one another. Nothing is stored.
    #[command(after_help = "Example:\n  cartwheel rules check rules.json")]
    Check {
        /// File with the document, as `show` prints it.
        file: PathBuf,
    },
    /// Replace all rules by those of a file. A running server follows them within a second.
    #[command(after_help = "Example:\n  cartwheel rules apply rules.json")]
    Apply {
        /// File with the document, as `show` prints it.
        file: PathBuf,
    },
    /// List the versions of the rules, the newest first: when, and by whom.
    #[command(
        after_help = "Examples:\n  cartwheel rules history\n  cartwheel rules history --json"
    )]
    History {
        /// Maximum number of versions; the last 50 are kept.
        #[arg(long, value_name = "N", default_value = "20")]
        limit: usize,
    },
    /// Put an earlier version back, as the newest one.
    #[command(after_help = "Examples:\n  cartwheel rules undo\n  cartwheel rules undo 3")]
    Undo {
        /// Number of the version; 0 for no rules [default: the version before the newest].
        version: Option<u64>,
    },
}
