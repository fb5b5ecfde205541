//! Recognises what was taken already, by its hash: a broker hands out its retained messages at each
//! connection.
//!
//! Something that was refused counts as new after a time, because a person may have corrected
//! trust.toml.

use bytes::Bytes;
use tokio::time::Instant;

use super::{DoublingPause, Tempo};

#[derive(Debug)]
pub struct Seen {
    /// The hash of the newest message.
    hash: Option<blake3::Hash>,
    state: State,
    again: DoublingPause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Accepted,
    RefusedUntil(Instant),
}

impl Seen {
    pub fn new(tempo: &Tempo) -> Self {
        Self {
            hash: None,
            state: State::New,
            again: DoublingPause::new(tempo.again_min, tempo.again_max),
        }
    }

    pub fn has(&self, hash: blake3::Hash) -> bool {
        let is_open = match self.state {
            State::New => false,
            State::Accepted => true,
            State::RefusedUntil(until) => Instant::now() < until,
        };
        is_open && self.hash == Some(hash)
    }

    pub fn accept(&mut self, hash: blake3::Hash) {
        self.hash = Some(hash);
        self.state = State::Accepted;
        self.again.reset();
    }

    pub fn refuse(&mut self, hash: blake3::Hash) {
        if self.hash != Some(hash) {
            self.again.reset();
        }
        self.hash = Some(hash);
        self.state = State::RefusedUntil(Instant::now() + self.again.next());
    }

    /// The newest message counts as new from now on.
    pub fn forget(&mut self) {
        self.state = State::New;
    }

    /// When the message that was refused counts as new. `None`: it was not refused.
    pub fn until(&self) -> Option<Instant> {
        match self.state {
            State::RefusedUntil(until) => Some(until),
            _ => None,
        }
    }
}

/// Hashes a message, which may have 16 MiB: not on a thread that serves.
pub async fn hash(bytes: &Bytes) -> blake3::Hash {
    const SMALL: usize = 64 << 10;
    if bytes.len() <= SMALL {
        return blake3::hash(bytes);
    }
    let shared = bytes.clone();
    let hashed = tokio::task::spawn_blocking(move || blake3::hash(&shared)).await;
    hashed.unwrap_or_else(|_| blake3::hash(bytes))
}
