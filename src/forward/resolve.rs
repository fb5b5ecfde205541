//! Resolves documents: barcodes and names become Odoo's ids. **In**: documents. **Out**: for each
//! its work in Odoo, or the reason why there is none.
//!
//! - `lookup`: barcodes, lots and packages. The gateway asks Odoo for what the catalog does not
//!   have before it calls a code unknown. It always asks Odoo for lots and packages, all of a batch
//!   in one call.
//! - `transfer_work`, `order_work`, `line_values`: the work of documents that become a picking, and
//!   of documents about an order.
//! - `planner` makes a `plan`, once, from what Odoo holds: `count`, `stock`, `bins`, `returns`,
//!   `package`, `incoming`.
//! - `pin`: fixes the picking of a document about an order.
//! - `changed_meaning`: codes whose meaning has changed since the scan. `serial`: serial numbers
//!   that come in although they are in stock. `dates`: expiry dates of new lots.
//! - `code_faults`: all faults of the codes of a document.
//! - `reverse`: the work that reverses a posted document.

mod bins;
mod changed_meaning;
mod code_faults;
mod count;
mod dates;
mod incoming;
mod line_values;
mod lookup;
mod order_work;
mod package;
mod pin;
mod plan;
mod planner;
mod returns;
mod reverse;
mod serial;
mod stock;
mod transfer_work;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use self::lookup::Names;
pub use self::plan::{Moves, moves};
use super::job::Work;
use crate::book::Book;
use crate::catalog::Catalog;
use crate::catalog::refresh::Trouble;
use crate::config;
use crate::document::{Document, DocumentKey, DocumentNumber, Reason, answer};
use crate::event::{CLOCK_MIN, Seq};
use crate::journal::Journal;
use crate::odoo::stock::Place;
use crate::odoo::{Client, Transfer, Warehouse};
use crate::odoo_id::PickingId;
use crate::outcome::Failure;
use crate::reason::{Flag, ReasonCode};

type Resolved<T> = Result<T, Reason>;

/// The work in Odoo for a document, and what the ledger records about its calculation.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// `None`: Odoo already holds the result of the document.
    pub work: Option<Work>,
    pub flags: Vec<Flag>,
    /// The plan is calculated once, and every send uses it: see
    /// [`crate::document::Progress::plan`].
    pub plan: Option<String>,
    /// The note for the audit record.
    pub note: Option<String>,
}

impl From<Work> for Prepared {
    fn from(work: Work) -> Self {
        Self {
            work: Some(work),
            flags: Vec::new(),
            plan: None,
            note: None,
        }
    }
}

impl Prepared {
    /// A document with no work in Odoo. `note` says why.
    #[must_use]
    pub fn nothing(why: String) -> Self {
        Self {
            work: None,
            flags: Vec::new(),
            plan: None,
            note: Some(why),
        }
    }

    /// The own picking that the gateway creates for the document.
    #[must_use]
    pub fn transfer(&self) -> Option<&Transfer> {
        match &self.work {
            Some(Work::Transfer(transfer)) => Some(transfer),
            _ => None,
        }
    }
}

/// The data that resolving uses, apart from the documents.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    pub copy: &'a Catalog,
    pub warehouse: &'a Warehouse,
    pub rules: &'a Rules,
    /// The time zone of dates without a time.
    pub zone: &'a TimeZone,
    /// The journal, which has the times of the events.
    pub journal: &'a Journal,
    /// The posted counts. `None`: the documents are only reviewed.
    pub book: Option<&'a Book>,
    pub now: Timestamp,
}

/// The site's rules for movements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    pub orders: config::Orders,
    pub stock: config::Stock,
    /// The days for which the journal retains posted documents: `journal.retention_days`.
    pub retention_days: u32,
    /// The time zone of dates without a time. `None`: the configuration names no time zone.
    pub time_zone: Option<TimeZone>,
}

/// Whether the gateway is about to send the documents, or only reviews them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Creates in Odoo what the documents need first, such as a new package.
    Send,
    Look,
    /// Finds all faults that a send would name. Creates nothing in Odoo.
    Review,
}

/// One event of a posted document, to be reversed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undoing {
    /// The posted document that has the event.
    pub number: DocumentNumber,
    pub key: DocumentKey,
    pub seq: Seq,
    /// The picking in Odoo that carried the event out.
    pub picking: Option<PickingId>,
    /// The plan of the posted document.
    pub plan: Option<String>,
    /// The index of the event's line in the posted document.
    pub place: usize,
    /// The document to resolve. Its first line is the line to reverse, under the key of the
    /// document that reverses it. For an order, the other lines are the lines that stay on the
    /// order.
    pub document: Document,
}

/// A document and what a person or an earlier send decided about it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub document: &'a Document,
    pub plan: Option<&'a str>,
    pub decision: Option<&'a str>,
    /// An earlier attempt to send the document was started.
    pub again: bool,
    /// The event that the document reverses.
    pub undoing: Option<&'a Undoing>,
}

impl Asked<'_> {
    /// Whether a person decided to allow the deviation that this reason code describes.
    pub fn allows(&self, code: ReasonCode) -> bool {
        answer::allows(self.decision, code)
    }
}

