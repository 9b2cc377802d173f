//! `backup`: makes, checks, lists, restores and removes backups.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use cartwheel_ambient::Clock;
use cartwheel_backup::{Access, Backup, Directory, Key, Place, Store};
use cartwheel_node::backup::{self, Created, RestoreOptions, Restored};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::context::Context;
use crate::show::{bar, counted, instant, result, second};

/// The subcommands of `backup`.
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Back up the data directory, also while a server uses it. What the last backup has is not
    /// copied again.
    #[command(after_help = "Examples:
  cartwheel backup create /mnt/backups
  cartwheel backup create /mnt/backups --key-file backup.key
  cartwheel backup create s3://bucket/backups

A key: openssl rand -hex 32 > backup.key. Keep it apart from the backups: without it they are lost.
Ctrl-C leaves the backups that exist as they are.")]
    Create {
        #[command(flatten)]
        dest: Dest,
        /// Copy every file again, also what the backups have: replaces damaged files.
        #[arg(long)]
        full: bool,
    },
    /// Read every byte of the backups and name damaged files. Fails if there are any.
    #[command(after_help = "Examples:
  cartwheel backup verify /mnt/backups
  cartwheel backup verify /mnt/backups --backup 20260131-235959 --json")]
    Verify {
        #[command(flatten)]
        dest: Dest,
        /// The backup to check [default: all].
        #[arg(long, value_name = "NAME")]
        backup: Option<String>,
    },
    /// List the backups, the oldest first.
    #[command(after_help = "Example:\n  cartwheel backup list /mnt/backups")]
    List {
        #[command(flatten)]
        dest: Dest,
    },
    /// Restore a backup into a data directory that is missing or empty: the one of --data-dir.
    /// Users who were erased after the backup are erased again.
    #[command(after_help = "Examples:
  cartwheel backup restore /mnt/backups --data-dir restored
  cartwheel backup restore /mnt/backups --data-dir restored --until 2026-01-31T17:45:00Z
  cartwheel backup restore /mnt/backups --data-dir restored --erasures data/erased.ndjson")]
    Restore {
        #[command(flatten)]
        dest: Dest,
        /// The backup to restore [default: the newest].
        #[arg(long, value_name = "NAME")]
        backup: Option<String>,
        /// Restore events and products as of a moment between two backups, such as
        /// 2026-01-31T17:45:00Z. Everything else is as in the backup before it.
        #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with = "backup")]
        until: Option<i64>,
        /// The list of erased users of the data directory that is replaced, `erased.ndjson`, if it
        /// still exists: it knows those who were erased after the last backup.
        #[arg(long, value_name = "FILE")]
        erasures: Option<PathBuf>,
    },
    /// Remove old backups, and what only they hold.
    #[command(after_help = "Example:\n  cartwheel backup prune /mnt/backups --keep 14")]
    Prune {
        #[command(flatten)]
        dest: Dest,
        /// How many of the newest backups stay.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        keep: u32,
    },
}

/// Where backups are.
#[derive(Debug, Args)]
pub struct Dest {
    /// Directory of the backups, or s3://bucket/prefix. For one data directory only.
    #[arg(value_name = "DEST")]
    address: String,
    /// File with the key of encrypted backups: 64 hexadecimal digits.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl Dest {
    fn open(&self, access: Access, clock: &Clock) -> Result<Store> {
        let key = self.key_file.as_deref().map(Key::from_file).transpose()?;
        let place: Box<dyn Place> = match self.is_bucket() {
            true => bucket(&self.address, clock)?,
            false => Box::new(Directory::new(&self.address)),
        };
        Ok(Store::open(place, key, access)?)
    }

    fn is_bucket(&self) -> bool {
        self.address.starts_with("s3://")
    }
}

#[cfg(feature = "aws")]
fn bucket(uri: &str, clock: &Clock) -> Result<Box<dyn Place>> {
    Ok(Box::new(cartwheel_aws::BackupBucket::open(uri, clock)?))
}

#[cfg(not(feature = "aws"))]
fn bucket(uri: &str, _: &Clock) -> Result<Box<dyn Place>> {
    bail!(
        "{uri}: this program was built without access to S3: build it with `--features aws`, or \
         back up into a directory and copy that with `aws s3 sync`"
    )
}

/// Runs a subcommand of `backup`.
pub fn run(context: &Context, command: &BackupCommand) -> Result<()> {
    match command {
        BackupCommand::Create { dest, full } => create(context, dest, *full),
        BackupCommand::Verify { dest, backup } => verify(context, dest, backup.as_deref()),
        BackupCommand::List { dest } => list(context, dest),
        BackupCommand::Restore { dest, backup, until, erasures } => {
            let (name, erased) = (backup.as_deref(), erasures.as_deref());
            restore(context, dest, &RestoreOptions { name, until_ms: *until, erased })
        }
        BackupCommand::Prune { dest, keep } => prune(context, dest, *keep),
    }
}

fn create(context: &Context, dest: &Dest, is_full: bool) -> Result<()> {
    let started = instant();
    let data = &context.data_dir;
    // A backup of the backups would never end.
    let is_inside = || -> Result<bool> {
        let inside = std::path::absolute(&dest.address)?;
        Ok(inside.starts_with(std::path::absolute(&data.0)?))
    };
    anyhow::ensure!(
        dest.is_bucket() || !is_inside()?,
        "{} is inside the data directory: name a directory elsewhere, best on another disk",
        dest.address
    );
    let mut store = dest.open(Access::Write, &context.clock)?;
    if is_full {
        store.forget();
    }
    let progress = bar("backing up", 0);
    let created = backup::create(
        data,
        &context.settings.stream,
        &mut store,
        &context.clock,
        &mut |done, total| {
            progress.set_length(total.max(done));
            progress.set_position(done);
        },
    );
    progress.finish_and_clear();
    let Created { backup, new_files, new_bytes } = created?;
    let seconds = started.elapsed().as_secs_f64();
    let mut view = view(&backup);
    view["new_files"] = json!(new_files);
    view["new_bytes"] = json!(new_bytes);
    view["seconds"] = json!(seconds);
    result(context.json, &view, || {
        format!(
            "Backup {}: {} files, {:.1} MB; {new_files} of them with {:.1} MB were new; {seconds:.1} s",
            backup.name,
            backup.files.len(),
            megabytes(backup.bytes()),
            megabytes(new_bytes),
        )
    });
    Ok(())
}

