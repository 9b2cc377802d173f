//! What every host of the API on this machine shares: access, listening, tasks, shutdown.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use cartwheel_api::{
    Admission, AppState, Assets, Assistants, Connections, PLACEMENTS, RULES, SYNONYMS,
};
use cartwheel_engine::Engine;
use cartwheel_registry::{LiveDocument, Registry};
use cartwheel_sessions::UserStore;
use cartwheel_settings::Server;
use cartwheel_stream::Stream;
use tokio::net::TcpSocket;

use crate::audit::AuditFile;
use crate::data_dir::DataDir;
use crate::export::MetricsExport;
use crate::keys::KeyFile;
use crate::listen;
use crate::supervision::{Supervisor, until};

/// Time for background tasks to end after the last request.
const TASKS_END: Duration = Duration::from_secs(6);

/// Time for the last impressions to be stored.
const SETTLE: Duration = Duration::from_secs(2);

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A server that is configured and does not listen yet.
pub struct Host {
    server: Server,
    socket: TcpSocket,
    data_dir: DataDir,
    connections: Connections,
    keys: KeyFile,
    extras: Extras,
}

/// What the program adds to a server.
#[derive(Clone, Default)]
pub struct Extras {
    /// The files of the web app.
    pub assets: Option<Assets>,
    /// Answers assistants.
    pub assistants: Option<Assistants>,
    /// Where metrics are pushed.
    pub metrics: Option<MetricsExport>,
}

impl Host {
    /// Checks that the server may listen where `server` says, takes the address, and prepares the
    /// process.
    ///
    /// # Errors
    /// When keys or certificate cannot be read, when the address is taken, or the server would be
    /// open to other machines without keys.
    pub fn new(data_dir: &DataDir, server: Server, extras: Extras) -> Result<Self> {
        let keys = KeyFile::new(data_dir);
        let needs_keys = keys.is_required()?;
        listen::check_reach(server.listen, needs_keys, server.open_to_everyone)?;
        let connections = listen::connections(&server)?;
        let socket = listen::take_address(server.listen)?;
        listen::raise_file_limit(&connections);
        data_dir.begin()?;
        if needs_keys {
            // The files of earlier releases do not say so.
            keys.require()?;
        }
        Ok(Self { server, socket, data_dir: data_dir.clone(), connections, keys, extras })
    }

    /// The state of the API over these parts, with this host's keys, audit log, web app and tools. Placements,
    /// rules and synonyms are those of the registry from the first [`follow_document`](crate::follow_document) on.
    ///
    /// # Errors
    /// When the keys cannot be read.
    pub fn state(
        &self,
        engine: Arc<dyn Engine>,
        stream: Arc<dyn Stream>,
        users: Arc<dyn UserStore>,
        registry: Arc<dyn Registry>,
    ) -> Result<AppState> {
        let admission = Admission {
            keys: self.keys.api_keys()?,
            audit: Some(Arc::new(AuditFile::new(&self.data_dir))),
        };
        let settings = listen::api_settings(&self.server)?;
        let mut state = AppState::new(engine, stream, users, settings, admission);
        if self.keys.is_required()? {
            state.keys.require();
        }
        state.assets = self.extras.assets;
        state.assistants = self.extras.assistants.clone();
        state.placements = Arc::new(LiveDocument::new(registry.clone(), PLACEMENTS));
        state.rules = Arc::new(LiveDocument::new(registry.clone(), RULES));
        state.synonyms = Arc::new(LiveDocument::new(registry.clone(), SYNONYMS));
        state.models = Some(registry);
        Ok(state)
    }

    /// Serves until Ctrl-C, SIGTERM or the failure of a task that cannot be restarted. Then
    /// `pause` runs, open requests have 6 s to end, impressions 2 s, and the tasks of
    /// `supervisor`, which see the last requests, 6 s.
    ///
    /// # Errors
    /// When another program listens on the address meanwhile, a task failed, or tasks did not end in
    /// time.
    pub async fn run(
        self,
        state: AppState,
        supervisor: Supervisor,
        pause: impl Future<Output = ()>,
    ) -> Result<()> {
        let interrupted = interrupted();
        let listen = self.server.listen;
        self.start_tasks(&state, &supervisor);
        let listener = self.socket.listen(BACKLOG);
        let listener = listener.map_err(|error| listen::cannot_listen(listen, error))?;
        let closing = state.closing.clone();
        let router = cartwheel_api::router(state.clone());
        let stop = supervisor.stop_token();
        let ended = async move { stop.cancelled().await };
        let local = listen::for_commands(&self.connections, &router, ended).await?;
        // The command line finds the server by this file. A killed server leaves it behind.
        let address = local.map_or_else(|| listener.local_addr(), Ok)?;
        std::fs::write(self.data_dir.server(), address.to_string())?;
        let url = listen::url(listener.local_addr()?, &self.connections);
        eprintln!("Open {url}  (Ctrl-C stops)");
        let stopping = async {
            tokio::select! {
                () = interrupted => {}
                () = supervisor.failed() => {}
            }
            closing.send_replace(true);
            pause.await;
        };
        let drained = cartwheel_api::serve(listener, router, self.connections, stopping).await;
        if !(drained && state.settle(SETTLE).await) {
            tracing::warn!("the shutdown interrupted some requests or impressions");
        }
        // The file is only a hint; the next server overwrites it.
        let _ = std::fs::remove_file(self.data_dir.server());
        supervisor.shutdown(TASKS_END).await
    }

    /// The tasks that every host needs.
    fn start_tasks(&self, state: &AppState, supervisor: &Supervisor) {
        let (keys, known) = (self.keys.clone(), state.keys.clone());
        let may_be_open = self.server.listen.ip().is_loopback() || self.server.open_to_everyone;
        supervisor.run_restarting("keys", move |stop| {
            until(stop, keys.clone().follow(known.clone(), may_be_open))
        });
        let of = state.clone();
        supervisor.run_restarting("metrics", move |stop| {
            let of = of.clone();
            until(stop, async move {
                tokio::join!(of.metrics.upkeep(), of.follow_deliveries());
            })
        });
        if let Some(export) = self.extras.metrics.clone() {
            let of = state.clone();
            supervisor
                .run_restarting("export", move |stop| export.clone().follow(of.clone(), stop));
        }
        if let Some(tls) = self.connections.tls.clone() {
            supervisor.run_restarting("certificate", move |stop| {
                until(stop, listen::follow_certificate(tls.clone()))
            });
        }
    }
}

/// Resolves at Ctrl-C or SIGTERM. A signal counts from this call on, even before the future is
/// awaited.
pub fn interrupted() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = signal(SignalKind::terminate());
    let interrupt = signal(SignalKind::interrupt());
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
            let _ = tokio::signal::ctrl_c().await;
            return;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
