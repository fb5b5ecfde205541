//! Sends receipts about a document to the devices of its events.

use bytes::Bytes;

use super::{Ended, Queue};
use crate::channel::Outbound;
use crate::channel::receipt::Receipt;
use crate::clock;
use crate::document::{Document, LineReason, OdooRef, Reason};
use crate::event::{Recorded, Seq};
use crate::forward::times;
use crate::reason::ReasonCode;

impl Queue {
    pub async fn tell_posted(
        &self,
        document: &Document,
        odoo: Option<&OdooRef>,
        note: Option<&str>,
    ) -> Result<(), Ended> {
        let odoo = odoo.map(|odoo| odoo.name.as_str());
        tracing::debug!(number = document.number.get(), key = %document.key, odoo, note, "posted");
        let key = document.key.to_string();
        let now = clock::now();
        let receipt = |of: &Recorded| {
            let beep = times::done(document, of.seq, &of.event).time;
            self.levels.posted(beep, now);
            Receipt::Posted {
                id: &of.event.id,
                document: key.clone(),
                odoo,
                note,
            }
            .to_bytes()
        };
        self.tell(document, receipt).await
    }

    pub async fn tell_refused(&self, document: &Document, reason: &Reason) -> Result<(), Ended> {
        let Reason { code, message, .. } = reason;
        let code = code.as_str();
        self.levels.parked(code);
        tracing::warn!(
            number = document.number.get(),
            key = %document.key,
            code,
            message,
            "document parked"
        );
        let receipt = |of: &Recorded| {
            let LineReason { code, message, .. } = reason_of(document, reason, of.seq);
            Receipt::Refused {
                id: Some(&of.event.id),
                code: code.as_str(),
                message: &message,
            }
            .to_bytes()
        };
        self.tell(document, receipt).await
    }

    /// Sends a receipt for each event of the document, the way the event came in. At the stop the
    /// remaining receipts are left out: `trace` has them.
    pub async fn tell(
        &self,
        document: &Document,
        receipt: impl Fn(&Recorded) -> Bytes,
    ) -> Result<(), Ended> {
        for seq in &document.events {
            let Some(recorded) = self.journal.event(*seq)? else {
                continue;
            };
            let payload = receipt(&recorded);
            let event = recorded.event;
            let message = Outbound {
                device: event.device,
                channel: "receipt".into(),
                payload,
                retain: false,
            };
            tokio::select! {
                biased;
                () = self.outlets.send(event.source, message) => {}
                () = self.cancel.cancelled() => return Ok(()),
            }
        }
        Ok(())
    }
}

/// The reason that one event of a parked document gets: the faults of its own line, or that another
/// line has a fault. A fault of the whole document counts for each line that has no fault of its
/// own.
fn reason_of(document: &Document, reason: &Reason, seq: Seq) -> LineReason {
    let own: Vec<usize> = (document.lines.iter().enumerate())
        .filter(|(_, line)| line.events.contains(&seq))
        .map(|(place, _)| place)
        .collect();
    let is_own = |fault: &&LineReason| fault.line.is_some_and(|line| own.contains(&line));
    let mut faults = reason.lines.iter().filter(is_own);
    if let Some(first) = faults.next() {
        let messages: Vec<&str> = std::iter::once(first)
            .chain(faults)
            .map(|fault| fault.message.as_str())
            .collect();
        return LineReason {
            message: messages.join("; "),
            ..first.clone()
        };
    }
    let whole = reason.lines.iter().find(|fault| fault.line.is_none());
    match whole.or(reason.lines.first().filter(|_| own.is_empty())) {
        Some(whole) => whole.clone(),
        None if reason.lines.is_empty() => reason.of(None),
        None => LineReason {
            line: None,
            code: ReasonCode::DocumentParked.into(),
            message: format!(
                "document {} has this event, and a person must correct another line of it before anything of it is posted. Do not send this event again",
                document.number
            ),
        },
    }
}
