//! Describes what a search has found, for people.

use jiff::Timestamp;

use super::super::events::Places;
use super::super::{Gateway, read};
use super::Fixed;
use crate::catalog::{Catalog, Found};
use crate::document::DocumentNumber;
use crate::event::{Recorded, Seq};
use crate::journal::terms::{FoundName, TermKind, fold};
use crate::journal::{Entry, JournalError};
use crate::odoo::Kind;
use crate::view::records::{EventView, Hit, HitKind, Place, RejectedView};
use crate::view::words::Words;

/// The kind of result for a name.
pub fn kind_of(kind: TermKind) -> HitKind {
    match kind {
        TermKind::Device => HitKind::Device,
        TermKind::Operator => HitKind::Operator,
        TermKind::Order => HitKind::Order,
        TermKind::Product => HitKind::Product,
        TermKind::Location => HitKind::Location,
        TermKind::Lot => HitKind::Lot,
        TermKind::Package => HitKind::Package,
        TermKind::Event | TermKind::Scan => HitKind::Event,
    }
}

/// The kind of name that a result is. `None`: it is no name of events.
pub fn term_kind(kind: HitKind) -> Option<TermKind> {
    let mut names = TermKind::ALL.into_iter().filter(|kind| kind.is_name());
    names.find(|name| kind_of(*name) == kind)
}

/// When a result that is no event was done. `None`: it was pruned meanwhile.
pub fn time_of(gateway: &Gateway, fixed: &Fixed) -> Result<Option<Timestamp>, JournalError> {
    let journal = &gateway.journal;
    Ok(match fixed {
        Fixed::Name(name) => journal.event(name.newest)?.map(|found| found.event.at),
        Fixed::Picking(_, number) | Fixed::Reason(_, number) | Fixed::Document(number) => journal
            .document(*number)?
            .map(|entry| entry.document.occurred),
        Fixed::Rejected(number) => journal.rejected_one(*number)?.map(|found| found.received),
        Fixed::Event(seq) => journal.event(*seq)?.map(|found| found.event.at),
    })
}

/// The text of this kind in an event, as it was scanned. `folded`: the text without differences of
/// case.
pub fn text_in<'a>(recorded: &'a Recorded, kind: TermKind, folded: &str) -> Option<&'a str> {
    use crate::event::Field::{From, Lot, Order, Package, Product, To};
    let event = &recorded.event;
    let field = |field| event.action.text(field);
    let texts = match kind {
        TermKind::Event => [Some(event.id.as_str()), None],
        TermKind::Device => [Some(event.device.as_str()), None],
        TermKind::Operator => [event.operator.as_deref(), None],
        TermKind::Order => [field(Order), None],
        TermKind::Product => [field(Product), None],
        TermKind::Location => [field(From), field(To)],
        TermKind::Lot => [field(Lot), None],
        TermKind::Package => [field(Package), None],
        TermKind::Scan => [field(crate::event::Field::Code), None],
    };
    let mut texts = texts.into_iter().flatten();
    texts.find(|text| fold(text) == folded)
}

/// Makes results.
pub struct Rendering<'a> {
    gateway: &'a Gateway,
    copy: Option<Catalog>,
    places: Places<'a>,
}

impl<'a> Rendering<'a> {
    pub fn new(gateway: &'a Gateway) -> Self {
        let copies = gateway.copies.as_ref();
        Self {
            gateway,
            copy: copies.and_then(|copies| copies.borrow().clone()),
            places: Places::new(gateway),
        }
    }

    /// The result for an event. `None`: it was pruned meanwhile.
    pub fn event(&mut self, seq: Seq) -> Result<Option<Hit>, JournalError> {
        let journal = &self.gateway.journal;
        let Some(recorded) = journal.event(seq)? else {
            return Ok(None);
        };
        let place = self.places.of(journal.document_of(seq)?)?;
        let view = self.gateway.view_event(&recorded, place)?;
        Ok(Some(Hit {
            kind: HitKind::Event,
            id: format!("{}/{}", view.device, view.id),
            at: view.at,
            title: describe(&view),
            state: Some(view.state),
            unused: view.unused,
            wrong: view.wrong,
        }))
    }

