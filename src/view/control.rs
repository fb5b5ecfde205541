//! The control socket: HTTP/1.1 on a Unix socket, and the metrics' TCP address beside it.
//!
//! Requests come in from the commands, the terminal UI and scripts; answers are JSON. They are read
//! from the journal in short transactions, from the board and from the copy of Odoo's data. Only
//! `decide`, `edit` and `settle` change anything, through the journal's inbox; `configuration` has
//! the daemon reload its configuration, `bundles` hands bundles to the agent, `pause` stops the
//! sending, and `export` streams the whole journal.
//! `docs/control-api.md` is the reference.

mod body;
mod bundles;
mod configuration;
mod decide;
mod edit;
mod events;
mod export;
mod history;
mod log;
mod meaning;
mod names;
mod orders;
mod pause;
mod permission;
mod problem;
mod query;
mod read;
mod search;
mod settle;
mod several;
mod since;
mod stream;
mod take_over;
mod times;
mod undiscard;

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use super::gateway::{EffectiveKey, EffectiveView};
use super::gateway::{Gateway, blocking};
use super::pauses::Pauses;
use super::rights::Rights;
use super::{http, metrics};
use crate::board::Board;
use crate::catalog::Catalog;
use crate::channel::sealing::Sealer;
use crate::clock;
use crate::config::{self, ShiftRules};
use crate::decode::PAYLOAD_BYTES_MAX;
use crate::decode::profiles::Profiles;
use crate::event::Name;
use crate::fleet::archive::BYTES_MAX;
use crate::fleet::reception::Reception;
use crate::journal::Journal;
use crate::listener;
use crate::reload::Reloads;
pub use meaning::Code;
use problem::Problem;

/// The largest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 16_384;
/// The largest body that sends a payload again, in bytes: the longest payload as a JSON string. A
/// control character has six bytes there (`\u0001`).
const RESEND_BYTES_MAX: usize = 6 * PAYLOAD_BYTES_MAX + BODY_BYTES_MAX;
/// The largest body with the prefixes of a scanner profile, in bytes.
const MEANING_BYTES_MAX: usize = 2 << 20;

/// The path that only reads, although its requests have a body.
const MEANING: &str = "/v1/meaning";

/// How long one request searches for entries that match a filter. The answer then has what was
/// found so far.
const SEARCH_TIME: Duration = Duration::from_millis(50);

type Answer<T> = Result<Json<T>, Problem>;

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error(
        "control.socket {}: another process uses it; stop that process, or set another path", .0.display()
    )]
    InUse(PathBuf),
    #[error(
        "control.socket {}: the file exists and is not a socket; remove it or set another path", .0.display()
    )]
    NotASocket(PathBuf),
    #[error(
        "control.socket {}: {error}; give a path of at most 107 bytes in a directory that the daemon may write",
        path.display()
    )]
    Socket { path: PathBuf, error: io::Error },
    #[error("control.metrics {address}: {error}; set an address that is free")]
    Metrics {
        address: SocketAddr,
        error: io::Error,
    },
}

/// The bound addresses, ready to serve.
pub struct Control {
    gateway: Gateway,
    socket: UnixSocket,
    metrics: Option<Arc<TcpListener>>,
    changes: (mpsc::Sender<ControlChange>, mpsc::Receiver<ControlChange>),
}

/// The socket and its file.
type UnixSocket = (UnixListener, SocketFile);

/// Addresses that are bound and not served yet.
pub struct ControlChange {
    /// `None`: the socket stays as it is.
    socket: Option<UnixSocket>,
    metrics: MetricsChange,
}

enum MetricsChange {
    Stay,
    Move(Option<Arc<TcpListener>>),
}

/// The served addresses, for a reload.
#[derive(Debug)]
pub struct ControlHandle {
    metrics: Option<Arc<TcpListener>>,
    changes: mpsc::Sender<ControlChange>,
}

