//! The stored form of a document's state: a number of one byte. It is part of each document's
//! progress, and begins each key of the table `by_state`.

use super::{BadRecord, bad};
use crate::document::State;

/// Frozen: a new state gets the next number, and no number is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum StateV1 {
    Waiting = 0,
    Sending = 1,
    Posted = 2,
    Parked = 3,
    Discarded = 4,
    Replaced = 5,
}

impl StateV1 {
    /// The states in the order of the totals, each with documents, lines and events. A replaced
    /// document has no events any longer and is not in the list.
    pub const COUNTED: [Self; 5] = [
        Self::Waiting,
        Self::Sending,
        Self::Posted,
        Self::Parked,
        Self::Discarded,
    ];

    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl From<State> for StateV1 {
    fn from(state: State) -> Self {
        match state {
            State::Waiting => Self::Waiting,
            State::Sending => Self::Sending,
            State::Posted => Self::Posted,
            State::Parked => Self::Parked,
            State::Discarded => Self::Discarded,
            State::Replaced => Self::Replaced,
        }
    }
}

impl From<StateV1> for State {
    fn from(stored: StateV1) -> Self {
        match stored {
            StateV1::Waiting => Self::Waiting,
            StateV1::Sending => Self::Sending,
            StateV1::Posted => Self::Posted,
            StateV1::Parked => Self::Parked,
            StateV1::Discarded => Self::Discarded,
            StateV1::Replaced => Self::Replaced,
        }
    }
}

impl TryFrom<u8> for StateV1 {
    type Error = BadRecord;

    fn try_from(number: u8) -> Result<Self, BadRecord> {
        Ok(match number {
            0 => Self::Waiting,
            1 => Self::Sending,
            2 => Self::Posted,
            3 => Self::Parked,
            4 => Self::Discarded,
            5 => Self::Replaced,
            _ => return Err(bad("progress", format!("no state has the number {number}"))),
        })
    }
}
