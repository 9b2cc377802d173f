//! The top level of the command line. Each command's arguments are beside the command.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use cartwheel_ambient::Clock;
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::commands::audit::Audit;
use crate::commands::backup::BackupCommand;
use crate::commands::capacity::Capacity;
use crate::commands::config::Config;
use crate::commands::doctor::Doctor;
use crate::commands::endpoint::Endpoint;
use crate::commands::evaluate::Evaluate;
use crate::commands::features::Features;
use crate::commands::generate::Generate;
use crate::commands::import::Import;
use crate::commands::keys::Keys;
use crate::commands::mcp::Mcp;
use crate::commands::model::{Predict, Recommend, Train};
use crate::commands::models::Models;
use crate::commands::pipeline::PipelineCommand;
use crate::commands::placements::PlacementsCommand;
use crate::commands::proposals::ProposalsCommand;
use crate::commands::replay::Replay;
use crate::commands::rules::RulesCommand;
use crate::commands::serve::{Demo, Serve};
use crate::commands::shell::{Completions, Man};
use crate::commands::stream::Stream;
use crate::commands::synonyms::SynonymsCommand;
use crate::commands::users::{LakeCommand, Users};
use crate::commands::{
    audit, backup, capacity, config, doctor, endpoint, evaluate, features, generate, import, keys,
    mcp, model, models, pipeline, placements, proposals, ready, replay, rules, serve, shell,
    stream, synonyms, users,
};
use crate::context::Context;
use crate::errors;
use crate::show::reports_to_parent;
use cartwheel_node::DataDir;
use cartwheel_settings::{InvalidSettings, Settings};

/// Heading of the options that every command has.
const GLOBAL: &str = "Global options";

/// Real-time product recommendations from cart events.
#[derive(Debug, Parser)]
#[command(
    name = "cartwheel",
    version,
    about,
    after_help = "Examples:
  cartwheel demo
  cartwheel import instacart ./shop && cartwheel features && cartwheel train
  cartwheel evaluate --json
  cartwheel serve --listen 127.0.0.1:8080"
)]
struct Cli {
    /// Data directory: stream, lake, models, runs and keys.
    #[arg(long, global = true, value_name = "DIR", default_value = "data", env = "CARTWHEEL_DATA_DIR", help_heading = GLOBAL)]
    data_dir: PathBuf,
    /// Configuration file [default: cartwheel.toml, if it exists].
    #[arg(long, global = true, value_name = "FILE", help_heading = GLOBAL)]
    config: Option<PathBuf>,
    /// Print the result, or the error, as JSON.
    #[arg(long, global = true, help_heading = GLOBAL)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Generate a shop, learn from it and serve it.
    Demo(Demo),
    /// Serve the current release: events in, recommendations out.
    Serve(Serve),
    /// Fail unless the server of the data directory accepts and answers events.
    #[command(after_help = "Example:\n  cartwheel ready && echo serving")]
    Ready,
    /// Write a synthetic grocery shop: orders in the Instacart schema, or events and products.
    Generate(Generate),
    /// Import a shop's history: orders and events from files or standard input.
    #[command(
        after_help = "Examples:\n  cartwheel import orders orders.csv --dry-run\n  cartwheel import instacart ./shop"
    )]
    Import {
        #[command(subcommand)]
        command: Import,
    },
    /// Build a feature set from the lake's orders.
    Features(Features),
    /// Train a model on the newest feature set and release it.
    Train(Train),
    /// Score the model and the baselines on the gate users.
    Evaluate(Evaluate),
    /// Write ranked products for many users.
    Predict(Predict),
    /// Recommend products to one user.
    Recommend(Recommend),
    /// Score rows over HTTP, as SageMaker's XGBoost container does.
    Endpoint(Endpoint),
    /// Run features, training, evaluation, gate and deployment as one durable run.
    #[command(after_help = "Examples:\n  cartwheel pipeline run\n  cartwheel pipeline list")]
    Pipeline {
        #[command(subcommand)]
        command: PipelineCommand,
    },
    /// List, show, release and roll back models.
    #[command(after_help = "Examples:\n  cartwheel models list\n  cartwheel models rollback")]
    Models {
        #[command(subcommand)]
        command: Models,
    },
    /// List, replace and undo placements: the lists of the shop's pages.
    #[command(
        after_help = "Examples:\n  cartwheel placements list\n  cartwheel placements apply placements.json"
    )]
    Placements {
        #[command(subcommand)]
        command: PlacementsCommand,
    },
    /// List, check, replace and undo rules: what the shop demands of its lists.
    #[command(
        after_help = "Examples:\n  cartwheel rules check rules.json\n  cartwheel rules apply rules.json"
    )]
    Rules {
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// Show, replace and undo synonyms: words that mean the same in searches.
    #[command(
        after_help = "Examples:\n  cartwheel synonyms apply synonyms.txt\n  cartwheel synonyms show"
    )]
    Synonyms {
        #[command(subcommand)]
        command: SynonymsCommand,
    },
    /// Create, list and revoke API keys. From the first key on, every call needs one.
    #[command(after_help = "Example:\n  cartwheel keys create operator --scope admin")]
    Keys {
        #[command(subcommand)]
        command: Keys,
    },
    /// Inspect the event stream's files.
    #[command(after_help = "Examples:\n  cartwheel stream stat\n  cartwheel stream tail --follow")]
    Stream {
        #[command(subcommand)]
        command: Stream,
    },
    /// Compact the lake's files.
    #[command(after_help = "Example:\n  cartwheel lake compact")]
    Lake {
        #[command(subcommand)]
        command: LakeCommand,
    },
    /// Make, check and restore backups of the data directory.
    #[command(
        after_help = "Examples:\n  cartwheel backup create /mnt/backups\n  cartwheel backup restore /mnt/backups --data-dir restored"
    )]
    Backup {
        #[command(subcommand)]
        command: BackupCommand,
    },
    /// Compute an earlier answer again from what is stored, and compare it.
    Replay(Replay),
    /// Export or erase what is stored about a user.
    #[command(after_help = "Examples:\n  cartwheel users export 347\n  cartwheel users erase 347")]
    Users {
        #[command(subcommand)]
        command: Users,
    },
    /// List what admins have done: when, who, what, and the outcome.
    Audit(Audit),
    /// Compute what a load needs and costs, on one machine and on AWS.
    Capacity(Capacity),
    /// Check the settings, or print their reference.
    #[command(after_help = "Examples:\n  cartwheel config check\n  cartwheel config reference")]
    Config {
        #[command(subcommand)]
        command: Config,
    },
    /// Look for what is missing, slow or misconfigured, and say what to do.
    Doctor(Doctor),
    /// Let an assistant look at the shop and propose changes (Model Context Protocol).
    Mcp(Mcp),
    /// List, confirm and reject what assistants propose.
    #[command(
        after_help = "Examples:\n  cartwheel proposals list\n  cartwheel proposals confirm 8f2b61c0a9d4"
    )]
    Proposals {
        #[command(subcommand)]
        command: ProposalsCommand,
    },
    /// Print a script that completes commands in a shell.
    Completions(Completions),
    /// Write manual pages.
    Man(Man),
}

