//! What the devices hear of a document.

use bytes::Bytes;

use super::{Ended, Ledger};
use crate::channel::Outbound;
use crate::channel::receipt::Receipt;
use crate::document::{Document, OdooRef, Reason};

impl Ledger {
    pub(super) async fn tell_posted(
        &self,
        document: &Document,
        odoo: Option<&OdooRef>,
        note: Option<&str>,
    ) -> Result<(), Ended> {
        let odoo = odoo.map(|odoo| odoo.name.as_str());
        tracing::debug!(number = document.number, odoo, note, "posted");
        let key = document.key.to_string();
        let receipt = |id: &str| {
            Receipt::Posted {
                id,
                document: key.clone(),
                odoo,
                note,
            }
            .to_bytes()
        };
        self.tell(document, receipt).await
    }

    pub(super) async fn tell_refused(
        &self,
        document: &Document,
        reason: &Reason,
    ) -> Result<(), Ended> {
        let Reason { code, message } = reason;
        tracing::warn!(number = document.number, code, message, "document parked");
        let receipt = |id: &str| {
            Receipt::Refused {
                id: Some(id),
                code,
                message,
            }
            .to_bytes()
        };
        self.tell(document, receipt).await
    }

    /// A receipt for each event of the document, the way it came in. At the stop the rest is left out: `trace` has it.
    pub(super) async fn tell(
        &self,
        document: &Document,
        receipt: impl Fn(&str) -> Bytes,
    ) -> Result<(), Ended> {
        for seq in &document.events {
            let Some(recorded) = self.journal.event(*seq)? else {
                continue;
            };
            let event = recorded.event;
            let message = Outbound {
                device: event.device.clone(),
                channel: "receipt".into(),
                payload: receipt(&event.id),
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
