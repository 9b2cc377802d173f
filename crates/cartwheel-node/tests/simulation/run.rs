//! Options, worlds, and the report.

#![allow(clippy::disallowed_methods, reason = "the report says how long it took")]

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use parking_lot::Mutex;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::calls;
use crate::disk::Disk;
use crate::world::World;

/// Steps of a world.
const STEPS: u64 = 400;
/// Steps of the short form.
const SHORT: u64 = 2_000;
/// Steps within which missing syncs must be noticed.
const FORGOTTEN: u64 = 400_000;
/// Worlds between the first ones of two seeds.
const WORLDS: u64 = 1_000_000;
/// Paths whose syncs matter, and what they are.
const SYNCS: [&str; 8] = [
    "stream/0",      // the log's segments
    "delivery.json", // checkpoints
    "erasures.json",
    "sessions.redb",
    "catalogue.redb",
    ".parquet",
    "stream/", // names of segments
    "lake/events",
];
/// The simulation's clock starts in 2040, so that files are older.
const START_MS: i64 = 2_208_988_800_000;

struct Options {
    steps: u64,
    seed: u64,
    world: Option<u64>,
    forget: Option<String>,
    /// The first world of a process that another one has started to share its work.
    part: Option<u64>,
}

fn options() -> Result<Option<Options>> {
    let mut options = Options { steps: 0, seed: 1, world: None, forget: None, part: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        // What `cargo test` passes to every target.
        if argument == "--list" {
            return Ok(None);
        }
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--steps" => options.steps = value()?.parse()?,
            "--seed" => options.seed = value()?.parse()?,
            "--world" => options.world = Some(value()?.parse()?),
            "--part" => options.part = Some(value()?.parse()?),
            "--forget-syncs" => options.forget = Some(value()?),
            // The name of a test of another target.
            word if !word.starts_with('-') && !"simulation".contains(word) => return Ok(None),
            _ => {}
        }
    }
    Ok(Some(options))
}

/// Worlds that have found a fault: the short form repeats them.
const FAILED: [u64; 5] = [29_000_092, 29_500_109, 41_500_018, 61_000_009, 61_500_399];

/// What a world saw.
struct Seen {
    steps: u64,
    acknowledged: usize,
    disk_steps: u64,
    trace: u64,
    failure: Option<String>,
}

