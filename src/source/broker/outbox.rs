//! The queue of messages to the broker, in order, until the broker has acknowledged each. A full
//! queue drops the oldest waiting message. Pure.
//!
//! rumqttc drops its own queue when the broker answers that it has no session, and reuses packet
//! ids after a reconnect. So this queue always holds a copy: after a lost connection it gives
//! rumqttc every unacknowledged message again. A device may then receive a message twice, with the
//! same content.

use std::collections::VecDeque;

/// The largest number of messages that wait or are in flight. Above it the oldest waiting message
/// is dropped.
pub(super) const MESSAGES_MAX: usize = 4_096;
/// The largest number of messages that the broker has not acknowledged.
pub(super) const UNDER_WAY_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Outbox<T> {
    /// Those under way first, each with its packet id once it has one; then those that wait.
    entries: VecDeque<(Option<u16>, T)>,
    under_way: usize,
}

impl<T> Outbox<T> {
    pub fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            under_way: 0,
        }
    }

    pub fn is_full(&self) -> bool {
        self.entries.len() >= MESSAGES_MAX
    }

    /// Takes a message in; answers the one that was dropped to make room.
    pub fn push(&mut self, message: T) -> Option<T> {
        let dropped = if self.is_full() {
            self.entries.remove(self.under_way)
        } else {
            None
        };
        self.entries.push_back((None, message));
        dropped.map(|(_, message)| message)
    }

    /// The next message to hand to the client, if one more may be under way.
    pub fn next(&self) -> Option<&T> {
        if self.under_way >= UNDER_WAY_MAX {
            return None;
        }
        self.entries.get(self.under_way).map(|(_, message)| message)
    }

    /// The one that [`Self::next`] answered was handed over.
    pub fn mark_handed_over(&mut self) {
        self.under_way += 1;
    }

    /// Sets the packet id of the first message without one: the client sends messages in order.
    pub fn set_packet_id(&mut self, packet_id: u16) {
        let under_way = self.entries.iter_mut().take(self.under_way);
        if let Some((id, _)) = under_way.into_iter().find(|(id, _)| id.is_none()) {
            *id = Some(packet_id);
        }
    }

    /// The broker has it.
    pub fn remove_acknowledged(&mut self, packet_id: u16) {
        let found = self
            .entries
            .iter()
            .take(self.under_way)
            .position(|(id, _)| *id == Some(packet_id));
        if let Some(index) = found {
            self.entries.remove(index);
            self.under_way -= 1;
        }
    }

    /// Removes all messages, in order: they go out over another connection.
    pub fn take_all(&mut self) -> Vec<T> {
        self.under_way = 0;
        let entries = std::mem::take(&mut self.entries);
        entries.into_iter().map(|(_, message)| message).collect()
    }

    /// Puts all messages in flight back into the queue after the connection was lost.
    pub fn requeue(&mut self) {
        for (id, _) in self.entries.iter_mut().take(self.under_way) {
            *id = None;
        }
        self.under_way = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hand_over_all(outbox: &mut Outbox<u32>) -> Vec<u32> {
        let mut handed = Vec::new();
        while let Some(message) = outbox.next().copied() {
            handed.push(message);
            outbox.mark_handed_over();
        }
        handed
    }

    #[test]
    fn what_was_not_acknowledged_goes_out_again_in_order() {
        let mut outbox = Outbox::new();
        for message in 0..4 {
            assert_eq!(outbox.push(message), None);
        }
        assert_eq!(hand_over_all(&mut outbox), [0, 1, 2, 3]);
        for packet_id in 1..=3 {
            outbox.set_packet_id(packet_id);
        }
        outbox.remove_acknowledged(2);
        outbox.remove_acknowledged(2);
        outbox.remove_acknowledged(9);
        outbox.requeue();
        assert_eq!(hand_over_all(&mut outbox), [0, 2, 3]);
        // Packet ids of before the loss mean nothing.
        outbox.remove_acknowledged(1);
        outbox.requeue();
        assert_eq!(hand_over_all(&mut outbox), [0, 2, 3]);
    }

    #[test]
    fn only_so_many_are_under_way_and_only_so_many_are_kept() {
        let mut outbox = Outbox::new();
        let max = u32::try_from(MESSAGES_MAX).unwrap();
        let window = u32::try_from(UNDER_WAY_MAX).unwrap();
        for message in 0..max {
            assert_eq!(outbox.push(message), None);
        }
        assert_eq!(hand_over_all(&mut outbox).len(), UNDER_WAY_MAX);
        // The oldest that waits goes, not one that is under way.
        assert_eq!(outbox.push(max), Some(window));
        outbox.set_packet_id(7);
        outbox.remove_acknowledged(7);
        assert_eq!(hand_over_all(&mut outbox), [window + 1]);
    }
}