impl ControlHandle {
    /// Binds the addresses that differ from those of `old`.
    pub async fn prepare(
        &self,
        old: &config::Control,
        new: &config::Control,
    ) -> Result<ControlChange, ControlError> {
        let metrics = match new.metrics {
            same if same == old.metrics => MetricsChange::Stay,
            None => MetricsChange::Move(None),
            Some(address) => {
                let bound = listener::bind_beside(address, self.metrics.as_deref()).await;
                let bound = bound.map_err(|error| ControlError::Metrics { address, error })?;
                MetricsChange::Move(Some(Arc::new(bound)))
            }
        };
        let socket = if new.socket == old.socket {
            None
        } else {
            Some(bind_unix_again(&new.socket).await?)
        };
        Ok(ControlChange { socket, metrics })
    }

    /// Serves the new addresses. Answers in progress on the old ones may finish.
    pub async fn switch(&mut self, change: ControlChange) {
        if let MetricsChange::Move(metrics) = &change.metrics {
            self.metrics.clone_from(metrics);
        }
        // The receiver ends when the daemon stops.
        drop(self.changes.send(change).await);
    }
}

impl Control {
    /// Binds both addresses. Call it inside the runtime that will serve them.
    pub fn bind(
        config: &config::Control,
        site: Name,
        journal: Journal,
        board: Board,
    ) -> Result<Self, ControlError> {
        let bind_metrics = |address| {
            let bound = listener::bind(address).map(Arc::new);
            bound.map_err(|error| ControlError::Metrics { address, error })
        };
        let metrics = config.metrics.map(bind_metrics).transpose()?;
        Ok(Self {
            gateway: Gateway::new(site, journal, board),
            socket: bind_unix(&config.socket)?,
            metrics,
            changes: mpsc::channel(1),
        })
    }

    /// Sets the receiver of requests to reload the configuration.
    #[must_use]
    pub fn with_reloads(mut self, reloads: Reloads) -> Self {
        self.gateway.reloads = Some(reloads);
        self
    }

    /// Sets the receiver of bundles.
    #[must_use]
    pub fn with_reception(mut self, reception: Reception) -> Self {
        self.gateway.reception = Some(reception);
        self
    }

    /// Sets the effective configuration, with the origin of each value.
    #[must_use]
    pub fn with_effective(mut self, effective: watch::Receiver<EffectiveView>) -> Self {
        self.gateway.effective = Some(effective);
        self
    }

    /// Sets the pauses of sending.
    #[must_use]
    pub fn with_pauses(mut self, pauses: Pauses) -> Self {
        self.gateway.pauses = Some(pauses);
        self
    }

    /// Sets what wakes the forwarder when a person orders the gateway to take over.
    #[must_use]
    pub fn with_take_over(mut self, ordered: Arc<Notify>) -> Self {
        self.gateway.take_over = Some(ordered);
        self
    }

    /// Sets the shifts and the time zone of the configuration.
    #[must_use]
    pub fn with_shifts(mut self, shifts: watch::Receiver<ShiftRules>) -> Self {
        self.gateway.shifts = Some(shifts);
        self
    }

    /// Sets who may decide.
    #[must_use]
    pub fn with_rights(mut self, rights: Rights) -> Self {
        self.gateway.rights = rights;
        self
    }

    /// Sets what seals open documents before a backup.
    #[must_use]
    pub fn with_sealer(mut self, sealer: Sealer) -> Self {
        self.gateway.sealer = Some(sealer);
        self
    }

    #[must_use]
    pub fn handle(&self) -> ControlHandle {
        ControlHandle {
            metrics: self.metrics.clone(),
            changes: self.changes.0.clone(),
        }
    }

    /// Sets the copies of Odoo's data, by which codes are explained.
    #[must_use]
    pub fn with_copies(mut self, copies: watch::Receiver<Option<Catalog>>) -> Self {
        self.gateway.copies = Some(copies);
        self
    }

