//! What the readers know about the writer: whether it waits for room, and its sign of life.

use crate::journal::Journal;
use crate::pulse::Pulse;

impl Journal {
    /// Whether a commit waits for room on the disk.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.disk.is_waiting()
    }

    /// The sign of life of the writer.
    #[must_use]
    pub fn pulse(&self) -> &Pulse {
        self.disk.pulse()
    }

    /// The gateway is about to stop: a commit that waits for room on the disk fails.
    pub fn give_up_waiting(&self) {
        self.disk.give_up();
    }
}
