//! `keys`: creates, lists, revokes and disables API keys, and signs shopper tokens.

use anyhow::{Context as _, Result};
use cartwheel_api::{
    Claims, KeyHash, LONGEST_TOKEN, PublishableKey, Scope, SigningSecret, key_name,
};
use cartwheel_events::UserId;
use cartwheel_node::{AuditFile, KeyFile, StoredKey};
use clap::Subcommand;
use serde_json::json;

use crate::context::Context;
use crate::show::{minute, result};

/// The subcommands of `keys`.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Create a key and show it once.
    #[command(after_help = "Examples:
  cartwheel keys create operator --scope admin
  cartwheel keys create shop --scope events:write --scope recommendations:read
  cartwheel keys create web --scope events:write --scope recommendations:read --publishable")]
    Create {
        /// Name of the key, which logs and `keys list` show.
        name: String,
        /// A permission: events:write, recommendations:read, or admin, which grants everything.
        /// Can be given several times.
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<Scope>,
        /// Also create the half that pages may contain: it acts for guests only.
        #[arg(long)]
        publishable: bool,
    },
    /// Sign a shopper token, with which a browser reads and writes one shopper only.
    #[command(after_help = "Examples:
  cartwheel keys token 42 --key web
  cartwheel keys token 42 --key web --seconds 900 --scope recommendations:read")]
    Token {
        /// The shopper: a user's id, or ~ and the anonymous id of a guest.
        #[arg(value_parser = shopper)]
        shopper: UserId,
        /// Name of the key that signs.
        #[arg(long, value_name = "NAME")]
        key: String,
        /// Seconds until the token expires, at most a day.
        #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(i64).range(1..=LONGEST_TOKEN))]
        seconds: i64,
        /// A permission, events:write or recommendations:read; by default those that the key
        /// has. Can be given twice.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<Scope>,
    },
    /// List names and scopes. Secret keys are not stored, only their hashes.
    #[command(after_help = "Example:\n  cartwheel keys list")]
    List,
    /// Revoke a key and the tokens that it has signed. A running server refuses them within a
    /// second.
    #[command(after_help = "Example:\n  cartwheel keys revoke shop")]
    Revoke {
        /// Name of the key.
        name: String,
    },
    /// Revoke every key and require none from now on. Without this, requests need a key even when
    /// none is left.
    #[command(after_help = "Example:\n  cartwheel keys disable")]
    Disable,
}

const OPEN: &str = "The API can be called without a key";

/// The scopes that a token can grant.
const SHOPPER_SCOPES: [Scope; 2] = [Scope::EventsWrite, Scope::RecommendationsRead];

fn shopper(text: &str) -> Result<UserId, String> {
    UserId::new(text).map_err(|error| format!("the id {error}"))
}

/// Runs a subcommand of `keys`.
pub fn run(context: &Context, command: Keys) -> Result<()> {
    let file = KeyFile::new(&context.data_dir);
    let audit = AuditFile::new(&context.data_dir);
    match command {
        Keys::Create { name, scopes, publishable } => {
            key_name(&name)?;
            anyhow::ensure!(
                !publishable || !scopes.contains(&Scope::Admin),
                "an admin key cannot have a publishable half: create a key with events:write and \
                 recommendations:read for pages"
            );
            context.data_dir.begin()?;
            // What is refused is no change, and not in the audit log.
            file.free(&name)?;
            let new = NewKey::draw(publishable);
            let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
            let key = StoredKey {
                name: name.clone(),
                hash: KeyHash::of(&new.key).to_string(),
                scopes: scopes.clone(),
                created_ms: context.clock.now_ms(),
                publishable: new.publishable.clone(),
                signing: Some(new.signing.expose().to_owned()),
            };
            let target = [("name", &*name), ("scopes", &*scopes.join("+"))];
            audit.command("keys create", &target, || file.create(key))?;
            new.show(context.json, &name, &scopes);
        }
        Keys::Token { shopper, key, seconds, scopes } => {
            let token = token(context, &file.read()?, &key, shopper, seconds, &scopes)?;
            result(context.json, &json!({"token": token}), || token.clone());
        }
        Keys::List => {
            let listed = file.read()?.into_iter().map(|key| StoredKey { signing: None, ..key });
            let listed: Vec<StoredKey> = listed.collect();
            let is_required = file.is_required()?;
            result(context.json, &listed, || table(&listed, is_required));
        }
        Keys::Revoke { name } => {
            file.revoke(&name)?;
            // A full disk must not keep a stolen key valid.
            audit.record("keys revoke", &[("name", &name)]).with_context(|| {
                format!("{name} is revoked, but the audit log could not record it")
            })?;
            result(context.json, &json!({"revoked": name}), || format!("{name} is revoked"));
        }
        Keys::Disable => {
            audit.command("keys disable", &[], || file.disable())?;
            result(context.json, &json!({"disabled": true}), || OPEN.to_owned());
        }
    }
    Ok(())
}

