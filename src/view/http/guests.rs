//! Who is connected to a listener, and who has to make room.
//!
//! Half a request, or an answer that nobody reads, holds a connection and costs its client nothing.
//! At the limit the connection that stands still the longest is closed for the next one: first
//! those of the address that has the most. A connection whose answer is being made, or on which
//! something moves, is left alone.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use crate::clock;

/// How long a connection may stand still before it has to make room: one without a whole request
/// yet, or with an answer that nobody reads; and any other, which is longer than a stream takes
/// from event to event.
const STUCK_MAX: Duration = Duration::from_millis(500);
const STILL_MAX: Duration = Duration::from_secs(2);

/// The connections of one listener.
#[derive(Debug)]
pub struct Guests {
    max: usize,
    present: Mutex<Present>,
}

#[derive(Debug, Default)]
struct Present {
    next: u64,
    guests: Vec<(u64, Guest)>,
}

#[derive(Debug, Clone)]
struct Guest {
    address: Option<IpAddr>,
    activity: Activity,
    evicted: CancellationToken,
}

/// A connection's entry; it leaves when this is dropped.
#[derive(Debug)]
pub struct Seat {
    guests: Arc<Guests>,
    number: u64,
    pub activity: Activity,
    pub evicted: CancellationToken,
}

/// What happens on a connection; clones are the same.
#[derive(Debug, Clone)]
pub struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// When bytes came or went.
    moved: Instant,
    /// Requests whose answers are being made.
    serving: usize,
    has_served: bool,
    /// The client does not read.
    is_stuck: bool,
}

impl Activity {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            moved: clock::instant(),
            serving: 0,
            has_served: false,
            is_stuck: false,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer is being made until the return value is dropped.
    pub fn serve(&self) -> Serving {
        self.state().serving += 1;
        Serving(self.clone())
    }

    /// When the connection may be closed for another one; `None`: not now.
    fn movable_at(&self) -> Option<Instant> {
        let state = self.state();
        let wait = if state.has_served && !state.is_stuck {
            STILL_MAX
        } else {
            STUCK_MAX
        };
        (state.serving == 0).then(|| state.moved + wait)
    }

    /// How long the client has read nothing of its answer.
    pub fn stuck_for(&self, now: Instant) -> Duration {
        let state = self.state();
        if state.is_stuck {
            now.saturating_duration_since(state.moved)
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
        state.moved = clock::instant();
    }
}

impl Guests {
    pub fn new(max: usize) -> Self {
        Self {
            max,
            present: Mutex::default(),
        }
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection in, as soon as there is room for it.
    pub async fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Seat {
        loop {
            let room_at = {
                let mut present = self.present();
                if present.guests.len() < self.max {
                    return self.seat(&mut present, address);
                }
                present.make_room(clock::instant())
            };
            match room_at {
                // One has gone.
                None => {}
                Some(at) => tokio::time::sleep_until(at.into()).await,
            }
        }
    }

    fn seat(self: &Arc<Self>, present: &mut Present, address: Option<IpAddr>) -> Seat {
        let number = present.next;
        present.next += 1;
        let guest = Guest {
            address,
            activity: Activity::new(),
            evicted: CancellationToken::new(),
        };
        present.guests.push((number, guest.clone()));
        Seat {
            guests: Arc::clone(self),
            number,
            activity: guest.activity,
            evicted: guest.evicted,
        }
    }
}

impl Present {
    /// Evicts a connection that stands still; else says when to look again.
    fn make_room(&mut self, now: Instant) -> Option<Instant> {
        let of_address = |address: Option<IpAddr>| {
            let own = self.guests.iter().filter(|(_, g)| g.address == address);
            own.count()
        };
        let movable = (self.guests.iter().enumerate())
            .filter_map(|(at, (_, guest))| Some((at, guest, guest.activity.movable_at()?)));
        let next = movable
            .clone()
            .filter(|(_, _, movable_at)| *movable_at <= now)
            .max_by_key(|(_, guest, movable_at)| {
                (of_address(guest.address), std::cmp::Reverse(*movable_at))
            });
        if let Some((at, ..)) = next {
            let (_, guest) = self.guests.swap_remove(at);
            guest.evicted.cancel();
            return None;
        }
        let first = movable.map(|(_, _, movable_at)| movable_at).min();
        // All of them are at work: an answer is made in no time.
        Some(first.unwrap_or(now + STUCK_MAX / 10))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut present = self.guests.present();
        present.guests.retain(|(number, _)| *number != self.number);
    }
}

/// A stream that notes what moves on it.
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
            state.moved = clock::instant();
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
            self.activity.state().moved = clock::instant();
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

    fn fill(guests: &Arc<Guests>, count: u8) -> Vec<Seat> {
        (0..count)
            .map(|_| guests.admit(Some(address(1))).now_or_never().unwrap())
            .collect()
    }

    #[tokio::test]
    async fn half_a_request_makes_room_for_the_next_connection() {
        let guests = Arc::new(Guests::new(3));
        let half = fill(&guests, 3);
        let begun = clock::instant();
        let seat = guests.admit(Some(address(1))).await;
        assert!(begun.elapsed() >= STUCK_MAX);
        assert!(half[0].evicted.is_cancelled(), "the one that stood longest");
        assert!(!half[1].evicted.is_cancelled() && !half[2].evicted.is_cancelled());
        drop((half, seat));
        assert!(guests.present().guests.is_empty());
    }

    #[tokio::test]
    async fn an_address_with_many_connections_makes_room_first() {
        let guests = Arc::new(Guests::new(3));
        let modest = guests.admit(Some(address(2))).now_or_never().unwrap();
        let greedy = fill(&guests, 2);
        tokio::time::sleep(STUCK_MAX).await;
        let _seat = guests.admit(Some(address(3))).await;
        assert!(!modest.evicted.is_cancelled());
        assert!(greedy[0].evicted.is_cancelled());
    }

    #[tokio::test]
    async fn an_answer_that_is_being_made_is_not_cut() {
        let guests = Arc::new(Guests::new(2));
        let seats = fill(&guests, 2);
        let serving = seats[0].activity.serve();
        let _next = guests.admit(Some(address(1))).await;
        assert!(!seats[0].evicted.is_cancelled());
        assert!(seats[1].evicted.is_cancelled());
        drop(serving);
    }

    #[test]
    fn a_client_that_does_not_read_is_noticed() {
        let activity = Activity::new();
        let now = clock::instant();
        assert_eq!(activity.stuck_for(now + STILL_MAX), Duration::ZERO);
        activity.state().is_stuck = true;
        assert!(activity.stuck_for(now + STILL_MAX) >= STILL_MAX);
    }
}