    /// Sets the profiles, by which scans that people send again are read like their device's own.
    #[must_use]
    pub fn with_profiles(mut self, profiles: Profiles) -> Self {
        self.gateway.profiles = profiles;
        self
    }

    /// The address of `/metrics`, with the port that the system chose if the configuration has
    /// port 0.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().and_then(|tcp| tcp.local_addr().ok())
    }

    /// Serves until `cancel`, then finishes the answers in progress and removes the socket's file.
    pub async fn run(self, cancel: CancellationToken) {
        let Self {
            gateway,
            socket,
            metrics,
            changes: (_sender, mut changes),
        } = self;
        if let Some(warning) = gateway.rights.warning() {
            tracing::warn!("{warning}");
        }
        let mut serving = JoinSet::new();
        let (mut of_socket, mut of_metrics) = (cancel.child_token(), cancel.child_token());
        serving.spawn(serve_socket(gateway.clone(), socket, of_socket.clone()));
        serving.spawn(serve_metrics(gateway.clone(), metrics, of_metrics.clone()));
        loop {
            let change = tokio::select! {
                () = cancel.cancelled() => break,
                _ = serving.join_next(), if !serving.is_empty() => continue,
                Some(change) = changes.recv() => change,
            };
            if let Some(socket) = change.socket {
                std::mem::replace(&mut of_socket, cancel.child_token()).cancel();
                serving.spawn(serve_socket(gateway.clone(), socket, of_socket.clone()));
            }
            if let MetricsChange::Move(metrics) = change.metrics {
                std::mem::replace(&mut of_metrics, cancel.child_token()).cancel();
                serving.spawn(serve_metrics(gateway.clone(), metrics, of_metrics.clone()));
            }
        }
        while serving.join_next().await.is_some() {}
    }
}

async fn serve_socket(gateway: Gateway, socket: UnixSocket, cancel: CancellationToken) {
    let (socket, file) = socket;
    let router = router(gateway, &cancel);
    http::serve(http::Listener::Unix(socket), router, None, cancel).await;
    drop(file);
}

async fn serve_metrics(
    gateway: Gateway,
    listener: Option<Arc<TcpListener>>,
    cancel: CancellationToken,
) {
    if let Some(tcp) = listener {
        let router = metrics::router(gateway);
        let lifetime = Some(metrics::CONNECTION_LIFETIME);
        http::serve(http::Listener::Tcp(tcp), router, lifetime, cancel).await;
    }
}

fn router(gateway: Gateway, cancel: &CancellationToken) -> Router {
    Router::new()
        .route("/v1/status", get(read::status))
        .route("/v1/events", get(events::events))
        .route("/v1/search", get(search::search))
        .route("/v1/rejected", get(read::rejected))
        .route("/v1/rejected/dismiss", post(settle::dismiss_many))
        .route("/v1/rejected/{id}", get(settle::show))
        .route("/v1/rejected/{id}/dismiss", post(settle::dismiss))
        .route(
            "/v1/rejected/{id}/resend",
            post(settle::resend).layer(DefaultBodyLimit::max(RESEND_BYTES_MAX)),
        )
        .route("/v1/documents", get(read::documents))
        .route("/v1/parked", get(read::parked))
        .route("/v1/documents/{id}/undiscard", post(undiscard::undiscard))
        .route("/v1/parked/retry", post(several::retry))
        .route("/v1/parked/discard", post(several::discard))
        .route("/v1/parked/{id}", get(read::parked_one))
        .route("/v1/parked/{id}/retry", post(decide::retry))
        .route("/v1/parked/{id}/discard", post(decide::discard))
        .route("/v1/parked/{id}/edit", post(edit::edit))
        .route("/v1/trace/{*id}", get(history::trace))
        .route("/v1/orders", get(orders::orders))
        .route("/v1/names", get(names::names))
        .route("/v1/log", get(log::log))
        .route("/v1/stream", get(stream::stream))
        .route("/v1/pause", get(pause::show).post(pause::begin))
        .route("/v1/resume", post(pause::end))
        .route("/v1/take-over", post(take_over::take_over))
        .route(
            MEANING,
            post(meaning::meaning).layer(DefaultBodyLimit::max(MEANING_BYTES_MAX)),
        )
        .route("/v1/config", get(configuration::show))
        .route("/v1/config/effective", get(configuration::effective))
        .route("/v1/config/reload", post(configuration::reload))
        .route(
            "/v1/config/bundle",
            post(bundles::offer).layer(DefaultBodyLimit::max(BYTES_MAX)),
        )
        .route("/v1/config/rollback", post(bundles::roll_back))
        .route("/v1/config/history", get(bundles::history))
        .route("/v1/journal/backup", post(export::back_up))
        .route("/v1/journal/export", post(export::export))
        .fallback(problem::unknown_path)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(gateway.clone(), permission::check))
        .layer(axum::Extension(cancel.clone()))
        .with_state(gateway)
}

