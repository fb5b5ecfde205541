//! QoS 2 publishes of a client, from their arrival to their PUBREL. Until then the same packet id
//! is the same message (MQTT 3.1.1, 4.3.3).
//!
//! This includes a publish that is still being written to disk: its copy must not be stored, and
//! must not be acknowledged before the first one is on disk. Each publish has a number, so a
//! released packet id can be used again at once, also while the earlier publish is still being
//! written.

use std::collections::HashMap;

/// The largest number of packet ids of a session on disk. A client that leaves more of them
/// unreleased has the others only in memory.
const STORED_MAX: usize = 1_024;

#[derive(Debug, Default)]
pub struct Receptions {
    open: HashMap<u16, Reception>,
    last: u64,
    stored: usize,
}

#[derive(Debug)]
struct Reception {
    number: u64,
    stage: Stage,
    /// Whether the packet id is on disk, or goes there with the message.
    stored: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// On its way to the disk, in the connection that it came in.
    UnderWay,
    Committed,
    /// Committed before the gateway started.
    Restored,
}

/// How to treat a QoS 2 publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    pub number: u64,
    /// `false`: its packet id is not released yet, so it is the same message as before.
    pub is_new: bool,
}

impl Receptions {
    /// Takes a publish. One without DUP is no copy of a message from before the gateway started.
    pub fn receive(&mut self, pkid: u16, dup: bool) -> Received {
        if let Some(known) = self.open.get(&pkid)
            && (dup || known.stage != Stage::Restored)
        {
            return Received {
                number: known.number,
                is_new: false,
            };
        }
        Received {
            number: self.insert(pkid, Stage::UnderWay, false),
            is_new: true,
        }
    }

    /// A packet id that was on disk when the gateway started.
    pub fn restore(&mut self, pkid: u16) {
        self.insert(pkid, Stage::Restored, true);
    }

    fn insert(&mut self, pkid: u16, stage: Stage, stored: bool) -> u64 {
        self.last += 1;
        let number = self.last;
        self.stored += usize::from(stored);
        let reception = Reception {
            number,
            stage,
            stored,
        };
        if let Some(before) = self.open.insert(pkid, reception) {
            self.stored -= usize::from(before.stored);
        }
        number
    }

    /// Whether the packet id of a new publish is to go to disk with it.
    pub fn store(&mut self, pkid: u16) -> bool {
        let Some(known) = self.open.get_mut(&pkid) else {
            return false;
        };
        if self.stored >= STORED_MAX || known.stored {
            return known.stored;
        }
        known.stored = true;
        self.stored += 1;
        true
    }

    /// The publish is on disk. `false`: its packet id was released meanwhile, and no later publish
    /// has it.
    pub fn commit(&mut self, pkid: u16, number: u64) -> bool {
        let known = self.open.get_mut(&pkid);
        if let Some(known) = known {
            if known.number == number {
                known.stage = Stage::Committed;
            }
            return true;
        }
        false
    }

    /// Whether this publish is on disk and not released yet.
    pub fn is_committed(&self, pkid: u16, number: u64) -> bool {
        (self.open.get(&pkid))
            .is_some_and(|known| known.number == number && known.stage != Stage::UnderWay)
    }

    /// Whether the packet id is that of a publish that was not released yet.
    pub fn knows(&self, pkid: u16) -> bool {
        self.open.contains_key(&pkid)
    }

    /// The client has its PUBREC. `true`: the packet id is on disk, and must go from there before
    /// the PUBCOMP.
    pub fn release(&mut self, pkid: u16) -> bool {
        let Some(known) = self.open.remove(&pkid) else {
            return false;
        };
        self.stored -= usize::from(known.stored);
        // A publish that is being written leaves the disk when it is committed.
        known.stored && known.stage != Stage::UnderWay
    }

    /// Removes the publishes that an earlier connection was still writing to disk: their outcome is
    /// unknown. Returns the packet ids that may be on disk.
    pub fn forget_under_way(&mut self) -> Vec<u16> {
        let gone = self
            .open
            .extract_if(|_, known| known.stage == Stage::UnderWay);
        let gone = gone.filter(|(_, known)| known.stored);
        let gone: Vec<u16> = gone.map(|(pkid, _)| pkid).collect();
        self.stored -= gone.len();
        gone
    }

    /// Forgets all. Answers the packet ids that may be on disk.
    pub fn clear(&mut self) -> Vec<u16> {
        self.stored = 0;
        let all = self.open.drain().filter(|(_, known)| known.stored);
        all.map(|(pkid, _)| pkid).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_id_is_the_same_message_until_it_is_released() {
        let mut receptions = Receptions::default();
        let first = receptions.receive(3, false);
        assert!(first.is_new);
        assert!(!receptions.is_committed(3, first.number));
        let again = receptions.receive(3, true);
        assert_eq!((again.is_new, again.number), (false, first.number));
        assert!(receptions.commit(3, first.number));
        assert!(receptions.is_committed(3, first.number));
        assert!(!receptions.receive(3, false).is_new);
        assert!(!receptions.release(3), "nothing is on disk");
        assert!(receptions.receive(3, true).is_new);
    }

    #[test]
    fn a_packet_id_that_is_released_under_way_is_free_and_goes_from_the_disk_in_the_end() {
        let mut receptions = Receptions::default();
        let first = receptions.receive(3, false);
        assert!(receptions.store(3));
        assert!(!receptions.release(3));
        let second = receptions.receive(3, false);
        assert!(second.is_new && receptions.store(3));
        // The later publish has it on disk as well.
        assert!(receptions.commit(3, first.number));
        assert!(!receptions.is_committed(3, second.number));
        assert!(!receptions.release(3));
        assert!(!receptions.commit(3, second.number));
    }

    #[test]
    fn what_was_on_disk_at_the_start_is_known_by_dup_alone() {
        let mut receptions = Receptions::default();
        receptions.restore(3);
        receptions.restore(4);
        assert!(!receptions.receive(3, true).is_new);
        assert!(receptions.receive(4, false).is_new);
        assert!(receptions.release(3));
        assert_eq!(receptions.stored, 0);
    }

    #[test]
    fn what_is_on_disk_is_bounded_and_counted() {
        let mut receptions = Receptions::default();
        for pkid in 1..=2_000 {
            receptions.receive(pkid, false);
            assert_eq!(receptions.store(pkid), pkid <= 1_024);
        }
        assert!(receptions.store(1), "it is counted once");
        assert_eq!(receptions.stored, STORED_MAX);
        let number = receptions.receive(1, true).number;
        receptions.commit(1, number);
        assert_eq!(receptions.forget_under_way().len(), 1_023);
        assert_eq!(receptions.stored, 1);
        assert_eq!(receptions.clear(), [1]);
        assert_eq!(receptions.stored, 0);
    }
}
