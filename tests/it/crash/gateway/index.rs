//! Requests of the search index and of flows.

use stockrelay::event::{Action, Seq};
use stockrelay::journal::{AppendError, SegmentBuilder, WrongScan};

use super::super::contents::ALL;
use super::{Done, Gateway};

impl Gateway {
    /// Writes the next part of a segment. A segment that was not complete when the gateway ended
    /// begins again.
    pub(super) async fn index(&mut self) -> Result<Done, AppendError> {
        let journal = self.journal();
        if self.parts.is_empty() {
            let events_max = 1 + self.floor.pick(9).unwrap_or_default();
            let upto = journal.indexed().unwrap().upto;
            let mut segment = SegmentBuilder::new(upto, events_max);
            journal.index_next(&mut segment, events_max).unwrap();
            self.parts = segment.finish().into();
        }
        let Some(part) = self.parts.pop_front() else {
            return self.append().await;
        };
        journal.inbox().index(part).await?;
        Ok(Done::OnDisk)
    }

    /// A flow answers a stored scan with an error.
    pub(super) async fn wrong_scan(&mut self) -> Result<Done, AppendError> {
        let events = self.journal().events(Seq::ZERO, ALL).unwrap().into_iter();
        let scans = events.filter(|recorded| matches!(recorded.event.action, Action::Scan { .. }));
        let scans: Vec<Seq> = scans.map(|recorded| recorded.seq).collect();
        let Some(place) = self.floor.pick(scans.len()) else {
            return self.append().await;
        };
        let wrong = WrongScan {
            seq: scans[place],
            answer: format!("answer {}", self.floor.second),
        };
        let changes = vec![self.floor.side_change(super::SMALL_BYTES)];
        self.inbox().store_of_flow(changes, vec![wrong]).await?;
        Ok(Done::OnDisk)
    }
}
