//! Accepts connections, and starts a task for each.
//!
//! **In**: the listener, which a reload replaces. **Out**: a connection with its origin, after the
//! TLS handshake. The loop is a part that the watchdog watches ([`Pulse`]).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::access::Origin;
use super::doorstep::{Doorstep, Standing};
use super::shared::Shared;
use super::{canonical, handshake, talk};
use crate::clock;
use crate::pulse::Pulse;
use crate::tls;

/// How long the end of all connections may take when the gateway stops.
const STOP_MAX: Duration = Duration::from_secs(5);
/// The name of the loop that accepts connections, for the log.
const LOOP: &str = "the front door";
/// How long the front door may take to answer. It does not answer while it cannot accept
/// connections: with enough file descriptors for `mqtt.listen.connections_max`, that is a fault of
/// the process.
const LOOP_MAX: Duration = Duration::from_mins(1);

/// Accepts connections until `cancel`, then waits until the existing ones end.
pub(super) async fn run(
    mut listeners: watch::Receiver<Arc<TcpListener>>,
    shared: &Arc<Shared>,
    cancel: &CancellationToken,
) {
    let pulse = Pulse::new(LOOP, LOOP_MAX);
    shared.board.pulses().add(&pulse);
    let doorstep = Arc::new(Doorstep::default());
    let mut connections = JoinSet::new();
    let mut listener = listeners.borrow_and_update().clone();
    let meet = |stream: TcpStream, address: SocketAddr, connections: &mut JoinSet<()>| {
        let from = canonical(address.ip());
        if let Some(standing) = doorstep.arrive(from, clock::instant()) {
            connections.spawn(serve(stream, address, Arc::clone(shared), standing));
        }
    };
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task failed");
                }
            }
            Ok(()) = listeners.changed() => {
                let old = std::mem::replace(&mut listener, listeners.borrow_and_update().clone());
                // Those that the kernel has accepted already: closing the listener resets them.
                while let Some(Ok((stream, address))) = old.accept().now_or_never() {
                    meet(stream, address, &mut connections);
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    meet(stream, address, &mut connections);
                    pulse.turn().await;
                }
                Err(error) => {
                    // Out of file descriptors, most likely: there will be some when connections
                    // end.
                    if shared.quiet.allows(clock::instant()) {
                        tracing::error!(%error, "cannot accept a connection");
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            // Last, and `biased`: the listener had no connection and no error.
            () = pulse.asked() => pulse.turn().await,
        }
    }
    shared.stop.cancel();
    let ends = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_MAX, ends).await.is_err() {
        tracing::warn!(
            left = connections.len(),
            "cut connections that did not end in time"
        );
        connections.shutdown().await;
    }
}

async fn serve(stream: TcpStream, address: SocketAddr, shared: Arc<Shared>, standing: Standing) {
    // Acknowledgements are small and waited for: Nagle's algorithm would hold them back.
    drop(stream.set_nodelay(true));
    let mut origin = Origin {
        address: canonical(address.ip()),
        certified: None,
        certificates: Arc::default(),
    };
    let Some(tls) = shared.tls() else {
        return talk(stream, &origin, shared, standing).await;
    };
    let handshake = tokio::time::timeout(handshake::CONNECT_MAX, tls.acceptor.accept(stream));
    let stream = tokio::select! {
        () = shared.stop.cancelled() => return,
        () = standing.evicted.cancelled() => return,
        stream = handshake => stream,
    };
    match stream {
        Ok(Ok(stream)) => {
            let certificates = stream.get_ref().1.peer_certificates();
            if let Some(chain @ [certificate, ..]) = certificates {
                let owned = chain.iter().map(|it| it.clone().into_owned());
                origin.certificates = owned.collect();
                // A certificate without a usable name is nobody's, rather than no certificate.
                origin.certified = Some(tls::device_name(certificate).unwrap_or_default());
            }
            talk(stream, &origin, shared, standing).await;
        }
        Ok(Err(error)) => shared.say(&origin, &format!("TLS: {error}")),
        Err(_) => shared.say(&origin, "no TLS handshake in time"),
    }
}
