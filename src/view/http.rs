//! Serves HTTP/1.1 on a Unix or TCP listener, with the limits that `axum::serve` lacks.
//!
//! It accepts at most [`CONNECTIONS_MAX`] connections at once (for one more, an idle connection is
//! closed) and answers one request on each. When it is cancelled, the answers in progress may
//! finish within [`DRAIN`].

mod connections;
mod early;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::unix::UCred;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::clock;
use connections::{Connections, Slot, Watched};
use early::Described;

/// The limit of open connections of one listener.
pub const CONNECTIONS_MAX: usize = 64;
/// The time within which a client must send the head of its request.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// The time after which a client that reads nothing of its answer is disconnected.
const STUCK_MAX: Duration = Duration::from_secs(10);
/// The buffer of a connection, in bytes: the longest URI that hyper reads, and some headers.
const BUFFER_BYTES_MAX: usize = 72 << 10;
/// The time that answers in progress may take at the end.
const DRAIN: Duration = Duration::from_secs(2);
/// The pause after a failed accept (mostly for lack of file descriptors), so that the loop does not
/// spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The user at the other end of a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub uid: Option<u32>,
    /// The group of the process.
    pub gid: Option<u32>,
}

type Stream = Either<UnixStream, TcpStream>;

pub enum Listener {
    Unix(UnixListener),
    Tcp(Arc<TcpListener>),
}

impl Listener {
    async fn accept(&self) -> io::Result<(Stream, Peer, Option<IpAddr>)> {
        match self {
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let credentials = stream.peer_cred().ok();
                let peer = Peer {
                    uid: credentials.as_ref().map(UCred::uid),
                    gid: credentials.as_ref().map(UCred::gid),
                };
                Ok((Either::Left(stream), peer, None))
            }
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                let address = from.ip().to_canonical();
                let peer = Peer {
                    uid: None,
                    gid: None,
                };
                Ok((Either::Right(stream), peer, Some(address)))
            }
        }
    }
}

/// Serves until `cancel`. `lifetime`: a connection is closed after this time.
pub async fn serve(
    listener: Listener,
    router: Router,
    lifetime: Option<Duration>,
    cancel: CancellationToken,
) {
    let open = Arc::new(Connections::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    while let Some(accepted) = cancel.run_until_cancelled(listener.accept()).await {
        while connections.try_join_next().is_some() {}
        let (stream, peer, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(slot) = cancel.run_until_cancelled(open.admit(address)).await else {
            break;
        };
        let activity = slot.activity.clone();
        let router = router.clone().layer(Extension(peer)).layer(from_fn(
            move |request: Request, next: Next| {
                let serving = activity.serve();
                async move {
                    let response = next.run(request).await;
                    drop(serving);
                    response
                }
            },
        ));
        let cancel = cancel.clone();
        connections.spawn(connection(stream, slot, router, lifetime, cancel));
    }
    // The address is free at once.
    drop(listener);
    // Connections that are still open are closed when the set is dropped.
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        debug!("answers in progress were cut off");
    }
}

async fn connection(
    stream: Stream,
    slot: Slot,
    router: Router,
    lifetime: Option<Duration>,
    cancel: CancellationToken,
) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        // With keep-alive, a client could occupy a connection forever by sending requests ahead of
        // their answers.
        .keep_alive(false)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(
            TokioIo::new(Described::new(
                Watched::new(stream, slot.activity.clone()),
                slot.activity.clone(),
            )),
            TowerToHyperService::new(router),
        );
    let mut serving = std::pin::pin!(serving);
    let end = async {
        match lifetime {
            Some(lifetime) => tokio::time::sleep(lifetime).await,
            None => std::future::pending().await,
        }
    };
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = end => return,
        () = slot.evicted.cancelled() => return,
        () = stuck(&slot) => return,
        () = cancel.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        debug!(%error, "an HTTP connection failed: the client closed it early, or sent no valid request in time");
    }
}

/// Resolves when the client has read nothing of its answer for too long.
async fn stuck(slot: &Slot) {
    let mut look = tokio::time::interval(STUCK_MAX / 10);
    loop {
        look.tick().await;
        if slot.activity.stuck_for(clock::instant()) >= STUCK_MAX {
            return;
        }
    }
}
