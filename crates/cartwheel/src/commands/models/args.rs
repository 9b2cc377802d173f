//! The arguments of `models`.

use clap::Subcommand;

/// The subcommands of `models`.
#[derive(Debug, Subcommand)]
pub enum Models {
    /// List models, the newest first.
    #[command(after_help = "Example:\n  cartwheel models list")]
    List,
    /// Show a model: the gate's verdict with its reason, the figures, the parameters.
    #[command(
        after_help = "Examples:\n  cartwheel models show m-4c5020891438af32\n  cartwheel models show m-4c5020891438af32 --json"
    )]
    Show {
        /// Version of the model.
        version: String,
    },
    /// Release a model. The next request is scored with it.
    #[command(after_help = "Example:\n  cartwheel models deploy m-4c5020891438af32")]
    Deploy {
        /// Version of the model.
        version: String,
    },
    /// Let a model rank for a share of the shoppers, to compare it with the serving one. A shopper
    /// always meets the same model.
    #[command(after_help = "Examples:
  cartwheel models challenge m-4c5020891438af32 --percent 10
  cartwheel models challenge m-4c5020891438af32 --percent 0")]
    Challenge {
        /// Version of the model.
        version: String,
        /// Shoppers of a hundred, 1 to 99; 0 ends the comparison.
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(0..=99))]
        percent: u8,
    },
    /// Return to the previous release. A second rollback undoes the first.
    #[command(after_help = "Example:\n  cartwheel models rollback")]
    Rollback,
}
