//! Writes the results of scans into the journal: events, rejected readings, the states of devices
//! and the cursor.
//!
//! Each write is one transaction. While the journal is full, the driver waits and tries again, so
//! no result is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Driver, Stop};
use crate::event::{Event, Name, Recorded, Rejection};
use crate::flow::state::State;
use crate::flow::stored;
use crate::journal::{AppendError, Namespace, SideChange, WrongScan};

/// Pause between attempts to write to a full journal.
const FULL_WAIT: Duration = Duration::from_secs(1);

impl Driver {
    /// Writes events, rejected readings, wrong scans and the devices' states into the journal in
    /// one commit. Then adds the events to what `capture` knows about orders.
    pub(super) async fn commit(
        &mut self,
        (events, rejections, wrong): (Vec<Event>, Vec<Rejection>, Vec<WrongScan>),
        states: &BTreeMap<Name, State>,
    ) -> Result<(), Stop> {
        let judged: Vec<_> = events
            .iter()
            .map(|event| self.capture.judge(event, false))
            .collect();
        let rejections = rejections.into_iter().map(Err);
        let entries: Vec<_> = events.into_iter().map(Ok).chain(rejections).collect();
        let mut changes = state_changes(states);
        changes.push(self.cursor_change());
        let accepted = loop {
            let (entries, changes) = (entries.clone(), changes.clone());
            let inbox = self.journal.inbox();
            match inbox.append_of_flow(entries, changes, wrong.clone()).await {
                Ok(accepted) => break accepted,
                Err(AppendError::Full | AppendError::Disk | AppendError::Share) => {
                    tokio::time::sleep(FULL_WAIT).await;
                }
                Err(AppendError::Stopped) => return Err(Stop::Stopped),
            }
        };
        self.stored_cursor = Some(self.cursor);
        for (judged, accepted) in judged.into_iter().zip(&accepted) {
            drop(judged.and_then(|judged| judged.confirm(accepted)));
        }
        Ok(())
    }

    /// Writes changes, wrong scans and the cursor into the journal.
    pub(super) async fn store(
        &mut self,
        (mut changes, wrong): (Vec<SideChange>, Vec<WrongScan>),
    ) -> Result<(), Stop> {
        changes.push(self.cursor_change());
        loop {
            let inbox = self.journal.inbox();
            match inbox.store_of_flow(changes.clone(), wrong.clone()).await {
                Ok(()) => break,
                Err(AppendError::Full | AppendError::Disk | AppendError::Share) => {
                    tokio::time::sleep(FULL_WAIT).await;
                }
                Err(AppendError::Stopped) => return Err(Stop::Stopped),
            }
        }
        self.stored_cursor = Some(self.cursor);
        Ok(())
    }

    /// The change that stores the cursor.
    fn cursor_change(&self) -> SideChange {
        let cursor = self.cursor.to_string().into_bytes();
        (Namespace::FlowCursor.only_key(), Some(cursor))
    }
}

/// The scans that flows answered with an error. `answers`: each with whether it was accepted.
pub(super) fn wrong_scans(answers: &[(Recorded, bool, String)]) -> Vec<WrongScan> {
    let wrong = answers.iter().filter(|(_, is_accepted, _)| !is_accepted);
    wrong
        .map(|(scan, _, text)| WrongScan {
            seq: scan.seq,
            answer: text.clone(),
        })
        .collect()
}

/// The changes that store the states of devices.
pub(super) fn state_changes(states: &BTreeMap<Name, State>) -> Vec<SideChange> {
    let changes = states.iter().map(|(device, state)| {
        let value = stored::encode(state.clone());
        (Namespace::FlowStates.key(device.to_string()), Some(value))
    });
    changes.collect()
}
