//! Jobs: subcommands of this program in child processes. A job has its own memory and
//! threads, and stops when its process is killed. Beside a server it has few threads and
//! the idle scheduling class, and if the machine runs out of memory, it ends before the server.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use cartwheel_workflow::{Failure, Progress, Reporter};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

/// Environment variable that makes a command print its progress as lines of JSON on standard
/// error if its value is `json`, for a parent process.
pub const PROGRESS_VARIABLE: &str = "CARTWHEEL_PROGRESS";
/// Environment variable with the API key that commands send to a server that requires one.
pub const KEY_VARIABLE: &str = "CARTWHEEL_API_KEY";
/// The beginning of the line with which a job says why it failed.
const ERROR: &str = "error: ";
/// Environment variable that is set in jobs.
const JOB_VARIABLE: &str = "CARTWHEEL_JOB";
/// Value of [`JOB_VARIABLE`] in jobs beside a server.
const BESIDE: &str = "beside";
/// Environment variable with the most memory of a job, in bytes.
const MEMORY_VARIABLE: &str = "CARTWHEEL_JOB_MEMORY";
/// A job's memory is looked at this often.
#[cfg(target_os = "linux")]
const MEMORY_CHECK: std::time::Duration = std::time::Duration::from_millis(50);
/// Last lines of a failed job's output in its error.
const TAIL_LINES: usize = 12;
/// Largest result of a job, in bytes.
const MAX_RESULT: u64 = 16 << 20;

/// Receives the progress and output of a job.
pub trait Watcher: Sync {
    /// Receives the progress.
    fn progress(&self, progress: Progress);
    /// Receives a line of output.
    fn line(&self, text: &str);
}

impl Watcher for Reporter {
    fn progress(&self, progress: Progress) {
        self.report(progress);
    }

    fn line(&self, text: &str) {
        self.log(text);
    }
}

/// Launches jobs.
#[derive(Debug, Clone)]
pub struct Jobs {
    /// The data directory.
    pub data_dir: PathBuf,
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// Threads of a job beside a server; `None` for no limit.
    pub beside: Option<usize>,
    /// Most memory of an import or a generated shop that somebody started over HTTP, in bytes.
    pub max_memory_bytes: u64,
}

/// The end of a job.
#[derive(Debug)]
pub struct Ended {
    /// The result. `None` if the job printed none.
    pub result: Option<Value>,
    /// Why it failed, in its own words.
    pub error: Option<String>,
}

impl Jobs {
    /// Runs a subcommand with `--json` and returns its result.
    pub async fn run(
        &self,
        arguments: &[String],
        watcher: &impl Watcher,
    ) -> Result<Value, Failure> {
        let failed = |cause: String| Failure::new("States.TaskFailed", cause);
        let command = self.command(self.config.as_deref(), arguments).map_err(failed)?;
        self.result(command, arguments, watcher).await
    }

    /// As [`Self::run`], within the memory that such a job may have.
    pub async fn run_bounded(
        &self,
        arguments: &[String],
        watcher: &impl Watcher,
    ) -> Result<Value, Failure> {
        let failed = |cause: String| Failure::new("States.TaskFailed", cause);
        let mut command = self.command(self.config.as_deref(), arguments).map_err(failed)?;
        command.env(MEMORY_VARIABLE, self.max_memory_bytes.to_string());
        self.result(command, arguments, watcher).await
    }

    async fn result(
        &self,
        command: Command,
        arguments: &[String],
        watcher: &impl Watcher,
    ) -> Result<Value, Failure> {
        let failed = |cause: String| Failure::new("States.TaskFailed", cause);
        watcher.line(&format!("cartwheel {}", arguments.join(" ")));
        let output = output(command, watcher).await;
        let Output { status, stdout, tail } = output.map_err(failed)?;
        watcher.line(&format!("ended with {status}"));
        if !status.success() {
            return Err(failed(format!("{status}: {}", tail.join("\n"))));
        }
        serde_json::from_slice(&stdout)
            .map_err(|e| failed(format!("the job's result is not JSON: {e}")))
    }

    /// Runs a subcommand with `--json` in `folder`, whose files its arguments may name, within the
    /// memory that such a job may have. It calls the server with `key`.
    ///
    /// # Errors
    /// When the job cannot be started or followed.
    pub async fn run_in(
        &self,
        folder: &Path,
        key: &str,
        arguments: &[String],
        watcher: &impl Watcher,
    ) -> Result<Ended, String> {
        // Without a configuration, a file of the folder that has its name must not become one.
        let config = self.config.as_deref().unwrap_or(Path::new("/dev/null"));
        let mut command = self.command(Some(config), arguments)?;
        let memory = self.max_memory_bytes.to_string();
        command.current_dir(folder).env(KEY_VARIABLE, key).env(MEMORY_VARIABLE, memory);
        let Output { status, stdout, tail } = output(command, watcher).await?;
        let error = (!status.success()).then(|| {
            // Warnings may stand before it.
            let error = tail.iter().rposition(|line| line.starts_with(ERROR));
            let lines = tail[error.unwrap_or(0)..].join("\n");
            match lines.strip_prefix(ERROR) {
                Some(error) => error.to_owned(),
                None => format!("{status}: {lines}"),
            }
        });
        Ok(Ended { result: serde_json::from_slice(&stdout).ok(), error })
    }