/// The parts of a new key.
struct NewKey {
    key: String,
    publishable: Option<String>,
    signing: SigningSecret,
}

impl NewKey {
    #[allow(
        clippy::disallowed_methods,
        reason = "secrets have to come from the system's generator"
    )]
    fn draw(publishable: bool) -> Self {
        let key: [u8; 32] = rand::random();
        let half = publishable.then(|| PublishableKey::new(rand::random()).as_str().to_owned());
        let signing = SigningSecret::new(rand::random());
        Self { key: format!("cw_{}", hex::encode(key)), publishable: half, signing }
    }

    fn show(&self, as_json: bool, name: &str, scopes: &[String]) {
        let Self { key, publishable, signing } = self;
        let signing = signing.expose();
        let created = json!({
            "name": name, "key": key, "scopes": scopes, "publishable": publishable,
            "signing": signing,
        });
        result(as_json, &created, || {
            let mut out = format!("{key}\n\nStore it now: it is not shown again. {name} has the ");
            out.push_str(&format!("scopes {}.\n\n", scopes.join(", ")));
            out.push_str(&format!("Signs shopper tokens, on the shop's server: {signing}"));
            if let Some(publishable) = publishable {
                out.push_str(&format!("\nFor pages, on behalf of guests: {publishable}"));
            }
            out
        });
    }
}

/// Signs a token with the key named `key`.
fn token(
    context: &Context,
    stored: &[StoredKey],
    key: &str,
    shopper: UserId,
    seconds: i64,
    scopes: &[Scope],
) -> Result<String> {
    let found = stored.iter().find(|stored| stored.name == key);
    let found = found.with_context(|| {
        format!("there is no key with the name {key:?}: see `cartwheel keys list`")
    })?;
    let secret = found.signing.as_deref().with_context(|| {
        format!("the key {key:?} is from a release without tokens: create another key")
    })?;
    let names = |scope: Scope| found.scopes.iter().any(|name| name == scope.as_str());
    let holds = |scope: Scope| names(scope) || names(Scope::Admin);
    for &scope in scopes {
        anyhow::ensure!(
            SHOPPER_SCOPES.contains(&scope),
            "a shopper token cannot grant {scope}: use events:write or recommendations:read"
        );
        anyhow::ensure!(holds(scope), "the key {key:?} cannot grant {scope}: it lacks the scope");
    }
    let wanted = if scopes.is_empty() { &SHOPPER_SCOPES[..] } else { scopes };
    let granted = wanted.iter().filter(|scope| holds(**scope));
    let scope: Vec<&str> = granted.map(|scope| scope.as_str()).collect();
    anyhow::ensure!(
        !scope.is_empty(),
        "the key {key:?} has neither events:write nor recommendations:read to grant"
    );
    let exp = context.clock.now_ms() / 1000 + seconds;
    Ok(Claims { sub: shopper, exp, scope: scope.join(" ") }.sign(&secret.parse()?))
}

fn table(stored: &[StoredKey], is_required: bool) -> String {
    if stored.is_empty() {
        return match is_required {
            true => "No keys, and every request needs one: create a key, or run \
                     `cartwheel keys disable`"
                .to_owned(),
            false => format!("No keys. {OPEN}"),
        };
    }
    let mut out =
        format!("{:<20}{:<18}{:<38}{}\n", "KEY", "CREATED (UTC)", "PUBLISHABLE", "SCOPES");
    for key in stored {
        let created = minute(key.created_ms);
        let publishable = key.publishable.as_deref().unwrap_or("-");
        let scopes = key.scopes.join(", ");
        out.push_str(&format!("{:<20}{created:<18}{publishable:<38}{scopes}\n", key.name));
    }
    out
}
