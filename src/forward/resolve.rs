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

/// What is said to Odoo about a document, and what the ledger keeps of how that came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// None: Odoo holds already what it comes to.
    pub work: Option<Work>,
    pub flags: Vec<Flag>,
    /// Worked out once and kept to: see [`crate::document::Progress::plan`].
    pub plan: Option<String>,
    /// For the audit record.
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
    /// Nothing has to be said to Odoo, and why.
    #[must_use]
    pub fn nothing(why: String) -> Self {
        Self {
            work: None,
            flags: Vec::new(),
            plan: None,
            note: Some(why),
        }
    }

    /// The picking of our own that it becomes.
    #[must_use]
    pub fn transfer(&self) -> Option<&Transfer> {
        match &self.work {
            Some(Work::Transfer(transfer)) => Some(transfer),
            _ => None,
        }
    }
}

/// What resolving goes by, besides the documents.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    pub copy: &'a Catalog,
    pub warehouse: &'a Warehouse,
    pub rules: &'a Rules,
    /// The zone of days without a time.
    pub zone: &'a TimeZone,
    /// When what was scanned was done.
    pub journal: &'a Journal,
    /// What counts go by; `None` where documents are only looked at.
    pub book: Option<&'a Book>,
    pub now: Timestamp,
}

/// The site's rules for what moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    pub orders: config::Orders,
    pub stock: config::Stock,
    /// What is kept of posted documents is kept so long: `journal.retention_days`.
    pub retention_days: u32,
    /// The zone of days without a time, where the configuration names one.
    pub time_zone: Option<TimeZone>,
}

/// Whether the documents are about to be sent, or only looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// What they need in Odoo besides, such as a new package, is made.
    Send,
    Look,
    /// Only looked at, and asked for all faults that a send would name. Nothing is made.
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
    /// The document to resolve: its first line is what is reversed, under the key of the document
    /// that reverses. Where it is about an order, the other lines are what stays on the order.
    pub document: Document,
}

/// A document and what a person or an earlier send decided about it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub document: &'a Document,
    pub plan: Option<&'a str>,
    pub decision: Option<&'a str>,
    /// A send was begun before.
    pub again: bool,
    /// The document is what this says, backwards.
    pub undoing: Option<&'a Undoing>,
}

impl Asked<'_> {
    /// Whether a person allowed what this reason asks about.
    pub fn allows(&self, code: ReasonCode) -> bool {
        answer::allows(self.decision, code)
    }
}

/// Work for each document, or why there is none yet. Where Odoo refuses to look barcodes up, each
/// document is asked for alone, and the refusal is for the one that it is about (**invariant 8**).
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

/// What Odoo refuses about a document, in its words; all else is the link's trouble, also a key, a
/// database or a user that is not admitted at all.
fn refusal(failure: Failure) -> Result<Reason, Trouble> {
    match failure {
        Failure::Person { message, .. } => Ok(reason(
            ReasonCode::OdooRefused,
            format!(
                "Odoo refused to look up its codes, or to make a package or lot for it: {message}"
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

/// The true time that Odoo is to have, and what is to be said about it: never the future, never a
/// closed period, and none where no clock was right.
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

/// Where a count or a recount has its difference, and how much that is.
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

/// The place of a count, and how much was counted, by the plan of its document.
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
