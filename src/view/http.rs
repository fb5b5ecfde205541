//! HTTP/1.1 on a listener of either kind, with the limits that `axum::serve` leaves out.
//!
//! Takes connections until it is cancelled, at most [`CONNECTIONS_MAX`] at once (more wait in the kernel's queue),
//! then lets the answers under way finish within [`DRAIN`].

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Connections of one listener at once.
pub const CONNECTIONS_MAX: usize = 64;
/// How long a client may take to send a request's head, also the next one on a kept connection.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How long answers under way may take at the end.
const DRAIN: Duration = Duration::from_secs(2);
/// After a failed accept (out of file descriptors, mostly), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Who is at the other end of a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub uid: Option<u32>,
}

pub enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    async fn accept(&self) -> io::Result<(Either<UnixStream, TcpStream>, Peer)> {
        match self {
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred().ok().map(|cred| cred.uid());
                Ok((Either::Left(stream), Peer { uid }))
            }
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Either::Right(stream), Peer { uid: None }))
            }
        }
    }
}

/// Serves until `cancel`. A connection is closed after `lifetime`, where there is one.
pub async fn serve(
    listener: Listener,
    router: Router,
    lifetime: Option<Duration>,
    cancel: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    while let Some(accepted) = cancel.run_until_cancelled(next(&listener, &permits)).await {
        while connections.try_join_next().is_some() {}
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let router = router.clone().layer(Extension(peer));
        let cancel = cancel.clone();
        connections.spawn(async move {
            connection(stream, router, lifetime, cancel).await;
            drop(permit);
        });
    }
    // What is not done by then is cut off when the set goes.
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        debug!("answers under way were cut off");
    }
}

async fn next(
    listener: &Listener,
    permits: &Arc<Semaphore>,
) -> io::Result<(
    Either<UnixStream, TcpStream>,
    Peer,
    tokio::sync::OwnedSemaphorePermit,
)> {
    let permit = (permits.clone().acquire_owned().await).map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

async fn connection(
    stream: Either<UnixStream, TcpStream>,
    router: Router,
    lifetime: Option<Duration>,
    cancel: CancellationToken,
) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
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
        () = cancel.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        debug!(%error, "a connection ended early");
    }
}
