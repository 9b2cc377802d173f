//! `proposals`: lists, confirms and rejects what assistants propose.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use crate::client;
use crate::context::Context;
use crate::proposals::{Proposal, Proposals};
use crate::show::{minute, result};

/// The subcommands of `proposals`.
#[derive(Debug, Subcommand)]
pub enum ProposalsCommand {
    /// List the proposals that wait, with what each would change.
    #[command(after_help = "Example:\n  cartwheel proposals list")]
    List,
    /// Carry a proposal out, by the running server and with the key in CARTWHEEL_API_KEY.
    #[command(after_help = "Example:\n  cartwheel proposals confirm 8f2b61c0a9d4")]
    Confirm {
        /// The id of the proposal.
        id: String,
    },
    /// Remove a proposal. Nothing changes.
    #[command(after_help = "Example:\n  cartwheel proposals reject 8f2b61c0a9d4")]
    Reject {
        /// The id of the proposal.
        id: String,
    },
}

/// Runs a subcommand of `proposals`.
///
/// # Errors
/// When there is no such proposal, or the server refuses its request. The proposal then stays.
pub fn run(context: &Context, command: &ProposalsCommand) -> Result<()> {
    let Context { data_dir, json, .. } = context;
    let proposals = Proposals::new(data_dir);
    match command {
        ProposalsCommand::List => {
            let waiting = proposals.list()?;
            result(*json, &json!({"proposals": waiting}), || text(&waiting));
        }
        ProposalsCommand::Confirm { id } => {
            let proposal = proposals.find(id)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let Proposal { method, path, body, title, .. } = &proposal;
            let answer = runtime.block_on(client::send(data_dir, method, path, body.as_ref()))?;
            proposals.remove(&proposal)?;
            result(*json, &json!({"confirmed": id, "answer": answer}), || format!("Done: {title}"));
        }
        ProposalsCommand::Reject { id } => {
            let proposal = proposals.find(id)?;
            proposals.remove(&proposal)?;
            result(*json, &json!({"rejected": id}), || format!("Rejected: {}", proposal.title));
        }
    }
    Ok(())
}

fn text(waiting: &[Proposal]) -> String {
    if waiting.is_empty() {
        return "No proposal waits".to_owned();
    }
    let mut out = String::new();
    for Proposal { id, proposed_ms, title, why, method, path, body, .. } in waiting {
        out.push_str(&format!("{id}  {} UTC  {title}\n", minute(*proposed_ms)));
        out.push_str(&format!("  Why: {why}\n  Request: {method} {path}\n"));
        if let Some(body) = body {
            out.push_str(&format!("  {body}\n"));
        }
        out.push_str(&format!("  cartwheel proposals confirm {id}\n\n"));
    }
    out
}
