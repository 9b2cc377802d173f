//! Jobs: this program once more. What it does in memory and on the cores is then its
//! own, and ending it is ending a process. Beside a server it has few threads and
//! runs when nobody else wants to.

use std::path::PathBuf;
use std::process::Stdio;

use cartwheel_workflow::{Failure, Progress, Reporter};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

/// If it is `json`, a command prints its progress as lines of JSON on standard error, for a
/// parent process.
pub const PROGRESS_VARIABLE: &str = "CARTWHEEL_PROGRESS";
/// Set in jobs.
const JOB_VARIABLE: &str = "CARTWHEEL_JOB";
/// Its value in jobs beside a server.
const BESIDE: &str = "beside";
/// Lines of a failed job's output that its failure tells.
const TOLD_LINES: usize = 12;
/// Most bytes of a job's result.
const MAX_RESULT: u64 = 16 << 20;

/// Who is told how a job goes on.
pub trait Watcher: Sync {
    /// How far it is.
    fn progress(&self, progress: Progress);
    /// What it said.
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

/// How jobs run.
#[derive(Debug, Clone)]
pub struct Jobs {
    /// The data directory.
    pub data_dir: PathBuf,
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// Threads of a job beside a server; none for a machine of its own.
    pub beside: Option<usize>,
}

impl Jobs {
    /// Runs a subcommand with `--json` and gives its result.
    pub async fn run(
        &self,
        arguments: &[String],
        watcher: &impl Watcher,
    ) -> Result<Value, Failure> {
        let failed = |cause: String| Failure::new("States.TaskFailed", cause);
        let program = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
        let mut command = Command::new(program);
        command
            .arg("--data-dir")
            .arg(&self.data_dir)
            .args(self.config.iter().flat_map(|path| ["--config".into(), path.clone()]))
            .arg("--json")
            .args(arguments)
            .env(PROGRESS_VARIABLE, "json")
            .env(JOB_VARIABLE, if self.beside.is_some() { BESIDE } else { "alone" })
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the parent, which lets the run be gone on with.
            .process_group(0)
            .kill_on_drop(true);
        if let Some(threads) = self.beside {
            let threads = threads.to_string();
            command.env("RAYON_NUM_THREADS", &threads).env("OMP_NUM_THREADS", &threads);
        }
        watcher.line(&format!("cartwheel {}", arguments.join(" ")));
        let mut child =
            command.spawn().map_err(|e| failed(format!("the job does not start: {e}")))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
            return Err(failed("the job has no output".to_owned()));
        };
        let mut result = Vec::new();
        let mut stdout = stdout.take(MAX_RESULT);
        let (told, read) = tokio::join!(listen(stderr, watcher), stdout.read_to_end(&mut result));
        let status = child.wait().await.map_err(|e| failed(e.to_string()))?;
        watcher.line(&format!("ended with {status}"));
        if !status.success() {
            return Err(failed(format!("{status}: {}", told.join("\n"))));
        }
        read.map_err(|e| failed(e.to_string()))?;
        serde_json::from_slice(&result)
            .map_err(|e| failed(format!("the job's result is not JSON: {e}")))
    }
}

/// Passes progress on, and gives the last of the other lines.
async fn listen(stderr: tokio::process::ChildStderr, watcher: &impl Watcher) -> Vec<String> {
    let mut lines = BufReader::new(stderr).lines();
    let mut told = Vec::new();
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
                if told.len() == TOLD_LINES {
                    told.remove(0);
                }
                told.push(line.chars().take(500).collect());
            }
        }
    }
    told
}

/// In a job: ends with its parent and, beside a server, gives way to it.
pub fn become_one() {
    #[cfg(target_os = "linux")]
    if let Some(job) = std::env::var_os(JOB_VARIABLE) {
        let idle = libc::sched_param { sched_priority: 0 };
        // SAFETY: the calls take numbers, and a struct that lives until they return.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if job == BESIDE {
                libc::sched_setscheduler(0, libc::SCHED_IDLE, &idle);
            }
        }
    }
}