/// Returns the work for each document, or the reason why it has no work yet. If Odoo refuses to
/// look up barcodes, looks up each document's barcodes alone, so that the refusal is only for the
/// document that caused it (**invariant 8**).
pub async fn resolve(
    odoo: &mut Client,
    ground: Ground<'_>,
    intent: Intent,
    documents: &[Asked<'_>],
) -> Result<Vec<Resolved<Prepared>>, Trouble> {
    match resolve_together(odoo, ground, intent, documents).await {
        Err(Trouble::Odoo(failure)) => refusal(failure)?,
        other => return other,
    };
    let mut resolved = Vec::new();
    for document in documents {
        match resolve_together(odoo, ground, intent, &[*document]).await {
            Ok(one) => resolved.extend(one),
            Err(Trouble::Odoo(failure)) => {
                resolved.push(Err(refusal(failure)?));
            }
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(resolved)
}

/// Converts Odoo's refusal of a document to a reason, with Odoo's message. Any other failure is the
/// link's trouble, for example if Odoo does not admit the key, the database or the user.
fn refusal(failure: Failure) -> Result<Reason, Trouble> {
    match failure {
        Failure::Person { message, .. } => Ok(reason(
            ReasonCode::OdooRefused,
            format!(
                "Odoo refused to look up the codes of this document, or to create a package or lot for it: {message}"
            ),
        )),
        failure => Err(failure.into()),
    }
}

async fn resolve_together(
    odoo: &mut Client,
    ground: Ground<'_>,
    intent: Intent,
    documents: &[Asked<'_>],
) -> Result<Vec<Resolved<Prepared>>, Trouble> {
    let names = Names::ask(odoo, ground, intent, documents).await?;
    let mut resolved = Vec::new();
    if intent != Intent::Look {
        changed_meaning::look_up_lots(odoo, ground, &names, documents).await?;
    }
    for asked in documents {
        resolved.push(prepared(ground, &names, *asked)?);
    }
    if intent != Intent::Look {
        changed_meaning::check(ground, &names, documents, &mut resolved)?;
        serial::check(odoo, ground, &names, documents, &mut resolved).await?;
    }
    if intent == Intent::Send {
        dates::make_lots(odoo, ground, &mut resolved).await?;
    }
    planner::plan(odoo, ground, intent, documents, &mut resolved).await?;
    Ok(resolved)
}

fn prepared(
    ground: Ground<'_>,
    names: &Names,
    asked: Asked<'_>,
) -> Result<Resolved<Prepared>, Trouble> {
    let (when, flag) = when(ground, asked.document);
    let resolved = if asked.document.purpose.is_about_order() {
        order_work::order(ground, names, asked, when)?
    } else {
        transfer_work::transfer(ground, names, asked, when)?
    };
    let resolved = match asked.undoing {
        Some(undoing) => resolved.and_then(|prepared| reverse::back(prepared, undoing)),
        None => resolved,
    };
    Ok(match resolved {
        Ok(mut prepared) => {
            prepared.flags.extend(flag);
            Ok(prepared)
        }
        Err(first) => Err(code_faults::with_others(
            ground,
            names,
            asked.document,
            first,
        )?),
    })
}

/// The time to write to Odoo, and the document's flag. The time is never in the future. `None`: the
/// period is closed, or no clock was right.
fn when(ground: Ground<'_>, document: &Document) -> (Option<Timestamp>, Option<Flag>) {
    let occurred = document.occurred.min(ground.now);
    if occurred < CLOCK_MIN {
        return (None, Some(Flag::TimeUnknown));
    }
    let day = occurred.to_zoned(ground.zone.clone()).date();
    match ground.rules.stock.closed_until {
        Some(closed) if day <= closed => (None, Some(Flag::ClosedPeriod)),
        _ => (Some(occurred), None),
    }
}

/// The place of the difference of a count or a recount, and the difference.
pub fn count_difference(kept: &str) -> Option<(Place, Decimal)> {
    let counted = plan::Plan::read(kept).ok()?.count?;
    let place = Place {
        product: counted.product,
        bin: counted.bin,
        lot: counted.of.lot,
        package: counted.package,
        owner: counted.owner,
    };
    Some((place, counted.difference.parse().ok()?))
}

/// The plan of a count with another difference.
pub fn with_difference(kept: &str, difference: Decimal) -> String {
    let Ok(mut plan) = plan::Plan::read(kept) else {
        return kept.to_owned();
    };
    if let Some(counted) = &mut plan.count {
        counted.difference = difference.normalize().to_string();
    }
    plan.text()
}

/// Reads the place and the counted quantity of a count from the stored plan of its document.
/// `None`: the plan has no count, or cannot be read.
pub fn counted(kept: &str) -> Option<(Place, Option<Decimal>)> {
    let counted = plan::Plan::read(kept).ok()?.count?;
    let of = counted.of;
    let place = Place {
        product: counted.product,
        bin: counted.bin,
        lot: of.lot,
        package: of.package,
        owner: of.owner,
    };
    let quantity = counted.quantity.and_then(|quantity| quantity.parse().ok());
    Some((place, quantity))
}

fn reason(code: ReasonCode, message: impl Into<String>) -> Reason {
    Reason {
        code: code.into(),
        message: message.into(),
        lines: Vec::new(),
    }
}