/// Runs a world to its end or its first failure.
fn world(seed: u64, forget: Option<&str>) -> Result<Seen> {
    let memory = std::path::Path::new("/dev/shm");
    let dir = match memory.is_dir() {
        true => tempfile::tempdir_in(memory)?,
        false => tempfile::tempdir()?,
    };
    let root = dir.path().canonicalize()?.join("data");
    std::fs::create_dir(&root)?;
    let mut disk = Disk::new(&root);
    disk.forgets_syncs_of = forget.map(str::to_owned);
    calls::begin(disk, START_MS, seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .max_blocking_threads(1)
        .build()?;
    let mut world = World::new(&root, ChaCha8Rng::seed_from_u64(seed));
    let (mut steps, mut failure) = (0, None);
    while steps < STEPS && failure.is_none() {
        steps += 1;
        if let Err(error) = runtime.block_on(world.step()) {
            failure = Some(format!("world {seed}, step {steps}: {error:#}"));
        }
    }
    if failure.is_none()
        && let Err(error) = runtime.block_on(world.verify_all())
    {
        failure = Some(format!("world {seed}, after its last step: {error:#}"));
    }
    if failure.is_some() && std::env::var_os("HISTORY").is_some() {
        world.history.iter().for_each(|line| println!("  {line}"));
    }
    let acknowledged = world.acknowledged();
    drop(world);
    drop(runtime);
    calls::end();
    let (disk_steps, trace) = calls::disk(|disk| (disk.steps, disk.trace));
    Ok(Seen { steps, acknowledged, disk_steps, trace, failure })
}

pub fn run() -> ExitCode {
    match report() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("simulation: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn report() -> Result<()> {
    let Some(options) = options()? else { return Ok(()) };
    if let Some(seed) = options.world {
        let seen = world(seed, options.forget.as_deref())?;
        println!("world {seed}: {} steps, {} of the disk", seen.steps, seen.disk_steps);
        return seen.failure.map_or(Ok(()), |failure| bail!(failure));
    }
    if let Some(forget) = &options.forget {
        let steps = if options.steps == 0 { FORGOTTEN } else { options.steps };
        println!("{}", noticed(options.seed, forget, steps)?);
        return Ok(());
    }
    if let Some(first) = options.part {
        return worlds(first, options.steps).map(|seen| println!("{seen}"));
    }
    let first = options.seed * WORLDS;
    let is_short = options.steps == 0;
    if is_short {
        println!("{}", worlds(first, SHORT)?);
        for seed in FAILED {
            if let Some(failure) = world(seed, None)?.failure {
                bail!("{failure}, which has failed before");
            }
        }
    } else {
        shared(first, options.steps)?;
    }
    let (one, again) = (world(first, None)?, world(first, None)?);
    if (one.trace, one.disk_steps) != (again.trace, again.disk_steps) {
        bail!("world {first} is not the same a second time");
    }
    println!("world {first} repeats itself: {} steps of the disk", one.disk_steps);
    if !is_short {
        let seed = options.seed.to_string();
        return side_by_side(&SYNCS.map(|path| own(["--seed", &seed, "--forget-syncs", path])));
    }
    for forget in &SYNCS[..2] {
        println!("{}", noticed(options.seed, forget, FORGOTTEN)?);
    }
    Ok(())
}

/// Runs worlds until they have taken so many steps, on all processors.
fn shared(first: u64, steps: u64) -> Result<()> {
    let began = Instant::now();
    let parts = processors() as u64;
    let part = |part: u64| {
        let (from, steps) = (first + part * WORLDS / parts, steps.div_ceil(parts));
        own(["--part", &from.to_string(), "--steps", &steps.to_string()])
    };
    side_by_side(&(0..parts).map(part).collect::<Vec<_>>())?;
    let seconds = began.elapsed().as_secs_f64();
    println!("{steps} steps in {parts} processes from world {first} on, {seconds:.0} s");
    Ok(())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn own(options: [&str; 4]) -> [String; 4] {
    options.map(str::to_owned)
}

/// Runs this program with each of some options, in as many processes at a time as there are
/// processors: a process has one disk.
fn side_by_side(parts: &[[String; 4]]) -> Result<()> {
    let waiting = Mutex::new(parts.iter());
    let next = || waiting.lock().next();
    let work = || -> Result<bool> {
        let mut held = true;
        while let Some(part) = next() {
            held &= Command::new(std::env::current_exe()?).args(part).status()?.success();
        }
        Ok(held)
    };
    let held = std::thread::scope(|scope| {
        let workers = (0..processors()).map(|_| scope.spawn(work)).collect::<Vec<_>>();
        let ends = workers.into_iter().map(|worker| worker.join().unwrap_or(Ok(false)));
        ends.collect::<Result<Vec<_>>>()
    })?;
    if held.iter().all(|held| *held) { Ok(()) } else { bail!("a world failed, see above") }
}

/// Runs worlds until they have taken so many steps, and says what they saw.
fn worlds(first: u64, steps: u64) -> Result<String> {
    let (mut done, mut acknowledged, mut of_disk, mut seed) = (0, 0, 0, first);
    while done < steps {
        let seen = world(seed, None)?;
        if let Some(failure) = seen.failure {
            bail!(
                "{failure}\nrepeat it with: cargo test -p cartwheel-node --test simulation -- --world {seed}"
            );
        }
        done += seen.steps;
        acknowledged += seen.acknowledged;
        of_disk += seen.disk_steps;
        seed += 1;
    }
    Ok(format!(
        "{} worlds from {first} on: {done} steps, {of_disk} of the disk, {acknowledged} records acknowledged",
        seed - first
    ))
}

/// Runs worlds whose disk forgets some syncs, until one of them fails.
fn noticed(seed: u64, forget: &str, most: u64) -> Result<String> {
    let (mut steps, mut seed) = (0, seed * WORLDS);
    while steps < most {
        let seen = world(seed, Some(forget))?;
        steps += seen.steps;
        if let Some(failure) = seen.failure {
            let first = failure.lines().next().unwrap_or_default().to_owned();
            return Ok(format!("without syncs of {forget}: noticed after {steps} steps: {first}"));
        }
        seed += 1;
    }
    bail!("syncs of {forget} are missing, and {most} steps did not notice")
}