fn verify(context: &Context, dest: &Dest, backup: Option<&str>) -> Result<()> {
    let store = dest.open(Access::Read, &context.clock)?;
    let names = match backup {
        Some(name) => vec![name.to_owned()],
        None => store.names()?,
    };
    if names.is_empty() {
        bail!("there is no complete backup: run `cartwheel backup create`");
    }
    let progress = bar("verifying", 0);
    let problems = store.verify(&names, |done, total| {
        progress.set_length(total);
        progress.set_position(done);
    })?;
    progress.finish_and_clear();
    let listed = problems.iter().map(|problem| {
        json!({"backup": problem.backup, "path": problem.path, "problem": problem.problem})
    });
    let view = json!({"backups": names, "problems": listed.collect::<Vec<_>>()});
    result(context.json, &view, || {
        if problems.is_empty() {
            let are = if names.len() == 1 { "is" } else { "are" };
            return format!("{} {are} intact", counted(names.len(), "backup"));
        }
        let line = |problem: &cartwheel_backup::Problem| {
            let path = problem.path.as_deref().unwrap_or("the backup's own file");
            format!("{}  {path}: {}\n", problem.backup, problem.problem)
        };
        problems.iter().map(line).collect()
    });
    if !problems.is_empty() {
        bail!(
            "{} files cannot be restored. `cartwheel backup create --full` replaces those that the \
             data directory still has",
            problems.len()
        );
    }
    Ok(())
}

fn list(context: &Context, dest: &Dest) -> Result<()> {
    let store = dest.open(Access::Read, &context.clock)?;
    let mut views = Vec::new();
    let mut table =
        format!("{:<20}{:<22}{:>10}{:>12}\n", "BACKUP", "STATE OF (UTC)", "FILES", "MB");
    for name in store.names()? {
        match store.backup(&name) {
            Ok(backup) => {
                let (at, files) = (second(backup.started_ms), backup.files.len());
                let size = megabytes(backup.bytes());
                table.push_str(&format!("{name:<20}{at:<22}{files:>10}{size:>12.1}\n"));
                views.push(view(&backup));
            }
            Err(error) => {
                table.push_str(&format!("{name:<20}{error}\n"));
                views.push(json!({"name": name, "problem": error.to_string()}));
            }
        }
    }
    result(context.json, &json!({"backups": views}), || match views.is_empty() {
        true => "No backup yet".to_owned(),
        false => table,
    });
    Ok(())
}

/// Parses a time such as `2026-01-31T17:45:00Z` into UTC milliseconds.
fn moment(text: &str) -> Result<i64, String> {
    let time = text.parse::<jiff::Timestamp>();
    time.map(jiff::Timestamp::as_millisecond)
        .map_err(|error| format!("a time such as 2026-01-31T17:45:00Z is expected: {error}"))
}

fn restore(context: &Context, dest: &Dest, options: &RestoreOptions<'_>) -> Result<()> {
    let store = dest.open(Access::Read, &context.clock)?;
    let progress = bar("restoring", 0);
    let restored = backup::restore(&store, options, &context.data_dir, &mut |done, total| {
        progress.set_length(total);
        progress.set_position(done);
    });
    progress.finish_and_clear();
    let Restored { backup, erased_again, problems } =
        restored.with_context(|| format!("restore into {}", context.data_dir.0.display()))?;
    for problem in &problems {
        eprintln!("warning: left out: {problem}");
    }
    let mut view = view(&backup);
    view["until_ms"] = json!(options.until_ms);
    view["erased_again"] = json!(erased_again);
    view["problems"] = json!(problems);
    result(context.json, &view, || {
        let mut text = format!(
            "Restored {} into {}: {} files, {:.1} MB. It has everything that was acknowledged \
             before {} UTC",
            backup.name,
            context.data_dir.0.display(),
            backup.files.len(),
            megabytes(backup.bytes()),
            second(options.until_ms.unwrap_or(backup.started_ms)),
        );
        if !erased_again.is_empty() {
            text.push_str(&format!(
                ". {} users were erased later and are being erased again: see `cartwheel users \
                 erasures`",
                erased_again.len()
            ));
        }
        text
    });
    Ok(())
}

fn prune(context: &Context, dest: &Dest, keep: u32) -> Result<()> {
    let mut store = dest.open(Access::Write, &context.clock)?;
    let pruned = store.prune(keep as usize)?;
    let view = json!({"removed": pruned.backups, "objects": pruned.objects, "bytes": pruned.bytes});
    result(context.json, &view, || {
        format!(
            "Removed {}, and {:.1} MB that nothing else held",
            counted(pruned.backups.len(), "backup"),
            megabytes(pruned.bytes)
        )
    });
    Ok(())
}

fn view(backup: &Backup) -> Value {
    json!({
        "name": backup.name, "started_ms": backup.started_ms, "ended_ms": backup.ended_ms,
        "release": backup.release, "files": backup.files.len(), "bytes": backup.bytes(),
    })
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