/// Runs a blocking read of the journal off the runtime's threads.
async fn reading<T, F>(gateway: &Gateway, read: F) -> Result<T, Problem>
where
    T: Send + 'static,
    F: FnOnce(&Gateway) -> Result<T, Problem> + Send + 'static,
{
    let (gateway, pages) = (gateway.clone(), Arc::clone(&gateway.pages));
    match blocking(pages, move || read(&gateway)).await {
        Some(result) => result,
        None => Err(Problem::internal(
            "the daemon is stopping and does not answer: send the request again when it runs",
        )),
    }
}

/// The file of a bound socket: removed at the end, unless another process has put its own there
/// meanwhile.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            // If it remains, the next start removes it as a stale file.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// As [`bind_unix`], but waits for a socket that the reload before has replaced, and that is about
/// to be closed.
async fn bind_unix_again(path: &Path) -> Result<UnixSocket, ControlError> {
    let begun = clock::instant();
    loop {
        match bind_unix(path) {
            Err(ControlError::InUse(_)) if begun.elapsed() < listener::CLOSED_WITHIN => {
                tokio::time::sleep(listener::LOOK_EVERY).await;
            }
            bound => return bound,
        }
    }
}

/// Binds the socket for its owner and group. Replaces a stale file, on which no process answers,
/// but not a live one.
fn bind_unix(path: &Path) -> Result<(UnixListener, SocketFile), ControlError> {
    let failed = |error| ControlError::Socket {
        path: path.to_owned(),
        error,
    };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(directory) = path.parent() {
                std::fs::create_dir_all(directory).map_err(failed)?;
            }
        }
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(ControlError::NotASocket(path.to_owned()));
        }
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path).map_err(failed)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // A full queue or missing rights show that a process listens there.
            Ok(_) | Err(_) => return Err(ControlError::InUse(path.to_owned())),
        },
    }
    let socket = UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o660)).map_err(failed)?;
    let inode = std::fs::symlink_metadata(path).map_err(failed)?.ino();
    let path = path.to_owned();
    Ok((socket, SocketFile { path, inode }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_live_socket_is_not_taken_and_a_stale_one_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/control.sock");
        let first = bind_unix(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        let error = bind_unix(&path).unwrap_err();
        assert!(matches!(&error, ControlError::InUse(at) if *at == path));
        assert!(error.to_string().contains("control.sock"), "{error}");

        // As after a SIGKILL: the listener is gone, its file is not.
        let (listener, file) = first;
        std::mem::forget(file);
        drop(listener);
        assert!(path.exists());
        let (_listener, file) = bind_unix(&path).unwrap();
        drop(file);
        assert!(!path.exists(), "the file goes with the listener");
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(bind_unix(&path), Err(ControlError::NotASocket(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x".repeat(150));
        let error = bind_unix(&path).unwrap_err().to_string();
        assert!(error.contains("107 bytes"), "{error}");
    }
}
