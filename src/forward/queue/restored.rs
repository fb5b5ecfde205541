//! After a restore: compares documents with Odoo that the gateway before may have posted.
//!
//! **In**: documents that are about to be sent, and the mark of a restored journal
//! (`journal/restored.rs`). **Out**: those that are safe to send, and the fate of the others.
//!
//! - Odoo has the document under its key: it is posted, or its send goes on under the same key.
//! - Odoo does not have it, and the backup has the sealed document: the gateway before would have
//!   sent it under this key, or under the key of a correction. If Odoo has none of these, the
//!   document is safe to send. A validation leaves no key in Odoo: it is safe only while no picking
//!   of the order is done.
//! - Odoo does not have it, and this gateway sealed it: the gateway before may have sealed its
//!   events in another document, with another key. A person must decide (`maybe-posted`).

use super::fate::Fate;
use super::recovery::{self, Held};
use super::{Queue, allows};
use crate::document::{Document, DocumentKey, Purpose, Reason};
use crate::forward::Interrupted;
use crate::forward::resolve::Ground;
use crate::journal::{Entry, JournalError, Restored};
use crate::odoo::{Client, PickingState};
use crate::outcome::Failure;
use crate::reason::ReasonCode;

/// How often in a row a document may have been corrected. A device or a person corrects one once
/// or twice.
const CORRECTIONS_MAX: usize = 6;

impl Queue {
    /// Returns the documents that are safe to send, and the fate of the others.
    pub async fn compare_restored(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entries: Vec<Entry>,
    ) -> Result<(Vec<Entry>, Vec<(Entry, Fate)>), Interrupted> {
        let Some(mark) = self.journal.restored()? else {
            return Ok((entries, Vec::new()));
        };
        let (mut safe, mut decided) = (Vec::new(), Vec::new());
        for mut entry in entries {
            if allows(&entry, ReasonCode::MaybePosted)
                || !self.is_in_doubt(&mark, &entry.document)?
            {
                safe.push(entry);
                continue;
            }
            let document = &entry.document;
            let reason = describe(&mark, document);
            let found = recovery::find_out(odoo, ground.warehouse, document, reason).await;
            let held = match found {
                Err(Failure::Person { message, .. }) => {
                    let mut reason = describe(&mark, document);
                    reason.message =
                        format!("{} (Odoo does not show it: {message})", reason.message);
                    decided.push((entry, Fate::Refused { reason, odoo: None }));
                    continue;
                }
                other => other?,
            };
            match held {
                Held::Posted(odoo) => decided.push((entry, Fate::Found(odoo))),
                Held::Unknown(reason, odoo) => {
                    decided.push((entry, Fate::Uncertain { reason, odoo }));
                }
                // The send of the gateway before goes on, under the same key.
                Held::Open(..) => {
                    entry.progress.attempts = entry.progress.attempts.max(1);
                    safe.push(entry);
                }
                Held::Absent(reason) => {
                    if mark.has_document(document) && is_absent(odoo, ground, document).await? {
                        safe.push(entry);
                    } else {
                        decided.push((entry, Fate::Refused { reason, odoo: None }));
                    }
                }
            }
        }
        Ok((safe, decided))
    }

    /// Whether the gateway before may have sent the document, or a document with one of its events.
    fn is_in_doubt(&self, mark: &Restored, document: &Document) -> Result<bool, JournalError> {
        if mark.has_document(document) {
            return Ok(true);
        }
        for seq in &document.events {
            let event = self.journal.event(*seq)?;
            if event.map_or(*seq <= mark.seq, |event| mark.may_have_had(&event)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether Odoo has no correction of a document that it does not have under its own key, and the
/// document leaves no trace but its key.
async fn is_absent(
    odoo: &mut Client,
    ground: Ground<'_>,
    document: &Document,
) -> Result<bool, Failure> {
    let keys = correction_keys(document.key);
    match &document.purpose {
        // Nothing in Odoo names the document that took lines off an order.
        Purpose::Undo { of: Some(of), .. } if of.is_about_order() => return Ok(false),
        // The goods that were packed have the package's name alone.
        Purpose::PackOrder { .. } => return Ok(false),
        // The same values again do no harm.
        Purpose::Ship { .. } => return Ok(true),
        _ => {}
    }
    if !document.purpose.is_about_order() {
        for key in keys {
            if !odoo.held(key).await?.is_empty() {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    let order = document.purpose.order().unwrap_or_default();
    let seen = odoo.order(ground.warehouse, order).await?;
    let is_validation = matches!(document.purpose, Purpose::Validate { .. });
    let is_touched = seen.pickings.iter().any(|picking| {
        let mut lines = picking.lines.iter();
        is_validation && picking.state == PickingState::Done
            || lines.any(|line| keys.iter().any(|key| line.is_of(*key)))
    });
    Ok(!is_touched)
}

/// The keys under which the document may have been posted after corrections.
fn correction_keys(key: DocumentKey) -> Vec<DocumentKey> {
    let corrections = std::iter::successors(Some(key), |key| Some(key.corrected()));
    let corrections = corrections.skip(1).take(CORRECTIONS_MAX);
    corrections.chain([key.undiscarded()]).collect()
}

fn describe(mark: &Restored, document: &Document) -> Reason {
    let before = match (mark.seq.get(), mark.document.get()) {
        (0, 0) => "this journal replaces a lost one",
        (_, 0) => "another gateway of the site may have received the same events",
        _ => "this journal was restored from a backup",
    };
    let what = if mark.has_document(document) {
        "Odoo may have a correction of this document, or its result under no key"
    } else {
        "the events of this document are from before, and Odoo has nothing under its key"
    };
    Reason {
        code: ReasonCode::MaybePosted.into(),
        message: format!(
            "{before}, and {what}: the gateway before may have posted the goods. Look for them in Odoo: if they are not there, retry with allow; if they are, discard the document"
        ),
        lines: Vec::new(),
    }
}