/// What a command needs of the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DataUse {
    /// Nothing, or the command checks it.
    Unused,
    /// It may be missing: the command creates it.
    Created,
    /// It has to exist. A mistyped name is an error and creates nothing.
    Required,
    /// It has to exist and to hold something to learn from, or a release.
    History,
}

impl Command {
    fn data_use(&self) -> DataUse {
        match self {
            Self::Generate(_) | Self::Capacity(_) | Self::Config { .. } | Self::Endpoint(_) => {
                DataUse::Unused
            }
            Self::Doctor(_) | Self::Completions(_) | Self::Man(_) => DataUse::Unused,
            Self::Pipeline { command: PipelineCommand::Graph { .. } } => DataUse::Unused,
            Self::Backup { command: BackupCommand::Create { .. } } => DataUse::Required,
            Self::Backup { .. } => DataUse::Unused,
            Self::Demo(_) | Self::Serve(_) | Self::Import { .. } => DataUse::Created,
            Self::Keys { command: Keys::Create { .. } } => DataUse::Created,
            Self::Features(_)
            | Self::Train(_)
            | Self::Evaluate(_)
            | Self::Predict(_)
            | Self::Recommend(_) => DataUse::History,
            Self::Pipeline { .. }
            | Self::Models { .. }
            | Self::Placements { .. }
            | Self::Rules { .. }
            | Self::Synonyms { .. }
            | Self::Keys { .. }
            | Self::Stream { .. }
            | Self::Lake { .. }
            | Self::Ready
            | Self::Replay(_)
            | Self::Users { .. }
            | Self::Mcp(_)
            | Self::Proposals { .. }
            | Self::Audit(_) => DataUse::Required,
        }
    }
}

