//! QoS 2 publishes of a session's client, by packet id until PUBREL (MQTT 3.1.1 and 5, 4.3.3).

use super::super::receptions::Received;
use super::super::stored;
use super::Session;
use crate::journal::SideChange;

impl Session {
    /// Takes a QoS 2 publish. A connection that was taken over by force must not touch the packet
    /// ids of the new one.
    pub fn receive(&self, epoch: u64, pkid: u16, dup: bool) -> Received {
        let mut state = self.state();
        if state.epoch == epoch {
            state.receptions.receive(pkid, dup)
        } else {
            Received {
                number: 0,
                is_new: true,
            }
        }
    }

    /// The change to store with a new QoS 2 publish if the session outlives its connection: after a
    /// restart of the gateway the client sends the publish again.
    pub fn store_received(&self, pkid: u16) -> Option<SideChange> {
        let mut state = self.state();
        let stored = state.expiry_s > 0 && state.receptions.store(pkid);
        stored.then(|| {
            let key = stored::received_key(&self.device, &self.client_id, pkid);
            (key, Some(stored::received_value()))
        })
    }

    /// A packet id as it was on disk.
    pub fn restore_received(&self, pkid: u16) {
        self.state().receptions.restore(pkid);
    }

    /// The change that removes a packet id from the disk.
    pub(super) fn remove_received(&self, pkid: u16) -> SideChange {
        let key = stored::received_key(&self.device, &self.client_id, pkid);
        (key, None)
    }

    /// A QoS 2 publish is on disk, and its packet id with it if `stored`.
    pub fn commit(&self, pkid: u16, number: u64, stored: bool, changes: &mut Vec<SideChange>) {
        let is_open = self.state().receptions.commit(pkid, number);
        if stored && !is_open {
            changes.push(self.remove_received(pkid));
        }
    }

    /// Whether this QoS 2 publish is on disk and not released yet.
    pub fn is_committed(&self, pkid: u16, number: u64) -> bool {
        self.state().receptions.is_committed(pkid, number)
    }

    /// Frees the packet id of a QoS 2 publish. Returns the change to store before the client gets
    /// the answer, and whether the packet id was known.
    pub fn release(&self, pkid: u16) -> (Option<SideChange>, bool) {
        let mut state = self.state();
        let known = state.receptions.knows(pkid);
        let stored = state.receptions.release(pkid);
        (stored.then(|| self.remove_received(pkid)), known)
    }
}
