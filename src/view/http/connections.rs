//! The open connections of a listener, and which of them is closed for a new one.
//!
//! A client that sends half a request, or does not read its answer, occupies a connection at no
//! cost. At the limit the connection that has been idle longest is closed for the next one, first
//! those of the address with the most connections. A connection that transfers bytes, or whose
//! answer is in progress, is never closed.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use crate::clock;

/// The time after which an idle connection may be closed: `STUCK_MAX` without a whole request, or
/// if the client does not read its answer; `IDLE_MAX` for any other, longer than the pause between
/// two events of a stream.
const STUCK_MAX: Duration = Duration::from_millis(500);
const IDLE_MAX: Duration = Duration::from_secs(2);

/// The connections of one listener.
#[derive(Debug)]
pub struct Connections {
    max: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: Vec<(u64, Connection)>,
}

#[derive(Debug, Clone)]
struct Connection {
    address: Option<IpAddr>,
    activity: Activity,
    evicted: CancellationToken,
}

/// A connection's entry, which is removed when the slot is dropped.
#[derive(Debug)]
pub struct Slot {
    connections: Arc<Connections>,
    number: u64,
    pub activity: Activity,
    pub evicted: CancellationToken,
}

/// The activity of a connection; clones share it.
#[derive(Debug, Clone)]
pub struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// When bytes were last transferred.
    active_at: Instant,
    /// The number of requests whose answers are in progress.
    serving: usize,
    has_served: bool,
    /// The client does not read.
    is_stuck: bool,
}

impl Activity {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            active_at: clock::instant(),
            serving: 0,
            has_served: false,
            is_stuck: false,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks an answer as in progress until the return value is dropped.
    pub fn serve(&self) -> Serving {
        self.state().serving += 1;
        Serving(self.clone())
    }

    /// Whether a request has reached the router.
    pub fn has_request(&self) -> bool {
        let state = self.state();
        state.serving > 0 || state.has_served
    }

    /// Returns when the connection may be closed for another one. `None`: its answer is in
    /// progress.
    fn closable_at(&self) -> Option<Instant> {
        let state = self.state();
        let wait = if state.has_served && !state.is_stuck {
            IDLE_MAX
        } else {
            STUCK_MAX
        };
        (state.serving == 0).then(|| state.active_at + wait)
    }

    /// Returns how long the client has read nothing of its answer.
    pub fn stuck_for(&self, now: Instant) -> Duration {
        let state = self.state();
        if state.is_stuck {
            now.saturating_duration_since(state.active_at)
        } else {
            Duration::ZERO
        }
    }
}

/// See [`Activity::serve`].
#[derive(Debug)]
pub struct Serving(Activity);

impl Drop for Serving {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.serving -= 1;
        state.has_served = true;
        state.active_at = clock::instant();
    }
}

impl Connections {
    pub fn new(max: usize) -> Self {
        Self {
            max,
            open: Mutex::default(),
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits a connection as soon as the limit allows it.
    pub async fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Slot {
        loop {
            let retry_at = {
                let mut open = self.open();
                if open.connections.len() < self.max {
                    return self.slot(&mut open, address);
                }
                open.close_idle(clock::instant())
            };
            match retry_at {
                // A connection was closed.
                None => {}
                Some(at) => tokio::time::sleep_until(at.into()).await,
            }
        }
    }

    fn slot(self: &Arc<Self>, open: &mut Open, address: Option<IpAddr>) -> Slot {
        let number = open.next;
        open.next += 1;
        let connection = Connection {
            address,
            activity: Activity::new(),
            evicted: CancellationToken::new(),
        };
        open.connections.push((number, connection.clone()));
        Slot {
            connections: Arc::clone(self),
            number,
            activity: connection.activity,
            evicted: connection.evicted,
        }
    }
}

impl Open {
    /// Closes an idle connection. If there is none, returns when to try again.
    fn close_idle(&mut self, now: Instant) -> Option<Instant> {
        let of_address = |address: Option<IpAddr>| {
            let own = self
                .connections
                .iter()
                .filter(|(_, g)| g.address == address);
            own.count()
        };
        let closable = (self.connections.iter().enumerate()).filter_map(|(at, (_, connection))| {
            Some((at, connection, connection.activity.closable_at()?))
        });
        let next = closable
            .clone()
            .filter(|(_, _, closable_at)| *closable_at <= now)
            .max_by_key(|(_, connection, closable_at)| {
                (
                    of_address(connection.address),
                    std::cmp::Reverse(*closable_at),
                )
            });
        if let Some((at, ..)) = next {
            let (_, connection) = self.connections.swap_remove(at);
            connection.evicted.cancel();
            return None;
        }
        let first = closable.map(|(_, _, closable_at)| closable_at).min();
        // All answers are in progress, and none takes long.
        Some(first.unwrap_or(now + STUCK_MAX / 10))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        open.connections
            .retain(|(number, _)| *number != self.number);
    }
}

/// A stream that records its activity.
#[derive(Debug)]
pub struct Watched<S> {
    stream: S,
    activity: Activity,
}

impl<S> Watched<S> {
    pub fn new(stream: S, activity: Activity) -> Self {
        Self { stream, activity }
    }

    fn note(&self, is_stuck: bool) {
        let mut state = self.activity.state();
        if !is_stuck {
            state.active_at = clock::instant();
        }
        state.is_stuck = is_stuck;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.state().active_at = clock::instant();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, number])
    }

    fn fill(connections: &Arc<Connections>, count: u8) -> Vec<Slot> {
        (0..count)
            .map(|_| connections.admit(Some(address(1))).now_or_never().unwrap())
            .collect()
    }

    #[tokio::test]
    async fn half_a_request_is_closed_for_the_next_connection() {
        let connections = Arc::new(Connections::new(3));
        let half = fill(&connections, 3);
        let started = clock::instant();
        let slot = connections.admit(Some(address(1))).await;
        assert!(started.elapsed() >= STUCK_MAX);
        assert!(half[0].evicted.is_cancelled(), "the longest idle");
        assert!(!half[1].evicted.is_cancelled() && !half[2].evicted.is_cancelled());
        drop((half, slot));
        assert!(connections.open().connections.is_empty());
    }

    #[tokio::test]
    async fn an_address_with_many_connections_loses_one_first() {
        let connections = Arc::new(Connections::new(3));
        let modest = connections.admit(Some(address(2))).now_or_never().unwrap();
        let greedy = fill(&connections, 2);
        tokio::time::sleep(STUCK_MAX).await;
        let _slot = connections.admit(Some(address(3))).await;
        assert!(!modest.evicted.is_cancelled());
        assert!(greedy[0].evicted.is_cancelled());
    }

    #[tokio::test]
    async fn an_answer_in_progress_is_not_cut() {
        let connections = Arc::new(Connections::new(2));
        let slots = fill(&connections, 2);
        let serving = slots[0].activity.serve();
        let _next = connections.admit(Some(address(1))).await;
        assert!(!slots[0].evicted.is_cancelled());
        assert!(slots[1].evicted.is_cancelled());
        drop(serving);
    }

    #[test]
    fn a_client_that_does_not_read_is_noticed() {
        let activity = Activity::new();
        let now = clock::instant();
        assert_eq!(activity.stuck_for(now + IDLE_MAX), Duration::ZERO);
        activity.state().is_stuck = true;
        assert!(activity.stuck_for(now + IDLE_MAX) >= IDLE_MAX);
    }
}