/// Parses the command line, runs the command and prints its error.
pub fn run() -> ExitCode {
    // A parent process passes errors on to people.
    let json = errors::json_requested(std::env::args_os()) && !reports_to_parent();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            errors::print_usage(&error, json);
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(u8::MAX));
        }
    };
    match execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            errors::print(&error, json);
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: Cli) -> Result<()> {
    // These need no valid settings.
    match &cli.command {
        Command::Config { command: Config::Reference } => {
            config::reference(cli.json);
            return Ok(());
        }
        Command::Completions(args) => {
            shell::completions(args, Cli::command(), cli.json);
            return Ok(());
        }
        Command::Man(args) => return shell::man(args, Cli::command(), cli.json),
        Command::Doctor(_) => return doctor::run(cli.data_dir, cli.config.as_deref(), cli.json),
        _ => {}
    }
    let context = Context {
        data_dir: DataDir(cli.data_dir),
        settings: Settings::read(cli.config.as_deref())?,
        config: cli.config.or_else(Settings::default_file),
        json: cli.json,
        clock: Clock::system(),
    };
    let Context { data_dir, settings, json, .. } = &context;
    let data_use = cli.command.data_use();
    if data_use != DataUse::Unused || matches!(cli.command, Command::Backup { .. }) {
        cartwheel_node::keep_files_private();
    }
    match data_use {
        DataUse::Unused => {}
        DataUse::Created => data_dir.check()?,
        DataUse::Required => data_dir.require()?,
        DataUse::History => {
            data_dir.require()?;
            data_dir.require_history()?;
        }
    }
    match cli.command {
        Command::Demo(args) => serve::demo(&context, &args),
        Command::Serve(args) => serve::serve(&context, &args),
        Command::Ready => ready::run(&context),
        Command::Generate(args) => generate::run(&args, &context.clock, *json),
        Command::Import { command } => import::run(&context, command),
        Command::Features(args) => {
            features::features(data_dir, &with_arguments(settings, &args)?, *json).map(|_| ())
        }
        Command::Train(args) => model::train(&context, &args),
        Command::Evaluate(args) => evaluate::evaluate(&context, &args),
        Command::Predict(args) => model::predict(&context, &args),
        Command::Recommend(args) => model::recommend(&context, &args),
        Command::Endpoint(args) => endpoint::run(&args),
        Command::Pipeline { command } => pipeline::run(&context, command),
        Command::Models { command } => models::run(data_dir, command, *json),
        Command::Placements { command } => placements::run(&context, &command),
        Command::Rules { command } => rules::run(&context, &command),
        Command::Synonyms { command } => synonyms::run(&context, &command),
        Command::Keys { command } => keys::run(&context, command),
        Command::Stream { command } => stream::run(&context, command),
        Command::Lake { command: LakeCommand::Compact } => users::compact(&context),
        Command::Backup { command } => backup::run(&context, &command),
        Command::Replay(args) => replay::run(&context, &args),
        Command::Users { command } => users::run(&context, command),
        Command::Audit(args) => audit::run(&context, &args),
        Command::Capacity(args) => capacity::run(&args, *json),
        Command::Config { command: Config::Check } => config::check(settings, *json),
        Command::Mcp(_) => mcp::run(&context),
        Command::Proposals { command } => proposals::run(&context, &command),
        // Done above.
        Command::Config { command: Config::Reference }
        | Command::Doctor(_)
        | Command::Completions(_)
        | Command::Man(_) => Ok(()),
    }
}

/// The settings with the numbers that the arguments of `features` give.
fn with_arguments(settings: &Settings, args: &Features) -> Result<Settings, InvalidSettings> {
    let mut settings = settings.clone();
    settings.features.max_examples = args.max_examples.unwrap_or(settings.features.max_examples);
    settings.gate.min_users = args.min_gate_users.unwrap_or(settings.gate.min_users);
    if let Some(search) = &args.search {
        search.clone_into(&mut settings.train.search);
    }
    settings.validate()?;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `found` for a command and everything below it, with its words.
    fn for_each_command(
        command: &clap::Command,
        words: &[&str],
        found: &mut dyn FnMut(&[&str], &clap::Command),
    ) {
        found(words, command);
        for below in command.get_subcommands() {
            for_each_command(below, &[words, &[below.get_name()]].concat(), found);
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_argument_is_explained_and_every_command_has_an_example() {
        for_each_command(&Cli::command(), &[], &mut |words, command| {
            assert!(command.get_about().is_some(), "{words:?} has no description");
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = format!("cartwheel {}", words.join(" "));
            assert!(examples.contains(example.trim()), "{words:?} has no example: {examples}");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{words:?} {argument} has no description");
            }
        });
    }
}