    /// The result for anything else. `None`: it was pruned meanwhile.
    pub fn fixed(&mut self, fixed: &Fixed) -> Result<Option<Hit>, JournalError> {
        match fixed {
            Fixed::Name(name) => self.name(name),
            Fixed::Event(seq) => self.event(*seq),
            Fixed::Document(number) => {
                let hit = |entry: Entry| Hit {
                    kind: HitKind::Document,
                    id: entry.document.key.to_string(),
                    ..hit_of(&entry)
                };
                Ok(self.entry(*number)?.map(hit))
            }
            Fixed::Picking(folded, number) => Ok(self.entry(*number)?.and_then(|entry| {
                let name = entry.progress.odoo.as_ref().map(|odoo| odoo.name.clone());
                let name = name.filter(|name| fold(name).starts_with(folded.as_str()))?;
                Some(Hit {
                    kind: HitKind::Picking,
                    id: self.unambiguous(HitKind::Picking, name),
                    ..hit_of(&entry)
                })
            })),
            Fixed::Reason(folded, number) => Ok(self.entry(*number)?.and_then(|entry| {
                let reason = entry.progress.reason.as_ref();
                let reason = reason.filter(|reason| fold(&reason.code.to_string()) == *folded)?;
                Some(Hit {
                    kind: HitKind::Reason,
                    id: reason.code.to_string(),
                    title: format!("newest: {}; {}", hit_of(&entry).title, reason.message),
                    state: None,
                    ..hit_of(&entry)
                })
            })),
            Fixed::Rejected(number) => {
                let found = self.gateway.journal.rejected_one(*number)?;
                Ok(found.as_ref().map(|found| {
                    let view = RejectedView::for_list(&self.gateway.site, found);
                    let id = match &view.id {
                        Some(id) => format!("{}/{id}", view.device),
                        None => format!("rejected:{number}"),
                    };
                    Hit {
                        kind: HitKind::Rejected,
                        id,
                        at: view.received,
                        title: format!("{} {}: {}", view.device, view.code, view.message),
                        state: Some(view.state),
                        unused: false,
                        wrong: None,
                    }
                }))
            }
        }
    }

    fn name(&self, name: &FoundName) -> Result<Option<Hit>, JournalError> {
        let Some(recorded) = self.gateway.journal.event(name.newest)? else {
            return Ok(None);
        };
        let Some(text) = text_in(&recorded, name.kind, &name.text) else {
            return Ok(None);
        };
        let kind = kind_of(name.kind);
        let view = EventView::of(&self.gateway.site, &recorded, &Place::NoDocument);
        let title = self.called(name.kind, text);
        Ok(Some(Hit {
            kind,
            id: self.unambiguous(kind, text.to_owned()),
            at: view.at,
            title: title.unwrap_or_else(|| format!("newest: {}", describe(&view))),
            state: None,
            unused: false,
            wrong: None,
        }))
    }

    /// The name in the copy of Odoo's data. `None`: it has no other name, or the copy does not have
    /// it.
    fn called(&self, kind: TermKind, code: &str) -> Option<String> {
        let copy = self.copy.as_ref()?;
        match kind {
            TermKind::Product => match copy.product(code).ok()? {
                Found::One(product) => Some(product.name),
                Found::Nothing | Found::Several(_) => None,
            },
            TermKind::Location => match copy.location(code).ok()? {
                Found::One(id) => Some(copy.called(Kind::Location, id.get()).ok()??.name),
                Found::Nothing | Found::Several(_) => None,
            },
            _ => None,
        }
    }

    /// The id of a name for `trace`: with its kind where the name alone would be a number of an
    /// event or a document.
    fn unambiguous(&self, kind: HitKind, text: String) -> String {
        let newest = self.gateway.journal.totals().last_seq.get();
        match text.parse::<u64>() {
            Ok(number) if number <= newest => format!("{}:{text}", kind.as_str()),
            _ => text,
        }
    }

    fn entry(&self, number: DocumentNumber) -> Result<Option<Entry>, JournalError> {
        let entry = self.gateway.journal.document(number)?;
        entry
            .map(|entry| read::with_lines_of_event(self.gateway, entry))
            .transpose()
    }
}

fn describe(view: &EventView) -> String {
    format!("{} {}", view.kind, view.describe(Words::ENGLISH))
}

/// The common part of a document's result.
fn hit_of(entry: &Entry) -> Hit {
    let (document, progress) = (&entry.document, &entry.progress);
    let order = document.purpose.order();
    let order = order.map_or(String::new(), |order| format!(" for {order}"));
    let picking = progress.odoo.as_ref();
    let picking = picking.map_or(String::new(), |odoo| format!(", {}", odoo.name));
    let lines = document.lines.len();
    Hit {
        kind: HitKind::Document,
        id: document.key.to_string(),
        at: document.occurred,
        title: format!(
            "document {}: {}{order}, {lines} line{}{picking}",
            document.number,
            document.purpose.kind(),
            if lines == 1 { "" } else { "s" }
        ),
        state: Some(progress.state.to_string()),
        unused: false,
        wrong: None,
    }
}
