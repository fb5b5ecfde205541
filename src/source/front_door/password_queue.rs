//! Verifies passwords one at a time on a separate thread with low priority ([`Verifier`]): one hash
//! takes 7 MiB and a core.
//!
//! The next client is one whose address has the fewest failures, and then the fewest waiting
//! clients. So an honest login waits for the hash in progress and not for the guesses of an
//! attacker. An address with too many failures gets no turn. The limit is checked when a turn
//! begins, because other attempts of the address may fail while a client waits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::Instant;

use secrecy::{ExposeSecret as _, SecretSlice};
use tokio::sync::oneshot;

use super::answer::Refusal;
use super::limits::Failures;
use crate::clock;
use crate::source::devices;

/// How much the thread gives way to those that take and store events.
const NICE: i32 = 5;
/// The largest number of clients that wait for a turn, over all addresses, and of one address.
/// Further clients must try again later.
const WAITING_MAX: usize = 1_024;
const WAITING_OF_ADDRESS_MAX: usize = 256;

#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    failures: Failures,
    state: Mutex<QueueState>,
}

#[derive(Debug, Default)]
struct QueueState {
    is_busy: bool,
    arrivals: u64,
    waiting: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    address: IpAddr,
    arrival: u64,
    grant: oneshot::Sender<Result<Turn, Refusal>>,
}

/// The right to make one hash. It counts as a failure until it is [`Turn::forgive`]n.
#[derive(Debug)]
pub struct Turn {
    turns: Turns,
    address: IpAddr,
}

impl Turns {
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when it is this client's turn.
    pub async fn wait(&self, address: IpAddr) -> Result<Turn, Refusal> {
        let waiting = {
            let mut state = self.state();
            if self.0.failures.too_many(address, clock::instant()) {
                return Err(Refusal::TooOften);
            }
            state.waiting.retain(|waiter| !waiter.grant.is_closed());
            let own = (state.waiting.iter()).filter(|waiter| waiter.address == address);
            if own.count() >= WAITING_OF_ADDRESS_MAX || state.waiting.len() >= WAITING_MAX {
                return Err(Refusal::Busy);
            }
            let (grant, waiting) = oneshot::channel();
            state.arrivals += 1;
            let arrival = state.arrivals;
            state.waiting.push(Waiter {
                address,
                arrival,
                grant,
            });
            waiting
        };
        self.pass_on();
        waiting.await.unwrap_or(Err(Refusal::Busy))
    }

    /// Gives the turn to whoever is next, if nobody has it.
    fn pass_on(&self) {
        loop {
            let waiter = {
                let mut state = self.state();
                if state.is_busy {
                    return;
                }
                let now = clock::instant();
                let Some(waiter) = state.take_next(&self.0.failures, now) else {
                    return;
                };
                if self.0.failures.too_many(waiter.address, now) {
                    drop(waiter.grant.send(Err(Refusal::TooOften)));
                    continue;
                }
                state.is_busy = true;
                // Before the hash is made, so that as many as may fail are made and not one more.
                self.0.failures.count(waiter.address, now);
                waiter
            };
            let turn = Turn {
                turns: self.clone(),
                address: waiter.address,
            };
            match waiter.grant.send(Ok(turn)) {
                Ok(()) => return,
                // The client has gone without an attempt. Dropping its turn gives it to the next
                // client.
                Err(turn) => {
                    if let Ok(turn) = turn {
                        turn.forgive();
                    }
                    return;
                }
            }
        }
    }
}

impl QueueState {
    fn take_next(&mut self, failures: &Failures, now: Instant) -> Option<Waiter> {
        self.waiting.retain(|waiter| !waiter.grant.is_closed());
        let mut waiting = HashMap::new();
        for waiter in &self.waiting {
            *waiting.entry(waiter.address).or_insert(0_usize) += 1;
        }
        let next = (0..self.waiting.len()).min_by_key(|at| {
            let Waiter {
                address, arrival, ..
            } = &self.waiting[*at];
            (failures.of(*address, now), waiting[address], *arrival)
        })?;
        Some(self.waiting.swap_remove(next))
    }
}

impl Turn {
    /// The password was right.
    pub fn forgive(&self) {
        self.turns.0.failures.forgive(self.address);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.state().is_busy = false;
        self.turns.pass_on();
    }
}