    /// This program with a subcommand, as a job.
    fn command(&self, config: Option<&Path>, arguments: &[String]) -> Result<Command, String> {
        let absolute = |path: &Path| std::path::absolute(path).map_err(|e| e.to_string());
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut command = Command::new(program);
        command.arg("--data-dir").arg(absolute(&self.data_dir)?);
        if let Some(config) = config {
            command.arg("--config").arg(absolute(config)?);
        }
        command
            .arg("--json")
            .args(arguments)
            .env(PROGRESS_VARIABLE, "json")
            .env(JOB_VARIABLE, if self.beside.is_some() { BESIDE } else { "alone" })
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C must reach only the parent, so that the run can be resumed.
            .process_group(0)
            .kill_on_drop(true);
        if let Some(threads) = self.beside {
            let threads = threads.to_string();
            command.env("RAYON_NUM_THREADS", &threads).env("OMP_NUM_THREADS", &threads);
        }
        Ok(command)
    }
}

/// What a job has printed.
struct Output {
    status: ExitStatus,
    stdout: Vec<u8>,
    /// The last lines of its standard error that are not progress.
    tail: Vec<String>,
}

/// Runs a job and forwards its progress.
async fn output(mut command: Command, watcher: &impl Watcher) -> Result<Output, String> {
    let mut child = command.spawn().map_err(|e| format!("cannot start the job: {e}"))?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("the job has no output".to_owned());
    };
    let mut result = Vec::new();
    let mut stdout = stdout.take(MAX_RESULT);
    let (tail, read) = tokio::join!(listen(stderr, watcher), stdout.read_to_end(&mut result));
    let status = child.wait().await.map_err(|e| e.to_string())?;
    read.map_err(|e| e.to_string())?;
    Ok(Output { status, stdout: result, tail })
}

/// Forwards progress and output, and returns the last lines that are not progress.
async fn listen(stderr: tokio::process::ChildStderr, watcher: &impl Watcher) -> Vec<String> {
    let mut lines = BufReader::new(stderr).lines();
    let mut tail = Vec::new();
    let mut last_step = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str::<Progress>(&line) {
            Ok(progress) => {
                if progress.what != last_step {
                    last_step.clone_from(&progress.what);
                    watcher.line(&last_step);
                }
                watcher.progress(progress);
            }
            Err(_) => {
                watcher.line(&line);
                if tail.len() == TAIL_LINES {
                    tail.remove(0);
                }
                tail.push(line.chars().take(500).collect());
            }
        }
    }
    tail
}

/// Makes this process a job if its parent started it as one: it is killed when its parent
/// ends and, beside a server, runs only when cores are idle and is the first to be killed if memory
/// runs out. A job with a limit of memory ends when it has more.
pub fn become_job() {
    #[cfg(target_os = "linux")]
    if let Some(job) = std::env::var_os(JOB_VARIABLE) {
        let idle = libc::sched_param { sched_priority: 0 };
        // SAFETY: the calls take integers and a struct that outlives them.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if job == BESIDE {
                libc::sched_setscheduler(0, libc::SCHED_IDLE, &idle);
            }
        }
        if job == BESIDE {
            // Without it, the kernel chooses by size alone.
            let _ = std::fs::write("/proc/self/oom_score_adj", "500");
        }
        let limit = std::env::var(MEMORY_VARIABLE).ok().and_then(|bytes| bytes.parse().ok());
        if let Some(limit) = limit {
            // Whatever is soon done was checked too.
            end_beyond(limit);
            let watch = move || loop {
                std::thread::sleep(MEMORY_CHECK);
                end_beyond(limit);
            };
            if let Err(error) = std::thread::Builder::new().name("memory".into()).spawn(watch) {
                tracing::warn!(%error, "the memory of this job has no limit");
            }
        }
    }
}

/// Ends the process if its memory is larger than `limit` bytes. As after any other end, the next
/// import removes what this one has begun.
#[cfg(target_os = "linux")]
fn end_beyond(limit: u64) {
    // A limit of the kernel's would count address space that is never touched.
    if resident_bytes().is_none_or(|bytes| bytes <= limit) {
        return;
    }
    let limit = limit as f64 / f64::from(1 << 20);
    eprintln!(
        "{ERROR}this needs more than the {limit:.0} MiB of memory that an import over HTTP may \
         take. Raise import.max_memory_bytes, or run `cartwheel import` or `cartwheel generate` on \
         the machine."
    );
    std::process::exit(1);
}

/// The memory of this process, in bytes.
#[cfg(target_os = "linux")]
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
}
