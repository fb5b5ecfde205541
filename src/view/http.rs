//! HTTP/1.1 on a listener of either kind, with the limits that `axum::serve` leaves out.
//!
//! Takes connections until it is cancelled, at most [`CONNECTIONS_MAX`] at once (for more, one that
//! stands still makes room), answers one request on each, then lets the answers under way finish
//! within [`DRAIN`].

mod guests;

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
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::clock;
use guests::{Guests, Seat, Watched};

/// Connections of one listener at once.
pub const CONNECTIONS_MAX: usize = 64;
/// How long a client may take to send its request's head.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How long a client may read nothing of its answer.
const STUCK_MAX: Duration = Duration::from_secs(10);
/// What is buffered of requests and answers, in bytes.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// How long answers under way may take at the end.
const DRAIN: Duration = Duration::from_secs(2);
/// After a failed accept (out of file descriptors, mostly), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Who is at the other end of a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub uid: Option<u32>,
}

type Stream = Either<UnixStream, TcpStream>;

pub enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    async fn accept(&self) -> io::Result<(Stream, Peer, Option<IpAddr>)> {
        match self {
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred().ok().map(|cred| cred.uid());
                Ok((Either::Left(stream), Peer { uid }, None))
            }
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                let address = from.ip().to_canonical();
                Ok((Either::Right(stream), Peer { uid: None }, Some(address)))
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
    let guests = Arc::new(Guests::new(CONNECTIONS_MAX));
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
        let Some(seat) = cancel.run_until_cancelled(guests.admit(address)).await else {
            break;
        };
        let activity = seat.activity.clone();
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
        connections.spawn(connection(stream, seat, router, lifetime, cancel));
    }
    // What is not done by then is cut off when the set goes.
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        debug!("answers under way were cut off");
    }
}

async fn connection(
    stream: Stream,
    seat: Seat,
    router: Router,
    lifetime: Option<Duration>,
    cancel: CancellationToken,
) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        // Requests that are sent ahead of their answers would keep a connection at work for ever.
        .keep_alive(false)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(
            TokioIo::new(Watched::new(stream, seat.activity.clone())),
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
        () = seat.evicted.cancelled() => return,
        () = stuck(&seat) => return,
        () = cancel.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        debug!(%error, "a connection ended early");
    }
}

/// Resolves when the client has read nothing of its answer for too long.
async fn stuck(seat: &Seat) {
    let mut look = tokio::time::interval(STUCK_MAX / 10);
    loop {
        look.tick().await;
        if seat.activity.stuck_for(clock::instant()) >= STUCK_MAX {
            return;
        }
    }
}