/// The thread that makes hashes. One thread, so that its memory is used again: the allocator keeps
/// that of each thread.
#[derive(Debug)]
pub struct Verifier(mpsc::Sender<Job>);

#[derive(Debug)]
struct Job {
    turn: Turn,
    /// `None`: the list has no hash at all.
    hash: Option<String>,
    password: SecretSlice<u8>,
    answer: oneshot::Sender<(bool, Turn)>,
}

impl Verifier {
    pub fn start() -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let work = move || {
            yield_to_others();
            // Until the last sender has gone.
            while let Ok(job) = queue.recv() {
                let hash = job.hash.unwrap_or_else(decoy);
                let right = devices::verify(&hash, job.password.expose_secret());
                // The work itself has the turn: a client that hangs up does not make room for a
                // second hash beside it.
                drop(job.answer.send((right, job.turn)));
            }
        };
        let thread = std::thread::Builder::new().name("passwords".to_owned());
        if let Err(error) = thread.spawn(work) {
            tracing::error!(%error, "cannot start the thread that verifies passwords: devices with passwords are refused");
        }
        Self(jobs)
    }

    /// Whether the password is the one of the hash.
    pub async fn verify(
        &self,
        turn: Turn,
        hash: Option<String>,
        password: SecretSlice<u8>,
    ) -> Result<(bool, Turn), Refusal> {
        let (answer, verified) = oneshot::channel();
        let job = Job {
            turn,
            hash,
            password,
            answer,
        };
        self.0.send(job).map_err(|_| Refusal::Busy)?;
        verified.await.map_err(|_| Refusal::Busy)
    }
}

/// Linux has a priority for each thread. Where it may not be changed, the thread works on as it is.
fn yield_to_others() {
    let thread = rustix::thread::gettid();
    let changed = rustix::process::getpriority_process(Some(thread))
        .and_then(|own| rustix::process::setpriority_process(Some(thread), (own + NICE).min(19)));
    if let Err(error) = changed {
        tracing::debug!(%error, "the thread that verifies passwords keeps its priority");
    }
}

/// A hash of an unknown password, for devices without a hash in the list.
fn decoy() -> String {
    static DECOY: OnceLock<String> = OnceLock::new();
    DECOY
        .get_or_init(|| devices::hash_password("nobody"))
        .clone()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::super::limits::FAILURES_MAX;
    use super::*;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, number])
    }

    #[tokio::test]
    async fn of_many_guesses_at_once_as_many_are_verified_as_may_fail() {
        let turns = Turns::default();
        let guesses = (0..WAITING_OF_ADDRESS_MAX).map(|_| {
            let turns = turns.clone();
            async move {
                let turn = turns.wait(address(1)).await;
                // Yields in place of a hash: by then all the others are waiting.
                tokio::task::yield_now().await;
                turn.is_ok()
            }
        });
        let verified = futures_util::future::join_all(guesses).await;
        let verified = verified.into_iter().filter(|verified| *verified).count();
        assert_eq!(verified, FAILURES_MAX as usize);
        let refused = turns.wait(address(1)).await;
        assert!(matches!(refused, Err(Refusal::TooOften)));
    }

    #[tokio::test]
    async fn an_honest_login_is_next_after_the_hash_that_is_being_made() {
        let turns = Turns::default();
        let first = turns.wait(address(1)).await.unwrap();
        let mut guesses: Vec<_> = (0..100).map(|_| Box::pin(turns.wait(address(1)))).collect();
        for guess in &mut guesses {
            assert!(guess.now_or_never().is_none());
        }
        let mut honest = Box::pin(turns.wait(address(2)));
        assert!((&mut honest).now_or_never().is_none());
        drop(first);
        let turn = honest.now_or_never().expect("its turn").unwrap();
        turn.forgive();
        drop(turn);
        // A correct password does not count as a failure of its address.
        assert_eq!(turns.0.failures.of(address(2), clock::instant()), 0);
        assert!((&mut guesses[0]).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_holds_nobody_up() {
        let turns = Turns::default();
        let first = turns.wait(address(1)).await.unwrap();
        let mut gone = Box::pin(turns.wait(address(2)));
        assert!((&mut gone).now_or_never().is_none());
        drop(gone);
        drop(first);
        assert!(turns.wait(address(3)).now_or_never().is_some());
        assert_eq!(turns.0.failures.of(address(2), clock::instant()), 0);
    }
}
